"""Bands as people have them, through QGIS layers: alpha, palettes, subsets, odd units and types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.field import COARSE, FINE, FINE_LAKE, LAKE, RATIO, SIDE, near, refusal, sharpen
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal, osr
from otfm_pansharpen.algorithms.otfm_algorithm import band_numbers, split_options
from qgis.core import (
    QgsMultiBandColorRenderer,
    QgsProcessingContext,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandGrayRenderer,
)


def eight_bits(pair, extra):
    """Write the first three bands and `extra` as 8 bits, the fourth declared alpha, as GDAL does by itself."""
    ms = np.clip(load_image(pair.ms)[:3] / 12, 1, 255).astype(np.uint8)
    pair.reference = pair.reference[:4] / 12
    file = gdal.GetDriverByName("GTiff").Create(
        str(pair.ms), 160, 160, 4, gdal.GDT_Byte, ["PHOTOMETRIC=RGB", "ALPHA=YES"]
    )
    file.SetGeoTransform(COARSE)
    system = osr.SpatialReference()
    system.ImportFromEPSG(32633)
    file.SetProjection(system.ExportToWkt())
    file.WriteArray(np.concatenate([ms, extra[None].astype(np.uint8)]))
    file.FlushCache()
    pan = np.clip(load_image(pair.pan) / 12, 1, 255)
    save(pair.pan, pan, "uint8", FINE)


@pytest.mark.parametrize("bands", [None, [1, 2, 3, 4]])
def test_infrared_marked_alpha_is_image(algorithm, pair, tmp_path, bands):
    infrared = np.clip(load_image(pair.ms)[3] / 12, 1, 255)
    infrared[LAKE] = 0
    eight_bits(pair, infrared)
    parameters = {} if bands is None else {"MS_BANDS": bands}
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif", **parameters)
    assert len(fused) == 4
    assert (fused[(slice(0, 3), *FINE_LAKE)] > 0).all()
    outside = np.ones((SIDE, SIDE), bool)
    outside[60:140, 100:200] = False
    assert near(fused, pair, valid=outside)
    assert "declared alpha but holds an image" in log
    written = gdal.Open(str(tmp_path / "o.tif"))
    assert written.GetRasterBand(1).GetNoDataValue() is None
    assert written.GetRasterBand(4).GetColorInterpretation() != gdal.GCI_AlphaBand
    shown = QgsRasterLayer(str(tmp_path / "o.tif"), "raster shown")
    block = shown.renderer().block(1, shown.extent(), 40, 40)
    assert {block.color(12, column) >> 24 & 255 for column in range(40)} == {255}  # the lake is not transparent


@pytest.mark.parametrize("name", ["o.png", "o.webp"])
def test_a_format_that_makes_infrared_transparent_is_refused(algorithm, pair, tmp_path, name):
    infrared = np.clip(load_image(pair.ms)[3] / 12, 1, 255)
    infrared[LAKE] = 0
    eight_bits(pair, infrared)
    sentence = refusal(algorithm, pair, tmp_path / name, MS_BANDS=[1, 2, 3, 4])
    assert "takes band 4 for transparency" in sentence or "cannot hold 4 bands" in sentence
    asked = {"MS_BANDS": [1, 2, 3, 4], "CREATE_OPTIONS": "ALPHA=YES"}
    sharpen(algorithm, pair, tmp_path / "cure.tif", **asked)
    written = gdal.Open(str(tmp_path / "cure.tif"))
    assert written.GetRasterBand(4).GetColorInterpretation() != gdal.GCI_AlphaBand


def test_infrared_marked_alpha_is_drawn_opaque_as_ms_is_drawn(algorithm, pair, tmp_path):
    infrared = np.clip(load_image(pair.ms)[3] / 12, 1, 255)
    infrared[LAKE] = 0
    eight_bits(pair, infrared)
    layer = QgsRasterLayer(str(pair.ms), "raster ms")
    assert layer.renderer().alphaBand() == 4
    assert _drawn(algorithm, pair, layer, tmp_path / "o.tif", [1, 2, 3, 4]) == [1, 2, 3]


def test_a_real_alpha_marks_gaps_and_the_result_is_drawn(algorithm, pair, tmp_path):
    opaque = np.full((160, 160), 255)
    opaque[:, :20] = 0
    eight_bits(pair, opaque)
    layer = QgsRasterLayer(str(pair.ms), "raster ms")
    assert layer.renderer().alphaBand() == 4
    output = str(tmp_path / "o.tif")
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    details = QgsProcessingContext.LayerDetails("out", QgsProject.instance(), "OUTPUT")
    context.addLayerToLoadOnCompletion(output, details)
    parameters = {"PAN": str(pair.pan), "MS": layer, "OUTPUT": output, "PRECISION": "fp32"}
    assert algorithm.run(parameters, context, Listener(), {}, False)[1]
    loaded = QgsRasterLayer(output, "raster out")
    context.layerToLoadOnCompletionDetails(output).postProcessor().postProcessLayer(loaded, context, Listener())
    assert loaded.renderer().alphaBand() == -1
    block = loaded.renderer().block(1, loaded.extent(), 40, 40)
    pixels = [block.color(20, column) for column in (1, 2, 30)]
    assert [c >> 24 & 255 for c in pixels] == [0, 0, 255]
    fused = load_image(Path(output))
    assert len(fused) == 3
    assert (fused[:, :, :40] == 0).all()


def test_a_subset_of_the_bands_is_drawn_as_ms_draws_them(algorithm, pair, tmp_path):
    layer = QgsRasterLayer(str(pair.ms), "raster ms")
    layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), 5, 3, 2))
    assert _drawn(algorithm, pair, layer, tmp_path / "o.tif", [2, 3, 5]) == [3, 2, 1]
    layer.setRenderer(QgsSingleBandGrayRenderer(layer.dataProvider(), 5))
    assert _drawn(algorithm, pair, layer, tmp_path / "p.tif", [2, 5]) == [2]
    assert max(_drawn(algorithm, pair, layer, tmp_path / "q.tif", [2, 3])) <= 2


def _drawn(algorithm, pair, layer, output, bands):
    """Return the bands that the loaded result is drawn from."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    details = QgsProcessingContext.LayerDetails("out", QgsProject.instance(), "OUTPUT")
    context.addLayerToLoadOnCompletion(str(output), details)
    parameters = {"PAN": str(pair.pan), "MS": layer, "OUTPUT": str(output), "MS_BANDS": bands, "PRECISION": "fp32"}
    assert algorithm.run(parameters, context, Listener(), {}, False)[1]
    loaded = QgsRasterLayer(str(output), "raster out")
    processor = context.layerToLoadOnCompletionDetails(str(output)).postProcessor()
    processor.postProcessLayer(loaded, context, Listener())
    return list(loaded.renderer().usesBands())


def test_a_palette_is_refused_with_the_cure(algorithm, pair, tmp_path):
    paletted = gdal.GetDriverByName("GTiff").Create(str(tmp_path / "p.tif"), 160, 160, 1, gdal.GDT_Byte)
    paletted.SetGeoTransform(COARSE)
    table = gdal.ColorTable()
    for entry in range(256):
        table.SetColorEntry(entry, (entry, 255 - entry, entry * 7 % 256, 255))
    paletted.GetRasterBand(1).SetColorTable(table)
    paletted.GetRasterBand(1).WriteArray(np.random.default_rng(0).integers(0, 255, (160, 160)))
    paletted.FlushCache()
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", MS=str(tmp_path / "p.tif"))
    assert "paletted" in sentence
    assert "pct2rgb" in sentence


def test_a_subset_of_the_bands_has_the_values_of_the_whole(algorithm, pair, tmp_path):
    whole, _ = sharpen(algorithm, pair, tmp_path / "whole.tif")
    for bands in ([4, 1], [3], [6, 5, 2]):
        part, _ = sharpen(algorithm, pair, tmp_path / f"{bands[0]}.tif", MS_BANDS=bands)
        assert np.array_equal(part, whole[[b - 1 for b in bands]])


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1e6])
def test_the_unit_of_the_values_changes_nothing(algorithm, tmp_path, scale):
    pair = Recipe(bands=4, ratio=RATIO, height=256, width=256, dtype="float32", shift=(0.0, 1.5)).write(tmp_path)
    reference, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    for path in (pair.pan, pair.ms):
        save(path, load_image(path) * np.float32(scale), "float32", FINE if path == pair.pan else COARSE)
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert "cannot be measured" not in log
    assert np.abs(fused / scale - reference).max() < 0.01 * reference.std()


def test_numbers_beyond_the_digits_of_32_bits(algorithm, tmp_path):
    pair = Recipe(bands=3, ratio=RATIO, height=256, width=256, dtype="float64").write(tmp_path)
    reference, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    save(pair.ms, load_image(pair.ms) + 1e12, "float64", COARSE)
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert np.abs(fused - 1e12 - reference).max() < 0.02 * reference.std()


def test_64_bit_whole_numbers(algorithm, pair, tmp_path):
    plain, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    wide = gdal.GetDriverByName("GTiff").Create(str(tmp_path / "wide.tif"), 160, 160, 6, gdal.GDT_Int64)
    wide.SetGeoTransform(COARSE)
    wide.SetProjection(gdal.Open(str(pair.ms)).GetProjection())
    wide.WriteArray(load_image(pair.ms).astype(np.int64))
    wide = None  # closed, and so written
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(tmp_path / "wide.tif"))
    assert fused.dtype == np.int64
    assert np.array_equal(fused, plain)


def test_a_pan_of_three_bands_says_which_is_used(algorithm, pair, tmp_path):
    pan = load_image(pair.pan)
    save(pair.pan, np.concatenate([pan, pan[:, ::-1], pan[:, :, ::-1]]), "uint16", FINE)
    _, log = sharpen(algorithm, pair, tmp_path / "o.tif", PAN_BAND=1)
    assert "PAN has 3 bands; band 1 is used" in log


def test_bands_may_be_written_as_people_write_them(algorithm, pair, tmp_path):
    whole, _ = sharpen(algorithm, pair, tmp_path / "whole.tif")
    for number, words in enumerate(("3,2,1", (3, 2.0, "1"), "Band 3: red; Band 2 (grün), Band 1", "3-1")):
        part, _ = sharpen(algorithm, pair, tmp_path / f"{number}.tif", MS_BANDS=words)
        assert np.array_equal(part, whole[[2, 1, 0]])


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ("3 2 1", [3, 2, 1]), ("3;2;1", [3, 2, 1]), ("[1.0, 2.0]", [1, 2]), ("'1','2'", [1, 2]), ([[1, 2]], [1, 2]),
        (range(1, 3), [1, 2]), ("B2 band_4", [2, 4]), (["Band 1: Blue", "Band 2: Green"], [1, 2]),
        ("2\u20134", [2, 3, 4]),
        (2.0, [2]), ([""], []), ("", []), (None, []), ("all", None), ([None], None), (True, None), ({"a": 1}, None),
        ("1-999999999", None), (["red"], None), (-1, None), (1.5, None),
    ],
)  # fmt: skip
def test_band_numbers_in_forms_of_qgis_and_office_programs(value, numbers):
    assert band_numbers(value) == numbers


@pytest.mark.parametrize(
    "options",
    [
        ["COMPRESS=DEFLATE", "ZLEVEL=1"], {"COMPRESS": "DEFLATE", "ZLEVEL": 1}, "COMPRESS=DEFLATE|ZLEVEL=1",
        "-co COMPRESS=DEFLATE -co ZLEVEL=1", "COMPRESS = DEFLATE;\nZLEVEL = 1", "COMPRESS=DEFLATE, ZLEVEL=1",
    ],
)  # fmt: skip
def test_creation_options_may_be_written_as_people_do(algorithm, pair, tmp_path, options):
    sharpen(algorithm, pair, tmp_path / "o.tif", CREATE_OPTIONS=options)
    written = gdal.Open(str(tmp_path / "o.tif"))
    assert written.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "DEFLATE"


def test_commas_within_a_creation_option_are_kept():
    assert split_options("QUALITY=20,10,5 TILED=YES") == ("QUALITY=20,10,5", "TILED=YES")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MS_BANDS", "red,green", "MS_BANDS is red,green, but bands are given by their numbers"),
        ("PAN_BAND", "abc", "PAN_BAND is abc, but bands are given by their numbers"),
        ("PAN_BAND", 0, "PAN"),
        ("MEMORY", "abc", "MEMORY is abc, which is not a number"),
        ("MTF_GAIN", "0,3", "MTF_GAIN is 0,3, which is not a number"),
        ("MTF_GAIN", [0.3], "MTF_GAIN is [0.3], which is not a number"),
        ("MS_BANDS", ["red"], "MS_BANDS is ['red'], but bands are given by their numbers"),
        ("OVERVIEWS", "no", "OVERVIEWS is no, which is neither true nor false"),
    ],
)
def test_words_that_are_not_a_value_are_refused(algorithm, pair, tmp_path, name, value, words):
    assert words in refusal(algorithm, pair, tmp_path / "o.tif", **{name: value})


@pytest.mark.parametrize(
    ("given", "used"), [(None, "bands 1, 2, 3 of 3"), ("1,3", "bands 1, 3 of 3"), (2, "band 2 of 3")]
)
def test_a_pan_of_several_bands_guides(algorithm, pair, tmp_path, given, used):
    sharp = pair.reference[:3] * np.array([0.5, 1.0, 2.0])[:, None, None]
    save(pair.pan, sharp, "uint16", FINE)
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif", PAN_BAND=given)
    assert used in log
    assert near(fused, pair)
