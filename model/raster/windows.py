"""Both rasters of a pair, and windows of them: a bounded sample of the scene, and what a window of PAN needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..geometry.grids import Extent, Placement, Window
from ..geometry.transfer import REACH
from ..geometry.window_pair import FILL_DISTANCE, PairWindow
from ..scene.detail_correlation import LARGEST_SHIFT
from .gdal_errors import gdal_exceptions
from .mask import covered
from .reader import Raster
from .source import RasterSource

INTERPOLATION_MARGIN = 2  # MS pixels that cubic convolution reads on each side
WINDOWS_PER_AXIS = 4
WINDOW_SIDE = 128  # MS pixels
GOLDEN = 0.618  # of the cells lie between two that are tried one after the other
MOST_CELLS = 4096  # that are tried
MOSTLY_VALID = 0.5  # of a cell


@contextmanager
def opened_pair(pan: RasterSource, ms: RasterSource) -> Iterator[tuple[Raster, Raster]]:
    """Both rasters, MS read in PAN's reference system; GDAL raises within. Raises InputError."""
    pan = pan if pan.bands else replace(pan, bands=(1,))
    with gdal_exceptions(), Raster(pan, "PAN") as sharp, Raster(ms, "MS") as colours:
        if not colours.same_crs(sharp):
            colours.reproject(sharp.crs, sharp.grid)
        yield sharp, colours


def ms_window(placement: Placement, pan_window: Window, margin: int) -> Window:
    """MS pixels whose centres lie in a window of PAN, and `margin` more on each side; not clipped to MS."""
    (top, left), (down, across) = placement.origin, placement.spacing
    first_row = math.floor((pan_window.top - top) / down) - margin
    first_column = math.floor((pan_window.left - left) / across) - margin
    last_row = math.ceil((pan_window.bottom - 1 - top) / down) + margin
    last_column = math.ceil((pan_window.right - 1 - left) / across) + margin
    return Window(first_column, first_row, last_column - first_column + 1, last_row - first_row + 1)


def pan_window(placement: Placement, ms: Window, reach: float) -> Window:
    """PAN pixels within `reach` PAN pixels of the centres of a window of MS; not clipped to PAN."""
    (top, left), (down, across) = placement.origin, placement.spacing
    first_row = math.floor(top + down * ms.top - reach)
    first_column = math.floor(left + across * ms.left - reach)
    last_row = math.ceil(top + down * (ms.bottom - 1) + reach)
    last_column = math.ceil(left + across * (ms.right - 1) + reach)
    return Window(first_column, first_row, last_column - first_column + 1, last_row - first_row + 1)


def read_pair(pan: Raster, ms: Raster, placement: Placement, window: Window, reach: float) -> PairWindow:
    """A window of MS and the PAN around it, edges of both repeated."""
    around = pan_window(placement, window, reach)
    pan_values, pan_valid = pan.read_padded(around)
    ms_values, ms_valid = ms.read_padded(window)
    return PairWindow(
        pan=pan_values[0],
        pan_valid=pan_valid[0],
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
    """Everything that the conditions of a PAN window depend on, and that window in pixels of the piece read.

    `placement` holds the corrected shift; the window may reach beyond PAN.
    """
    margin = INTERPOLATION_MARGIN + FILL_DISTANCE
    needed = ms_window(placement, window, margin)
    pair = read_pair(pan, ms, placement, needed, blur_reach)
    row, column = pair.pan_corner
    return pair, Window(window.left - column, window.top - row, window.width, window.height)


def sample_windows(ms: Raster, placement: Placement) -> list[Window]:
    """Windows of MS spread evenly over the part that PAN and MS share; small scenes are covered wholly."""
    shared = _shared(ms, placement)
    return [
        Window(left, top, width, height)
        for top, height in _spread(shared.top, shared.height)
        for left, width in _spread(shared.left, shared.width)
    ]


def sample_where_valid(ms: Raster, placement: Placement, check: Callable[[], None]) -> list[Window]:
    """As many windows of MS where most of it is valid, for scenes whose image lies between the usual ones."""
    cells = _shared(ms, placement).split(WINDOW_SIDE)
    step = max(int(len(cells) * GOLDEN), 1)
    while math.gcd(step, len(cells)) != 1:
        step += 1
    wanted, found = WINDOWS_PER_AXIS**2, []
    for number in range(min(len(cells), MOST_CELLS)):
        check()
        cell = cells[number * step % len(cells)]  # neighbours in this order lie far apart
        valid = ms.read(cell)[1].all(0)
        share = float((valid & ~covered(ms.source.unmeasured, ms.grid, cell) if ms.source.unmeasured else valid).mean())
        if share > 0.0:
            found.append((share, -number, cell))
        if sum(s > MOSTLY_VALID for s, _, _ in found) >= wanted:
            break
    return [cell for _, _, cell in sorted(found, reverse=True)[:wanted]]


def sample_scene(pan: Raster, ms: Raster, placement: Placement) -> Iterator[PairWindow]:
    """Both rasters over `sample_windows`."""
    for window in sample_windows(ms, placement):
        yield read_with_margin(pan, ms, placement, window)


def small_scene(pan: Raster, ms: Raster, placement: Placement) -> PairWindow | None:
    """All that PAN and MS share, where a sample would cover it wholly, else None; `placement` has the shift corrected.

    A result is compared one scale down on this, and on pieces of the sample where it is None.
    """
    shared = _shared(ms, placement)
    if max(shared.width, shared.height) > WINDOWS_PER_AXIS * WINDOW_SIDE:
        return None
    return read_with_margin(pan, ms, placement, shared, 0.0)


def read_with_margin(
    pan: Raster, ms: Raster, placement: Placement, window: Window, reach: float = LARGEST_SHIFT
) -> PairWindow:
    """A window of MS and all PAN that any blur and any shift of up to `reach` PAN pixels may read.

    Ground that `ms.source` leaves out of measuring is invalid there.
    """
    pair = read_pair(pan, ms, placement, window, REACH * placement.ratio + reach)
    if not ms.source.unmeasured:
        return pair
    seen = ~covered(ms.source.unmeasured, ms.grid, window)
    return replace(
        pair,
        ms_valid=pair.ms_valid & seen,
        band_valid=None if pair.band_valid is None else pair.band_valid & seen,
    )


def _shared(ms: Raster, placement: Placement) -> Window:
    return ms_window(placement, placement.overlap, 0).clipped(ms.grid.window)


def _spread(start: int, length: int) -> list[tuple[int, int]]:
    """Starts and lengths of at most WINDOWS_PER_AXIS windows over `length` pixels."""
    count = min(WINDOWS_PER_AXIS, -(-length // WINDOW_SIDE))
    side = min(WINDOW_SIDE, -(-length // count))
    return [(start + int(s), side) for s in np.linspace(0, length - side, count).round()]


def output_window(pan: Raster, placement: Placement, extent: Extent | None) -> Window:
    """PAN pixels of the output: where MS exists, within the extent asked for. Raises InputError where that is empty."""
    overlap = placement.overlap
    if extent is None:
        return overlap
    window = pan.grid.covering(extent).clipped(overlap)
    if window.empty:
        raise InputError(
            f"The extent {extent} does not meet the area that PAN and MS share: {pan.grid.cropped(overlap).describe()}."
        )
    return window
