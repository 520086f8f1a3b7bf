"""Stacks and mosaics of rasters as a VRT in text: nothing is written, and any process can open it."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from osgeo import gdal

from ..errors import InputError
from ..geometry.grids import Grid
from .bands import describe_band
from .gdal_errors import gdal_exceptions, gdal_messages, quote_messages
from .reader import Raster
from .source import RasterSource

SAME_GRID = 1e-3  # pixels by which corners of one grid may differ
MAX_LABEL = 3  # names in a label
SKIPPED = "kipping"  # in GDAL's warnings of a raster that it leaves out of a VRT


def stack_sources(sources: Sequence[RasterSource], role: str) -> RasterSource:
    """Stack one-band rasters on one grid to one raster, in their order. Raises InputError, naming the odd one.

    Names, nodata values, scales, offsets and metadata of the bands are kept, and so are the user's declarations.
    """
    sources = [replace(s, path=os.path.abspath(s.path)) if os.path.exists(s.path) else s for s in sources]
    with gdal_exceptions():
        text = export_vrt(stack(sources, role))
    return RasterSource(
        xml=text,
        band_nodata=tuple((n, low, high) for n, s in enumerate(sources, 1) for low, high in s.declared(1)),
        ignored_nodata=tuple(n for n, s in enumerate(sources, 1) if s.ignored_nodata),
        crs=sources[0].crs,
        label=label([s.name for s in sources]),
        unmeasured=sources[0].unmeasured,
    )


def label(names: Sequence[str]) -> str:
    """Return the name of a stack or a mosaic of files: their names, the first ones of many."""
    short = [Path(n).name for n in names]
    more = f" and {len(short) - MAX_LABEL} more" if len(short) > MAX_LABEL else ""
    return ", ".join(short[:MAX_LABEL]) + more


def export_vrt(dataset: gdal.Dataset) -> str:
    """Return a VRT in memory as the text that opens it again."""
    return str(dataset.GetMetadata("xml:VRT")[0])


def stack(sources: Sequence[RasterSource], role: str) -> gdal.Dataset:
    """Build the VRT of one-band rasters; call within `gdal_exceptions`. Raises InputError where they do not fit."""
    with ExitStack() as open_ones:
        rasters = [open_ones.enter_context(Raster(replace(s, bands=(), context=()), role)) for s in sources]
        first = rasters[0]
        for raster in rasters:
            _refuse_unfit_band(raster)
            _refuse_other_grid(raster, first)
        built = _build_vrt(sources, role, separate=True)
        for number, raster in enumerate(rasters, start=1):
            _describe(built.GetRasterBand(number), raster.dataset.GetRasterBand(1))
        built.FlushCache()
        return built


def mosaic(sources: Sequence[RasterSource], numbers: Sequence[int], role: str) -> gdal.Dataset:
    """Build the VRT of the tiles of one image, which may overlap, with those of its bands (from 1).

    Call within `gdal_exceptions`. Raises InputError where they are not tiles of one image.
    """
    with ExitStack() as open_ones:
        tiles = [open_ones.enter_context(Raster(source, role)) for source in sources]
        first = tiles[0]
        for tile in tiles:
            if not tile.grid.georeferenced:
                raise InputError(
                    f"{role} tile {tile.source.name} has no georeference, so the tiles cannot be arranged. Use "
                    "a map-projected product level, or warp the image to a map projection first."
                )
            if tile.dataset.RasterCount != first.dataset.RasterCount or not _has_same_pixels(tile.grid, first.grid):
                raise InputError(
                    f"{role} tile {tile.source.name} ({tile.dataset.RasterCount} bands, {tile.grid.describe()}) does "
                    f"not fit {first.source.name} ({first.dataset.RasterCount} bands, {first.grid.describe()}): they "
                    "are not tiles of one image. Get the product again."
                )
            if not tile.has_same_crs(first):
                raise InputError(
                    f"{role} tiles {first.source.name} and {tile.source.name} have different reference systems. "
                    "Get the product again."
                )
            if _declares_nodata(tile) != _declares_nodata(first):
                raise InputError(
                    f"{role} tiles {first.source.name} and {tile.source.name} do not fit together: only one of them "
                    "declares a nodata value. Get the product again."
                )
        built = _build_vrt(sources, role, bandList=list(numbers))
        for position, number in enumerate(numbers, start=1):
            _describe(built.GetRasterBand(position), first.dataset.GetRasterBand(number))
        built.FlushCache()
        return built


def _build_vrt(sources: Sequence[RasterSource], role: str, **options: Any) -> gdal.Dataset:
    """Build a VRT of all sources, whose systems were compared. Raises InputError, also where GDAL leaves one out."""
    names, fault = [s.gdal_name for s in sources], ""
    try:
        with gdal_messages() as messages:
            built = gdal.BuildVRT("", names, allowProjectionDifference=True, **options)
        fault = next((text for _, text in messages if SKIPPED in text), "")
    except RuntimeError as error:
        fault = str(error)
    if fault:
        raise InputError(f"{role} rasters like {sources[0].name} cannot be put together: {quote_messages(fault)}.")
    return built


def join_images(images: Sequence[gdal.Dataset], names: Sequence[str], role: str) -> gdal.Dataset:
    """Build the VRT of the bands of several VRTs on one grid, in their order. Raises InputError where they differ.

    Call within `gdal_exceptions`. `names` are what messages call them.
    """
    first = images[0]
    joined = gdal.GetDriverByName("VRT").Create("", first.RasterXSize, first.RasterYSize, 0)
    joined.SetProjection(first.GetProjection())
    joined.SetGeoTransform(first.GetGeoTransform())
    for image, name in zip(images, names):
        if _read_grid(image) != _read_grid(first):
            raise InputError(
                f"{role} {name} ({_read_grid(image).describe()}) has another grid than {names[0]} "
                f"({_read_grid(first).describe()}). Get the product again."
            )
        text = html.escape(export_vrt(image))
        for number in range(1, image.RasterCount + 1):
            band = image.GetRasterBand(number)
            joined.AddBand(band.DataType)
            added = joined.GetRasterBand(joined.RasterCount)
            named = f"<SourceFilename>{text}</SourceFilename><SourceBand>{number}</SourceBand>"
            added.SetMetadataItem("source_0", f"<SimpleSource>{named}</SimpleSource>", "new_vrt_sources")
            if band.GetNoDataValue() is not None:
                added.SetNoDataValue(band.GetNoDataValue())
            _describe(added, band)
    joined.FlushCache()
    return joined


def _read_grid(dataset: gdal.Dataset) -> Grid:
    return Grid(dataset.RasterXSize, dataset.RasterYSize, tuple(dataset.GetGeoTransform()))


def _declares_nodata(raster: Raster) -> list[bool]:
    bands = range(1, raster.dataset.RasterCount + 1)
    return [raster.dataset.GetRasterBand(n).GetNoDataValue() is not None for n in bands]


def _refuse_unfit_band(raster: Raster) -> None:
    """Refuse a raster that cannot be one band of a stack without loss. Raises InputError."""
    name, band = raster.source.name, raster.dataset.GetRasterBand(1)
    if raster.dataset.RasterCount != 1:
        raise InputError(
            f"{raster.role} {name} has {raster.dataset.RasterCount} bands; several rasters make one MS only where each "
            "has one band. Give one raster with all bands, or one-band rasters."
        )
    if band.GetMaskFlags() & gdal.GMF_PER_DATASET:
        raise InputError(
            f"{raster.role} {name} marks its gaps by a mask, which a stack of rasters cannot keep. Give it a nodata "
            "value first, for example with gdal:warpreproject."
        )
    if raster.source.open_options:
        raise InputError(
            f"{raster.role} {name} is opened with options ({', '.join(raster.source.open_options)}), which a stack of "
            "rasters cannot keep. Export it to a GeoTIFF first."
        )


def _refuse_other_grid(raster: Raster, first: Raster) -> None:
    """Refuse two bands that do not share a grid pixel by pixel. Raises InputError."""
    same = (raster.grid.width, raster.grid.height) == (first.grid.width, first.grid.height)
    if not same or not _has_same_pixels(raster.grid, first.grid) or not _has_same_corner(raster.grid, first.grid):
        raise InputError(
            f"{raster.role} {raster.source.name} ({raster.grid.describe()}) has another grid than "
            f"{first.source.name} ({first.grid.describe()}). Take bands of one grid, or warp them to one first."
        )
    if raster.source.crs != first.source.crs or not raster.has_same_crs(first):
        raise InputError(
            f"{raster.role} {raster.source.name} and {first.source.name} have different reference systems. Reproject "
            "one of them first, for example with gdal:warpreproject."
        )


def _has_same_pixels(grid: Grid, other: Grid) -> bool:
    """Tell whether pixels have one size and direction, over the whole raster."""
    size, side = min(other.pixel_size), max(grid.width, grid.height, other.width, other.height)
    steps = zip(grid.transform, other.transform)
    return all(abs(a - b) * side < SAME_GRID * size for i, (a, b) in enumerate(steps) if i not in (0, 3))


def _has_same_corner(grid: Grid, other: Grid) -> bool:
    size = min(other.pixel_size)
    return all(abs(grid.transform[i] - other.transform[i]) < SAME_GRID * size for i in (0, 3))


def _describe(band: gdal.Band, origin: gdal.Band) -> None:
    """Copy to a VRT's band what GDAL does not take along: all except nodata, scale and offset."""
    describe_band(band, origin)
    band.SetColorInterpretation(origin.GetColorInterpretation())
    bits = origin.GetMetadataItem("NBITS", "IMAGE_STRUCTURE")
    if bits:
        band.SetMetadataItem("NBITS", bits, "IMAGE_STRUCTURE")
