"""Mask of areas, such as clouds, that measurements and tuning exclude: polygons or a raster as pixels of a grid."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, gdal_array, ogr

from ..errors import InputError
from ..geometry.grids import GeoTransform, Grid, Window
from .source_files import open_delivered

MAX_SIDE = 2048  # pixels of a mask that is kept in memory: those of Sentinel-2 keep 60 m


def covered(mask: str, grid: Grid, window: Window) -> NDArray[np.bool_]:
    """Mark the pixels (h, w) of a window of a grid, which may reach beyond it, that a mask touches.

    `mask` is that of `RasterSource.unmeasured`, in the grid's reference system. Raises InputError for other text.
    """
    part = grid.cropped(window)
    dataset = gdal.GetDriverByName("MEM").Create("", part.width, part.height, 1, gdal.GDT_Byte)
    dataset.SetGeoTransform(part.transform)
    if mask.startswith("<"):
        pixels, transform = load_mask(mask)
        raster = gdal_array.OpenArray(pixels)
        raster.SetGeoTransform(transform)
        gdal.Warp(dataset, raster, resampleAlg="max")
    else:
        source = _make_layer(mask)  # of which the layer is a part
        gdal.RasterizeLayer(dataset, [1], source.GetLayer(0), burn_values=[1], options=["ALL_TOUCHED=TRUE"])
    return np.asarray(dataset.ReadAsArray() == 1)


@functools.lru_cache(maxsize=2)
def load_mask(text: str) -> tuple[NDArray[Any], GeoTransform]:
    """Read the VRT of a mask as 0 and 1 (h, w), made coarser where it is large; any marked pixel marks a coarser one.

    Raises InputError or RuntimeError where a file of a product cannot be read.
    """
    dataset = open_delivered(text)
    step = -(-max(dataset.RasterXSize, dataset.RasterYSize) // MAX_SIDE)
    size = {"width": -(-dataset.RasterXSize // step), "height": -(-dataset.RasterYSize // step)}
    coarse = gdal.Warp("", dataset, format="MEM", resampleAlg="max", **size)
    return (coarse.ReadAsArray() != 0).astype(np.uint8), tuple(coarse.GetGeoTransform())


def _make_layer(polygons: str) -> ogr.DataSource:
    """Make a layer in memory with the polygons as one feature each."""
    try:
        whole = ogr.CreateGeometryFromWkb(bytes.fromhex(polygons))
    except (RuntimeError, ValueError):
        whole = None
    if whole is None:
        raise InputError(f"MASK is not a geometry in hexadecimal WKB: {polygons[:80]}. Choose a layer of polygons.")
    source = ogr.GetDriverByName("Memory").CreateDataSource("mask")
    layer = source.CreateLayer("mask")
    for part in whole if whole.GetGeometryCount() and whole.GetGeometryName() != "POLYGON" else [whole]:
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(part)
        layer.CreateFeature(feature)
    return source
