"""Files in other places and packings than the maker's, as people report: moved, joined, tiled, packed, listed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.landsat import landsat
from helpers.maxar import worldview
from helpers.products import cut, named, only_product, packed, pair_for, refusal, sharpened
from helpers.scenes import load_image
from helpers.stac import asset, write_item
from osgeo import gdal
from otfm_pansharpen.model.product.listing import Listing


def without_metadata(folder):
    for file in [f for f in folder.rglob("*") if f.suffix in (".IMD", ".TIL", ".RPB", ".XML")]:
        file.unlink()


@pytest.mark.parametrize("kept", ["all", "one of MS"])
def test_tiles_without_their_list_are_one_image(tmp_path, kept):
    """Public: scripts that read 02NOV21044347-P2AS_R1C1 and further tiles, and nothing of their metadata."""
    pair = pair_for(tmp_path / "pair", 8, 4)
    worldview(tmp_path / "in", pair)
    without_metadata(tmp_path / "in")
    if kept != "all":
        next((tmp_path / "in").rglob("*M2AS_R1C2*")).unlink()
    product = only_product(tmp_path / "in")
    assert [len(product.pan.files), len(product.ms.files)] == [2, 2 if kept == "all" else 1]
    assert (len(product.ms.bands), product.ms.nodata) == (8, 0)
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert load_image(result.runs[0].output).shape == (8, 160, 192 if kept == "all" else 96), log


def test_mosaic_of_tiles_keeps_its_metadata(tmp_path, four_band_pair):
    """Public: guides of WorldView name the mosaic as the tiles, without R1C1, next to the old TIL file."""
    worldview(tmp_path / "in", four_band_pair)
    for suffix, source in (("PAN", four_band_pair.pan), ("MUL", four_band_pair.ms)):
        folder = next((tmp_path / "in").glob(f"*_{suffix}"))
        for tile in folder.glob("*.TIF"):
            tile.unlink()
        cut(source, next(folder.glob("*.IMD")).with_suffix(".tif"))
    product = only_product(tmp_path / "in")
    assert (product.ms.sensor.name, product.ms.missing) == ("WorldView-2", ())


def test_bands_in_another_folder_than_their_metadata_are_found(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in" / "bands", landsat_pair)
    (tmp_path / "in" / "text").mkdir()
    shutil.move(tmp_path / "in" / "bands" / f"{product}_MTL.txt", tmp_path / "in" / "text")
    found = only_product(tmp_path / "in")
    assert (found.title, len(found.ms.bands), found.ms.missing) == (product, 7, ())


@pytest.mark.parametrize("folder", ["Snow Lake", "ROI Berlin", "cloud free", "DEM area"])
def test_words_of_masks_in_names_of_folders_mean_nothing(tmp_path, four_band_pair, folder):
    named(tmp_path / "in" / folder, four_band_pair, "a_pan.tif", "a_ms.tif")
    assert len(only_product(tmp_path / "in").ms.bands) == 4


def test_images_left_out_by_their_names_are_listed(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "x_pan_snow.tif", "x_ms_clip_mask.tif")
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "by their names: x_ms_clip_mask.tif, x_pan_snow.tif. Rename what is not." in sentence
    for file in list((tmp_path / "in").iterdir()):
        file.rename(file.with_name(file.name.replace("snow", "a").replace("mask", "b")))
    assert len(only_product(tmp_path / "in").ms.bands) == 4


def test_other_formats_are_refused_with_the_cure(tmp_path, four_band_pair):
    (tmp_path / "in").mkdir()
    for name, source in (("a_pan.img", four_band_pair.pan), ("a_ms.img", four_band_pair.ms)):
        gdal.Translate(str(tmp_path / "in" / name), str(source), format="HFA")
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "Images are GeoTIFF, JPEG 2000 or NITF; sharpen others with otfm:pansharpen." in sentence


@pytest.mark.parametrize("makes", [lambda f, p: named(f, p, "a_pan.tif", "a_ms.tif"), landsat])
def test_archives_that_gdal_cannot_unpack_name_the_cure(tmp_path, makes):
    """Public: Windows packs files over 2 GB by Deflate64, which GDAL's zip reader does not know."""
    pair = pair_for(tmp_path / "pair", 7, 2)
    makes(tmp_path / "files", pair)
    (tmp_path / "in").mkdir()
    archive = packed(tmp_path / "files", tmp_path / "in" / "a.zip")
    data = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        start = -1
        while (start := data.find(mark, start + 1)) >= 0:
            data[start + place : start + place + 2] = b"\x09\0"
    archive.write_bytes(data)
    assert "Unpack its archive and choose the folder" in refusal(tmp_path / "in", tmp_path / "out")
    assert len(only_product(tmp_path / "files").ms.bands) == 7


@pytest.mark.parametrize("level", ["10 to 60 m", "10 and 20 m"])
def test_tile_of_sentinel2_on_aws_is_known(tmp_path, four_band_pair, level):
    """Public: sentinel-s2-l1c/tiles/33/T/WM/2020/7/1/0 holds B01.jp2 to B12.jp2 without a SAFE folder."""
    ratios = {"B02": 1, "B03": 1, "B04": 1, "B05": 2, "B06": 2, "B08": 1, "B8A": 2, "B11": 2, "TCI": 1}
    ratios |= {"B01": 6, "B09": 6, "B10": 6} if level == "10 to 60 m" else {}
    (tmp_path / "in").mkdir()
    for name, ratio in ratios.items():
        options = gdal.TranslateOptions(format="JP2OpenJPEG", width=192 // ratio, height=160 // ratio)
        gdal.Translate(str(tmp_path / "in" / f"{name}.jp2"), str(four_band_pair.pan), options=options)
    (tmp_path / "in" / "tileInfo.json").write_text('{"path": "tiles/33/T/WM/2020/7/1/0", "utmZone": 33}')
    product = only_product(tmp_path / "in")
    assert product.ms.sensor.name == "Sentinel-2"
    assert [b.name for b in product.pan.bands] == ["blue", "green", "red", "nir"]
    assert {b.name for b in product.ms.bands} >= {"red edge 1", "narrow nir", "swir1"}
    assert product.ms.nodata == 0


@pytest.mark.parametrize("count", [1, 2])
def test_search_results_of_stac_hold_their_item(tmp_path, four_band_pair, count):
    """Public: a search saves a collection of items; with one, it is that item."""
    folder = tmp_path / "in"
    named(folder, four_band_pair, "pan.tif", "ms.tif")
    bands = [(f"b{n}", name, 0.4 + n / 10) for n, name in enumerate(["blue", "green", "red", "nir"])]
    item = write_item(folder / "item.json", {"pan": asset("pan.tif", ("p", "pan", 0.6)), "ms": asset("ms.tif", *bands)})
    text = {"type": "FeatureCollection", "features": [json.loads(item.read_text())] * count, "links": []}
    item.write_text(json.dumps(text))
    if count == 1:
        result, _ = sharpened(item, tmp_path / "out")
        np.testing.assert_array_equal(load_image(result.runs[0].output).shape, (4, 160, 192))
    else:
        sentence = refusal(item, tmp_path / "out")
        assert "lists 2 STAC items. Save an item as a file, and choose that." in sentence


def test_images_next_to_metadata_that_are_refused_stay_refused(tmp_path, four_band_pair):
    """Their names say PAN and MS, but the metadata say that their maker sharpened them."""
    worldview(tmp_path / "in", four_band_pair)
    for file in (tmp_path / "in").rglob("*.IMD"):
        file.write_text(file.read_text().replace('panSharpenAlgorithm = "None"', 'panSharpenAlgorithm = "UNB"'))
    assert "sharpened by its maker already" in refusal(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_item_of_inpe_with_local_copies_is_sharpened(tmp_path, four_band_pair, prefix):
    """Public: the collection CB4A-WPM-L4-DN-1, BAND0 is PAN; programs rewrite addresses to those of their copies."""
    folder = tmp_path / "in"
    names = {"BAND0": "pan", "BAND1": "blue", "BAND2": "green", "BAND3": "red", "BAND4": "nir"}
    assets = {"CMASK": asset("CMASK.tif"), "thumbnail": {"href": "a.png", "type": "image/png"}}
    for number, (key, common) in enumerate(names.items()):
        file = folder / f"CBERS_4A_WPM_20251125_217_133_L4_{key}.tif"
        cut(four_band_pair.ms if number else four_band_pair.pan, file, [number] if number else None)
        entry = {"name": key, "common_name": common, "min": 0, "max": 1023, "nodata": 0, "data_type": "uint16"}
        assets[key] = {**asset(f"{prefix}{file}"), "eo:bands": [entry], "bdc:raster_size": {"x": 192, "y": 160}}
    item = write_item(folder / "item.json", assets, "CBERS_4A_WPM_20251125_217_133_L4")
    result, log = sharpened(item, tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"], log
    fused = gdal.Open(result.runs[0].output)
    described = [fused.GetRasterBand(n).GetDescription() for n in (1, 2, 3, 4)]
    assert [text.split()[-1] for text in described] == ["blue", "green", "red", "nir"]


def test_one_archive_per_band_names_the_cure(tmp_path, four_band_pair):
    """Public: catalogues that pack each band of CBERS-4A on its own."""
    (tmp_path / "in").mkdir()
    named(
        tmp_path / "files",
        four_band_pair,
        "CBERS_4A_WPM_20200411_209_139_L4_BAND0.tif",
        "CBERS_4A_WPM_20200411_209_139_L4_BAND{}.tif",
    )
    for file in list((tmp_path / "files").iterdir()):
        folder = tmp_path / "files" / file.stem
        folder.mkdir()
        shutil.move(file, folder)
        packed(folder, tmp_path / "in" / f"{file.stem}.zip")
    assert "Unpack archives of single bands into one folder." in refusal(tmp_path / "in", tmp_path / "out")
    assert len(only_product(tmp_path / "files").ms.bands) == 4


@pytest.mark.parametrize(("name", "found"), [("IMAGERY.TIF", None), ("IMG_20200701.TIF", "other/IMG_20200701.TIF")])
def test_images_of_other_folders_are_found_by_dated_names_only(name, found):
    """A missing IMAGERY.TIF of one SPOT scene is not that of the scene next to it."""
    listing = Listing("/data", ("scene/METADATA.DIM", f"other/{name}"), lambda: None)
    assert listing.find_next_to("scene/METADATA.DIM", name) == found
