"""Type, range and properties of bands that the output keeps, in any format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save, sense
from osgeo import gdal, gdal_array
from otfm_pansharpen import sharpen_arrays
from otfm_pansharpen.model.errors import OutputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource


def test_bands_of_different_types_get_the_type_that_holds_all(tmp_path):
    pair = Recipe(bands=2).write(tmp_path)
    ms = load_image(pair.ms)
    for number, type_name in enumerate(("uint8", "uint16")):
        scale = 0.05 if type_name == "uint8" else 1.0
        save(tmp_path / f"{type_name}.tif", scale * ms[number : number + 1], type_name, (5e5, 8, 0, 4e6, 0, -8))
    gdal.BuildVRT(
        str(tmp_path / "mixed.vrt"), [str(tmp_path / "uint8.tif"), str(tmp_path / "uint16.tif")], separate=True
    )
    fuse(replace(job(pair, tmp_path / "out.tif"), ms=RasterSource(str(tmp_path / "mixed.vrt"))))
    fused = load_image(tmp_path / "out.tif")
    assert fused.dtype == np.uint16
    assert fused[1].max() > 1500


@pytest.mark.promise(6)
@pytest.mark.parametrize(("type_name", "top"), [("uint8", 255), ("int16", 32767), ("uint16", 65535)])
def test_values_are_clipped_and_never_wrap(tmp_path, type_name, top):
    """Scenes that fill their type: a wrapped value would differ from the truth by the whole range."""
    scale = top / 2000
    recipe = Recipe(dtype=type_name, scale=scale)
    pair = recipe.write(tmp_path)
    pan = np.clip(recipe_pan(pair), 0, top)
    save(pair.pan, pan, type_name, (5e5, 2, 0, 4e6, 0, -2))
    save(pair.ms, np.clip(sense_reference(pair), 0, top), type_name, (5e5, 8, 0, 4e6, 0, -8))
    fused, _ = run(pair, tmp_path)
    assert fused.dtype == np.dtype(type_name)
    assert np.abs(fused.astype(float) - np.clip(pair.reference, 0, top)).max() < 0.7 * top
    assert (fused == top).any()


def test_a_picture_of_fewer_bits_has_all_8(tmp_path):
    pair = Recipe(dtype="uint8", scale=0.02).write(tmp_path)
    expected, _ = run(pair, tmp_path, stretch=((0.0, 60.0),) * 4)
    few = gdal.Translate(str(tmp_path / "ms6.tif"), str(pair.ms), creationOptions=["NBITS=6"]).GetDescription()
    picture, _ = run(pair, tmp_path, "b.tif", ms=RasterSource(few), stretch=((0.0, 60.0),) * 4)
    assert np.array_equal(picture, expected)
    assert picture.max() > 200


def recipe_pan(pair):
    return pair.reference.mean(0)[None]


def sense_reference(pair):
    return sense(pair.reference, 4.0)


@pytest.mark.promise(7)
def test_bands_keep_their_properties(tmp_path):
    pair = Recipe(bands=3, names=["red", "green", "blue"]).write(tmp_path)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    interpretations = (gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand)
    for number, colour in enumerate(interpretations, start=1):
        band = dataset.GetRasterBand(number)
        band.SetColorInterpretation(colour)
        band.SetScale(0.0001)
        band.SetOffset(-0.1)
        band.SetMetadataItem("WAVELENGTH", str(400 + number))
    dataset = None
    _, result = run(pair, tmp_path)
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    bands = [fused.GetRasterBand(n) for n in (1, 2, 3)]
    assert [b.GetDescription() for b in bands] == ["red", "green", "blue"]
    assert [b.GetColorInterpretation() for b in bands] == list(interpretations)
    assert [(b.GetScale(), b.GetOffset()) for b in bands] == [(0.0001, -0.1)] * 3
    assert [b.GetMetadataItem("WAVELENGTH") for b in bands] == ["401", "402", "403"]
    assert fused.GetMetadataItem("OTFM_WEIGHTS_SHA256") == result.weights_sha256
    assert "32633" in fused.GetProjection()


@pytest.mark.parametrize("extension", ["tif", "img", "png", "vrt.tif"])
def test_other_formats_by_extension(tmp_path, extension):
    pair = Recipe(bands=3).write(tmp_path)
    plain, _ = run(pair, tmp_path, "plain.tif")
    fused, _ = run(pair, tmp_path, f"other.{extension}")
    assert np.array_equal(plain, fused)
    assert temporaries(tmp_path) == []


def test_creation_options_are_used(tmp_path):
    pair = Recipe().write(tmp_path)
    run(pair, tmp_path, creation_options=("COMPRESS=DEFLATE", "BLOCKXSIZE=128", "BLOCKYSIZE=128"))
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    assert fused.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "DEFLATE"
    assert fused.GetRasterBand(1).GetBlockSize() == [128, 128]


HAS_INT8 = hasattr(gdal, "GDT_Int8")  # from 3.7 on; GDAL before marks signed bytes


def write_signed(path, like, values):
    """Write values as signed bytes with the grid of a dataset."""
    kind, options = (gdal.GDT_Int8, []) if HAS_INT8 else (gdal.GDT_Byte, ["PIXELTYPE=SIGNEDBYTE"])
    target = gdal.GetDriverByName("GTiff").Create(str(path), *values.shape[:0:-1], len(values), kind, options)
    target.SetGeoTransform(like.GetGeoTransform())
    target.SetProjection(like.GetProjection())
    target.WriteArray(values if HAS_INT8 else values.view(np.uint8))
    target.GetRasterBand(1).SetMetadata({"lamp": "on"}, "LAB")


def signed(pair):
    """Write the pair as signed bytes; values from -100 to 100."""
    for path in (pair.pan, pair.ms):
        values = np.clip((load_image(path) - 1000.0) / 10, -100, 100).round().astype(np.int8)
        write_signed(path.with_suffix(".8.tif"), gdal.Open(str(path)), values)
    pair.pan, pair.ms = pair.pan.with_suffix(".8.tif"), pair.ms.with_suffix(".8.tif")
    pair.reference = np.clip((pair.reference - 1000.0) / 10, -100, 100)
    return pair


def has_small_error(fused, reference):
    return np.abs(fused.astype(float) - reference).mean() < 0.25 * reference.std()


@pytest.mark.promise(6)
@pytest.mark.parametrize("form", ["file", "stack", "other zone", "array"])
def test_signed_bytes_are_never_taken_for_unsigned_ones(tmp_path, form):
    pair = signed(Recipe(bands=2, height=320, width=320).write(tmp_path))
    values, wanted = load_image(pair.ms), job(pair, tmp_path / "out.tif")
    assert values.min() < -50
    if form == "array":
        pan = load_image(pair.pan)[0]
        fused = sharpen_arrays(pan, values, (0, 2, 0, 0, 0, -2), (0, 8, 0, 0, 0, -8), precision="fp32").values
        assert has_small_error(fused, pair.reference)
        return
    if form == "stack":
        for number in (1, 2):
            gdal.Translate(str(tmp_path / f"{number}.tif"), str(pair.ms), bandList=[number])
        sources = [RasterSource(str(tmp_path / f"{number}.tif")) for number in (1, 2)]
        wanted = replace(wanted, ms=sources[0], more_ms=(sources[1],))
    elif form == "other zone":
        gdal_array.SaveArray(values.astype(np.int16), str(tmp_path / "wide.tif"), prototype=str(pair.ms))
        gdal.Warp(
            str(tmp_path / "moved.tif"),
            str(tmp_path / "wide.tif"),
            dstSRS="EPSG:32634",
            resampleAlg="cubic",
            dstNodata=-128,
        )
        moved = gdal.Open(str(tmp_path / "moved.tif"))
        write_signed(tmp_path / "moved8.tif", moved, moved.ReadAsArray().astype(np.int8))
        wanted = replace(wanted, ms=RasterSource(str(tmp_path / "moved8.tif"), nodata=(-128.0,)))
    fuse(wanted)
    fused = load_image(tmp_path / "out.tif")
    assert fused.dtype == (np.int8 if HAS_INT8 else np.int16)
    inner = np.s_[:, 30:-30, 30:-30] if form == "other zone" else np.s_[:]
    assert has_small_error(fused[inner], pair.reference[inner])
    if form == "file":
        assert gdal.Open(str(tmp_path / "out.tif")).GetRasterBand(1).GetMetadata("LAB") == {"lamp": "on"}


@pytest.mark.parametrize(
    ("type_name", "changes", "words", "cure"),
    [
        ("uint16", {"data_type": "Byte"}, "Leave DATA_TYPE as MS", {}),
        ("int16", {"creation_options": ("NBITS=7",), "data_type": ""}, "", {}),
        ("uint16", {"creation_options": ("NBITS=9",)}, "Leave NBITS out of CREATE_OPTIONS", {}),
    ],
)
def test_the_cure_for_clipping_fits_the_run(tmp_path, type_name, changes, words, cure):
    pair = Recipe(bands=2, dtype=type_name, scale=2.0).write(tmp_path)
    if words:
        with pytest.raises(OutputError, match=words):
            run(pair, tmp_path, **changes)
    fused, _ = run(pair, tmp_path, **cure)
    assert has_small_error(fused, pair.reference)


@pytest.mark.promise(7)
@pytest.mark.parametrize("name", ["o.tif", "o.cog.tif", "o.img"])
@pytest.mark.parametrize("form", ["file", "stack"])
def test_metadata_of_bands_are_kept_in_every_domain(tmp_path, name, form):
    pair = Recipe(bands=2).write(tmp_path)
    files = [tmp_path / f"b{number}.tif" for number in (1, 2)]
    for number, file in enumerate(files, start=1):
        gdal.Translate(str(file), str(pair.ms), bandList=[number])
    for file in (pair.ms, *files):
        dataset = gdal.Open(str(file), gdal.GA_Update)
        band = dataset.GetRasterBand(1)
        band.SetMetadata({"wavelength": "490", "STATISTICS_MEAN": "7"})
        band.SetMetadata({"CENTRAL_WAVELENGTH_UM": "0.49"}, "IMAGERY")
        band.SetMetadata({"gain": "9.4", "bias": "0"}, "CALIBRATION")
        band.SetMetadata(["<lab><lamp>1</lamp></lab>"], "xml:LAB")
        band.SetScale(0.5)
        band.SetOffset(3.0)
        dataset = None
    wanted = job(pair, tmp_path / name)
    if form == "stack":
        wanted = replace(wanted, ms=RasterSource(str(files[0])), more_ms=(RasterSource(str(files[1])),))
    fuse(wanted)
    written = gdal.Open(str(tmp_path / name))
    band = written.GetRasterBand(1)
    assert band.GetMetadata("IMAGERY") == {"CENTRAL_WAVELENGTH_UM": "0.49"}
    assert band.GetMetadata("CALIBRATION") == {"gain": "9.4", "bias": "0"}
    assert "<lamp>1</lamp>" in band.GetMetadata("xml:LAB")[0]
    assert band.GetMetadata()["wavelength"] == "490"
    assert band.GetMetadata()["STATISTICS_MEAN"] != "7"
    assert (band.GetScale(), band.GetOffset()) == (0.5, 3.0)
