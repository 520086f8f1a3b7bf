"""Stacks and mosaics of rasters as a VRT in text: nothing is written, and any process can open it."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from osgeo import gdal

from ..errors import InputError
from ..geometry.grids import NO_GEOREFERENCE, Grid
from .bands import describe_band
from .gdal_errors import gdal_exceptions, gdal_messages, quote_messages
from .reader import Raster
from .source import RasterSource
from .source_files import public_name

SAME_GRID = 1e-3  # pixels by which corners of one grid may differ
MAX_LABEL = 3  # names in a label
TILE = re.compile(r"R(\d+)C(\d+)(?![0-9])")  # row and column in the name of a tile
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


def join_bands(ms: RasterSource, more: Sequence[RasterSource]) -> RasterSource:
    """Return MS with the one-band rasters that follow its one band; the bands wanted of all are those of `ms`."""
    return replace(stack_sources((ms, *more), "MS"), bands=ms.bands) if more else ms


def label(names: Sequence[str]) -> str:
    """Return the name of a stack or a mosaic of files: their names, the first ones of many."""
    short = [Path(public_name(n)).name for n in names]
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
        return _join([raster.dataset for raster in rasters])


def mosaic(sources: Sequence[RasterSource], numbers: Sequence[int], role: str, by_names: bool = False) -> gdal.Dataset:
    """Build the VRT of the tiles of one image, which may overlap, with those of its bands (from 1).

    Tiles in sensor geometry are arranged `by_names`, and the VRT has no georeference either.
    Call within `gdal_exceptions`. Raises InputError where they are not tiles of one image.
    """
    with ExitStack() as open_ones:
        tiles = [open_ones.enter_context(Raster(source, role)) for source in sources]
        if by_names:
            tiles = [open_ones.enter_context(tile) for tile in _arrange_tiles(tiles)]
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
        names = [tile.dataset.GetDescription() or export_vrt(tile.dataset) for tile in tiles]
        built = _build_vrt(names, role, first.source.name, bandList=list(numbers))
        for position, number in enumerate(numbers, start=1):
            _describe(built.GetRasterBand(position), first.dataset.GetRasterBand(number))
        if by_names:
            built.SetGeoTransform(NO_GEOREFERENCE)
        built.FlushCache()
        return built


def _arrange_tiles(tiles: Sequence[Raster]) -> list[Raster]:
    """Place tiles without a georeference next to each other by the rows and columns that their names state.

    Raises InputError where they do not fill a rectangle.
    """
    names = [TILE.findall(Path(tile.source.name).stem) for tile in tiles]
    places = [(int(found[-1][0]), int(found[-1][1])) for found in names if found]
    heights = {row: tile.grid.height for (row, _), tile in zip(places, tiles)}
    widths = {column: tile.grid.width for (_, column), tile in zip(places, tiles)}
    fits = all((heights[r], widths[c]) == (t.grid.height, t.grid.width) for (r, c), t in zip(places, tiles))
    if not fits or not len(set(places)) == len(tiles) == len(heights) * len(widths):
        raise InputError(
            f"{tiles[0].role} tiles like {tiles[0].source.name} have no georeference, and their names and sizes do "
            "not arrange them in rows and columns (as R1C1, R1C2). Download the product again."
        )
    arranged = []
    for tile, (row, column) in zip(tiles, places):
        top = sum(height for r, height in heights.items() if r < row)
        left = sum(width for c, width in widths.items() if c < column)
        moved = gdal.Translate("", tile.dataset, format="VRT")
        moved.SetGeoTransform((left, 1.0, 0.0, -top, 0.0, -1.0))
        arranged.append(Raster(tile.source, tile.role, moved))
    return arranged


def _build_vrt(names: Sequence[str], role: str, title: str, **options: Any) -> gdal.Dataset:
    """Build a VRT of rasters whose systems were compared. Raises InputError, also where GDAL leaves one out."""
    fault = ""
    try:
        with gdal_messages() as messages:
            built = gdal.BuildVRT("", list(names), allowProjectionDifference=True, **options)
        fault = next((text for _, text in messages if SKIPPED in text), "")
    except RuntimeError as error:
        fault = str(error)
    if fault:
        raise InputError(f"{role} rasters like {title} cannot be put together: {quote_messages(fault)}.")
    return built


def join_images(images: Sequence[gdal.Dataset], names: Sequence[str], role: str) -> gdal.Dataset:
    """Build the VRT of the bands of several VRTs on one grid, in their order. Raises InputError where they differ.

    Call within `gdal_exceptions`. `names` are what messages call them.
    """
    first, *others = map(Grid.of, images)
    for grid, name in zip(others, names[1:]):
        if grid != first:
            raise InputError(
                f"{role} {name} ({grid.describe()}) has another grid than {names[0]} ({first.describe()}). Get the "
                "product again."
            )
    return _join(images)


def _join(images: Sequence[gdal.Dataset]) -> gdal.Dataset:
    """Build the VRT of all bands of rasters on one grid. gdal.BuildVRT takes none that are stored bottom-up."""
    first = images[0]
    joined = gdal.GetDriverByName("VRT").Create("", first.RasterXSize, first.RasterYSize, 0)
    joined.SetProjection(first.GetProjection())
    if first.GetGeoTransform(can_return_null=True):
        joined.SetGeoTransform(first.GetGeoTransform())
    if first.GetMetadata("RPC"):
        joined.SetMetadata(first.GetMetadata("RPC"), "RPC")
    for image in images:
        name = html.escape(image.GetDescription() or export_vrt(image))
        for number in range(1, image.RasterCount + 1):
            band = image.GetRasterBand(number)
            joined.AddBand(band.DataType)
            added = joined.GetRasterBand(joined.RasterCount)
            named = f"<SourceFilename>{name}</SourceFilename><SourceBand>{number}</SourceBand>"
            added.SetMetadataItem("source_0", f"<SimpleSource>{named}</SimpleSource>", "new_vrt_sources")
            if band.GetNoDataValue() is not None:
                added.SetNoDataValue(band.GetNoDataValue())
            _describe(added, band)
    joined.FlushCache()
    return joined


def assemble(bands: Sequence[tuple[RasterSource, int]], grid: Grid, nodata: float | None = None) -> RasterSource:
    """Assemble bands of rasters (from 1) on one grid, with their own nodata values unless one is given.

    Pixels of the grid are kept to the bit and larger ones repeated; where a raster has none, they are nodata. Call
    within `gdal_exceptions`. Raises InputError for a grid that is rotated or mirrored.
    """
    with ExitStack() as open_ones:
        rasters = {s: open_ones.enter_context(Raster(s, "MS")).dataset for s in dict.fromkeys(s for s, _ in bands)}
        single = [gdal.Translate("", rasters[s], format="VRT", bandList=[n]) for s, n in bands]
        sources = [RasterSource(xml=export_vrt(one), label=s.name) for one, (s, _) in zip(single, bands)]
        x, y = zip(*grid.corners())
        size = {"resolution": "user", "xRes": grid.transform[1], "yRes": -grid.transform[5]}
        bounds = (min(x), min(y), max(x), max(y))
        names = [s.gdal_name for s in sources]
        built = _build_vrt(names, "MS", sources[0].name, separate=True, outputBounds=bounds, srcNodata="None", **size)
        if (built.RasterXSize, built.RasterYSize) != (grid.width, grid.height):
            raise InputError(f"MS bands cannot be put on the grid of {bands[0][0].name}, {grid.describe()}.")
        built.SetGeoTransform(grid.transform)
        for number, one in enumerate(single, start=1):
            band, origin = built.GetRasterBand(number), one.GetRasterBand(1)
            _describe(band, origin)
            value = origin.GetNoDataValue() if nodata is None else nodata
            if value is not None:
                band.SetNoDataValue(value)
        built.FlushCache()
        return RasterSource(xml=export_vrt(built), label=label([s.name for s in sources]))


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
    grid, other = raster.grid, first.grid
    near = SAME_GRID * min(other.pixel_size)
    same_corner = all(abs(grid.transform[i] - other.transform[i]) < near for i in (0, 3))
    if not same_corner or grid.window != other.window or not _has_same_pixels(grid, other):
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


def _describe(band: gdal.Band, origin: gdal.Band) -> None:
    """Copy to a VRT's band what GDAL does not take along: all except nodata."""
    describe_band(band, origin)
    band.SetColorInterpretation(origin.GetColorInterpretation())
    for item in ("NBITS", "PIXELTYPE"):
        value = origin.GetMetadataItem(item, "IMAGE_STRUCTURE")
        if value:
            band.SetMetadataItem(item, value, "IMAGE_STRUCTURE")
