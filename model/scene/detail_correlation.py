"""Robust correlation of the details of the MS bands with PAN's, as a function of transfer and shift.

The details are high-passed MS and high-passed PAN, which a transfer function brings to the MS pixels. Blocks can be
left out one by one, and those of high contrast weigh less, so that clouds do not outvote the scene.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..geometry.details import pixels
from ..geometry.filters import HIGH_PASS_SIZE, Image, Mask, dilate, high_pass, lower_median, whole_boxes
from ..geometry.products import inner_products, inverse_root, multiply
from ..geometry.resampling import Matrix, mtf_reach, nearest
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow

Line = NDArray[np.float64]  # (n,)
Numbers = NDArray[np.int64]

FIRST_TRANSFER = TransferFunction.gaussian(0.25)  # start of the search
MAX_SHIFT = 5  # PAN pixels searched in each direction
BLOCK_SIDE = 24  # MS pixels
MIN_WINDOW_SAMPLES = 300  # fewer give no correlation of a window alone


class Correlation:
    """Multiple correlation of high-passed PAN with the high-passed MS bands over windows of one scene.

    count   samples that count          bands (bands, n)   high-passed MS
    """

    def __init__(self, windows: Sequence[PairWindow], check: Callable[[], None] = lambda: None) -> None:
        self.check = check
        self.windows = [_mask_unsafe_pixels(w) for w in _normalise_windows(windows, check)]
        self.whole = [whole_boxes(w.ms_valid) for w in self.windows]
        samples = [pixels(high_pass(w.ms), mask) for w, mask in zip(self.windows, self.whole) if mask.any()]
        self.bands = np.concatenate(samples, axis=1) if samples else np.zeros((0, 0))
        self.stacks = _stack_windows(self.windows, self.whole)
        self.window_numbers, self.blocks = _number_samples(self.whole)
        self.trust = np.ones(self.bands.shape[1])
        self._whiten()
        if self.count:
            self._equalise_block_weights()

    def __call__(self, transfer: TransferFunction, shift: tuple[float, float]) -> float:
        """Return the multiple correlation in [0, 1]."""
        weighed = self.pan(transfer, shift) * self.trust
        explained = float((np.einsum("bn,n->b", self.basis, weighed) ** 2).sum())
        return math.sqrt(explained / max(float((weighed**2).sum()), 1e-30))

    def pan(self, transfer: TransferFunction, shift: tuple[float, float]) -> Line:
        """Return high-passed PAN at the samples, (n,)."""
        return self.down(self.across(transfer, shift[1]), transfer, shift[0])

    def across(self, transfer: TransferFunction, shift: float) -> list[Image]:
        """Blur and sample PAN of each stack of windows along its rows."""
        self.check()
        return [w.shifted((0.0, shift)).mtf_resamplers(transfer)[1].across(pan) for w, pan, _ in self.stacks]

    def down(self, across: Sequence[Image], transfer: TransferFunction, shift: float) -> Line:
        """Blur and sample along the columns, then high-pass, (n,)."""
        self.check()
        parts = []
        for (window, _, places), half_done in zip(self.stacks, across):
            rows = window.shifted((shift, 0.0)).mtf_resamplers(transfer)[0]
            parts.append(high_pass(rows.down(half_done)).take(places))
        return np.concatenate(parts).astype(np.float64)

    def combination(self, pan: Line) -> Line:
        """Return the linear combination of all samples of the bands that explains PAN's details best, (n,) each."""
        weights = np.einsum("bn,n->b", self.basis, pan * self.trust) @ self.mix
        return np.einsum("b,bn->n", weights, self.bands)

    def by_block(self, pan: Line) -> Line:
        """Correlate the scene's combination of the bands with PAN's details (n,) within each block, (blocks,)."""
        return correlations(self.combination(pan), pan, self.blocks, int(self.blocks.max()) + 1)

    def keep_blocks(self, kept: Mask) -> None:
        """Leave out the blocks where `kept` (blocks,) is False."""
        self.trust = self.trust * kept[self.blocks]
        self._whiten()

    def mask_left_out(self, windows: Sequence[PairWindow]) -> list[PairWindow]:
        """Return the windows without the MS pixels of blocks that are left out."""
        kept, first = [], 0
        for window, mask in zip(windows, self.whole):
            left_out, count = np.zeros_like(mask), int(mask.sum())
            left_out[mask] = self.trust[first : first + count] == 0.0
            first += count
            wide = np.pad(left_out, HIGH_PASS_SIZE // 2, mode="edge") if left_out.any() else False
            kept.append(replace(window, ms_valid=window.ms_valid & ~np.asarray(wide)))
        return kept

    def equalise_sample_weights(self) -> None:
        """Give every sample that is kept the same weight, as in the scene itself."""
        self.trust = (self.trust > 0).astype(np.float64)
        self._whiten()

    def by_window(self, combination: Line, pan: Line) -> Line:
        """Correlate a combination of the bands with PAN's details (n,) in each window, all blocks counted."""
        counts = np.bincount(self.window_numbers, minlength=len(self.windows))
        scores = correlations(combination, pan, self.window_numbers, len(counts))
        return np.where(counts >= MIN_WINDOW_SAMPLES, scores, 0.0)

    def _equalise_block_weights(self) -> None:
        """Give blocks of more than the usual contrast no more than the usual weight."""
        pan = self.pan(FIRST_TRANSFER, (0.0, 0.0))
        strength = np.sqrt(np.bincount(self.blocks, pan * pan) / np.bincount(self.blocks))
        usual = float(lower_median(strength))
        if usual > 0.0:
            self.trust = (usual / np.maximum(strength, usual))[self.blocks]
            self._whiten()

    def _whiten(self) -> None:
        """Make orthonormal combinations of the trusted samples; `mix` makes them of the bands."""
        self.check()
        trusted = self.bands * self.trust
        self.count = int((self.trust > 0).sum()) if len(trusted) else 0
        self.mix = compute_whitening(trusted, 1e-6 * self.count**0.5, 1e-6, self.check)
        if not len(self.mix):
            self.count = 0
        self.basis = multiply(self.mix, trusted)


def compute_whitening(bands: Matrix, least: float, weak: float, check: Callable[[], None] = lambda: None) -> Matrix:
    """Return the matrix (n, bands) that makes orthonormal combinations of bands (bands, samples).

    Left out are bands of at most the norm `least`, and residuals of a band of norm 1 of at most the power `weak`.
    """
    gram = inner_products(bands, bands)
    check()
    norms = np.sqrt(gram.diagonal())
    scale = np.where(norms > least, 1.0 / np.maximum(norms, 1e-30), 0.0)
    return inverse_root(np.asarray(gram * np.outer(scale, scale)), weak) * scale


def _stack_windows(windows: Sequence[PairWindow], masks: Sequence[Mask]) -> list[tuple[PairWindow, Image, Numbers]]:
    """Stack neighbouring windows that share a grid phase: many small images take longer than a stack of them.

    Returns one of them, PAN of all (k, H, W), and the samples among their MS pixels.
    """
    pairs = [(w, mask) for w, mask in zip(windows, masks) if mask.any()]
    runs = [zip(*run) for _, run in groupby(pairs, lambda p: (p[0].pan.shape, p[1].shape, p[0].first, p[0].spacing))]
    return [(some[0], np.stack([w.pan for w in some]), np.flatnonzero(np.stack(whole))) for some, whole in runs]


def correlations(first: Line, second: Line, groups: Numbers, count: int) -> Line:
    """Correlate two zero-mean vectors (n,) within each of the `count` groups that `groups` (n,) numbers."""
    shared, one, other = (np.bincount(groups, v, count) for v in (first * second, first * first, second * second))
    return shared / np.maximum(np.sqrt(one * other), 1e-30)


def _normalise_windows(windows: Sequence[PairWindow], check: Callable[[], None]) -> list[PairWindow]:
    """Scale bands and PAN of the windows to about unit deviation, whatever the unit of the values.

    They are divided by powers of two, which rounds nothing.
    """
    if not windows:
        return []
    sizes = []
    for band in range(len(windows[0].ms)):
        check()
        sizes.append(_round_deviation([(w.ms[band], w.ms_valid) for w in windows]))
    pan_size = _round_deviation([(w.pan, w.pan_valid) for w in windows])
    return [w.scaled(pan_size, sizes) for w in windows]


def _round_deviation(images: Sequence[tuple[Image, Mask]]) -> float:
    """Return the power of two nearest to the deviation of images (h, w) where valid (h, w); 1 without any.

    A subsample of large images is enough.
    """
    parts = []
    for image, valid in images:
        few = slice(None, None, 4 if image.size > 4096 else 1)
        parts.append(image[few, few][valid[few, few]])
    values = np.concatenate(parts).astype(np.float64)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return 2.0 ** round(math.log2(deviation)) if deviation > 0.0 else 1.0


def _number_samples(whole: Sequence[Mask]) -> tuple[Numbers, Numbers]:
    """Number the window and the block of each sample; (n,) each."""
    windows, blocks, first = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for number, places in enumerate(whole):
        rows, columns = places.nonzero()
        down, wide = (max(round(side / BLOCK_SIDE), 1) for side in places.shape)
        along = rows * down // max(places.shape[0], 1), columns * wide // max(places.shape[1], 1)
        blocks.append(first + along[0] * wide + along[1])
        windows.append(np.full_like(rows, number))
        first += wide * down
    return np.concatenate(windows), np.unique(np.concatenate(blocks), return_inverse=True)[1]


def _mask_unsafe_pixels(window: PairWindow) -> PairWindow:
    """Keep only MS pixels whose PAN neighbourhood is valid at every shift that will be tried."""
    reach = int(np.ceil(mtf_reach(FIRST_TRANSFER.rows, window.ratio))) + MAX_SHIFT
    clear = window.inside(reach)
    if not window.pan_valid.all():
        rows, columns = (nearest(s).clip(0, n - 1) for n, s in zip(window.pan.shape, window.positions_in_pan()))
        clear &= ~dilate(~window.pan_valid, reach)[np.ix_(rows, columns)]
    return replace(window, ms_valid=window.ms_valid & clear)
