"""Data of fewer bits than their type: kept so, whatever the codec and the nodata value."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import job, run
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from otfm_pansharpen.model.fusion.pipeline import fuse


def of_bits(pair, bits=11, nodata=None):
    """The pair, its MS of so many bits, some values at their end, and a gap where nodata is given."""
    top = 2**bits - 1
    ms = np.clip(load_image(pair.ms) * (top / 2000), 1, top).astype(np.uint16)
    if nodata is not None:
        ms[ms == nodata] -= 1
        if nodata <= top:
            ms[:, :12, :12] = nodata
    written = gdal.GetDriverByName("GTiff").Create(
        str(pair.ms), *ms.shape[:0:-1], len(ms), gdal.GDT_UInt16, [f"NBITS={bits}"]
    )
    like = gdal.Open(str(pair.pan))
    written.SetGeoTransform((5e5, 8, 0, 4e6, 0, -8))
    written.SetProjection(like.GetProjection())
    written.WriteArray(ms)
    for number in range(1, len(ms) + 1):
        if nodata is not None:
            written.GetRasterBand(number).SetNoDataValue(nodata)
    return pair


def bits_of(path):
    dataset = gdal.Open(str(path))
    return dataset.GetRasterBand(1).GetMetadataItem("NBITS", "IMAGE_STRUCTURE")


@pytest.mark.slow
@pytest.mark.promise(6)
@pytest.mark.parametrize(
    ("name", "options", "bits"),
    [
        ("o.tif", (), "11"),
        ("o.tif", ("COMPRESS=DEFLATE",), "11"),
        ("o.tif", ("COMPRESS=ZSTD",), "11"),
        ("o.tif", ("COMPRESS=DEFLATE", "PREDICTOR=2"), None),  # which goes with whole bytes only
        ("o.tif", ("COMPRESS=LERC",), None),
        ("o.tif", ("NBITS=12",), "12"),
        ("o.cog.tif", (), "11"),
        ("o.jp2", (), "11"),
        ("o.img", (), None),
        ("o.png", (), None),
    ],
)
def test_values_keep_to_the_bits_and_the_file_records_nbits(tmp_path, name, options, bits):
    pair = of_bits(Recipe(bands=3, height=320, width=320).write(tmp_path))
    fused, result = run(pair, tmp_path, name, creation_options=options, overviews=name == "o.tif")
    assert fused.max() == 2047
    assert bits_of(tmp_path / name) == bits
    assert [n.code for n in result.notices] == ["result_clipped"]  # MS itself reaches both ends


@pytest.mark.promise(5)
@pytest.mark.parametrize(("nodata", "bits"), [(0, "11"), (2047, "11"), (65535, None)])
def test_gaps_and_bits_go_together(tmp_path, nodata, bits):
    """A nodata value beyond the bits does not fit in them: the file then takes the whole type."""
    pair = of_bits(Recipe(bands=3, height=320, width=320, nodata=0).write(tmp_path), nodata=nodata)
    pan = load_image(pair.pan)
    pan[:, -40:, -40:] = 0
    dataset = gdal.Open(str(pair.pan), gdal.GA_Update)
    dataset.WriteArray(pan[0])
    dataset = None
    fused, _ = run(pair, tmp_path, "o.tif")
    assert bits_of(tmp_path / "o.tif") == bits
    assert (fused[:, -40:, -40:] == nodata).all()
    assert (fused[:, 60:-50, 60:-50] != nodata).all()
    assert fused[:, 60:-50, 60:-50].max() == (2046 if nodata == 2047 else 2047)
    assert bool((fused[:, :48, :48] == nodata).all()) == (nodata < 65535)


def test_bits_that_the_user_asks_for_limit_the_values(tmp_path):
    pair = Recipe(bands=3, scale=0.5, nodata=1023).write(tmp_path)
    fused, result = run(pair, tmp_path, "o.tif", creation_options=("NBITS=10",))
    assert fused.max() == 1022
    assert {"values_clipped"} <= {n.code for n in result.notices}
    fuse(job(pair, tmp_path / "plain.tif"))
    assert load_image(tmp_path / "plain.tif").max() > 1023
