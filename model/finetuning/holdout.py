"""A scene to fine-tune on: windows of a pair, some blocks of which are held out with a guard ring around them.

Everything that training is told (shift, gain, statistics, pixels) comes from what is not held out; how good a network
is on the scene comes from the held-out blocks alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..geometry.filters import Mask
from ..geometry.grids import Extent, Placement, Window, register
from ..geometry.window_pair import PairWindow
from ..network.gap_filling import fill
from ..raster.pixel_types import INTEGER_TYPES
from ..raster.reader import Raster
from ..raster.windows import ms_window, output_window, read_with_margin
from ..scene.detail_correlation import FIRST_TRANSFER, MAX_SHIFT
from ..scene.fill_values import find_fill, without_fill
from ..scene.noise import noise_level
from ..scene.pieces import follows, spread, texture, textured
from ..scene.registration import Registration, measure_registration
from ..scene.statistics import SceneStatistics, measure_statistics
from ..training.dataset import Source
from ..wording import format_value

WINDOW_SIDE = 256  # MS pixels along the side of a window, about
WINDOWS_PER_AXIS = 3
CANDIDATES_PER_AXIS = 5  # windows of a large scene among which those with texture are sought
LARGEST_PAN_SIDE = 2048  # PAN pixels of a window; bounds memory at large ratios
SMALLEST_SIDE = 96  # MS pixels of a scene
BLOCKS = (64, 32)  # MS pixels along the side of a held-out block: the first of which a window holds four
GUARD = 8  # MS pixels around a block that nobody uses; the widest blur reaches 3
HELD_SHARE = 0.25  # of a window's blocks, rounded up
MINIMUM_VALID = 0.5  # of a window's pixels
MINIMUM_OPEN = 0.25  # of a window's pixels that training may use
Check = Callable[[], None]


@dataclass(frozen=True)
class TuningWindow:
    """A window of the pair, its shift corrected: as it is, and as training may see it; and its held-out blocks.

    `blocks` are in MS pixels of the window. In `open` neither PAN nor MS knows anything of blocks and guard.
    """

    pair: PairWindow
    open: PairWindow
    blocks: tuple[Window, ...]


@dataclass(frozen=True)
class TuningScene:
    """A pair to fine-tune on; `statistics`, `registration`, `noise` (deviations of PAN) are of what is not held out.

    `offsets` were taken off the bands of MS as they were read."""

    pan: str
    ms: str
    sensor: str
    band_names: tuple[str, ...]
    rounded: bool
    ratio: float
    offsets: tuple[float, ...]
    registration: Registration
    statistics: SceneStatistics
    noise: float
    windows: tuple[TuningWindow, ...]

    def sources(self, family: str) -> list[Source]:
        """What training simulates from: MS, and PAN as sharp as MS, where both may be used."""
        sources = []
        for window in self.windows:
            low, valid = window.open.pan_at_ms(self.registration.transfer)
            if valid.mean() >= MINIMUM_OPEN:
                ms, pan, known = map(torch.from_numpy, (window.open.ms, low, valid))
                sources.append(Source(self.ms, family, ms, pan, window.open, self.registration.transfer, known))
        return sources


def read_scene(
    pan: Raster,
    ms: Raster,
    extent: Extent | None,
    rng: np.random.Generator,
    check: Check,
) -> TuningScene:
    """Read at most WINDOWS_PER_AXIS^2 windows of a pair and hold blocks out. Raises InputError where it cannot be used.

    `ms` is read in the reference system of `pan`. `rng` places the blocks, `check` is called often and may raise to
    stop.
    """
    placement = register(pan.grid, ms.grid)
    shared = ms_window(placement, output_window(pan, placement, extent), 0).clipped(ms.grid.window)
    if min(shared.width, shared.height) < SMALLEST_SIDE:
        raise InputError(
            f"PAN {pan.source.name} and MS {ms.source.name} share {shared.width} x {shared.height} MS pixels here; "
            f"fine-tuning needs at least {SMALLEST_SIDE} x {SMALLEST_SIDE}, of which it holds blocks out to "
            "measure on. Choose a larger extent or scene, or use the bundled weights as they are."
        )

    def read(window: Window) -> PairWindow:
        check()
        return read_with_margin(pan, ms, placement, window)

    windows = _windows_with_texture(shared, placement.ratio, read)
    pairs = _without_fill([read(w) for w in windows], check)
    described = {
        "pan": Path(pan.source.name).name,
        "ms": Path(ms.source.name).name,
        "sensor": ms.dataset.GetMetadataItem("SATELLITEID", "IMAGERY") or "",
        "band_names": ms.band_names,
        "rounded": ms.type in INTEGER_TYPES,
        "ratio": placement.ratio,
        "offsets": tuple(ms.offsets.tolist()),
    }
    return _hold_out(described, ms.source.name, placement, windows, pairs, rng, check)


def _windows_with_texture(shared: Window, ratio: float, read: Callable[[Window], PairWindow]) -> list[Window]:
    """Windows spread over the shared area; where it is large, those without texture (clouds, water) are left out."""
    candidates = _windows(shared, ratio, CANDIDATES_PER_AXIS)
    most = WINDOWS_PER_AXIS**2
    if len(candidates) <= most:
        return _windows(shared, ratio)
    textures = [texture(*read(w).pan_at_ms(FIRST_TRANSFER)) for w in candidates]
    return [candidates[number] for number in spread(textured(textures), most)] or _windows(shared, ratio)


def _without_fill(pairs: list[PairWindow], check: Check) -> list[PairWindow]:
    """Undeclared fill as gaps."""
    ms_fill = find_fill([(p.ms, p.ms_valid) for p in pairs], check)
    pan_fill = find_fill([(p.pan[None], p.pan_valid) for p in pairs], check)
    return [without_fill(p, ms_fill, pan_fill) for p in pairs]


def _windows(shared: Window, ratio: float, per_axis: int = WINDOWS_PER_AXIS) -> list[Window]:
    """Windows spread evenly over the shared area, at least SMALLEST_SIDE and at most 1.5 WINDOW_SIDE wide."""
    side = int(max(SMALLEST_SIDE, min(WINDOW_SIDE, LARGEST_PAN_SIDE / ratio)))

    def spread(start: int, length: int) -> list[tuple[int, int]]:
        count = min(per_axis, max(1, round(length / side)))
        width = min(length // count, 3 * side // 2)
        return [(start + int(s), width) for s in np.linspace(0, length - width, count).round()]

    return [
        Window(left, top, width, height)
        for top, height in spread(shared.top, shared.height)
        for left, width in spread(shared.left, shared.width)
    ]


def _hold_out(
    described: dict, path: str, placement: Placement, windows: list[Window], pairs: list[PairWindow],
    rng: np.random.Generator, check: Check,
) -> TuningScene:  # fmt: skip
    """Choose the blocks, measure the registration of what is left, and put the scene together."""
    valid = [p.pan_at_ms(FIRST_TRANSFER)[1] for p in pairs]
    usable = [v.mean() >= MINIMUM_VALID for v in valid]
    blocks = [_choose_blocks(v, rng) if use else () for v, use in zip(valid, usable)]
    if not any(blocks):
        share = float(np.concatenate([v.ravel() for v in valid]).mean())
        raise InputError(
            f"PAN and MS {path} have too many gaps here to fine-tune on: {100 * share:.0f} % of the sampled pixels "
            f"are valid in both, and no block of {BLOCKS[-1]} x {BLOCKS[-1]} pixels without gaps can be held out. "
            "Choose another extent or scene."
        )
    kept = [(w, p, b) for w, p, b, use in zip(windows, pairs, blocks, usable) if use]
    everywhere = [_moved(block, w.left, w.top) for w, _, b in kept for block in b]
    opened = [_opened(p, _held(w, everywhere)) for w, p, _ in kept]
    _refuse_constant_bands(path, opened)
    registration = measure_registration(opened, check=check)
    _refuse_misfits(path, registration)
    shift = registration.shift
    found = [TuningWindow(p.shifted(shift), o.shifted(shift), b) for (_, p, b), o in zip(kept, opened)]
    fitting = follows(registration, len(found))
    found = [w for w, fits in zip(found, fitting) if fits and w.blocks] or found
    low = [(w.open.ms, *w.open.pan_at_ms(registration.transfer)) for w in found]
    try:
        statistics = measure_statistics(low, placement.ratio, registration.transfer)
    except ValueError as error:
        raise InputError(f"PAN and MS {path} share too little: {error}.") from error
    fine = noise_level([(w.open.pan, w.open.pan_valid) for w in found])
    coarse = noise_level([(pan, valid) for _, pan, valid in low])
    noise = max(fine**2 - coarse**2, 0.0) ** 0.5 / statistics.pan_std[0]
    return TuningScene(**described, registration=registration, statistics=statistics, noise=noise, windows=tuple(found))


def _refuse_misfits(path: str, registration: Registration) -> None:
    """Raises InputError for a pair that would teach that details lie where they do not."""
    cure = (
        f"If the two lie more than {MAX_SHIFT} PAN pixels off each other, otfm:pansharpen with ALIGN says by how "
        "much: move one of them by that, for example with gdal_edit.py -a_ullr."
    )
    if not registration.reliable:
        raise InputError(
            f"PAN and MS {path} do not fit well enough to learn from (correlation of details "
            f"{registration.correlation:.2f}): clouds, water or another place. Choose another extent or scene, or use "
            f"the bundled weights as they are. {cure}"
        )
    if registration.at_edge:
        rows, columns = registration.shift
        raise InputError(
            f"PAN and MS {path} fit best {rows:+.1f} rows and {columns:+.1f} columns (PAN pixels) off their "
            f"georeference, at the end of the search for a shift, and may lie farther off still. {cure}"
        )


def _choose_blocks(valid: Mask, rng: np.random.Generator) -> tuple[Window, ...]:
    """Blocks of a window (h, w), in its pixels, that are held out: a random HELD_SHARE, of those without gaps."""
    for side in BLOCKS:
        cell = side + 2 * GUARD
        rows, columns = (n // cell for n in valid.shape)
        if rows * columns >= 4:
            break
    places = [Window(c * cell + GUARD, r * cell + GUARD, side, side) for r in range(rows) for c in range(columns)]
    whole = [b for b in places if bool(valid[b.top : b.bottom, b.left : b.right].all())]
    count = int(np.ceil(HELD_SHARE * len(whole)))
    return tuple(whole[i] for i in sorted(rng.permutation(len(whole))[:count]))


def _held(window: Window, blocks: list[Window]) -> Mask:
    """Which pixels (h, w) of a window belong to blocks of the MS raster or to their guard."""
    held = np.zeros((window.height, window.width), dtype=bool)
    for block in blocks:
        part = _moved(block.grown(GUARD), -window.left, -window.top).clipped(Window(0, 0, window.width, window.height))
        if not part.empty:
            held[part.top : part.bottom, part.left : part.right] = True
    return held


def _opened(pair: PairWindow, held: Mask) -> PairWindow:
    """A pair in which what is held out, and gaps, are invalid and filled from what is not."""
    ms_valid = pair.ms_valid & ~held
    pan_valid = replace(pair, ms_valid=~held, band_valid=None).valid_on_pan(pair.window)
    if not bool(ms_valid.any()) or not bool(pan_valid.any()):
        return replace(pair, ms_valid=ms_valid, pan_valid=pan_valid, band_valid=None)
    mean = pair.ms[:, ms_valid].mean(1)[:, None, None]
    ms = pair.ms
    if not ms_valid.all():
        ms = fill(torch.from_numpy(ms - mean), torch.from_numpy(ms_valid)).numpy() + mean
    pan = np.where(pan_valid, pair.pan, pair.pan[pan_valid].mean())
    return replace(pair, ms=ms, ms_valid=ms_valid, pan=pan, pan_valid=pan_valid, band_valid=None)


def _refuse_constant_bands(path: str, pairs: list[PairWindow]) -> None:
    values = np.concatenate([p.ms[:, p.ms_valid] for p in pairs], axis=1)
    flat = np.flatnonzero(np.ptp(values, axis=1) == 0) if values.shape[1] else np.zeros(0, int)
    if len(flat):
        raise InputError(
            f"Band {flat[0] + 1} of those chosen of MS {path} is constant "
            f"({format_value(float(values[flat[0], 0]))}); there is nothing to learn from it. Choose the other bands, "
            "or another extent or scene."
        )


def _moved(window: Window, right: int, down: int) -> Window:
    return Window(window.left + right, window.top + down, window.width, window.height)
