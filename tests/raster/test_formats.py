"""Formats by the name of the output, and their pixels, which are the fused ones."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers.fusion import refused_before_work, run, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal

BYTES = {"bands": 3, "dtype": "uint8", "scale": 0.08}


def with_gaps(pair):
    """The pair, a corner of its MS nodata."""
    ms = load_image(pair.ms)
    ms[:, :13, :17] = 0
    save(pair.ms, ms, str(ms.dtype), (5e5, 8, 0, 4e6, 0, -8), nodata=0)
    return pair


def codes(result):
    """Codes of notices about the format; on made-up scenes the injection may do without the network."""
    return [n.code for n in result.notices if n.code != "network_left_out"]


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
    pixels, _ = run(pair, tmp_path, name)
    assert np.array_equal(plain, pixels)
    fused = gdal.Open(str(tmp_path / name))
    assert fused.GetDriver().ShortName == driver
    assert fused.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") == interleave
    assert [fused.GetRasterBand(n).GetDescription() for n in (1, 2, 3, 4)] == ["blue", "green", "red", "nir"]
    assert fused.GetRasterBand(4).GetNoDataValue() == 0
    assert fused.GetGeoTransform() == gdal.Open(str(tmp_path / "plain.tif")).GetGeoTransform()
    assert "32633" in fused.GetSpatialRef().ExportToWkt() or "UTM" in fused.GetProjection()
    assert temporaries(tmp_path) == []


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("name", "recipe", "options"),
    [
        ("out.jp2", {}, ()),
        ("out.jp2", BYTES, ()),
        ("out.png", {"bands": 3}, ()),
        ("out.webp", BYTES, ()),
        ("out.gpkg", BYTES, ()),
        ("out.gpkg", {"bands": 1}, ()),
        ("out.gpkg", {"bands": 1, "dtype": "float32"}, ()),
        ("out.tif", {}, ("COMPRESS=LERC_ZSTD",)),
        ("out.tif", BYTES, ("COMPRESS=WEBP", "WEBP_LOSSLESS=YES")),
        ("out.cog.tif", {}, ("COMPRESS=LERC",)),
    ],
)
def test_formats_that_can_lose_nothing_are_asked_to(tmp_path, name, recipe, options):
    pair = with_gaps(Recipe(**recipe, height=320, width=320).write(tmp_path))
    plain, _ = run(pair, tmp_path, "plain.tif")
    pixels, result = run(pair, tmp_path, name, creation_options=options)
    assert np.array_equal(pixels, plain)
    fused = gdal.Open(str(tmp_path / name))
    valid = fused.GetRasterBand(1).GetMaskBand().ReadAsArray() != 0
    assert np.array_equal(valid, (plain != 0).all(0))
    assert not valid[:52, :68].any()
    assert fused.GetGeoTransform() == gdal.Open(str(tmp_path / "plain.tif")).GetGeoTransform()
    assert codes(result) == []


@pytest.mark.promise(6)
@pytest.mark.parametrize(
    ("name", "recipe", "options"),
    [
        ("out.jpg", BYTES, ()),
        ("out.jpg", {"bands": 1, **{k: BYTES[k] for k in ("dtype", "scale")}}, ("QUALITY=60",)),
        ("out.jp2", {}, ("QUALITY=20",)),
        ("out.webp", BYTES, ("QUALITY=80",)),
        ("out.tif", {**BYTES, "bands": 6}, ("COMPRESS=JPEG", "JPEG_QUALITY=75")),
        ("out.tif", BYTES, ("COMPRESS=JPEG", "PHOTOMETRIC=YCBCR")),
        ("out.tif", BYTES, ("COMPRESS=WEBP", "WEBP_LEVEL=60")),
        ("out.tif", {}, ("COMPRESS=LERC", "MAX_Z_ERROR=10")),
        ("out.cog.tif", BYTES, ("COMPRESS=JPEG", "QUALITY=80")),
        ("out.gpkg", BYTES, ("TILE_FORMAT=JPEG",)),
    ],
)
def test_lossy_result_is_near_and_reported(tmp_path, name, recipe, options):
    pair = Recipe(**recipe, height=320, width=320).write(tmp_path)
    plain, _ = run(pair, tmp_path, "plain.tif")
    pixels, result = run(pair, tmp_path, name, creation_options=options, overviews=not name.endswith(".gpkg"))
    assert codes(result) == ["lossy_output"]
    error = np.abs(pixels.astype(float) - plain)
    assert 0 < error.mean() < 0.06 * plain.mean()
    fused, like = (gdal.Open(str(tmp_path / n)) for n in (name, "plain.tif"))
    assert fused.GetGeoTransform() == like.GetGeoTransform()
    assert fused.GetMetadataItem("OTFM_STEPS") == "1" or name.endswith((".jpg", ".webp", ".jp2"))
    assert temporaries(tmp_path) == []


def test_lossy_geotiff_uses_the_codec_and_has_overviews(tmp_path):
    pair = Recipe(**BYTES, height=640, width=640).write(tmp_path)
    _, result = run(pair, tmp_path, "o.tif", creation_options=("COMPRESS=JPEG", "JPEG_QUALITY=75"), overviews=True)
    fused = gdal.Open(str(tmp_path / "o.tif"))
    assert fused.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "JPEG"
    assert fused.GetRasterBand(1).GetOverviewCount() == 2
    assert fused.GetMetadataItem("OTFM_WEIGHTS_SHA256") == result.weights_sha256
    assert fused.GetFileList() == [str(tmp_path / "o.tif")]


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("name", "options"),
    [("out.jpg", ()), ("out.jp2", ("QUALITY=20",)), ("out.tif", ("COMPRESS=JPEG",)), ("out.webp", ("QUALITY=80",))],
)
def test_lossy_compression_that_would_fill_gaps_is_refused(tmp_path, name, options):
    pair = with_gaps(Recipe(**BYTES, height=320, width=320).write(tmp_path))
    sentence = refused_before_work(pair, tmp_path / name, *options)
    assert "image of gaps" in sentence
    assert "use .tif" in sentence


@pytest.mark.promise(6)
@pytest.mark.parametrize(
    ("name", "recipe", "options", "words"),
    [
        ("o.tif", {**BYTES, "bands": 6}, ("COMPRESS=JPEG", "INTERLEAVE=PIXEL"), "would change"),
        ("o.tif", {"bands": 3}, ("COMPRESS=JPEG",), "UInt16 with COMPRESS=JPEG: .*16 not allowed for JPEG"),
        ("o.tif", {**BYTES, "bands": 4}, ("COMPRESS=JPEG", "PHOTOMETRIC=YCBCR"), "4 bands.*YCBCR not supported"),
        ("o.tif", {**BYTES, "bands": 5}, ("COMPRESS=WEBP",), "would change them"),
        ("o.tif", {}, ("BLOCKXSIZE=100", "BLOCKYSIZE=100"), "cannot hold 4 bands of UInt16 with BLOCKXSIZE=100"),
        ("o.tif", BYTES, ("COMPRESS=JPEG", "JPEG_QUALITY=1000"), "JPEG_QUALITY.*1000"),
        ("o.png", {}, (), "band 4 for transparency"),
        ("o.jpg", {**BYTES, "bands": 4}, (), "makes 3 bands of Byte of them"),
        ("o.jpg", {"bands": 3, "scale": 20}, (), "would change them"),
        ("o.ppm", BYTES, (), "georeference"),
        ("o.xml", {}, (), "georeference"),
        ("o.rsw", BYTES, (), "valid values for gaps"),
        ("o.nc", {"bands": 3}, (), "o.nc"),
        ("o.vrt", {}, (), "only points to"),
        ("o.gpkg", {}, (), "Only single band dataset"),
        ("o.gpkg", {**BYTES, "bands": 4}, (), "band 4 for transparency"),
        ("o.webp", {**BYTES, "height": 64, "width": 17000}, (), "WEBP"),
    ],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_refused_before_work(tmp_path, name, recipe, options, words):
    sentence = refused_before_work(Recipe(**recipe).write(tmp_path), tmp_path / name, *options)
    assert re.search(words, sentence), sentence
