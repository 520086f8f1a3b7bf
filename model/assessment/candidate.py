"""Candidate, a raster that claims to be a result: brought to PAN's pixels and MS's bands and numbers, or refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from osgeo import gdal

from ..errors import InputError
from ..geometry.filters import Mask
from ..geometry.grids import RATIO_DIGITS, Grid, Window
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from ..quality.indices import Image
from ..raster.gdal_errors import quote_messages
from ..raster.reader import Raster
from ..raster.reprojection import is_same_system
from ..raster.source import RasterSource
from ..scene.fill_values import find_fill
from ..wording import format_value

ALIGNED = 0.05  # PAN pixels by which the grid of a result may differ from PAN's without resampling
SAME_SIZE = 1e-4  # share by which the pixel sizes of one grid may differ
MAX_PIXEL = 1.25  # pixel size of a result in PAN pixels; coarser rasters are not sharpened
UNRELATED = 0.5  # correlation with MS below which another scene is shown
CLEARLY = 0.5  # of 1 minus the correlation in the file's order; another order below that replaces it
STRETCHED = 0.3  # share by which values have to differ from those of MS to be in other units
LINEAR = 0.9  # correlation with MS that values in other units need
WHOLE = 0.99  # share of the common area of PAN and MS from which a result counts as complete
FLAT = 1e-6  # of the largest value: a band that varies by less holds one value, blurred in 32-bit floats
EIGHT_BITS = ("Byte", "Int8")
MIN_PIXELS = 64  # MS pixels that a comparison needs


@dataclass(frozen=True)
class Candidate:
    """An open result on PAN's pixels."""

    name: str
    raster: Raster
    window: Window  # the pixels of PAN under it
    notes: tuple[str, ...] = ()
    used: tuple[int, ...] = ()  # numbers of its bands in the file's order
    bands: tuple[int, ...] = ()  # those of the same bands of MS, from 0
    slope: tuple[float, ...] = ()  # (bands,) by which its values
    start: tuple[float, ...] = ()  # (bands,) become those of MS
    made_by: dict[str, str] = field(default_factory=dict)
    stretched: bool = False
    gap: float | None = None  # the value in every band of undeclared gaps

    def read(self, window: Window) -> tuple[Image, Mask]:
        """Read bands (bands, H, W) of a window of PAN in the numbers of MS, and where all are valid, (H, W)."""
        shown = window.clipped(self.window)
        values = np.zeros((len(self.raster.read_bands), window.height, window.width))
        valid = np.zeros((window.height, window.width), dtype=bool)
        if not shown.empty:
            left, top = shown.left - self.window.left, shown.top - self.window.top
            pixels, pixels_valid = self.raster.read(Window(left, top, shown.width, shown.height))
            top, left = shown.top - window.top, shown.left - window.left
            spot = np.s_[..., top : top + shown.height, left : left + shown.width]
            values[spot], valid[spot] = pixels + self.raster.offsets[:, None, None], pixels_valid.all(0)
        if self.gap is not None:
            valid &= (values != self.gap).any(0)
        if self.used:
            values = values[list(self.used)]
            values = values * np.array(self.slope)[:, None, None] + np.array(self.start)[:, None, None]
        return values, valid


def open_candidate(source: RasterSource, pan: Raster, name: str) -> Candidate:
    """Open a raster on PAN's pixels, resampled from others. Raises InputError where it cannot be compared."""
    if os.path.realpath(source.path) == os.path.realpath(pan.source.path):
        raise InputError(f"FUSED {source.name} is PAN itself. Choose the result.")
    raster = Raster(source, "FUSED")
    made_by = {k: v for k, v in (raster.dataset.GetMetadata() or {}).items() if k.startswith("OTFM_")}
    notes: list[str] = []
    if pan.grid.georeferenced and not raster.grid.georeferenced:
        raster = _place_on_pan(raster, pan)
        notes.append(f"{name} has no georeference. It has PAN's size, so its pixels are taken for PAN's.")
    same = is_same_system(raster.crs, pan.crs, raster.grid)
    sizes = zip(raster.grid.pixel_size, pan.grid.pixel_size)
    coarse = max(size / other for size, other in sizes) if same else 1.0
    if round(coarse, RATIO_DIGITS) > MAX_PIXEL:
        raise InputError(
            f"FUSED {source.name} has pixels {coarse:.2f} times as large as those of PAN: it is not a sharpened "
            "raster of this PAN. Choose the result, not MS."
        )
    if raster.model and pan.model:
        raster.grid = replace(raster.grid, transform=raster.model.find_place_in(pan.model))
    raster.orient(pan.grid)
    offset = _find_offset(raster.grid, pan.grid) if same else None
    if offset is None:
        notes.append(
            f"{name} has {'other pixels than PAN' if same else 'another reference system'} and was resampled to "
            "PAN's pixels (cubic), which softens it a little."
        )
        raster = _resample(raster, pan)
        raster.orient(pan.grid)
        offset = _find_offset(raster.grid, pan.grid)
    window = Window(*(offset or (0, 0)), raster.grid.width, raster.grid.height)
    if offset is None or window.clipped(pan.grid.window).empty:
        raise InputError(
            f"FUSED {source.name} ({raster.grid.describe()}) does not overlap PAN ({pan.grid.describe()}). Choose the "
            "result of these rasters."
        )
    return Candidate(name, raster, window, tuple(notes), made_by=made_by)


def _place_on_pan(raster: Raster, pan: Raster) -> Raster:
    """Place a raster without georeference on PAN's grid. Raises InputError where it has not PAN's size."""
    grid, other = raster.grid, pan.grid
    if (grid.width, grid.height) != (other.width, other.height):
        raise InputError(
            f"FUSED {raster.source.name} has no georeference, and {grid.width} x {grid.height} pixels where PAN has "
            f"{other.width} x {other.height}: where it lies is not known. Give it its corners, for example with "
            "gdal:translate and -a_ullr, or choose a result that has them."
        )
    placed = gdal.Translate("", raster.source.path, format="VRT", outputSRS=pan.crs or None)
    placed.SetGeoTransform(other.transform)
    return Raster(replace(raster.source, crs=""), "FUSED", placed)


def _find_offset(grid: Grid, pan: Grid) -> tuple[int, int] | None:
    """Return PAN's column and row of the first pixel; None where the pixels are not PAN's."""
    transform, other = grid.transform, pan.transform
    sizes = [abs(transform[i] - other[i]) <= SAME_SIZE * max(abs(other[1]), abs(other[5])) for i in (1, 2, 4, 5)]
    if not all(sizes) or other[2] or other[4]:
        return (0, 0) if transform == other else None
    column, row = (transform[0] - other[0]) / other[1], (transform[3] - other[3]) / other[5]
    near = max(abs(column - round(column)), abs(row - round(row))) <= ALIGNED
    return (round(column), round(row)) if near else None


def _resample(raster: Raster, pan: Raster) -> Raster:
    xs, ys = zip(*pan.grid.corners())
    path = raster.source.path
    try:
        moved = gdal.Warp(
            "", path, format="VRT", srcSRS=raster.crs or None, dstSRS=pan.crs or None, resampleAlg="cubic",
            outputBounds=(min(xs), min(ys), max(xs), max(ys)), width=pan.grid.width, height=pan.grid.height,
            dstAlpha=not raster.may_have_gaps,
        )  # fmt: skip
    except RuntimeError as error:
        raise InputError(
            f"FUSED {raster.source.name} cannot be brought to PAN's pixels: {quote_messages(error)}. Reproject it "
            "first, for example with gdal:warpreproject."
        ) from error
    return Raster(replace(raster.source, crs=""), "FUSED", moved)


def fitted(candidate: Candidate, pieces: Sequence[PairWindow], transfer: TransferFunction, shared: Window) -> Candidate:
    """Match bands and numbers of a result to those of MS. Raises InputError where it shows another scene.

    `shared` is the window of PAN that PAN and MS share.
    """
    candidate = _note_coverage(_detect_gap(candidate, pieces), pieces, shared)
    pixels = [values_at_ms(p, *candidate.read(_find_window(p)), transfer) for p in pieces]
    fused, ms = (np.concatenate([p[i] for p in pixels], axis=1) for i in (0, 1))
    if fused.shape[1] < MIN_PIXELS:
        raise InputError(
            f"FUSED {candidate.name} shares only {fused.shape[1]} valid MS pixels with PAN and MS; {MIN_PIXELS} are "
            "needed. Choose the result of these rasters, or a larger part of it."
        )
    if not any(map(_is_varied, ms)):
        raise InputError(
            f"MS has one value in each band where FUSED {candidate.name} is valid, so nothing can be compared. Choose "
            "rasters that show something."
        )
    with np.errstate(all="ignore"):  # of bands with one value
        related = np.nan_to_num(np.corrcoef(fused, ms)[: len(fused), len(fused) :])
    used, bands = _match_bands(related)
    notes = list(candidate.notes)
    correlations = related[used, bands]
    middle = float(np.median(correlations))
    if middle < UNRELATED:
        raise InputError(
            f"FUSED {candidate.name} does not follow MS (correlation {middle:.2f}, 1 is perfect): it "
            "shows another scene or another time. Choose the result of these rasters."
        )
    if list(bands) != list(range(len(bands))) or len(used) < len(fused):
        pairs = ", ".join(f"{u + 1} as {b + 1}" for u, b in zip(used, bands))
        notes.append(f"Bands of {candidate.name} were matched with those of MS by what they show: {pairs}.")
    if len(bands) < len(ms):
        notes.append(f"{candidate.name} has {len(bands)} of the {len(ms)} bands of MS; only those are compared.")
    vary = np.array([_is_varied(fused[u]) and _is_varied(ms[b]) for u, b in zip(used, bands)])
    lines = [
        np.polyfit(fused[u], ms[b], 1) if v else (1.0, float(ms[b].mean() - fused[u].mean()))
        for u, b, v in zip(used, bands, vary)
    ]
    off = [abs(slope - 1.0) > STRETCHED for (slope, _), v in zip(lines, vary) if v]
    in_other_numbers = bool(vary.any()) and all(off) and float(correlations[vary].min()) > LINEAR
    if in_other_numbers:
        notes.append(
            f"{candidate.name} is in other numbers than MS. A straight line for each band was fitted before comparing, "
            "so an error of the mean colours cannot be seen."
        )
    else:
        lines = [(1.0, 0.0)] * len(bands)
    return replace(
        candidate,
        stretched=in_other_numbers and candidate.raster.type in EIGHT_BITS,
        notes=tuple(notes),
        used=tuple(used),
        bands=tuple(bands),
        slope=tuple(float(slope) for slope, _ in lines),
        start=tuple(float(start) for _, start in lines),
    )


def _is_varied(band: Image) -> bool:
    """Tell whether a band (n,) has more than one value, rounding aside."""
    return float(np.ptp(band)) > FLAT * float(np.abs(band).max())


def _detect_gap(candidate: Candidate, pieces: Sequence[PairWindow]) -> Candidate:
    """Add the value that a result has in every band where PAN shows an image, if it fills flat areas with one."""
    images = [candidate.read(_find_window(p)) for p in pieces]
    fills = find_fill([(image, valid & p.pan_valid) for (image, valid), p in zip(images, pieces)])
    lowest = min((float(i[:, v].min()) for i, v in images if v.any()), default=0.0)
    if all(f.value != lowest for f in fills):
        return candidate
    note = (
        f"{candidate.name} has {format_value(lowest)} in every band where PAN and MS show an image, and declares no "
        "nodata. These pixels are left out as gaps."
    )
    return replace(candidate, gap=lowest, notes=(*candidate.notes, note))


def _note_coverage(candidate: Candidate, pieces: Sequence[PairWindow], shared: Window) -> Candidate:
    """Add a note where a result shows only a part of what PAN and MS share."""
    comparable = [p.valid_on_pan(p.window) for p in pieces]
    shown = sum(int((k & candidate.read(_find_window(p))[1]).sum()) for k, p in zip(comparable, pieces))
    window = candidate.window.clipped(shared)
    share = window.width * window.height / (shared.width * shared.height)
    covered = shown / max(sum(int(k.sum()) for k in comparable), 1) * share
    if covered > WHOLE:
        return candidate
    note = f"{candidate.name} shows {100 * covered:.0f} % of what PAN and MS share; only that is assessed."
    return replace(candidate, notes=(*candidate.notes, note))


def _find_window(pair: PairWindow) -> Window:
    """Return the window of the scene's PAN that a piece holds."""
    height, width = pair.pan_valid.shape
    return Window(pair.pan_corner[1], pair.pan_corner[0], width, height)


def values_at_ms(pair: PairWindow, fused: Image, valid: Mask, transfer: TransferFunction) -> tuple[Image, Image]:
    """Return values of a result, blurred as MS is, and of MS where both are valid, (bands, n) each."""
    low, valid_at_ms = pair.at_ms(fused.astype(np.float32), valid, transfer)
    return low[:, valid_at_ms].astype(np.float64), pair.ms[:, valid_at_ms].astype(np.float64)


def _match_bands(related: Image) -> tuple[list[int], list[int]]:
    """Match bands of a result and of MS: in their order, unless others clearly fit better."""
    count = min(related.shape)
    left, pairs = related.copy(), []
    for _ in range(count):
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        pairs.append((int(row), int(column)))
        left[row, :] = left[:, column] = -np.inf
    lacking, lacking_own = 1.0 - float(np.mean([related[p] for p in pairs])), 1.0 - float(related.diagonal().mean())
    if lacking >= CLEARLY * lacking_own:
        return list(range(count)), list(range(count))
    return [u for u, _ in sorted(pairs)], [b for _, b in sorted(pairs)]
