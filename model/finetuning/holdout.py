"""A scene to fine-tune on: windows of a pair, some blocks of which are held out with a guard ring around them.

The inputs of training (shift, gain, statistics, pixels) come from the other pixels alone, the indices of a network from
the held-out blocks alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..geometry.filters import Mask, estimate_noise
from ..geometry.grids import Extent, Placement, Window, register
from ..geometry.window_pair import PairWindow
from ..network.gap_filling import fill
from ..quality.indices import Check
from ..raster.aligning import align_pair, correct_windows
from ..raster.pixel_types import INTEGER_TYPES
from ..raster.reader import Raster
from ..raster.source_files import list_sensor_names
from ..raster.windows import ms_window, output_window, read_with_margin
from ..scene.detail_correlation import FIRST_TRANSFER, MAX_SHIFT
from ..scene.fill_values import find_fill, without_fill
from ..scene.guides import add_guides, lead_windows
from ..scene.pieces import follows, select_textured, spread, texture
from ..scene.registration import Registration, measure_registration
from ..scene.statistics import SceneStatistics, measure_statistics
from ..training.dataset import Source
from ..wording import format_value

WINDOW_SIDE = 256  # MS pixels along the side of a window, about
WINDOWS_PER_AXIS = 3
CANDIDATES_PER_AXIS = 5  # windows of a large scene among which those with texture are sought
MAX_PAN_SIDE = 2048  # PAN pixels of a window; it limits memory at large ratios
MIN_SIDE = 96  # MS pixels of a scene; smaller ones hold no block with its guard and enough to learn from
# MS pixels along the side of a held-out block. The first size counts that fits four times into a window.
BLOCKS = (64, 32)
GUARD = 8  # MS pixels around a block that are not used; the widest blur reaches 3
HELD_SHARE = 0.25  # of a window's blocks, rounded up
MIN_VALID = 0.5  # of a window's pixels
MIN_OPEN = 0.25  # of a window's pixels that training may use


@dataclass(frozen=True)
class TuningWindow:
    """A window of the pair, its shift corrected, and its held-out blocks."""

    pair: PairWindow  # the complete window
    open: PairWindow  # as training may see it: invalid in blocks and guard
    blocks: tuple[Window, ...]  # in MS pixels of the window


@dataclass(frozen=True)
class TuningScene:
    """A pair to fine-tune on; `statistics`, `registration`, `noise` (deviations of PAN) are of the pixels not held out.

    `offsets` were subtracted from the bands of MS when they were read.
    """

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
        """Return the sources that training simulates from: MS, and PAN as sharp as MS, where both may be used."""
        sources = []
        for window in self.windows:
            low, valid = replace(window.open, guides=None).pan_at_ms(self.registration.transfer)
            if valid.mean() >= MIN_OPEN:
                ms, pan, mask = map(torch.from_numpy, (window.open.ms, low, valid))
                sources.append(Source(self.ms, family, ms, pan, window.open, self.registration.transfer, mask))
        return sources


def read_scene(
    pan: Raster, ms: Raster, extent: Extent | None, rng: np.random.Generator, check: Check, align: bool = True
) -> TuningScene:
    """Read at most WINDOWS_PER_AXIS^2 windows of a pair and hold blocks out. Raises InputError where it cannot be used.

    `ms` is read in the reference system of `pan`; where `align`, its bands are moved to their places. `rng` places the
    blocks, `check` is called often and may raise to stop.
    """
    placement = register(pan.grid, ms.grid)
    shared = ms_window(placement, output_window(pan, placement, extent), 0).clipped(ms.grid.window)
    if min(shared.width, shared.height) < MIN_SIDE:
        raise InputError(
            f"PAN {pan.source.name} and MS {ms.source.name} share {shared.width} x {shared.height} MS pixels here, but "
            f"fine-tuning needs at least {MIN_SIDE} x {MIN_SIDE}. Choose a larger extent or scene, or use the bundled "
            "weights unchanged."
        )

    def read(window: Window) -> PairWindow:
        check()
        return read_with_margin(pan, ms, placement, window)

    windows = _select_windows(shared, placement.ratio, read)
    pairs = _mark_fill([read(w) for w in windows], check)
    described = {
        "pan": Path(pan.source.name).name,
        "ms": Path(ms.source.name).name,
        "sensor": next(iter(list_sensor_names(ms.dataset, [])), ""),
        "band_names": ms.band_names,
        "rounded": ms.type in INTEGER_TYPES,
        "ratio": placement.ratio,
        "offsets": tuple(ms.offsets.tolist()),
    }
    return _hold_out(described, ms, placement, windows, pairs, rng, check, align)


def _select_windows(shared: Window, ratio: float, read: Callable[[Window], PairWindow]) -> list[Window]:
    """Spread windows over the shared area; in a large one, leave out those without texture (clouds, water)."""
    candidates = _spread_windows(shared, ratio, CANDIDATES_PER_AXIS)
    count = WINDOWS_PER_AXIS**2
    if len(candidates) <= count:
        return _spread_windows(shared, ratio)
    textures = [texture(*read(w).pan_at_ms(FIRST_TRANSFER)) for w in candidates]
    return [candidates[number] for number in spread(select_textured(textures), count)] or _spread_windows(shared, ratio)


def _mark_fill(pairs: list[PairWindow], check: Check) -> list[PairWindow]:
    """Mark undeclared fill as gaps."""
    ms_fill = find_fill([(p.ms, p.ms_valid) for p in pairs], check)
    pan_fill = find_fill([(p.pan_planes, p.pan_valid) for p in pairs], check)
    return [without_fill(p, ms_fill, pan_fill) for p in pairs]


def _spread_windows(shared: Window, ratio: float, per_axis: int = WINDOWS_PER_AXIS) -> list[Window]:
    """Spread windows evenly over the shared area, at least MIN_SIDE and at most 1.5 WINDOW_SIDE wide."""
    side = int(max(MIN_SIDE, min(WINDOW_SIDE, MAX_PAN_SIDE / ratio)))

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
    described: dict, ms: Raster, placement: Placement, windows: list[Window], pairs: list[PairWindow],
    rng: np.random.Generator, check: Check, align: bool,
) -> TuningScene:  # fmt: skip
    """Choose the blocks, measure the registration of the other pixels, and put the scene together."""
    path = ms.source.name
    valid = [p.pan_at_ms(FIRST_TRANSFER)[1] for p in pairs]
    usable = [v.mean() >= MIN_VALID for v in valid]
    blocks = [_choose_blocks(v, rng) if use else () for v, use in zip(valid, usable)]
    if not any(blocks):
        share = float(np.concatenate([v.ravel() for v in valid]).mean())
        raise InputError(
            f"PAN and MS {path} have too many gaps here to fine-tune on: {100 * share:.0f} % of the sampled pixels "
            f"are valid in both, and no block of {BLOCKS[-1]} x {BLOCKS[-1]} pixels without gaps can be held out. "
            "Choose another extent or scene."
        )
    kept = [(w, p, b) for w, p, b, use in zip(windows, pairs, blocks, usable) if use]
    in_raster = [_move(block, w.left, w.top) for w, _, b in kept for block in b]
    held = [_mark_held_out(w, in_raster) for w, _, _ in kept]
    opened = [_close_held_out(p, h) for (_, p, _), h in zip(kept, held)]
    _refuse_constant_bands(path, opened)
    leads = lead_windows(opened)
    registration = measure_registration(leads, check=check)
    if align and registration.reliable:
        placed = [w.shifted(registration.shift) for w in leads]
        registration, _ = align_pair(ms, placed, placement, registration, check=check)
        kept = [(w, p, b) for (w, _, b), p in zip(kept, correct_windows(ms, [p for _, p, _ in kept]))]
        opened = [_close_held_out(p, h) for (_, p, _), h in zip(kept, held)]
    _refuse_misfits(path, registration)
    shift = registration.shift
    kept_windows = [TuningWindow(p.shifted(shift), o.shifted(shift), b) for (_, p, b), o in zip(kept, opened)]
    fitting = follows(registration, len(kept_windows))
    used = [w for w, fits in zip(kept_windows, fitting) if fits and w.blocks] or kept_windows
    guides = add_guides([w.open for w in used], registration.transfer)[0].guides
    used = [replace(w, pair=replace(w.pair, guides=guides), open=replace(w.open, guides=guides)) for w in used]
    low = [(w.open.ms, *w.open.pan_at_ms(registration.transfer)) for w in used]
    try:
        statistics = measure_statistics(low, placement.ratio, registration.transfer, guides=guides)
    except ValueError as error:
        raise InputError(f"PAN and MS {path} share too little: {error}.") from error
    lead = guides.lead if guides else 0
    fine = estimate_noise([(w.open.led.pan, w.open.pan_valid) for w in used])
    coarse = estimate_noise([(pan[lead] if guides else pan, valid) for _, pan, valid in low])
    noise = max(fine**2 - coarse**2, 0.0) ** 0.5 / statistics.pan_std[lead]
    return TuningScene(**described, registration=registration, statistics=statistics, noise=noise, windows=tuple(used))


def _refuse_misfits(path: str, registration: Registration) -> None:
    """Raise InputError for a pair that would teach details at wrong places."""
    cure = (
        f"If their shift exceeds {MAX_SHIFT} PAN pixels, otfm:pansharpen with ALIGN reports it. Move one layer by "
        "that, for example with gdal_edit.py -a_ullr."
    )
    if not registration.reliable:
        raise InputError(
            f"PAN and MS {path} do not fit well enough to learn from (correlation of details "
            f"{registration.correlation:.2f}): clouds, water or another place. Choose another extent or scene, or use "
            f"the bundled weights unchanged. {cure}"
        )
    if registration.at_edge:
        rows, columns = registration.shift
        raise InputError(
            f"PAN and MS {path} fit best {rows:+.1f} rows and {columns:+.1f} columns (PAN pixels) off their "
            f"georeference, at the end of the search for a shift. The shift may be larger. {cure}"
        )


def _choose_blocks(valid: Mask, rng: np.random.Generator) -> tuple[Window, ...]:
    """Choose a random HELD_SHARE of the blocks without gaps of a window (h, w), in its pixels."""
    for side in BLOCKS:
        cell = side + 2 * GUARD
        rows, columns = (n // cell for n in valid.shape)
        if rows * columns >= 4:
            break
    places = [Window(c * cell + GUARD, r * cell + GUARD, side, side) for r in range(rows) for c in range(columns)]
    whole = [b for b in places if bool(valid[b.top : b.bottom, b.left : b.right].all())]
    count = int(np.ceil(HELD_SHARE * len(whole)))
    return tuple(whole[i] for i in sorted(rng.permutation(len(whole))[:count]))


def _mark_held_out(window: Window, blocks: list[Window]) -> Mask:
    """Mark the pixels (h, w) of a window that belong to blocks of the MS raster or to their guard."""
    held = np.zeros((window.height, window.width), dtype=bool)
    for block in blocks:
        part = _move(block.grown(GUARD), -window.left, -window.top).clipped(Window(0, 0, window.width, window.height))
        if not part.empty:
            held[part.top : part.bottom, part.left : part.right] = True
    return held


def _close_held_out(pair: PairWindow, held: Mask) -> PairWindow:
    """Make held-out pixels and gaps of a pair invalid, and fill them from the other pixels."""
    ms_valid = pair.ms_valid & ~held
    pan_valid = replace(pair, ms_valid=~held, band_valid=None).valid_on_pan(pair.window)
    if not bool(ms_valid.any()) or not bool(pan_valid.any()):
        return replace(pair, ms_valid=ms_valid, pan_valid=pan_valid, band_valid=None)
    mean = pair.ms[:, ms_valid].mean(1)[:, None, None]
    ms = pair.ms
    if not ms_valid.all():
        ms = fill(torch.from_numpy(ms - mean), torch.from_numpy(ms_valid)).numpy() + mean
    pan = np.where(pan_valid, pair.pan, pair.pan[..., pan_valid].mean(-1)[..., None, None])
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


def _move(window: Window, right: int, down: int) -> Window:
    return Window(window.left + right, window.top + down, window.width, window.height)
