"""How well the details of the MS bands explain PAN's, as a function of transfer and shift, robustly.

The details are high-passed MS and high-passed PAN, which a transfer function brings to the MS pixels. Blocks can be
asked one by one and left out, and those of much contrast weigh less, so that clouds do not outvote the scene.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from torch.nn.functional import max_pool2d

from ..geometry.resampling import mtf_reach, nearest
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .statistics import HIGH_PASS_SIZE, high_pass, whole_boxes

FIRST_TRANSFER = TransferFunction.gaussian(0.25)  # with which the search begins
LARGEST_SHIFT = 5  # PAN pixels searched in each direction
BLOCK_SIDE = 24  # MS pixels
SMALLEST_WINDOW = 300  # samples, below which a window tells nothing alone


class Correlation:
    """Multiple correlation of high-passed PAN with the high-passed MS bands over windows of one scene.

    count   samples that count          bands (bands, n)   high-passed MS
    """

    def __init__(self, windows: Sequence[PairWindow], check: Callable[[], None] = lambda: None) -> None:
        self.check = check
        self.windows = [_with_safe_mask(w) for w in _of_unit_size(windows, check)]
        whole = [_whole(w) for w in self.windows]
        samples = [high_pass(w.ms)[:, there] for w, there in zip(self.windows, whole) if there.any()]
        self.bands = torch.cat(samples, dim=1).double() if samples else torch.zeros(0, 0, dtype=torch.float64)
        self.stacks = _stacked(self.windows, whole)
        self.window_numbers, self.blocks = _numbers(whole)
        self.trust = torch.ones(self.bands.shape[1], dtype=torch.float64)
        self._whiten()
        if self.count:
            self._weigh_blocks_alike()

    def __call__(self, transfer: TransferFunction, shift: tuple[float, float]) -> float:
        """Multiple correlation in [0, 1]."""
        return self.score(self.pan(transfer, shift))

    def score(self, pan: torch.Tensor) -> float:
        """Multiple correlation with details of PAN (n,)."""
        weighed = pan * self.trust
        return float(torch.sqrt((self.basis @ weighed).pow(2).sum() / (weighed @ weighed).clamp_min(1e-30)))

    def pan(self, transfer: TransferFunction, shift: tuple[float, float]) -> torch.Tensor:
        """High-passed PAN at the samples, (n,)."""
        return self.down(self.across(transfer, shift[1]), transfer, shift[0])

    def across(self, transfer: TransferFunction, shift: float) -> list[torch.Tensor]:
        """PAN of each stack of windows blurred and sampled along its rows."""
        self.check()
        return [s.window.shifted((0.0, shift)).mtf_resamplers(transfer)[1].across(s.pan) for s in self.stacks]

    def down(self, across: Sequence[torch.Tensor], transfer: TransferFunction, shift: float) -> torch.Tensor:
        """The same along the columns, then the high-pass, (n,)."""
        self.check()
        parts = []
        for stack, half_done in zip(self.stacks, across):
            rows = stack.window.shifted((shift, 0.0)).mtf_resamplers(transfer)[0]
            parts.append(high_pass(rows.down(half_done)).flatten()[stack.places])
        return torch.cat(parts).double()

    def combination(self, pan: torch.Tensor) -> torch.Tensor:
        """The linear combination of all samples of the bands that explains PAN's details (n,) best, (n,)."""
        return (self.basis @ (pan * self.trust)) @ self.mix @ self.bands

    def by_block(self, pan: torch.Tensor) -> torch.Tensor:
        """Correlation of the scene's combination of the bands with PAN's details (n,) within each block, (blocks,)."""
        return correlations(self.combination(pan), pan, self.blocks, int(self.blocks.max()) + 1)

    def keep_blocks(self, kept: torch.Tensor) -> None:
        """Leave out the blocks where `kept` (blocks,) is False."""
        self.trust = self.trust * kept[self.blocks]
        self._whiten()

    def weigh_samples_alike(self) -> None:
        """Give every sample that is not left out the same weight, as in the scene itself."""
        self.trust = (self.trust > 0).to(self.trust.dtype)
        self._whiten()

    def by_window(self, combination: torch.Tensor, pan: torch.Tensor) -> torch.Tensor:
        """Correlation of a combination of the bands with PAN's details (n,) in each window, all blocks counted."""
        counts = torch.bincount(self.window_numbers, minlength=len(self.windows))
        return torch.where(
            counts >= SMALLEST_WINDOW, correlations(combination, pan, self.window_numbers, len(counts)), 0.0
        )

    def _weigh_blocks_alike(self) -> None:
        """Give blocks of more than the usual contrast no more than the usual weight."""
        pan = self.pan(FIRST_TRANSFER, (0.0, 0.0))
        counts = torch.bincount(self.blocks)
        strength = (torch.zeros(len(counts), dtype=pan.dtype).index_add(0, self.blocks, pan * pan) / counts).sqrt()
        usual = float(strength.median())
        if usual > 0.0:
            self.trust = (usual / strength.clamp_min(usual))[self.blocks]
            self._whiten()

    def _whiten(self) -> None:
        """Orthonormal combinations of the trusted samples; `mix` makes them of the bands."""
        self.check()
        trusted = self.bands * self.trust
        self.count = int((self.trust > 0).sum()) if len(trusted) else 0
        power = trusted.pow(2).sum(1).sqrt() if self.count else torch.zeros(0, dtype=torch.float64)
        if not (power > 1e-6 * self.count**0.5).any():
            self.count = 0
            return
        scale = torch.where(power > 1e-6 * self.count**0.5, 1.0 / power.clamp_min(1e-30), 0.0)
        unit = trusted * scale[:, None]
        gram = unit @ unit.T
        self.check()
        values, vectors = torch.linalg.eigh(gram)
        strong = values > 1e-6
        self.mix = (vectors[:, strong] / values[strong].sqrt()).T * scale
        self.check()
        self.basis = self.mix @ trusted


@dataclass(frozen=True)
class _Stack:
    """Windows whose grids lie alike: one of them, PAN of all (k, H, W), and the samples among their MS pixels."""

    window: PairWindow
    pan: torch.Tensor
    places: torch.Tensor


def _stacked(windows: Sequence[PairWindow], whole: Sequence[torch.Tensor]) -> list[_Stack]:
    """Windows that follow each other and lie alike, together: many small images take longer than a stack of them."""
    pairs = [(w, there) for w, there in zip(windows, whole) if there.any()]
    runs = [list(run) for _, run in groupby(pairs, lambda p: (p[0].pan.shape, p[1].shape, p[0].first, p[0].spacing))]
    return [
        _Stack(
            run[0][0], torch.stack([w.pan for w, _ in run]), torch.stack([t for _, t in run]).flatten().nonzero()[:, 0]
        )
        for run in runs
    ]


def correlations(first: torch.Tensor, second: torch.Tensor, groups: torch.Tensor, count: int) -> torch.Tensor:
    """Correlation of two zero-mean vectors (n,) within each of the `count` groups that `groups` (n,) numbers."""

    def total(values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(count, dtype=values.dtype).index_add(0, groups, values)

    power = total(first * first) * total(second * second)
    return total(first * second) / power.sqrt().clamp_min(1e-30)


def _whole(window: PairWindow) -> torch.Tensor:
    """Where the high-pass of a window reads valid pixels alone; empty where the window is too small for it."""
    if min(window.ms_valid.shape) < HIGH_PASS_SIZE:
        return torch.zeros(0, 0, dtype=torch.bool)
    return whole_boxes(window.ms_valid)


def _of_unit_size(windows: Sequence[PairWindow], check: Callable[[], None]) -> list[PairWindow]:
    """The windows with bands and PAN of about unit deviation, whatever the unit of the values.

    They are divided by powers of two, which rounds nothing.
    """
    if not windows:
        return []
    sizes = []
    for band in range(len(windows[0].ms)):
        check()
        sizes.append(_power_of_two([(w.ms[band], w.ms_valid) for w in windows]))
    ms_size, pan_size = torch.tensor(sizes, dtype=torch.float64), _power_of_two([(w.pan, w.pan_valid) for w in windows])
    return [w.scaled(pan_size, ms_size) for w in windows]


def _power_of_two(images: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """The power of two nearest to the deviation of images (h, w) where valid (h, w); 1 where they have none.

    Of large images some pixels tell it.
    """
    parts = []
    for image, valid in images:
        few = slice(None, None, 4 if image.numel() > 4096 else 1)
        parts.append(image[few, few][valid[few, few]])
    values = torch.cat(parts).double()
    deviation = float(values.std()) if len(values) > 1 else 0.0
    return 2.0 ** round(math.log2(deviation)) if deviation > 0.0 else 1.0


def _numbers(whole: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """For each sample the number of its window, and that of its block; (n,) each."""
    windows, blocks, first = [], [], 0
    for number, places in enumerate(whole):
        rows, columns = places.nonzero(as_tuple=True)
        down, wide = (max(round(side / BLOCK_SIDE), 1) for side in places.shape)
        along = rows * down // max(places.shape[0], 1), columns * wide // max(places.shape[1], 1)
        blocks.append(first + along[0] * wide + along[1])
        windows.append(torch.full_like(rows, number))
        first += wide * down
    if not whole:
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    return torch.cat(windows), torch.unique(torch.cat(blocks), return_inverse=True)[1]


def _with_safe_mask(window: PairWindow) -> PairWindow:
    """Keep only MS pixels whose PAN neighbourhood is valid at every shift that will be tried."""
    reach = int(np.ceil(mtf_reach(FIRST_TRANSFER.rows, window.ratio))) + LARGEST_SHIFT
    if bool(window.pan_valid.all()):
        return replace(window, ms_valid=window.ms_valid & window.inside(reach))
    bad = max_pool2d((~window.pan_valid).float()[None, None], 2 * reach + 1, 1, reach)[0, 0]
    rows, columns = (nearest(s).clip(0, n - 1) for n, s in zip(window.pan.shape, window.positions_in_pan()))
    clear = bad[torch.from_numpy(rows).long()][:, torch.from_numpy(columns).long()] == 0
    return replace(window, ms_valid=window.ms_valid & clear & window.inside(reach))
