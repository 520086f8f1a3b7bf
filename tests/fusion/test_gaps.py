"""Gaps of the rasters are gaps of the result, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job, run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource
from scipy.ndimage import binary_dilation


def test_several_nodata_values_are_refused_for_reprojected_ms(tmp_path):
    pair = Recipe().write(tmp_path)
    gdal.Warp(str(tmp_path / "other.tif"), str(pair.ms), dstSRS="EPSG:32632")
    for declared in ({"nodata": (1.0, 2.0)}, {"band_nodata": ((2, 1.0, 5.0),)}):
        ms = RasterSource(str(tmp_path / "other.tif"), **declared)
        with pytest.raises(InputError, match="cannot be kept apart while it is reprojected"):
            fuse(replace(job(pair, tmp_path / "o.tif"), ms=ms))


@pytest.mark.promise(5)
@pytest.mark.parametrize("value", [0.0, -9999.0, 65535.0, float("nan")])
def test_nodata_in_is_nodata_out_and_nothing_else(tmp_path, value):
    type_name = "float32" if value < 0 or np.isnan(value) else "uint16"
    pair = Recipe(height=200, width=240, dtype=type_name).write(tmp_path)
    clean, _ = run(pair, tmp_path)
    pan, ms = load_image(pair.pan), load_image(pair.ms)
    pan[:, 100:, 200:] = value
    ms[:, :20, :10] = value
    ms[2, 30, 30] = value  # a gap of that band alone
    pixel = (5e5, 2, 0, 4e6, 0, -2), (5e5, 8, 0, 4e6, 0, -8)
    save(pair.pan, pan, type_name, pixel[0], nodata=value)
    save(pair.ms, ms, type_name, pixel[1], nodata=value)
    fused, _ = run(pair, tmp_path)
    dataset = gdal.Open(str(tmp_path / "fused.tif"))  # GDAL's bands do not keep their dataset alive
    declared = dataset.GetRasterBand(1).GetNoDataValue()
    assert declared == value or (np.isnan(value) and np.isnan(declared))
    gaps = np.isnan(fused) if np.isnan(value) else fused == value
    expected = np.zeros((4, 200, 240), dtype=bool)
    expected[:, 100:, 200:] = expected[:, :80, :40] = expected[2, 120:124, 120:124] = True
    assert np.array_equal(gaps, expected)
    around_gap = binary_dilation(expected[2], iterations=6) & ~expected[2]
    fringe, usual = (
        np.abs(i[:, around_gap].astype(float) - pair.reference[:, around_gap]).mean() for i in (fused, clean)
    )
    assert fringe < 1.35 * usual


@pytest.mark.promise(5)
def test_a_mask_band_marks_gaps_too(tmp_path):
    pair = Recipe().write(tmp_path)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.full((48, 60), 255, dtype=np.uint8)
    mask[:10] = 0
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(mask)
    dataset = None
    fused, _ = run(pair, tmp_path)
    assert (fused[:, :40] == 0).all()
    assert (fused[:, 40:] != 0).all()


@pytest.mark.promise(5)
@pytest.mark.parametrize("system", [None, "EPSG:32632"])
def test_a_nodata_value_counts_next_to_a_mask_band(tmp_path, system):
    """GDAL's own mask of a band is then the mask band alone."""
    pair = Recipe(nodata=0.0).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, 30:40, 30:40] = 0
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8), nodata=0.0)
    if system:
        gdal.Warp(str(tmp_path / "other.tif"), str(pair.ms), dstSRS=system, resampleAlg="near")
        pair = replace(pair, ms=tmp_path / "other.tif")
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.full((dataset.RasterYSize, dataset.RasterXSize), 255, dtype=np.uint8)
    mask[:10] = 0
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(mask)
    dataset = None
    fused, _ = run(pair, tmp_path)
    assert (fused[:, 128:152, 128:152] == 0).all()
    assert (fused[:, 80:110, 60:100] != 0).all()
    if not system:  # elsewhere the masked rows are oblique
        assert (fused[:, :40] == 0).all()


@pytest.mark.promise(5)
def test_a_users_nodata_counts(tmp_path):
    pair = Recipe().write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :12, :12] = 7
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8))
    fuse(replace(job(pair, tmp_path / "n.tif"), ms=RasterSource(str(pair.ms), nodata=(7.0,))))
    fused = load_image(tmp_path / "n.tif")
    assert (fused[:, :48, :48] == 7).all()
    assert (fused[:, 48:, 48:] != 7).all()


def test_a_users_nodata_leaves_no_fringe_when_ms_is_reprojected(tmp_path):
    pair = Recipe(height=240, width=240, dtype="float32").write(tmp_path)
    gdal.Warp(str(tmp_path / "other.tif"), str(pair.ms), dstSRS="EPSG:32632", resampleAlg="near", dstNodata=-5000)
    dataset = gdal.Open(str(tmp_path / "other.tif"), gdal.GA_Update)
    for number in range(1, 5):
        dataset.GetRasterBand(number).DeleteNoDataValue()
    dataset = None
    ms = RasterSource(str(tmp_path / "other.tif"), nodata=(-5000.0,))
    fuse(replace(job(pair, tmp_path / "out.tif"), ms=ms))
    fused = load_image(tmp_path / "out.tif")
    assert fused[np.isfinite(fused) & (fused != -5000)].min() > -500


def test_absurd_floats_are_gaps_without_being_declared(tmp_path):
    """Other programs mark gaps by the lowest float and often do not declare it."""
    pair = Recipe(dtype="float32").write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :12, :12] = -3.4028235e38
    save(pair.ms, ms, "float32", (5e5, 8, 0, 4e6, 0, -8))
    fused, _ = run(pair, tmp_path)
    assert np.isnan(fused[:, :48, :48]).all()
    inside = fused[:, 60:, 60:]
    assert np.abs(inside - pair.reference[:, 60:, 60:]).mean() < 0.2 * pair.reference.std()


def test_undeclared_collar_is_reported(tmp_path):
    pair = Recipe().write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :, :10] = 0
    notices = {}
    for nodata in (None, 0):
        save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8), nodata=nodata)
        notices[nodata] = {n.code: n.numbers for n in fuse(job(pair, tmp_path / "out.tif")).notices}
    assert notices[None]["undeclared_nodata"]["share"] == pytest.approx(10 / 60, abs=0.03)
    assert notices[0] == {}


@pytest.mark.promise(5)
def test_valid_pixels_never_become_nodata(tmp_path):
    pair = Recipe().write(tmp_path)
    plain, _ = run(pair, tmp_path)
    save(pair.ms, load_image(pair.ms), transform=(5e5, 8, 0, 4e6, 0, -8), nodata=900)
    fused, _ = run(pair, tmp_path)
    gaps = (load_image(pair.ms) == 900).repeat(4, 1).repeat(4, 2)
    assert (plain[~gaps] == 900).any()
    assert np.array_equal(fused == 900, gaps)


@pytest.mark.parametrize("count", [2, 4, 5])
def test_alpha_is_left_out_and_marks_gaps(tmp_path, count):
    """GDAL itself takes the last band of two or four for a mask, but not that of five."""
    pair = Recipe(bands=count).write(tmp_path)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    alpha = np.full((48, 60), 255, dtype=np.uint16)
    alpha[:, :15] = 0
    dataset.GetRasterBand(count).WriteArray(alpha)
    dataset.GetRasterBand(count).SetColorInterpretation(gdal.GCI_AlphaBand)
    dataset = None
    fused, _ = run(pair, tmp_path)
    assert len(fused) == count - 1
    assert (fused[:, :, :60] == 0).all()
    assert (fused[:, :, 60:] != 0).all()
