"""Which format a name asks for, and that what it holds is what was fused."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import run, temporaries
from helpers.scenes import Recipe
from osgeo import gdal


@pytest.mark.parametrize(
    ("name", "driver", "interleave"),
    [
        ("out.dat", "ENVI", "BAND"),
        ("out.bsq", "ENVI", "BAND"),
        ("out.BIL", "ENVI", "LINE"),
        ("out.bip", "ENVI", "PIXEL"),
        ("out", "ENVI", "BAND"),
        ("out.img", "HFA", None),
        ("out.IMG", "HFA", None),
        ("out.TIFF", "GTiff", "BAND"),
        ("out.tif.tif", "GTiff", "BAND"),
    ],
)
def test_the_extension_names_the_format(tmp_path, name, driver, interleave):
    pair = Recipe(names=["blue", "green", "red", "nir"], nodata=0).write(tmp_path)
    plain, _ = run(pair, tmp_path, "plain.tif")
    image, _ = run(pair, tmp_path, name)
    assert np.array_equal(plain, image)
    fused = gdal.Open(str(tmp_path / name))
    assert fused.GetDriver().ShortName == driver
    assert fused.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") == interleave
    assert [fused.GetRasterBand(n).GetDescription() for n in (1, 2, 3, 4)] == ["blue", "green", "red", "nir"]
    assert fused.GetRasterBand(4).GetNoDataValue() == 0
    assert fused.GetGeoTransform() == gdal.Open(str(tmp_path / "plain.tif")).GetGeoTransform()
    assert "32633" in fused.GetSpatialRef().ExportToWkt() or "UTM" in fused.GetProjection()
    assert temporaries(tmp_path) == []
