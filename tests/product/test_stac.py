"""STAC items as products: local and over HTTP, signed, in part, and what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.fusion import run as fuse_pair
from helpers.products import band_names, cut, pair_for, refusal, sharpened
from helpers.safe import RATIOS, Safe
from helpers.scenes import load_image
from helpers.stac import asset, write_item
from helpers.web import serve
from osgeo import gdal

LANDSAT = {"coastal": 0.44, "blue": 0.48, "green": 0.56, "red": 0.65, "nir08": 0.87, "swir16": 1.61, "swir22": 2.2}
MAXAR = dict(zip("CBGYRN", (0.43, 0.48, 0.55, 0.61, 0.66, 0.83)))
SKYSAT = {"blue": 0.48, "green": 0.55, "red": 0.65, "nir": 0.83}


def write_landsat(folder, pair, query=""):
    """Write one file per band and an item whose bands are not in the order of their wavelengths."""
    cut(pair.pan, folder / "B8.TIF")
    assets = {"pan": asset(f"./B8.TIF{query}", ("B8", "pan", 0.59))}
    for number, (name, centre) in reversed(list(enumerate(LANDSAT.items(), start=1))):
        cut(pair.ms, folder / f"B{number}.TIF", [number])
        assets[name] = asset(f"B{number}.TIF{query}", (f"B{number}", name, centre))
    assets["lwir11"] = asset(f"B10.TIF{query}", ("B10", "lwir11", 10.9))
    cut(pair.ms, folder / "B10.TIF", [1])
    return write_item(folder / "item.json", assets, "LC08_L1TP_invented")


@pytest.fixture(scope="module")
def landsat_pair(tmp_path_factory):
    return pair_for(tmp_path_factory.mktemp("pair"), 7, 2)


def test_landsat_item_gives_the_pixels_of_its_pair(tmp_path, landsat_pair):
    plain, _ = fuse_pair(landsat_pair, tmp_path)
    result, log = sharpened(write_landsat(tmp_path / "in", landsat_pair), tmp_path / "out")
    assert [(r.title, r.status) for r in result.runs] == [("LC08_L1TP_invented", "sharpened")], log
    np.testing.assert_array_equal(load_image(result.runs[0].output), plain)
    names = ["coastal", "blue", "green", "red", "nir", "swir1", "swir2"]
    assert [n.rpartition(" ")[2] for n in band_names(result.runs[0].output)] == names
    assert "Connecting" not in log


@pytest.mark.parametrize("kind", ["maxar", "skysat", "1.1"])
def test_items_with_pan_and_one_file_of_ms(tmp_path, kind):
    bands = MAXAR if kind == "maxar" else SKYSAT
    pair = pair_for(tmp_path / "pair", len(bands), 4)
    for source, name in ((pair.pan, "a-pan.tif"), (pair.ms, "a-ms.tif")):
        cut(source, tmp_path / "in" / name)
    if kind == "maxar":
        ms = asset("a-ms.tif", *((f"BAND_{name}", "", centre) for name, centre in bands.items()))
        assets = {"ms_analytic": ms, "pan_analytic": asset("./a-pan.tif", ("BAND_P", "", 0.65))}
    elif kind == "skysat":
        ms = asset("a-ms.tif", *((name.title(), name, centre) for name, centre in bands.items()))
        assets = {
            "ortho_analytic": ms,
            "ortho_panchromatic": asset("a-pan.tif"),
            "ortho_pansharpened": asset("a-psh.tif", ("red", "red", 0.66)),
            "ortho_analytic_udm": asset("u.tif"),
        }
    else:
        entries = [{"name": n, "eo:common_name": n, "eo:center_wavelength": c} for n, c in bands.items()]
        assets = {
            "ms": {**asset("a-ms.tif"), "bands": entries, "nodata": 0},
            "p": {**asset("a-pan.tif"), "bands": [{"name": "p", "eo:common_name": "pan"}]},
        }
    plain, _ = fuse_pair(pair, tmp_path)
    result, log = sharpened(write_item(tmp_path / "in" / "item.json", assets), tmp_path / "out")
    np.testing.assert_array_equal(load_image(result.runs[0].output), plain)
    assert {"red", "green", "blue", "nir"} <= set(band_names(result.runs[0].output)), log


def test_bands_of_mixed_files_keep_their_names(tmp_path):
    """Files may hold bands that lie between those of others, as red and blue next to near infrared and green."""
    pair = pair_for(tmp_path / "pair", 4, 2)
    plain, _ = fuse_pair(pair, tmp_path)
    assets = {"pan": asset("p.tif", ("P", "pan", 0.6))}
    cut(pair.pan, tmp_path / "in" / "p.tif")
    for name, numbers in (("a", [3, 1]), ("b", [4, 2])):
        cut(pair.ms, tmp_path / "in" / f"{name}.tif", numbers)
        bands = [list(SKYSAT.items())[n - 1] for n in numbers]
        assets[name] = asset(f"{name}.tif", *((band, band, centre) for band, centre in bands))
    result, _ = sharpened(write_item(tmp_path / "in" / "item.json", assets), tmp_path / "out")
    assert band_names(result.runs[0].output) == list(SKYSAT)
    np.testing.assert_array_equal(load_image(result.runs[0].output), plain)


def test_addresses_are_read_with_their_signature(tmp_path, landsat_pair):
    write_landsat(tmp_path / "in", landsat_pair, "?sig=a%2Bb%3D&x=1")
    plain, _ = fuse_pair(landsat_pair, tmp_path)
    with serve(tmp_path / "in", "sig=a%2Bb%3D&x=1") as site:
        result, log = sharpened(f"{site.address}/item.json?sig=a%2Bb%3D&x=1", tmp_path / "out")
    host = site.address.removeprefix("http://")
    np.testing.assert_array_equal(load_image(result.runs[0].output), plain)
    assert site.queries == {"sig=a%2Bb%3D&x=1"}
    assert f"Connecting to {host}" in log.splitlines()[0]
    assert "sig=" not in log + json.dumps(gdal.Open(result.runs[0].output).GetMetadata())


def test_only_what_is_near_the_extent_is_read(tmp_path):
    pair = pair_for(tmp_path / "pair", 3, 2)
    for source, name, side in ((pair.pan, "pan", 4096), (pair.ms, "ms", 2048)):
        gdal.Translate(
            str(tmp_path / "in" / f"{name}.tif") if (tmp_path / "in").mkdir(exist_ok=True) is None else "",
            str(source), format="COG", width=side, height=side, outputType=gdal.GDT_UInt16,
            outputBounds=(5e5, 4e6, 5e5 + 8192, 4e6 - 8192), creationOptions=["BLOCKSIZE=128", "COMPRESS=NONE"],
        )  # fmt: skip
    bands = (("B", "blue", 0.48), ("G", "green", 0.55), ("R", "red", 0.65))
    assets = {"pan": asset("pan.tif", ("P", "pan", 0.6)), "ms": asset("ms.tif", *bands)}
    write_item(tmp_path / "in" / "item.json", assets)
    extent = (5e5 + 3000, 4e6 - 3400, 5e5 + 3400, 4e6 - 3000)
    with serve(tmp_path / "in") as site:
        result, log = sharpened(f"{site.address}/item.json", tmp_path / "out", extent=extent)
        whole = sum(p.stat().st_size for p in (tmp_path / "in").iterdir())
    assert load_image(result.runs[0].output).shape == (3, 200, 200), log
    assert sum(site.sent.values()) < 0.1 * whole


def test_sentinel2_item_is_guided_by_its_10_m_bands(tmp_path):
    safe = Safe("L2A", "05.10", side=240)
    safe.write(tmp_path / "safe")
    (tmp_path / "in").mkdir()
    common = {"B02": "blue", "B03": "green", "B04": "red", "B05": "rededge", "B06": "rededge", "B08": "nir"}
    common |= {"B8A": "nir08", "B11": "swir16"}
    assets: dict[str, object] = {}
    for band, name in common.items():
        shutil.copy(safe.files[band], tmp_path / "in" / f"{band}.jp2")
        scaled = {"raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}]}
        assets[band] = asset(f"./{band}.jp2", (band, name, 0.5 + 0.01 * len(assets)), **scaled)
        assets[f"{band}-jp2"] = asset(f"s3://sentinel-s2-l2a/{band}.jp2", (band, name, 0.5), **scaled)
    result, log = sharpened(write_item(tmp_path / "in" / "item.json", assets), tmp_path / "out")
    dataset = gdal.Open(result.runs[0].output)
    assert [n.split()[0] for n in band_names(result.runs[0].output)] == list(common), log
    assert (dataset.GetRasterBand(6).GetScale(), dataset.GetRasterBand(6).GetOffset()) == (0.0001, -0.1)
    for number, band in enumerate(common, start=1):
        if RATIOS[band] == 1:
            np.testing.assert_array_equal(dataset.GetRasterBand(number).ReadAsArray(), safe.images[band])


@pytest.mark.parametrize(
    "href", ["../secret.tif", "file:///etc/passwd", "/etc/hostname", "s3://bucket/B8.TIF", "n.tif"]
)
def test_assets_elsewhere_are_not_read(tmp_path, landsat_pair, href):
    item = write_landsat(tmp_path / "in", landsat_pair)
    shutil.copy(landsat_pair.pan, tmp_path / "secret.tif")
    item.write_text(item.read_text().replace("./B8.TIF", href))
    sentence = refusal(item, tmp_path / "out")
    assert "neither PAN and MS nor bands of two pixel sizes" in sentence
    assert f"Left out: pan ({'not downloaded' if href == 'n.tif' else 'neither at'}" in sentence


def test_addresses_that_fail_are_named(tmp_path, landsat_pair):
    write_landsat(tmp_path / "in", landsat_pair, "?expired=1")
    with serve(tmp_path / "in") as site:
        assert "is not a STAC item" in refusal(f"{site.address}/B8.TIF", tmp_path / "out")
        assert "cannot be read" in refusal(f"{site.address}/none.json", tmp_path / "out")
        sentence = refusal(f"{site.address}/item.json", tmp_path / "out")
    assert "Signed addresses expire: get the item again" in sentence
    assert "expired=1" not in sentence
