"""Type, range and properties of bands that the output keeps, in any format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save, sense
from osgeo import gdal
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
