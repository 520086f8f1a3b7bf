"""STAC items, RPC files and cloud masks that somebody else made: signatures, hosts, names, numbers and sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.products import cut, named, pair_for, refusal, sharpened
from helpers.safe import Safe
from helpers.sensor import bare_pair, rpb
from helpers.stac import asset, write_item
from helpers.web import serve
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.options import PRODUCT_BANDS
from otfm_pansharpen.model.product import cloud_masks
from otfm_pansharpen.model.product.rpc import read_rpc
from otfm_pansharpen.model.raster.gdal_errors import hide_signatures

SECRET = "sig=hush%2Bhush&x=1"
MS_BANDS = (("B", "blue", 0.48), ("G", "green", 0.55), ("R", "red", 0.65))


@pytest.fixture
def pair(tmp_path):
    return pair_for(tmp_path / "pair", 3, 2)


def write_pair(folder, pair, pan="pan.tif", ms="ms.tif", bands=MS_BANDS):
    cut(pair.pan, folder / "pan.tif")
    cut(pair.ms, folder / "ms.tif")
    return write_item(folder / "item.json", {"pan": asset(pan, ("P", "pan", 0.6)), "ms": asset(ms, *bands)})


def find_text(folder, text):
    return [file.name for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def test_signatures_are_in_no_log_and_no_file(tmp_path, pair):
    write_pair(tmp_path / "in", pair)
    with serve(tmp_path / "in", SECRET) as site:
        item = write_pair(tmp_path, pair, *(f"{site.address}/{name}.tif?{SECRET}" for name in ("pan", "ms")))
        result, log = sharpened(item, tmp_path / "out", keep_vrt=True)
    assert result.runs[0].status == "sharpened"
    assert "its addresses are signed" in log
    assert "hush" not in log + repr(result)
    assert find_text(tmp_path / "out", "hush") == []


def test_kept_rasters_without_signatures_stay(tmp_path, pair):
    with serve(tmp_path / "in") as site:
        write_pair(tmp_path / "in", pair)
        _, log = sharpened(f"{site.address}/item.json", tmp_path / "out", keep_vrt=True)
    assert [file.suffix for file in sorted((tmp_path / "out").iterdir())] == [".tif", ".vrt"], log


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("HTTPS://h/a.tif?sig=1: 403", "HTTPS://h/a.tif 403"),
        ("no https://me:word@h:8/a.tif#k=1 there", "no https://h:8/a.tif there"),
        ("`/vsicurl/http://h/a?sig=b' is", "`/vsicurl/http://h/a is"),
        ("<F>/vsicurl/https://h/a?b&amp;c</F>", "<F>/vsicurl/https://h/a</F>"),
        ("/data/what?.tif, me@h", "/data/what?.tif, me@h"),
    ],
)
def test_signatures_are_hidden_and_other_text_kept(text, public):
    assert hide_signatures(text) == public


@pytest.mark.parametrize(
    "href", ["https://[::1/pan.tif", "http://a]b/pan.tif", "pan\u202e.tif", "pan\x9b.tif", "pan\ud800.tif", 7, ""]
)
def test_hrefs_that_are_no_addresses_are_left_out(tmp_path, pair, href):
    item = write_pair(tmp_path / "in", pair)
    item.write_text(item.read_text().replace('"pan.tif"', json.dumps(href)))
    assert "Left out: pan (no address)" in refusal(item, tmp_path / "out")


def test_an_address_that_is_none_is_refused(tmp_path):
    assert "is not a STAC item" in refusal("https://[::1/item.json", tmp_path / "out")


def test_names_of_assets_reach_no_log_unchecked(tmp_path, pair):
    item = write_pair(tmp_path / "in", pair)
    content = json.loads(item.read_text())
    content["assets"]["a\x1b[2J"] = {"href": 7, **asset("a.tif", ("B", "blue", 0.4))}
    item.write_text(json.dumps(content))
    with pytest.raises(InputError) as refused:
        sharpened(item, tmp_path / "out")
    assert "\x1b" not in str(refused.value)


def test_an_asset_with_a_million_bands_is_refused(tmp_path, pair):
    item = write_pair(tmp_path / "in", pair)
    content = json.loads(item.read_text())
    content["assets"]["ms"]["eo:bands"] = [{}] * 1_000_000
    item.write_text(json.dumps(content))
    assert "The asset ms has 1,000,000 bands, but at most 64 are expected" in refusal(item, tmp_path / "out")


RPC_FAULTS = {
    "one word": "a" * 1_000_000,
    "open brackets": "a=(\n" * 1_000_000,
    "long number": "LINE_OFF_" + "1" * 5000 + ": 3",
    "infinite": "LINE_OFF: 1e999",
}


@pytest.mark.parametrize("fault", RPC_FAULTS)
@pytest.mark.parametrize("ending", [".RPB", ".XML"])
def test_rpc_files_that_lie_end_soon(tmp_path, fault, ending):
    text = RPC_FAULTS[fault]
    if ending == ".XML":
        key, _, value = text.partition(":")
        tag = "a" + "1" * 1_000_000 + "x" if fault == "one word" else key.replace("=(\n", "")[:6000]
        text = f"<r><Inverse_Model><{tag}>{value}</{tag}></Inverse_Model></r>"
    file = tmp_path / f"image{ending}"
    file.write_text(text)
    program = (
        "import signal, sys; signal.alarm(20); from otfm_pansharpen.model.product.rpc import read_rpc\n"
        "try: read_rpc(sys.argv[1])\nexcept Exception as error: print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == "InputError\n"


def test_a_pipe_instead_of_an_rpc_file_is_left_alone(tmp_path):
    (tmp_path / "pair").mkdir()
    pair, models = bare_pair(tmp_path / "pair")
    name = "GF2_PMS1_E113.5_N23.0_20170201_L1A0002149370"
    named(tmp_path / "in", pair, f"{name}-PAN1.tiff", f"{name}-MSS1.tiff")
    (tmp_path / "in" / f"{name}-MSS1.rpb").write_text(rpb(models[pair.ms], "GF2", "MSS1"))
    os.mkfifo(tmp_path / "in" / f"{name}-PAN1.rpb")
    program = (
        "import signal, sys; signal.alarm(60); from osgeo import gdal; gdal.UseExceptions()\n"
        "from otfm_pansharpen.model.product.rpc import find_rpc; print(find_rpc(sys.argv[1:]))"
    )
    image = str(tmp_path / "in" / f"{name}-PAN1.tiff")
    assert subprocess.run([sys.executable, "-c", program, image], capture_output=True, check=True).stdout == b"\n"


def test_rpc_files_of_makers_are_still_read(tmp_path):
    (tmp_path / "pair").mkdir()
    pair, models = bare_pair(tmp_path / "pair")
    (tmp_path / "image.RPB").write_text(rpb(models[pair.ms], "GF2", "MSS1"))
    assert len(read_rpc(str(tmp_path / "image.RPB"))) == 14


def test_a_cloud_mask_of_a_terapixel_is_not_read(tmp_path):
    made = Safe("L2A", "05.10", side=240, cloud=np.s_[60:120, 120:180])
    scl = next(made.write(tmp_path / "in").rglob("*_SCL_20m.jp2"))
    options = ["SPARSE_OK=TRUE", "TILED=YES", "BLOCKXSIZE=4096", "BLOCKYSIZE=4096"]
    huge = gdal.GetDriverByName("GTiff").Create(str(scl), 1_000_000, 1_000_000, 1, gdal.GDT_Byte, options)
    huge.SetGeoTransform((6e5, 20.0, 0.0, 4e6, 0.0, -20.0))
    del huge
    _, log = sharpened(tmp_path / "in", tmp_path / "out", bands=PRODUCT_BANDS[2])
    assert "1,000,000 x 1,000,000 pixels are more than a granule has" in log


def test_cloud_polygons_of_a_million_points_are_not_used(tmp_path):
    made = Safe("L1C", "02.06", side=240, cloud=np.s_[60:120, 120:180])
    gml = next(made.write(tmp_path / "in").rglob("MSK_CLOUDS_*.gml"))
    head, _, rest = gml.read_text().partition('<gml:posList srsDimension="2">')
    gml.write_text(f'{head}<gml:posList srsDimension="2">{"5 6 " * 1_000_000}{rest}')
    _, log = sharpened(tmp_path / "in", tmp_path / "out", bands=PRODUCT_BANDS[2])
    assert f"has polygons of more than {cloud_masks.MAX_POINTS:,} points" in log
