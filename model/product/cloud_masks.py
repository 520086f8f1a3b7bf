"""Cloud masks that come with Sentinel-2: rasters of classes or of probability, or polygons in GML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

import numpy as np
from osgeo import gdal, ogr

from ..errors import InputError
from ..geometry.grids import Grid
from ..raster.gdal_errors import said
from ..raster.mask import covered
from ..raster.source_files import open_delivered
from ..raster.stack import vrt_text
from .listing import Listing
from .metadata import Tree, read_tree

MAX_COVERED = 0.98  # Share of a granule: a mask of more leaves too little to measure.
MAX_COORDINATE = 1e8  # Metres.
MASKS = (  # Names, the best first, and for each band of a raster its classes as 0 or 1, linear between those listed.
    (r"_SCL_(\w+_)?20m\.jp2$", ("0:0,1:1,2:0,7:0,8:1,10:1,11:0",)),  # Defective, clouds of two kinds, thin cirrus.
    (r"MSK_CLDPRB_20m\.jp2$", ("0:0,49:0,50:1,100:1",)),  # Percent.
    (r"MSK_CLASSI_B00\.jp2$", ("0:0,1:1", "0:0,1:1")),  # Opaque clouds, and cirrus.
    (r"MSK_CLOUDS_\w*B00\w*\.gml$", ()),
)


def find_mask(listing: Listing, folder: str, image: str) -> tuple[str, str]:
    """Return the best cloud mask below a folder, as in `RasterSource.unmeasured`, and a sentence about it, if any.

    `image` is a band of the granule, in whose grid the share of clouds is counted.
    """
    files = [f for f in listing.files if f.startswith(folder)]
    for pattern, classes in MASKS:
        file = next((f for f in files if re.search(pattern, f, re.IGNORECASE)), None)
        if file is None:
            continue
        name = file.removeprefix(folder)
        try:
            mask = build_mask(listing.path(file), classes) if classes else _read_polygons(read_tree(listing, file))
            share = _measure_share(mask, image) if mask else 0.0
        except (InputError, RuntimeError, ValueError) as error:
            return "", f"The cloud mask {name} is not used, so clouds are measured too: it {said(error)}."
        if share > MAX_COVERED:
            return (
                "",
                f"{100 * share:.0f} % are clouds by {name}, so it is not used: there would be nothing to measure.",
            )
        return mask if share else "", f"Clouds by {name}, {100 * share:.1f} %, are sharpened but not measured."
    return "", ""


def build_mask(path: str, classes: Sequence[str]) -> str:
    """Build the VRT that is 1 where a band of a raster has one of the classes. Raises InputError, RuntimeError."""
    dataset = open_delivered(path)
    vrt = gdal.GetDriverByName("VRT").Create("", dataset.RasterXSize, dataset.RasterYSize, 1, gdal.GDT_Byte)
    vrt.SetGeoTransform(dataset.GetGeoTransform())
    vrt.SetProjection(dataset.GetProjection())
    for number, lut in enumerate(classes[: dataset.RasterCount], start=1):
        named = f"<SourceFilename>{html.escape(path)}</SourceFilename><SourceBand>{number}</SourceBand>"
        source = f"<ComplexSource>{named}<NODATA>0</NODATA><LUT>{lut}</LUT></ComplexSource>"
        vrt.GetRasterBand(1).SetMetadataItem("source_0", source, "new_vrt_sources")
    vrt.FlushCache()
    return vrt_text(vrt)


def _measure_share(mask: str, image: str) -> float:
    dataset = open_delivered(image)
    grid = Grid(dataset.RasterXSize, dataset.RasterYSize, tuple(dataset.GetGeoTransform()))
    return float(covered(mask, grid, grid.window).mean())


def _read_polygons(root: Tree) -> str:
    """Return the outer rings of a GML file as hexadecimal WKB, empty without any. Raises InputError, ValueError."""
    polygons = ogr.Geometry(ogr.wkbMultiPolygon)
    for ring in _find_rings(root):
        points = np.array(ring.split(), dtype=float)
        if points.size < 8 or points.size % 2 or not (np.abs(points) < MAX_COORDINATE).all():
            raise InputError(f"has a ring of {points.size} coordinates, which is not a polygon")
        line, polygon = ogr.Geometry(ogr.wkbLinearRing), ogr.Geometry(ogr.wkbPolygon)
        for x, y in points.reshape(-1, 2).tolist():
            line.AddPoint_2D(x, y)
        polygon.AddGeometry(line)
        polygons.AddGeometry(polygon)
    return polygons.ExportToWkb().hex() if polygons.GetGeometryCount() else ""


def _find_rings(root: Tree) -> Iterator[str]:
    for exterior in root.iter("gml:exterior"):
        yield from (e.text or "" for e in exterior.iter("gml:poslist"))
