"""Creation options: what the driver does not know is refused before work, in words that help."""

from __future__ import annotations

import pytest
from helpers.fusion import job, refused_before_work, temporaries
from helpers.scenes import Recipe
from osgeo import gdal
from otfm_pansharpen.model.fusion.pipeline import fuse


@pytest.mark.promise(6)
@pytest.mark.parametrize(
    ("option", "name", "words"),
    [
        ("COMPRES=LZW", "out.tif", ["GTiff", "COMPRES", "Did you mean COMPRESS"]),
        ("COMPRESS=FOO", "out.tif", ["COMPRESS", "FOO", "LZW", "DEFLATE"]),
        ("COMPRESS=DEFALTE", "out.tif", ["Did you mean DEFLATE"]),
        ("COMPRESS", "out.tif", ["COMPRESS", "is an unexpected value", "DEFLATE"]),
        ("TILED=PERHAPS", "out.tif", ["TILED", "PERHAPS", "boolean"]),
        ("ZLEVEL=high", "out.tif", ["ZLEVEL", "high", "type int"]),
        ("NBITS=\u00b2", "out.tif", ["NBITS", "\u00b2", "type int"]),
        ("BLOCKSIZE=16", "out.cog.tif", ["COG", "BLOCKSIZE", "16", ">= 128"]),
        ("TILED=YES", "out.cog.tif", ["COG", "TILED"]),
        ("COMPRESS=DEFLATE", "out.img", ["HFA", "COMPRESS", "DEFLATE", "boolean"]),
        ("MAX_Z_ERROR=much", "out.tif", ["MAX_Z_ERROR", "much", "type float"]),
        ("LAYER=a", "out.gpkg", ["GPKG", "LAYER"]),
    ],
)
def test_options_that_the_driver_does_not_know(tmp_path, option, name, words):
    sentence = refused_before_work(Recipe(bands=1).write(tmp_path), tmp_path / name, option)
    assert all(word in sentence for word in words), sentence


def test_an_option_twice_with_different_values(tmp_path):
    pair = Recipe().write(tmp_path)
    sentence = refused_before_work(pair, tmp_path / "out.tif", "COMPRESS=LZW", "compress=DEFLATE")
    assert "COMPRESS is given twice" in sentence


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("compress=deflate", "Predictor=2", "ZLEVEL=9", "bigtiff=if_needed"), "out.tif"),
        (("COMPRESS=NONE", "BIGTIFF=IF_NEEDED"), "out.tif"),
        (("COMPRESS=PACKBITS",), "out.tif"),
        (("SPARSE_OK=true", "TILED=on", "GEOTIFF_VERSION=1.1"), "out.tif"),
        (("PREDICTOR=2", "COMPRESS=DEFLATE"), "out.cog.tif"),
        (("STREAMABLE_OUTPUT=YES",), "out.tif"),
        (("COPY_SRC_OVERVIEWS=YES",), "out.tif"),
        (("COMPRESS=YES",), "out.img"),
    ],
)
def test_options_that_it_knows_are_taken(tmp_path, options, name):
    """Those of QGIS's own profiles among them; case does not matter."""
    fuse(job(Recipe().write(tmp_path), tmp_path / name, creation_options=options))
    assert gdal.Open(str(tmp_path / name)).RasterCount == 4
    assert temporaries(tmp_path) == []
