"""Mask of areas that measurements and tuning exclude: polygons, such as clouds, as pixels of a raster."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, ogr

from ..errors import InputError
from ..geometry.grids import Grid, Window


def covered(polygons: str, grid: Grid, window: Window) -> NDArray[np.bool_]:
    """Mark the pixels (h, w) of a window of a grid, which may reach beyond it, that polygons touch.

    `polygons` is hexadecimal WKB in the grid's reference system. Raises InputError for other text.
    """
    part = grid.cropped(window)
    dataset = gdal.GetDriverByName("MEM").Create("", part.width, part.height, 1, gdal.GDT_Byte)
    dataset.SetGeoTransform(part.transform)
    source = _make_layer(polygons)
    gdal.RasterizeLayer(dataset, [1], source.GetLayer(0), burn_values=[1], options=["ALL_TOUCHED=TRUE"])
    return np.asarray(dataset.ReadAsArray() == 1)


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
