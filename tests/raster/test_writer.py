"""The output raster: type, format, metadata, statistics and overviews as asked for."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError, OutputError
from otfm_pansharpen.model.fusion.pipeline import fuse

RANGES = {"Byte": (0, 255), "UInt16": (0, 65535), "Int16": (-32768, 32767), "Float32": (-np.inf, np.inf)}


@pytest.mark.parametrize("data_type", ["Byte", "UInt16", "Int16", "UInt32", "Int32", "Float32", "Float64"])
def test_the_type_asked_for_holds_the_same_values_clipped(tmp_path, data_type):
    pair = Recipe(scale=0.15).write(tmp_path)  # a few values are larger than 255
    plain, _ = run(pair, tmp_path, "plain.tif")
    result = fuse(job(pair, tmp_path / "typed.tif", data_type=data_type))
    typed = gdal.Open(str(tmp_path / "typed.tif"))
    assert gdal.GetDataTypeName(typed.GetRasterBand(1).DataType) == data_type
    low, high = RANGES.get(data_type, (-np.inf, np.inf))
    assert np.abs(typed.ReadAsArray().astype(float) - np.clip(plain.astype(float), low, high)).max() <= 0.5001
    words = [n.sentence for n in result.notices if n.code == "values_clipped"]
    assert [("Byte only those from 0 to 255" in w) for w in words] == [True] * (data_type == "Byte")


@pytest.mark.promise(6)
@pytest.mark.parametrize("data_type", ["Byte", "Int16", "UInt32"])
def test_fractions_that_whole_numbers_would_wipe_out_are_refused(tmp_path, data_type):
    """Reflectances from 0 to 1 would be 0 and 1 everywhere."""
    pair = Recipe(dtype="float32", scale=1e-4).write(tmp_path)
    with pytest.raises(OutputError, match=f"fractions from 0.0.*{data_type}.*Leave DATA_TYPE as MS"):
        fuse(job(pair, tmp_path / "o.tif", data_type=data_type))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ms.tif", "pan.tif"]


def test_fractions_rounded_to_few_steps_are_reported(tmp_path):
    pair = Recipe(dtype="float32", scale=0.01).write(tmp_path)
    assert [n.code for n in fuse(job(pair, tmp_path / "o.tif", data_type="Byte")).notices] == ["values_rounded"]
    assert fuse(job(pair, tmp_path / "o.tif")).notices == ()


@pytest.mark.promise(6)
def test_a_band_that_would_be_clipped_away_is_refused(tmp_path):
    """Though most values of the others fit."""
    pair = Recipe(scale=0.05).write(tmp_path)
    ms = load_image(pair.ms).astype(float)
    ms[3] *= 20
    save(pair.ms, ms, "uint16", (5e5, 8, 0, 4e6, 0, -8))
    with pytest.raises(
        OutputError, match=r"100 % of the values of a band of MS .* beyond what Byte holds.*-ot Byte -scale \d+"
    ):
        fuse(job(pair, tmp_path / "o.tif", data_type="Byte"))


@pytest.mark.promise(5)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("of_pan", "expected"), [(-9999.0, -9999.0), (None, np.nan)])
def test_a_nodata_value_that_the_type_cannot_hold_is_replaced(tmp_path, of_pan, expected):
    pair = Recipe(dtype="float64", scale=0.15).write(tmp_path)
    ms, lowest = load_image(pair.ms), float(np.finfo(np.float64).min)
    ms[:, 10:20, 10:20] = lowest
    save(pair.ms, ms, "float64", (5e5, 8, 0, 4e6, 0, -8), nodata=lowest)
    save(pair.pan, load_image(pair.pan), "float64", nodata=of_pan)
    fused, _ = run(pair, tmp_path, data_type="Float32")
    written = gdal.Open(str(tmp_path / "fused.tif"))
    assert written.GetRasterBand(1).GetNoDataValue() == pytest.approx(expected, nan_ok=True)
    assert np.array_equal(fused[0, 40:80, 40:80], np.full((40, 40), expected, np.float32), equal_nan=True)
    assert np.isfinite(fused[:, 100:]).all()


def test_an_unknown_type_is_refused(tmp_path):
    with pytest.raises(InputError, match="CFloat32 is unknown"):
        fuse(job(Recipe().write(tmp_path), tmp_path / "o.tif", data_type="CFloat32"))


def test_nodata_outside_the_type_becomes_one_that_it_can_hold(tmp_path):
    pair = Recipe(dtype="float32").write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :10] = -9999
    save(pair.ms, ms, "float32", (5e5, 8, 0, 4e6, 0, -8), nodata=-9999)
    pixels, _ = run(pair, tmp_path, data_type="UInt16")
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    assert fused.GetRasterBand(1).GetNoDataValue() == 0
    assert (pixels[:, :40] == 0).all()
    assert (pixels[:, 40:] > 0).all()


def test_a_cloud_optimised_geotiff_by_name(tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    plain, _ = run(pair, tmp_path, "plain.tif")
    fused, _ = run(pair, tmp_path, "out.cog.tif")
    assert np.array_equal(plain, fused)
    assert gdal.Open(str(tmp_path / "out.cog.tif")).GetMetadataItem("LAYOUT", "IMAGE_STRUCTURE") == "COG"
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("name", ["out.tif", "out.img"])
def test_overviews_are_averages_without_gaps(tmp_path, name):
    pair = Recipe(height=640, width=640, nodata=0).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :, :80] = 0
    save(pair.ms, ms, "uint16", (5e5, 8, 0, 4e6, 0, -8), nodata=0)
    run(pair, tmp_path, name, overviews=True)
    fused = gdal.Open(str(tmp_path / name))  # GDAL's bands do not keep their dataset alive
    band = fused.GetRasterBand(1)
    assert band.GetOverviewCount() == 2
    small = band.GetOverview(0).ReadAsArray().astype(float)
    whole = band.ReadAsArray().astype(float).reshape(320, 2, 320, 2).mean((1, 3))
    assert (small[:, :160] == 0).all()
    assert np.abs(small[:, 165:] - whole[:, 165:]).max() <= 1.0


def test_no_overviews_unless_asked_for(tmp_path):
    run(Recipe(height=640, width=640).write(tmp_path), tmp_path)
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    assert fused.GetRasterBand(1).GetOverviewCount() == 0


@pytest.mark.parametrize(("dtype", "predictor"), [("uint16", "2"), ("float32", "3")])
def test_compression_has_the_predictor_of_the_type(tmp_path, dtype, predictor):
    pair = Recipe(dtype=dtype, height=320, width=320).write(tmp_path)
    sizes = {}
    for name, options in {"chosen": (), "same": (f"PREDICTOR={predictor}",), "none": ("PREDICTOR=1",)}.items():
        run(pair, tmp_path, f"{name}.tif", creation_options=("COMPRESS=DEFLATE", *options))
        sizes[name] = (tmp_path / f"{name}.tif").stat().st_size
    assert sizes["chosen"] == sizes["same"] < sizes["none"]


def test_statistics_choose_the_contrast(tmp_path):
    pair = Recipe(height=320, width=320, nodata=0).write(tmp_path)
    pixels, _ = run(pair, tmp_path)
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    for number, band in enumerate(pixels, start=1):
        metadata = fused.GetRasterBand(number).GetMetadata()
        assert float(metadata["STATISTICS_MEAN"]) == pytest.approx(band.mean(), rel=0.1)
        assert float(metadata["STATISTICS_STDDEV"]) == pytest.approx(band.std(), rel=0.2)


@pytest.mark.promise(7)
def test_metadata_of_scene_are_kept_and_those_of_run_added(tmp_path):
    pair = Recipe().write(tmp_path)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    dataset.SetMetadataItem("ACQUISITIONDATETIME", "2020-05-01")
    dataset.SetMetadataItem("OTFM_STEPS", "of another run")
    dataset.GetRasterBand(2).SetMetadataItem("CENTRAL_WAVELENGTH_UM", "0.56", "IMAGERY")
    dataset.GetRasterBand(2).SetMetadataItem("STATISTICS_MEAN", "123456")
    dataset = None
    _, result = run(pair, tmp_path)
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    assert fused.GetMetadataItem("ACQUISITIONDATETIME") == "2020-05-01"
    assert fused.GetRasterBand(2).GetMetadataItem("CENTRAL_WAVELENGTH_UM", "IMAGERY") == "0.56"
    assert float(fused.GetRasterBand(2).GetMetadataItem("STATISTICS_MEAN")) < 5000
    tags = {k: v for k, v in fused.GetMetadata().items() if k.startswith("OTFM_")}
    assert tags["OTFM_STEPS"] == "1"
    assert tags["OTFM_PAN"] == "pan.tif band 1"
    assert tags["OTFM_MS"] == "ms.tif bands 1 2 3 4"
    assert tags["OTFM_WEIGHTS_SHA256"] == result.weights_sha256
    assert float(tags["OTFM_MTF_GAIN"]) == pytest.approx(result.metrics.gain, abs=1e-3)
    assert len(tags["OTFM_TRANSFER_ROWS"].split()) == len(tags["OTFM_TRANSFER_COLUMNS"].split()) == 10


@pytest.mark.promise(7)
def test_sensor_model_of_pan_is_kept_and_moved_with_the_window(tmp_path):
    pair = Recipe(height=192, width=240).write(tmp_path)
    numbers = ("LINE_OFF", "SAMP_OFF", "LAT_OFF", "LONG_OFF", "HEIGHT_OFF", "LINE_SCALE", "SAMP_SCALE", "LAT_SCALE")
    model = dict.fromkeys([*numbers, "LONG_SCALE", "HEIGHT_SCALE"], "100")
    coefficients = ("LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF")
    model |= dict.fromkeys(coefficients, " ".join(["1"] * 20))
    pan = gdal.Open(str(pair.pan), gdal.GA_Update)
    pan.SetMetadata(model, "RPC")
    pan = None
    fuse(job(pair, tmp_path / "o.tif", extent=(5e5 + 40, 4e6 - 300, 5e5 + 400, 4e6 - 60)))
    kept = gdal.Open(str(tmp_path / "o.tif")).GetMetadata("RPC")
    assert (float(kept["SAMP_OFF"]), float(kept["LINE_OFF"])) == (80, 70)
    assert float(kept["LAT_OFF"]) == 100


@pytest.mark.promise(7)
def test_statistics_and_pixel_interpretation_are_of_the_result(tmp_path):
    pair = Recipe(bands=2).write(tmp_path)
    ms = gdal.Open(str(pair.ms), gdal.GA_Update)
    ms.SetMetadataItem("AREA_OR_POINT", "Point")
    for number in (1, 2):
        ms.GetRasterBand(number).SetMetadata({"STATISTICS_MEAN": "-5", "STATISTICS_VALID_PERCENT": "1", "KEPT": "yes"})
    ms = None
    fuse(job(pair, tmp_path / "o.tif"))
    made = gdal.Open(str(tmp_path / "o.tif"))
    assert made.GetMetadataItem("AREA_OR_POINT") == "Area"
    assert float(made.GetRasterBand(1).GetMetadataItem("STATISTICS_MEAN")) > 100
    assert made.GetRasterBand(1).GetMetadataItem("STATISTICS_VALID_PERCENT") != "1"
    assert made.GetRasterBand(1).GetMetadataItem("KEPT") == "yes"


@pytest.mark.promise(4)
def test_a_failure_within_gdal_translate_is_an_error(tmp_path, monkeypatch):
    """It returns a raster all the same where a driver fails on the way, as on a full disk."""
    translate = gdal.Translate

    def fail_once_all_is_made(final, draft, **more):
        made = translate(final, draft, **more)
        if gdal.Open(draft).GetMetadataItem("OTFM_VERSION"):  # no trial
            with gdal.ExceptionMgr(useExceptions=False) if hasattr(gdal, "ExceptionMgr") else suppress(RuntimeError):
                gdal.Error(gdal.CE_Failure, gdal.CPLE_FileIO, "WriteEncodedTile() failed.")
        return made

    pair = Recipe(bands=2).write(tmp_path)
    monkeypatch.setattr(gdal, "Translate", fail_once_all_is_made)
    with pytest.raises(OutputError, match=r"cannot be written: WriteEncodedTile\(\) failed\. Is the disk full"):
        fuse(job(pair, tmp_path / "o.cog.tif"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ms.tif", "pan.tif"]
