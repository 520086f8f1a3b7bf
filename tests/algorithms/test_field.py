"""Files as people have them, through QGIS layers: a correct raster, or a sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal, osr
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMultiBandColorRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
    QgsSingleBandGrayRenderer,
)

SIDE, RATIO = 320, 2
PLACE = (5e5, 2.0, 0.0, 4e6, 0.0, -2.0)
COARSE = (5e5, 4.0, 0.0, 4e6, 0.0, -4.0)
LAKE = (slice(40, 60), slice(60, 90))  # rows and columns of MS
FINE_LAKE = (slice(80, 120), slice(120, 180))


@pytest.fixture
def pair(tmp_path):
    """Six bands of 16 bits, PAN twice as fine, no nodata declared."""
    return Recipe(bands=6, ratio=RATIO, height=SIDE, width=SIDE, gain=0.3).write(tmp_path)


def sharpen(algorithm, pair, output, **parameters):
    """Run through layers; returns the result as an array and what the log said."""
    feedback = Listener()
    given = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(output), "PRECISION": "fp32", **parameters}
    results, passed = algorithm.run(given, QgsProcessingContext(), feedback, {}, False)
    assert passed, "\n".join(feedback.lines)
    return load_image(Path(results["OUTPUT"])), "\n".join(feedback.lines)


def refusal(algorithm, pair, output, **parameters):
    """The sentence with which a run is refused; nothing is written."""
    given = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(output), "PRECISION": "fp32", **parameters}
    context, feedback = QgsProcessingContext(), Listener()
    passed, sentence = algorithm.checkParameterValues(given, context)
    if passed and algorithm.prepare(given, context, feedback):
        with pytest.raises(QgsProcessingException) as caught:
            algorithm.runPrepared(given, context, feedback)
        sentence = str(caught.value)
    elif passed:
        sentence = "\n".join(feedback.lines)
    assert not Path(output).exists()
    return sentence


def near(image, pair, bands=None, valid=None, within=0.25):
    """Whether an image lies near the sharp truth: the mean error of each band over the band's deviation."""
    truth = pair.sharp if bands is None else pair.sharp[bands]
    error = np.abs(image.astype(float) - truth)
    where = np.ones(truth.shape[1:], bool) if valid is None else valid
    return all(e[where].mean() < within * t[where].std() for e, t in zip(error, truth, strict=True))


def in_other_zone(path, name, **options):
    other = path.with_name(name)
    gdal.Warp(str(other), str(path), dstSRS="EPSG:32634", resampleAlg="cubic", **options)
    return other


# ---------------------------------------------------------------- nodata


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

    return replace(pair, sharp=pair.sharp[inner])


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
    fused, said = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(other))
    assert "reprojected" not in said
    assert np.array_equal(fused, plain)


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
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_what_one_band_declares_takes_the_collar_from_all_and_the_lake_from_that_one(
    algorithm, pair, tmp_path, kind, zone
):
    """Infrared alone declares 0, which it also measures over a lake; the others measure 0 in a quarry of their own."""
    corner, quarry = np.add.outer(np.arange(160), np.arange(160)) < 110, (slice(100, 112), slice(60, 72))
    ms = load_image(pair.ms)[:4]
    ms[(0, *quarry)] = 0
    ms[(3, *LAKE)] = 0
    ms[:, corner] = 0
    whole = save(pair.ms, ms, kind, COARSE, nodata=0)
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
    assert (fused[:3][edge] > 0.5 * pair.sharp.min()).all()  # no fringe of mixtures with the collar's zeros


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
def test_what_the_file_masks_and_a_nodata_value_of_the_layer_both_count_in_another_zone(
    algorithm, pair, tmp_path, marked_by
):
    """The file masks a square whose pixels look like image; the layer says that 0 is nodata."""
    ms, opaque = load_image(pair.ms)[:3], np.full((1, 160, 160), 255)
    ms[(slice(None), *LAKE)] = 0
    opaque[0, 100:120, 60:90] = 1
    save(pair.ms, ms, "uint16", COARSE, nodata=0)
    save(tmp_path / "mask.tif", opaque, "uint16", COARSE)
    other = in_other_zone(pair.ms, "other.tif", dstNodata=0)
    marked = load_image(in_other_zone(tmp_path / "mask.tif", "mask34.tif")) > 128
    place = gdal.Open(str(other)).GetGeoTransform()
    images = [load_image(other), 255 * marked] if marked_by == "alpha" else [load_image(other)]
    stack = save(tmp_path / "stack.tif", np.concatenate(images), "uint16", place, 32634)
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
    assert (fused[fused > 0] > 0.5 * pair.sharp.min()).all()  # no fringe of mixtures with gaps


def test_a_band_without_a_valid_pixel_stays_empty_and_is_named(algorithm, pair, tmp_path):
    plain, _ = sharpen(algorithm, pair, tmp_path / "plain.tif", MS_BANDS=[1, 2, 3, 4, 6])
    ms = load_image(pair.ms)
    ms[4] = 0
    save(pair.ms, ms, "uint16", COARSE, nodata=0)
    fused, said = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert (fused[4] == 0).all()
    assert "no valid pixel in band(s) 5" in said
    assert near(fused[[0, 1, 2, 3, 5]], pair, [0, 1, 2, 3, 5])
    assert plain.shape == (5, SIDE, SIDE)


@pytest.mark.parametrize("value", [0, 65535])
def test_an_undeclared_collar_is_named_and_spoils_nothing_elsewhere(algorithm, pair, tmp_path, value):
    collar = np.add.outer(np.arange(160), np.arange(160)) < 110
    clean, _ = sharpen(algorithm, pair, tmp_path / "clean.tif")
    ms = load_image(pair.ms)
    ms[:, collar] = value
    save(pair.ms, ms, "uint16", COARSE)
    fused, said = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert f"are {value} in every band" in said
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
    sharp = np.zeros((1, 3200, 3200), np.uint16)
    sharp[:, 660:852, 660:852] = load_image(small.pan)
    save(small.ms, wide, "uint16", COARSE, nodata=0)
    save(small.pan, sharp, "uint16", PLACE, nodata=0)
    extent = f"{5e5 + 1320},{5e5 + 1704},{4e6 - 1704},{4e6 - 1320} [EPSG:32633]"
    fused, _ = sharpen(algorithm, small, tmp_path / "o.tif", EXTENT=extent)
    assert near(fused, small)


# ---------------------------------------------------------------- alpha and palettes


def eight_bits(pair, extra):
    """The first three bands and `extra` as 8 bits, the fourth declared alpha, as GDAL does by itself."""
    ms = np.clip(load_image(pair.ms)[:3] / 12, 1, 255).astype(np.uint8)
    pair.sharp = pair.sharp[:4] / 12
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
    save(pair.pan, pan, "uint8", PLACE)


@pytest.mark.parametrize("bands", [None, [1, 2, 3, 4]])
def test_infrared_marked_alpha_is_image(algorithm, pair, tmp_path, bands):
    infrared = np.clip(load_image(pair.ms)[3] / 12, 1, 255)
    infrared[LAKE] = 0
    eight_bits(pair, infrared)
    given = {} if bands is None else {"MS_BANDS": bands}
    fused, said = sharpen(algorithm, pair, tmp_path / "o.tif", **given)
    assert len(fused) == 4
    assert (fused[(slice(0, 3), *FINE_LAKE)] > 0).all()
    outside = np.ones((SIDE, SIDE), bool)
    outside[60:140, 100:200] = False
    assert near(fused, pair, valid=outside)
    assert "declared alpha but holds an image" in said
    written = gdal.Open(str(tmp_path / "o.tif"))
    assert written.GetRasterBand(1).GetNoDataValue() is None


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
    given = {"PAN": str(pair.pan), "MS": layer, "OUTPUT": output, "PRECISION": "fp32"}
    assert algorithm.run(given, context, Listener(), {}, False)[1]
    loaded = QgsRasterLayer(output, "raster out")
    context.layerToLoadOnCompletionDetails(output).postProcessor().postProcessLayer(loaded, context, Listener())
    assert loaded.renderer().alphaBand() == -1
    block = loaded.renderer().block(1, loaded.extent(), 40, 40)
    colours = [block.color(20, column) for column in (1, 2, 30)]
    assert [c >> 24 & 255 for c in colours] == [0, 0, 255]
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
    """The bands that the loaded result is drawn from."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    details = QgsProcessingContext.LayerDetails("out", QgsProject.instance(), "OUTPUT")
    context.addLayerToLoadOnCompletion(str(output), details)
    given = {"PAN": str(pair.pan), "MS": layer, "OUTPUT": str(output), "MS_BANDS": bands, "PRECISION": "fp32"}
    assert algorithm.run(given, context, Listener(), {}, False)[1]
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


# ---------------------------------------------------------------- grids and systems


@pytest.mark.parametrize("columns", [8, 20, 35])
def test_a_pan_that_lies_many_pixels_off_is_moved_by_what_is_true(algorithm, pair, tmp_path, columns):
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
    truth = pair.sharp[:, :, left : left + fused.shape[2]]
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
        wide, sharp = np.zeros((6, 1600, 1600), np.uint16), np.zeros((1, 3200, 3200), np.uint16)
        wide[:, 330:490, 330:490], sharp[:, 660:980, 660:980] = ms, pan
        save(pair.ms, wide, "uint16", COARSE, nodata=0)
        save(pair.pan, sharp, "uint16", (5e5 + 40, 2.0, 0.0, 4e6, 0.0, -2.0), nodata=0)
    extent = f"{5e5 + 1320},{5e5 + 1960},{4e6 - 1960},{4e6 - 1320} [EPSG:32633]" if "gaps" in hidden_by else None
    given = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "o.tif"), "EXTENT": extent}
    results, passed = algorithm.run(given, QgsProcessingContext(), Listener(), {}, False)
    assert passed
    assert (results["SHIFT_X"], results["SHIFT_Y"]) == (pytest.approx(20, abs=0.2), pytest.approx(0, abs=0.2))


def test_rasters_of_two_places_are_said_to_be_so(algorithm, pair, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = Recipe(bands=6, ratio=RATIO, height=SIDE, width=SIDE, seed=99).write(other)
    _, said = sharpen(algorithm, pair, tmp_path / "o.tif", MS=str(elsewhere.ms))
    assert "register them first" in said


@pytest.mark.promise(2)
def test_an_extent_that_cannot_be_transformed_is_refused(algorithm, pair, tmp_path):
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", EXTENT="1e9,2e9,1e9,2e9 [EPSG:4326]")
    assert "cannot be brought to the reference system" in sentence


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
    tall = pair.sharp[:, : SIDE // 3 * 3].reshape(6, SIDE // 3, 3, SIDE // 2, 2).mean((2, 4))
    save(pair.ms, tall, "uint16", (5e5, 4.0, 0.0, 4e6, 0.0, -6.0))
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif")
    pair.sharp = pair.sharp[:, : SIDE // 3 * 3]
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


# ---------------------------------------------------------------- bands and numbers


def test_a_subset_of_the_bands_has_the_values_of_the_whole(algorithm, pair, tmp_path):
    whole, _ = sharpen(algorithm, pair, tmp_path / "whole.tif")
    for bands in ([4, 1], [3], [6, 5, 2]):
        part, _ = sharpen(algorithm, pair, tmp_path / f"{bands[0]}.tif", MS_BANDS=bands)
        assert np.array_equal(part, whole[[b - 1 for b in bands]])


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1e6])
def test_the_unit_of_the_values_changes_nothing(algorithm, tmp_path, scale):
    pair = Recipe(bands=4, ratio=RATIO, height=256, width=256, kind="float32", shift=(0.0, 1.5)).write(tmp_path)
    reference, _ = sharpen(algorithm, pair, tmp_path / "plain.tif")
    for path in (pair.pan, pair.ms):
        save(path, load_image(path) * np.float32(scale), "float32", PLACE if path == pair.pan else COARSE)
    fused, said = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert "cannot be measured" not in said
    assert np.abs(fused / scale - reference).max() < 0.01 * reference.std()


def test_numbers_beyond_the_digits_of_32_bits(algorithm, tmp_path):
    pair = Recipe(bands=3, ratio=RATIO, height=256, width=256, kind="float64").write(tmp_path)
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
    save(pair.pan, np.concatenate([pan, pan[:, ::-1], pan[:, :, ::-1]]), "uint16", PLACE)
    _, said = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert "PAN has 3 bands; band 1 is used" in said


# ---------------------------------------------------------------- outputs


@pytest.mark.promise(6)
def test_a_type_that_would_clip_most_values_is_refused(algorithm, pair, tmp_path):
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", DATA_TYPE="Byte")
    assert "Leave DATA_TYPE as MS" in sentence


@pytest.mark.promise(6)
def test_eleven_bits_stay_eleven_bits(algorithm, pair, tmp_path):
    for path, place in ((pair.pan, PLACE), (pair.ms, COARSE)):
        image = np.minimum(load_image(path).astype(int) * 2, 2047)
        image[:, 40:60, 40:60] = 2047
        file = gdal.GetDriverByName("GTiff").Create(
            str(path), *image.shape[:0:-1], len(image), gdal.GDT_UInt16, ["NBITS=11"]
        )
        file.SetGeoTransform(place)
        file.WriteArray(image)
        file = None
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert fused.max() == 2047
    written = gdal.Open(str(tmp_path / "o.tif"))
    assert written.GetRasterBand(1).GetMetadataItem("NBITS", "IMAGE_STRUCTURE") == "11"


def test_the_neighbours_of_a_former_output_go(algorithm, pair, tmp_path):
    output = tmp_path / "o.tif"
    save(output, np.full((6, SIDE, SIDE), 60000), "uint16", PLACE)
    gdal.Open(str(output)).BuildOverviews("NEAREST", [2, 4])
    (tmp_path / "o.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><NoDataValue>900</NoDataValue></PAMRasterBand></PAMDataset>"
    )
    sharpen(algorithm, pair, output)
    layer = QgsRasterLayer(str(output), "raster out")
    assert not layer.dataProvider().sourceHasNoDataValue(1)
    assert gdal.Open(str(output)).GetRasterBand(1).GetOverviewCount() == 0


@pytest.mark.promise(13)
def test_a_file_behind_a_virtual_raster_is_an_input(algorithm, pair, tmp_path):
    gdal.BuildVRT(str(tmp_path / "stack.vrt"), [str(pair.ms)]).FlushCache()
    before = pair.ms.read_bytes()
    given = {"PAN": str(pair.pan), "MS": str(tmp_path / "stack.vrt"), "OUTPUT": str(pair.ms)}
    assert algorithm.prepare(given, QgsProcessingContext(), Listener())
    with pytest.raises(QgsProcessingException, match="input"):
        algorithm.runPrepared(given, QgsProcessingContext(), Listener())
    assert pair.ms.read_bytes() == before


@pytest.mark.parametrize("options", ["COMPRES=LZW", "COMPRESS=FOO"])
def test_creation_options_that_do_not_exist_are_refused(algorithm, pair, tmp_path, options):
    assert "COMPRES" in refusal(algorithm, pair, tmp_path / "o.tif", CREATE_OPTIONS=options)


def test_the_profile_of_qgis_for_jpeg_compression(algorithm, tmp_path):
    small = Recipe(bands=3, ratio=RATIO, height=SIDE, width=SIDE, kind="uint8", scale=0.08).write(tmp_path)
    fused, said = sharpen(algorithm, small, tmp_path / "o.tif", CREATE_OPTIONS="COMPRESS=JPEG|JPEG_QUALITY=75")
    assert near(fused, small, within=0.4)
    assert "lossy" in said
