"""Sentinel-2 as it is delivered: both levels, old and new, folders and archives; offsets, masks and copied bands."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.products import sharpened
from helpers.safe import BANDS, CENTRES, RATIOS, Safe
from osgeo import gdal

FORMS = {
    "L1C before 2016": Safe("L1C", "02.02"),
    "L1C, 02.09": Safe("L1C", "02.09"),
    "L1C, 04.00": Safe("L1C", "04.00"),
    "L2A before 2017": Safe("L2A", "02.01"),
    "L2A, 02.14": Safe("L2A", "02.14"),
    "L2A, 05.10": Safe("L2A", "05.10"),
}


@pytest.mark.parametrize("form", FORMS)
def test_sentinel2_gives_all_bands_at_10_m(tmp_path, form):
    safe = FORMS[form]
    safe.write(tmp_path / "in")
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [(r.status, r.sentence) for r in result.runs] == [("sharpened", "")], log
    assert "guide the others" in log
    names = [b for b in BANDS if b in safe.images]
    dataset = gdal.Open(result.runs[0].output)
    image = dataset.ReadAsArray()
    assert image.shape == (len(names), safe.side, safe.side)
    for number, (band, pixels) in enumerate(zip(names, image), start=1):
        written = dataset.GetRasterBand(number)
        assert written.GetDescription().startswith(band)
        assert float(written.GetMetadataItem("wavelength")) == CENTRES[BANDS.index(band)]
        assert written.GetNoDataValue() == 0
        assert (written.GetScale(), written.GetOffset()) == (1e-4, safe.offset / 1e4)
        if RATIOS[band] == 1:
            np.testing.assert_array_equal(pixels, safe.images[band])
        else:  # what is left of the details, and the mean
            coarse = pixels.reshape(safe.side // RATIOS[band], RATIOS[band], -1, RATIOS[band]).mean((1, 3))
            inside = np.s_[10:-10, 10:-10]
            np.testing.assert_allclose(coarse[inside].mean(), safe.images[band][inside].mean(), rtol=0.01)
    assert dataset.GetGeoTransform() == (5e5, 10, 0, 4e6, 0, -10)
    assert {k: dataset.GetMetadataItem(k) for k in ("OTFM_RATIO", "OTFM_RATIO_2")} == {
        "OTFM_RATIO": "2",
        "OTFM_RATIO_2": "6",
    }
    assert [p.suffix for p in (tmp_path / "out").iterdir()] == [".tif"]
