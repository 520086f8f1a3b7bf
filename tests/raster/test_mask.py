"""Polygons as pixels of a raster."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import ogr
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.geometry.grids import Grid, Window
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.mask import covered

GRID = Grid(20, 10, (100.0, 4.0, 0.0, 200.0, 0.0, -4.0))
RING = "POLYGON((108 196,148 196,148 172,108 172,108 196),(120 188,136 188,136 180,120 180,120 188))"


def wkb(text):
    return bytes(ogr.CreateGeometryFromWkt(text).ExportToWkb()).hex()


def test_polygons_are_what_they_cover_in_every_window():
    whole = np.zeros((10, 20), bool)
    whole[1:7, 2:12] = True
    whole[3:5, 5:9] = False
    with gdal_exceptions():
        assert np.array_equal(covered(wkb(RING), GRID, Window(0, 0, 20, 10)), whole)
        assert np.array_equal(covered(wkb(RING), GRID, Window(3, 2, 9, 5)), whole[2:7, 3:12])
        beyond = covered(wkb(f"MULTIPOLYGON({RING[7:]},((0 0,1 0,1 1,0 0)))"), GRID, Window(-2, -3, 10, 8))
    assert np.array_equal(beyond[3:, 2:], whole[:5, :8])
    assert not beyond[:3].any()


def test_mask_without_polygons_is_refused():
    for words in ("clouds", "00", "zz", RING):
        with gdal_exceptions(), pytest.raises(InputError, match="MASK is not a geometry in hexadecimal WKB: "):
            covered(words, GRID, Window(0, 0, 4, 4))
