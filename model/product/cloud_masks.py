"""Cloud masks that come with Sentinel-2: rasters of classes or of probability, or polygons in GML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from osgeo import gdal, ogr

from ..errors import InputError
from ..geometry.grids import Grid
from ..raster.gdal_errors import quote_messages
from ..raster.mask import covered
from ..raster.source_files import open_delivered
from ..raster.stack import export_vrt
from .listing import Listing
from .metadata import read_tree

MAX_COVERED = 0.98  # Share of a granule: a mask of more leaves too little to measure.
MAX_PIXELS = 2**28  # Of a mask, and of the image in whose grid it is counted: a granule has half of it.
MAX_POINTS = 100_000  # Of all polygons: each tile of a run draws all of them.
MAX_COORDINATE = 1e8  # Metres.
SCENE_CLASSES = ("0:0,1:1,2:0,7:0,8:1,10:1,11:0",)  # Of level 2A: defective, clouds of two kinds, thin cirrus.
MASKS = (  # Names, the best first, and for each band of a raster its classes as 0 or 1, linear between those listed.
    (r"_SCL_(\w+_)?20m\.jp2$", SCENE_CLASSES),
    (r"MSK_CLDPRB_20m\.jp2$", ("0:0,49:0,50:1,100:1",)),  # Percent.
    (r"MSK_CLASSI_B00\.jp2$", ("0:0,1:1", "0:0,1:1")),  # Opaque clouds, and cirrus.
    (r"MSK_CLOUDS_\w*B00\w*\.gml$", ()),
)


def find_mask(listing: Listing, folder: str, image: str) -> tuple[str, str]:
    """Return the best cloud mask below a folder as `check_mask` does, both empty where there is none."""
    for pattern, classes in MASKS:
        for file in listing.files:
            if file.startswith(folder) and re.search(pattern, file, re.IGNORECASE):
                path = listing.path(file)
                build = partial(build_mask, path, classes) if classes else partial(_read_polygons, listing, file)
                return check_mask(PurePosixPath(file).name, build, image)
    return "", ""


def check_mask(name: str, build: Callable[[], str], image: str) -> tuple[str, str]:
    """Build a mask of clouds, as in `RasterSource.unmeasured`; returns it, empty if not to be used, and a sentence.

    `image` is a band, in whose grid the share of clouds is counted.
    """
    try:
        mask = build()
        share = _measure_share(mask, image) if mask else 0.0
    except (InputError, RuntimeError, ValueError) as error:
        return "", f"The cloud mask {name} is not used, so clouds are measured too: {quote_messages(error)}."
    if share > MAX_COVERED:
        return "", f"{100 * share:.0f} % are clouds by {name}. Nothing else is left to measure, so it is not used."
    return mask if share else "", f"Clouds by {name}, {100 * share:.1f} %, are sharpened but not measured."


def build_mask(path: str, classes: Sequence[str]) -> str:
    """Build the VRT that is 1 where a band of a raster has one of the classes. Raises InputError, RuntimeError."""
    dataset = _open_bounded(path)
    vrt = gdal.GetDriverByName("VRT").Create("", dataset.RasterXSize, dataset.RasterYSize, 1, gdal.GDT_Byte)
    vrt.SetGeoTransform(dataset.GetGeoTransform())
    vrt.SetProjection(dataset.GetProjection())
    for number, lut in enumerate(classes[: dataset.RasterCount], start=1):
        named = f"<SourceFilename>{html.escape(path)}</SourceFilename><SourceBand>{number}</SourceBand>"
        source = f"<ComplexSource>{named}<NODATA>0</NODATA><LUT>{lut}</LUT></ComplexSource>"
        vrt.GetRasterBand(1).SetMetadataItem("source_0", source, "new_vrt_sources")
    vrt.FlushCache()
    return export_vrt(vrt)


def _open_bounded(path: str) -> gdal.Dataset:
    dataset = open_delivered(path)
    if dataset.RasterXSize * dataset.RasterYSize > MAX_PIXELS:
        raise InputError(f"{dataset.RasterXSize:,} x {dataset.RasterYSize:,} pixels are more than a granule has")
    return dataset


def _measure_share(mask: str, image: str) -> float:
    grid = Grid.of(_open_bounded(image))
    return float(covered(mask, grid, grid.window).mean())


def _read_polygons(listing: Listing, file: str) -> str:
    """Return the outer rings of a GML file as hexadecimal WKB, empty without any. Raises InputError, ValueError."""
    polygons, count = ogr.Geometry(ogr.wkbMultiPolygon), 0
    exteriors = read_tree(listing, file).iter("gml:exterior")
    for ring in (element for exterior in exteriors for element in exterior.iter("gml:poslist")):
        points = np.array((ring.text or "").split(), dtype=float)
        if points.size < 8 or points.size % 2 or not (np.abs(points) < MAX_COORDINATE).all():
            raise InputError(f"has a ring of {points.size} coordinates, which is not a polygon")
        count += points.size // 2
        if count > MAX_POINTS:
            raise InputError(f"has polygons of more than {MAX_POINTS:,} points")
        line, polygon = ogr.Geometry(ogr.wkbLinearRing), ogr.Geometry(ogr.wkbPolygon)
        for x, y in points.reshape(-1, 2).tolist():
            line.AddPoint_2D(x, y)
        polygon.AddGeometry(line)
        polygons.AddGeometry(polygon)
    return polygons.ExportToWkb().hex() if polygons.GetGeometryCount() else ""
