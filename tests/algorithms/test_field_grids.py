"""Grids and reference systems as people have them, through QGIS layers."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.field import COARSE, RATIO, SIDE, near, refusal, sharpen
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProcessingContext, QgsRasterLayer


@pytest.mark.parametrize("system", ["compound", "ellipsoid", "null shift"])
def test_one_zone_written_in_another_way_is_the_same_zone(algorithm, pair, tmp_path, system):
    words = {
        "compound": "EPSG:32633+5773",
        "ellipsoid": "+proj=utm +zone=33 +ellps=WGS84 +units=m +no_defs",
        "null shift": "+proj=utm +zone=33 +datum=WGS84 +towgs84=0,0,0,0,0,0,0 +units=m +no_defs",
    }
    other = tmp_path / "other.vrt"
    gdal.Translate(str(other), str(pair.ms), format="VRT", outputSRS=words[system])
    plain, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(other))
    assert "reprojected" not in log
    assert np.array_equal(fused, plain)


@pytest.mark.parametrize("columns", [8, 20, 35])
def test_pan_shifted_by_many_pixels_is_moved_by_the_true_shift(algorithm, pair, tmp_path, columns):
    save(pair.pan, load_image(pair.pan), "uint16", (5e5 + 2 * columns, 2.0, 0.0, 4e6, 0.0, -2.0))
    results, passed = algorithm.run(
        {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "o.tif"), "PRECISION": "fp32"},
        QgsProcessingContext(), Listener(), {}, False,
    )  # fmt: skip
    assert passed
    assert results["SHIFT_X"] == pytest.approx(columns, abs=0.2)
    assert results["SHIFT_Y"] == pytest.approx(0, abs=0.2)
    fused = load_image(tmp_path / "o.tif")
    left = round((gdal.Open(str(tmp_path / "o.tif")).GetGeoTransform()[0] - 5e5) / 2) - columns
    truth = pair.reference[:, :, left : left + fused.shape[2]]
    assert np.abs(fused - truth).mean() < 0.25 * truth.std()


@pytest.mark.parametrize("hidden_by", ["undeclared collar", "gaps between the usual windows"])
def test_a_large_shift_is_found_where_little_of_the_scene_shows(algorithm, pair, tmp_path, hidden_by):
    ms, pan = load_image(pair.ms), load_image(pair.pan)
    if hidden_by == "undeclared collar":
        corner = np.add.outer(np.arange(160), np.arange(160)) < 110
        ms[:, corner] = pan[:, np.repeat(np.repeat(corner, 2, 0), 2, 1)[:, ::-1]] = 65535
        save(pair.ms, ms, "uint16", COARSE)
        save(pair.pan, pan, "uint16", (5e5 + 40, 2.0, 0.0, 4e6, 0.0, -2.0))
    else:
        wide_ms, wide_pan = np.zeros((6, 1600, 1600), np.uint16), np.zeros((1, 3200, 3200), np.uint16)
        wide_ms[:, 330:490, 330:490], wide_pan[:, 660:980, 660:980] = ms, pan
        save(pair.ms, wide_ms, "uint16", COARSE, nodata=0)
        save(pair.pan, wide_pan, "uint16", (5e5 + 40, 2.0, 0.0, 4e6, 0.0, -2.0), nodata=0)
    extent = f"{5e5 + 1320},{5e5 + 1960},{4e6 - 1960},{4e6 - 1320} [EPSG:32633]" if "gaps" in hidden_by else None
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "o.tif"), "EXTENT": extent}
    results, passed = algorithm.run(parameters, QgsProcessingContext(), Listener(), {}, False)
    assert passed
    assert (results["SHIFT_X"], results["SHIFT_Y"]) == (pytest.approx(20, abs=0.2), pytest.approx(0, abs=0.2))


def test_pansharpen_refuses_rasters_of_two_places(algorithm, pair, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = Recipe(bands=6, ratio=RATIO, height=SIDE, width=SIDE, seed=99).write(other)
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", MS=str(elsewhere.ms))
    assert "do not show the same scene" in sentence
    _, log = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(elsewhere.ms), ALIGN="off")
    assert "not sharpened" in log


@pytest.mark.promise(2)
def test_an_extent_that_cannot_be_transformed_is_refused(algorithm, pair, tmp_path):
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", EXTENT="1e9,2e9,1e9,2e9 [EPSG:4326]")
    assert "cannot be brought to the reference system" in sentence


@pytest.mark.promise(2)
@pytest.mark.parametrize("extent", ["nan,nan,nan,nan", "500000,500640,3999360,4000000 [EPSG:99999]", [1, 2, 3]])
def test_an_extent_that_cannot_be_read_is_refused(algorithm, pair, tmp_path, extent):
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", EXTENT=extent)
    assert "cannot be read. Give xmin,xmax,ymin,ymax" in sentence
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", EXTENT="500000,500200,3999800,4000000 [EPSG:32633]")
    assert fused.shape == (6, 100, 100)


def test_an_extent_given_as_a_list_is_used(algorithm, pair, tmp_path):
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", EXTENT=[5e5, 5e5 + 200, 4e6 - 200, 4e6])
    assert fused.shape == (6, 100, 100)


def test_pan_in_degrees_with_pixels_square_in_metres(algorithm, pair, tmp_path):
    degrees = tmp_path / "degrees.tif"
    high, wide = 2 / 111_320, 2 / (111_320 * np.cos(np.radians(36.1)))
    gdal.Warp(str(degrees), str(pair.pan), dstSRS="EPSG:4326", xRes=wide, yRes=high, resampleAlg="cubic", dstNodata=0)
    save(pair.ms, load_image(pair.ms), "uint16", COARSE, nodata=0)
    sharpen(algorithm, pair, tmp_path / "o.tif", PAN=str(degrees))
    back = tmp_path / "back.tif"
    gdal.Warp(
        str(back), str(tmp_path / "o.tif"), dstSRS="EPSG:32633", outputBounds=(5e5, 4e6 - 640, 5e5 + 640, 4e6),
        xRes=2, yRes=2, resampleAlg="cubic",
    )  # fmt: skip
    inner = np.zeros((SIDE, SIDE), bool)
    inner[30:-30, 30:-30] = True
    assert near(load_image(back), pair, valid=inner, within=0.35)


def test_ms_pixels_that_are_longer_than_wide(algorithm, pair, tmp_path):
    tall = pair.reference[:, : SIDE // 3 * 3].reshape(6, SIDE // 3, 3, SIDE // 2, 2).mean((2, 4))
    save(pair.ms, tall, "uint16", (5e5, 4.0, 0.0, 4e6, 0.0, -6.0))
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif")
    pair.reference = pair.reference[:, : SIDE // 3 * 3]
    assert near(fused, pair)


def test_a_local_system_is_refused_with_the_cure(algorithm, pair, tmp_path):
    local = tmp_path / "local.tif"
    gdal.Translate(str(local), str(pair.ms), outputSRS='LOCAL_CS["Unknown projection",UNIT["metre",1]]')
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", MS=str(local))
    assert "local" in sentence
    assert "Set CRS" in sentence


def test_a_layer_whose_system_the_user_set_is_believed(algorithm, pair, tmp_path):
    bare = tmp_path / "bare.tif"
    save(bare, load_image(pair.ms), "uint16", COARSE, crs=None)
    layer = QgsRasterLayer(str(bare), "raster bare")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    plain, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    assert np.array_equal(sharpen(algorithm, pair, tmp_path / "o.tif", MS=layer)[0], plain)


def flipped(path, name, rows, columns):
    """The same pixels at the same places, stored bottom-up, from right to left, or both."""
    raster = gdal.Open(str(path))
    x, across, _, y, _, down = raster.GetGeoTransform()
    corner = (x + raster.RasterXSize * across, -across) if columns else (x, across)
    other = (y + raster.RasterYSize * down, -down) if rows else (y, down)
    pixels = load_image(path)[:, :: -1 if rows else 1, :: -1 if columns else 1]
    target = save(path.with_name(name), pixels, "uint16", (corner[0], corner[1], 0.0, other[0], 0.0, other[1]))
    return str(target)


@pytest.mark.parametrize(("rows", "columns"), [(True, False), (False, True), (True, True)])
def test_flipped_ms_gives_the_pixels_of_the_plain_one(algorithm, pair, tmp_path, rows, columns):
    plain, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=flipped(pair.ms, "other.tif", rows, columns))
    assert np.array_equal(fused, plain)


def test_a_pan_stored_bottom_up_keeps_its_grid(algorithm, pair, tmp_path):
    pan = flipped(pair.pan, "other.tif", True, False)
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", PAN=pan)
    assert gdal.Open(str(tmp_path / "o.tif")).GetGeoTransform() == gdal.Open(pan).GetGeoTransform()
    assert near(fused[:, ::-1], pair)


def test_flipped_ms_in_another_zone_and_flipped_pan(algorithm, pair, tmp_path):
    moved = tmp_path / "moved.tif"
    gdal.Warp(str(moved), str(pair.ms), dstSRS="EPSG:32634", resampleAlg="cubic", dstNodata=0)
    raster = gdal.Open(str(moved))
    t = raster.GetGeoTransform()
    turned = tmp_path / "turned.tif"
    bottom = (t[0], t[1], 0.0, t[3] + raster.RasterYSize * t[5], 0.0, -t[5])
    save(turned, load_image(moved)[:, ::-1], "uint16", bottom, 32634, 0)
    pan = flipped(pair.pan, "other.tif", True, True)
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", PAN=pan, MS=str(turned))
    inner = np.zeros((SIDE, SIDE), bool)
    inner[30:-30, 30:-30] = True
    assert near(fused[:, ::-1, ::-1], pair, valid=inner, within=0.35)


def test_bands_stored_bottom_up_make_one_ms(algorithm, pair, tmp_path):
    plain, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    files = [str(tmp_path / f"b{n}.tif") for n in range(1, 7)]
    for number, file in enumerate(files, start=1):
        gdal.Translate(file, flipped(pair.ms, "other.tif", True, False), bandList=[number])
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=files[0], MS_MORE=files[1:])
    assert np.array_equal(fused, plain)


@pytest.mark.parametrize(("degrees", "rows"), [(5, False), (90, False), (135, True)])
def test_a_turned_ms_is_refused_with_its_angle(algorithm, pair, tmp_path, degrees, rows):
    cosine, sine = 4 * np.cos(np.radians(degrees)), 4 * np.sin(np.radians(degrees))
    sign = -1 if rows else 1
    turn = (5e5 + 300, cosine, sign * -sine, 4e6 - 300, -sine, sign * -cosine)
    turned = save(tmp_path / "turned.tif", load_image(pair.ms), "uint16", turn)
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", MS=str(turned))
    assert f"rotated or sheared against PAN, by {degrees:.3f} degrees" in sentence
    whole = tmp_path / "whole.tif"
    gdal.Warp(str(whole), str(turned), xRes=4, yRes=4, resampleAlg="cubic", dstNodata=0)  # the cure
    assert "rotated" not in refusal_or_log(algorithm, pair, tmp_path / "p.tif", whole)


def refusal_or_log(algorithm, pair, output, ms):
    """Run without a shift that could be found; return all that is reported."""
    parameters = {"PAN": str(pair.pan), "MS": str(ms), "OUTPUT": str(output), "ALIGN": "off"}
    feedback = Listener()
    algorithm.run(parameters, QgsProcessingContext(), feedback, {}, False)
    return "\n".join(feedback.lines)


def test_a_result_stored_bottom_up_is_assessed_as_the_plain_one(algorithm, pair, tmp_path):
    sharpen(algorithm, pair, tmp_path / "o.tif")
    turned = flipped(tmp_path / "o.tif", "turned.tif", True, False)
    assess = QgsApplication.processingRegistry().algorithmById("otfm:assess").create()
    figures = []
    for fused in (str(tmp_path / "o.tif"), turned):
        parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [fused], "REPORT": str(tmp_path / "r.html")}
        results, passed = assess.run(parameters, QgsProcessingContext(), Listener(), {}, False)
        assert passed
        figures.append((results["HQNR"], results["D_S"]))
    assert figures[0] == figures[1]
