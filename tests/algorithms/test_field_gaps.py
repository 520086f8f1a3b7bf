"""Gaps as people have them, through QGIS layers: nodata of some bands, masks, collars that are undeclared."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.field import COARSE, FINE, FINE_LAKE, LAKE, RATIO, SIDE, in_other_zone, near, refusal, sharpen
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from qgis.core import QgsRasterLayer, QgsRasterRange


@pytest.mark.promise(5)
def test_ms_in_another_zone_needs_no_nodata_value(algorithm, pair, tmp_path):
    other = in_other_zone(pair.ms, "other.tif", dstNodata=0)
    bare = tmp_path / "bare.tif"
    gdal.Translate(str(bare), str(other), noData="none")
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(other))
    inner = (slice(None), slice(30, -30), slice(30, -30))
    assert near(fused[inner], _cut(pair, inner))
    layer = QgsRasterLayer(str(bare), "raster bare")
    for band in range(1, 7):
        layer.dataProvider().setUserNoDataValue(band, [QgsRasterRange(0, 0)])
    declared, _ = sharpen(algorithm, pair, tmp_path / "d.tif", MS=layer)
    assert np.array_equal(declared, fused)


def _cut(pair, inner):
    from dataclasses import replace

    return replace(pair, reference=pair.reference[inner])


@pytest.mark.promise(5)
def test_a_stack_that_declares_nodata_for_some_bands_keeps_it(algorithm, pair, tmp_path):
    corner = np.add.outer(np.arange(160), np.arange(160)) < 60
    ms = load_image(pair.ms)[:3]
    ms[:, corner] = 0
    files = []
    for number, nodata in enumerate((0, 0, None)):
        files.append(str(save(tmp_path / f"b{number}.tif", ms[number : number + 1], "uint16", COARSE, nodata=nodata)))
    stack = tmp_path / "stack.vrt"
    gdal.BuildVRT(str(stack), files, separate=True).FlushCache()
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(stack))
    inside = np.repeat(np.repeat(corner, 2, 0), 2, 1)
    assert (fused[:, inside] == 0).all()
    assert near(fused, pair, [0, 1, 2], ~inside)


@pytest.mark.promise(5)
@pytest.mark.parametrize("zone", ["same", "another"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_nodata_of_one_band_cuts_collar_from_all_lake_from_one(algorithm, pair, tmp_path, dtype, zone):
    """Infrared alone declares 0, which it also measures over a lake; the others measure 0 in a quarry of their own."""
    corner, quarry = np.add.outer(np.arange(160), np.arange(160)) < 110, (slice(100, 112), slice(60, 72))
    ms = load_image(pair.ms)[:4]
    ms[(0, *quarry)] = 0
    ms[(3, *LAKE)] = 0
    ms[:, corner] = 0
    whole = save(pair.ms, ms, dtype, COARSE, nodata=0)
    if zone == "another":
        whole = in_other_zone(pair.ms, "other.tif", dstNodata=0, warpOptions=["UNIFIED_SRC_NODATA=NO"])
    files = [str(tmp_path / f"b{number}.tif") for number in (1, 2, 3, 4)]
    for number, file in enumerate(files, 1):
        gdal.Translate(file, str(whole), bandList=[number], noData=0 if number == 4 else "none")
    stack = tmp_path / "stack.vrt"
    gdal.BuildVRT(str(stack), files, separate=True).FlushCache()
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(stack))
    away = np.add.outer(np.arange(SIDE), np.arange(SIDE)) - 220  # PAN pixels from the collar, about
    inner = np.zeros((SIDE, SIDE), bool)
    inner[30:-30, 30:-30] = True
    gap = fused == 0
    assert gap[:, away < -6].all()
    assert gap[3, 88:112, 128:172].all()
    assert not gap[:3, inner & (away > 6)].any()
    clear = inner & (away > 6)
    clear[190:236, 110:156] = False
    assert near(fused[1:3], pair, [1, 2], clear)
    assert near(fused[:1], pair, [0], clear)
    edge = inner & (away < 12) & ~gap[:3]
    assert (fused[:3][edge] > 0.5 * pair.reference.min()).all()  # no fringe of mixtures with the collar's zeros


@pytest.mark.promise(5)
@pytest.mark.parametrize("zone", ["same", "another"])
def test_a_gap_in_one_band_is_a_gap_in_that_band_alone(algorithm, pair, tmp_path, zone):
    ms = load_image(pair.ms)[:4]
    ms[(3, *LAKE)] = 0
    save(pair.ms, ms, "uint16", COARSE, nodata=0)
    source = pair.ms
    if zone == "another":
        source = in_other_zone(pair.ms, "other.tif", dstNodata=0, warpOptions=["UNIFIED_SRC_NODATA=NO"])
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(source))
    core = (slice(88, 112), slice(128, 172))
    assert (fused[(3, *core)] == 0).all()
    assert (fused[(slice(0, 3), *FINE_LAKE)] > 0).all()
    inner = np.zeros((SIDE, SIDE), bool)
    inner[30:-30, 30:-30] = True
    assert near(fused[:3], pair, [0, 1, 2], inner)
    outside = inner.copy()
    outside[70:130, 110:190] = False
    assert near(fused[3:], pair, [3], outside)


@pytest.mark.promise(5)
@pytest.mark.parametrize("marked_by", ["mask", "alpha"])
def test_file_mask_and_layer_nodata_both_count_in_another_zone(algorithm, pair, tmp_path, marked_by):
    """The file masks a square whose pixels look like image; the layer says that 0 is nodata."""
    ms, opaque = load_image(pair.ms)[:3], np.full((1, 160, 160), 255)
    ms[(slice(None), *LAKE)] = 0
    opaque[0, 100:120, 60:90] = 1
    save(pair.ms, ms, "uint16", COARSE, nodata=0)
    save(tmp_path / "mask.tif", opaque, "uint16", COARSE)
    other = in_other_zone(pair.ms, "other.tif", dstNodata=0)
    marked = load_image(in_other_zone(tmp_path / "mask.tif", "mask34.tif")) > 128
    transform = gdal.Open(str(other)).GetGeoTransform()
    bands = [load_image(other), 255 * marked] if marked_by == "alpha" else [load_image(other)]
    stack = save(tmp_path / "stack.tif", np.concatenate(bands), "uint16", transform, 32634)
    file = gdal.Open(str(stack), gdal.GA_Update)
    if marked_by == "alpha":
        file.GetRasterBand(4).SetColorInterpretation(gdal.GCI_AlphaBand)
    else:
        file.CreateMaskBand(gdal.GMF_PER_DATASET)
        file.GetRasterBand(1).GetMaskBand().WriteArray(255 * marked[0])
    file = None  # closed, and so written
    layer = QgsRasterLayer(str(stack), "raster stack")
    for band in (1, 2, 3):
        layer.dataProvider().setUserNoDataValue(band, [QgsRasterRange(0, 0)])
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=layer)
    assert (fused[:, 88:112, 128:172] == 0).all()
    assert (fused[:, 208:232, 128:172] == 0).all()
    clear = np.zeros((SIDE, SIDE), bool)
    clear[30:-30, 30:-30] = True
    clear[70:130, 110:190] = clear[190:250, 110:190] = False
    assert near(fused, pair, [0, 1, 2], clear)
    assert (fused[fused > 0] > 0.5 * pair.reference.min()).all()  # no fringe of mixtures with gaps


def test_a_band_without_a_valid_pixel_stays_empty_and_is_named(algorithm, pair, tmp_path):
    plain, _ = sharpen(algorithm, pair, tmp_path / "plain.tif", MS_BANDS=[1, 2, 3, 4, 6])
    ms = load_image(pair.ms)
    ms[4] = 0
    save(pair.ms, ms, "uint16", COARSE, nodata=0)
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert (fused[4] == 0).all()
    assert "no valid pixel in band 5" in log
    assert near(fused[[0, 1, 2, 3, 5]], pair, [0, 1, 2, 3, 5])
    assert plain.shape == (5, SIDE, SIDE)


@pytest.mark.parametrize("value", [0, 65535])
def test_undeclared_collar_is_named_and_spoils_nothing_elsewhere(algorithm, pair, tmp_path, value):
    collar = np.add.outer(np.arange(160), np.arange(160)) < 110
    clean, _ = sharpen(algorithm, pair, tmp_path / "clean.tif")
    ms = load_image(pair.ms)
    ms[:, collar] = value
    save(pair.ms, ms, "uint16", COARSE)
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert f"are {value} in every band" in log
    far = np.add.outer(np.arange(SIDE), np.arange(SIDE)) > 270
    error = np.abs(fused.astype(float) - clean)[:, far].mean() / clean[:, far].std()
    assert error < 0.03


def test_a_scene_that_is_mostly_undeclared_fill_is_refused(algorithm, pair, tmp_path):
    ms = load_image(pair.ms)
    ms[:, :, 50:] = 65535
    save(pair.ms, ms, "uint16", COARSE)
    sentence = refusal(algorithm, pair, tmp_path / "o.tif")
    assert "65535" in sentence
    assert "a_nodata" in sentence


def test_land_between_the_usual_windows_is_found(algorithm, tmp_path):
    """One island in a large raster of declared gaps, where no window of the regular sample lies."""
    small = Recipe(bands=3, ratio=RATIO, height=192, width=192).write(tmp_path)
    wide = np.zeros((3, 1600, 1600), np.uint16)
    wide[:, 330:426, 330:426] = load_image(small.ms)
    pan = np.zeros((1, 3200, 3200), np.uint16)
    pan[:, 660:852, 660:852] = load_image(small.pan)
    save(small.ms, wide, "uint16", COARSE, nodata=0)
    save(small.pan, pan, "uint16", FINE, nodata=0)
    extent = f"{5e5 + 1320},{5e5 + 1704},{4e6 - 1704},{4e6 - 1320} [EPSG:32633]"
    fused, _ = sharpen(algorithm, small, tmp_path / "o.tif", EXTENT=extent)
    assert near(fused, small)
