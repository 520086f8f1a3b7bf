"""Choice among images of one role: by the pixels and wavelengths that PAN can sharpen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from osgeo import gdal

from ..errors import InputError
from ..geometry.grids import MAX_RATIO, MIN_RATIO, RATIO_DIGITS, Grid
from ..raster.source_files import open_delivered
from .scene import CENTRES, RGB, Part

MAX_NANOMETRES = 1000.0  # PAN shows nothing of bands beyond.


def has_fitting_pixels(pan: Part, ms: Part) -> bool:
    """Tell whether the first files of PAN and MS share a place, with a ratio of pixel sizes that fusion takes."""
    try:
        (grid, crs), (other, other_crs) = _read_grid(pan), _read_grid(ms)
    except (InputError, RuntimeError):
        return False
    if crs != other_crs or not (grid.georeferenced and other.georeferenced):
        return False
    ratio = round(min(b / a for a, b in zip(grid.pixel_size, other.pixel_size)), RATIO_DIGITS)
    boxes = [[(min(axis), max(axis)) for axis in zip(*g.corners())] for g in (grid, other)]
    return MIN_RATIO <= ratio <= MAX_RATIO and all(a[0] < b[1] and b[0] < a[1] for a, b in zip(*boxes))


def choose_ms(pan: Part, mss: Sequence[Part]) -> list[Part]:
    """Choose the images with most bands that PAN can sharpen; of equal ones, with most of red, green and blue."""
    fitting = [p for p in mss if has_fitting_pixels(pan, p)] or list(mss)

    def rank(part: Part) -> tuple[int, int]:
        names = [b.name for b in part.bands]
        centres = {**CENTRES, **part.sensor.centres}
        return sum(centres.get(n, 0.0) < MAX_NANOMETRES for n in names), len(set(names).intersection(RGB))

    best = max(map(rank, fitting))
    return [p for p in fitting if rank(p) == best]


def describe_image(part: Part) -> str:
    """Describe the image of a part for lists in messages."""
    grid, _ = _read_grid(part)
    size = max(grid.pixel_size)
    return f"{PurePosixPath(part.files[0]).name} ({len(part.bands)} bands, pixels of {size:.3g})"


def _read_grid(part: Part) -> tuple[Grid, str]:
    """Read grid and reference system of the first file of a part's bands."""
    dataset: gdal.Dataset = open_delivered(part.bands[0].files[0])
    return Grid(dataset.RasterXSize, dataset.RasterYSize, tuple(dataset.GetGeoTransform())), dataset.GetProjection()
