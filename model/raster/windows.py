"""Windows of a pair of rasters: a bounded sample of the scene, and the surroundings of a window of PAN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.grids import Extent, Placement, Window
from ..geometry.transfer import REACH
from ..geometry.window_pair import FILL_DISTANCE, PairWindow
from ..scene.detail_correlation import MAX_SHIFT
from .gdal_errors import gdal_exceptions
from .mask import covered
from .reader import Raster
from .source import RasterSource

INTERPOLATION_MARGIN = 2  # MS pixels that cubic convolution reads on each side
WINDOWS_PER_AXIS = 4
WINDOW_SIDE = 128  # MS pixels
GOLDEN = 0.618  # share of the cells between two consecutive trials, the golden ratio, which spreads them evenly
MAX_CELLS = 4096  # bounds the time of the search
MOSTLY_VALID = 0.5  # share of a cell


@contextmanager
def open_pair(pan: RasterSource, ms: RasterSource) -> Iterator[tuple[Raster, Raster]]:
    """Open both rasters, MS read in PAN's reference system; GDAL raises within. Raises InputError."""
    with gdal_exceptions(), Raster(pan, "PAN") as pan_raster, Raster(ms, "MS") as ms_raster:
        ms_raster.place_on(pan_raster)
        yield pan_raster, ms_raster


def ms_window(placement: Placement, pan_window: Window, margin: int) -> Window:
    """Return MS pixels whose centres lie in a window of PAN, and `margin` more on each side; not clipped to MS."""
    edges = (pan_window.top, pan_window.bottom), (pan_window.left, pan_window.right)
    (top, bottom), (left, right) = (
        (math.floor((first - origin) / step) - margin, math.ceil((end - 1 - origin) / step) + margin + 1)
        for (first, end), origin, step in zip(edges, placement.origin, placement.spacing)
    )
    return Window(left, top, right - left, bottom - top)


def pan_window(placement: Placement, ms: Window, reach: float) -> Window:
    """Return PAN pixels within `reach` PAN pixels of the centres of a window of MS; not clipped to PAN."""
    edges = (ms.top, ms.bottom), (ms.left, ms.right)
    (top, bottom), (left, right) = (
        (math.floor(origin + step * first - reach), math.ceil(origin + step * (end - 1) + reach) + 1)
        for (first, end), origin, step in zip(edges, placement.origin, placement.spacing)
    )
    return Window(left, top, right - left, bottom - top)


def read_pair(pan: Raster, ms: Raster, placement: Placement, window: Window, reach: float) -> PairWindow:
    """Read a window of MS and the PAN around it, edges of both repeated; PAN of several bands gives guides."""
    around = pan_window(placement, window, reach)
    pan_values, pan_valid = pan.read_padded(around)
    ms_values, ms_valid = ms.read_padded(window)
    return PairWindow(
        pan=pan_values if len(pan_values) > 1 else pan_values[0],
        pan_valid=pan_valid.all(0),
        ms=ms_values,
        ms_valid=ms_valid.all(0),
        origin=placement.origin,
        spacing=placement.spacing,
        pan_corner=(around.top, around.left),
        ms_corner=(window.top, window.left),
        band_valid=ms_valid if len(ms_valid) > 1 else None,
    )


def read_around(
    pan: Raster, ms: Raster, placement: Placement, window: Window, blur_reach: float
) -> tuple[PairWindow, Window]:
    """Read the surroundings that a PAN window depends on; returns them and that window in their pixels.

    `placement` holds the corrected shift; the window may reach beyond PAN.
    """
    needed = ms_window(placement, window, INTERPOLATION_MARGIN + FILL_DISTANCE)
    pair = read_pair(pan, ms, placement, needed, blur_reach)
    row, column = pair.pan_corner
    return pair, Window(window.left - column, window.top - row, window.width, window.height)


def sample_windows(ms: Raster, placement: Placement) -> list[Window]:
    """Spread windows of MS evenly over the part that PAN and MS share; small scenes are covered wholly."""
    shared = find_shared(ms, placement)
    return [
        Window(left, top, width, height)
        for top, height in _spread(shared.top, shared.height)
        for left, width in _spread(shared.left, shared.width)
    ]


def sample_where_valid(ms: Raster, placement: Placement, check: Callable[[], None]) -> list[Window]:
    """Choose as many windows of MS where most of it is valid, for scenes whose image misses the usual ones."""
    cells = find_shared(ms, placement).split(WINDOW_SIDE)
    step = max(int(len(cells) * GOLDEN), 1)
    while math.gcd(step, len(cells)) != 1:
        step += 1
    wanted, candidates = WINDOWS_PER_AXIS**2, []
    for number in range(min(len(cells), MAX_CELLS)):
        check()
        cell = cells[number * step % len(cells)]  # neighbours in this order lie far apart
        valid = ms.read(cell)[1].all(0)
        share = float((valid & ~covered(ms.unmeasured, ms.grid, cell) if ms.unmeasured else valid).mean())
        if share > 0.0:
            candidates.append((share, -number, cell))
        if sum(s > MOSTLY_VALID for s, _, _ in candidates) >= wanted:
            break
    return [cell for _, _, cell in sorted(candidates, reverse=True)[:wanted]]


def sample_scene(pan: Raster, ms: Raster, placement: Placement) -> Iterator[PairWindow]:
    """Read both rasters over `sample_windows`."""
    return (read_with_margin(pan, ms, placement, window) for window in sample_windows(ms, placement))


def small_scene(pan: Raster, ms: Raster, placement: Placement) -> PairWindow | None:
    """Read all that PAN and MS share where a sample would cover it wholly, else return None.

    A result is compared one scale down on this, and on pieces of the sample where it is None.
    """
    shared = find_shared(ms, placement)
    if max(shared.width, shared.height) > WINDOWS_PER_AXIS * WINDOW_SIDE:
        return None
    return read_with_margin(pan, ms, placement, shared, 0.0)


def read_with_margin(
    pan: Raster, ms: Raster, placement: Placement, window: Window, reach: float = MAX_SHIFT
) -> PairWindow:
    """Read a window of MS and all PAN that any blur and any shift of up to `reach` PAN pixels may read.

    Saturated pixels and areas under the mask of `ms` are invalid there.
    """
    pair = read_pair(pan, ms, placement, window, REACH * placement.ratio + reach)
    pair = replace(pair, pan_valid=pair.pan_valid & ~_find_saturated(pan, pair.pan))
    seen = ~_find_saturated(ms, pair.ms)
    if ms.unmeasured:
        seen &= ~covered(ms.unmeasured, ms.grid, window)
    band_valid = None if pair.band_valid is None else pair.band_valid & seen
    return replace(pair, ms_valid=pair.ms_valid & seen, band_valid=band_valid)


def _find_saturated(raster: Raster, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the pixels (h, w) where any band is saturated; files of fewer bits cut the stated value off."""
    if raster.source.saturated is None:
        return np.zeros(values.shape[-2:], dtype=bool)
    limit = raster.source.saturated if raster.bits is None else min(raster.source.saturated, 2.0**raster.bits - 1.0)
    return np.asarray((values + raster.offsets[:, None, None] >= limit).any(0))


def find_shared(ms: Raster, placement: Placement) -> Window:
    """Return the pixels of MS that PAN covers."""
    return ms_window(placement, placement.overlap, 0).clipped(ms.grid.window)


def _spread(start: int, length: int) -> list[tuple[int, int]]:
    """Return starts and lengths of at most WINDOWS_PER_AXIS windows over `length` pixels."""
    count = min(WINDOWS_PER_AXIS, -(-length // WINDOW_SIDE))
    side = min(WINDOW_SIDE, -(-length // count))
    return [(start + int(s), side) for s in np.linspace(0, length - side, count).round()]


def output_window(pan: Raster, placement: Placement, extent: Extent | None) -> Window:
    """Return the PAN pixels of the output: where MS exists, within the extent. Raises InputError where it is empty."""
    overlap = placement.overlap
    if extent is None:
        return overlap
    window = pan.grid.covering(pan.model.to_frame(extent) if pan.model else extent).clipped(overlap)
    if window.empty:
        raise InputError(
            f"The extent {extent} does not meet the area that PAN and MS share: {pan.grid.cropped(overlap).describe()}."
        )
    return window
