"""Folders and archives that hold no whole product: what was found, what is missing, what to do; nothing is written."""

from __future__ import annotations

import shutil
import tarfile
import zipfile

import pytest
from helpers.dimap import dimap
from helpers.landsat import landsat
from helpers.maxar import worldview
from helpers.products import cut, named, packed, refusal
from helpers.scenes import load_image, save
from otfm_pansharpen.model.errors import PansharpenError
from otfm_pansharpen.model.fusion.job import FusionOptions
from otfm_pansharpen.model.product.families import FAMILIES
from otfm_pansharpen.model.product.job import ProductJob
from otfm_pansharpen.model.product.run import sharpen_products
from otfm_pansharpen.model.progress import Progress


def test_nothing_there(tmp_path):
    assert "does not exist" in refusal(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in").mkdir()
    assert "Found: nothing" in refusal(tmp_path / "in", tmp_path / "out")


def test_other_files_are_listed(tmp_path):
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / "elevation.tif", [[[1.0]]])
    (tmp_path / "in" / "LC08.tar.crdownload").write_bytes(b"")
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "elevation.tif" in sentence
    assert all(family.title in sentence for family in FAMILIES)
    assert "LC08.tar.crdownload look(s) like a download that has not finished" in sentence


def test_level_2_without_pan(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair, level=2)
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert f"MS of {product}, Landsat 8, level 2, 2020-07-01, 7 band(s) has no PAN" in sentence
    assert "download level 1 of the scene too" in sentence


def test_pan_missing_from_a_landsat_folder(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    (tmp_path / "in" / f"{product}_B8.TIF").unlink()
    assert f"Missing: {product}_B8.TIF (PAN)" in refusal(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(("pan", "ms", "words"), [(True, False, "has no MS"), (False, True, "has no PAN")])
def test_only_one_of_the_two(tmp_path, four_band_pair, pan, ms, words):
    worldview(tmp_path / "in", four_band_pair)
    for suffix, there in (("PAN", pan), ("MUL", ms)):
        if not there:
            shutil.rmtree(next((tmp_path / "in").glob(f"*_{suffix}")))
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert words in sentence
    assert "WorldView-2, 2019-04-23" in sentence


def test_two_pans(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "a_pan.tif", "a_ms.tif")
    cut(four_band_pair.pan, tmp_path / "in" / "a_PANCHROMATIC.tif")
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "has 2 PAN images" in sentence
    assert "a_pan.tif" in sentence
    assert "a_PANCHROMATIC.tif" in sentence


def test_metadata_that_were_downloaded_twice_are_one_product(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    shutil.copy(tmp_path / "in" / f"{product}_MTL.txt", tmp_path / "in" / f"Copy of {product}_MTL.txt")
    (tmp_path / "out").mkdir()
    result = sharpen_products(ProductJob(str(tmp_path / "in"), tmp_path / "out", FusionOptions(device="cpu")))
    assert [r.status for r in result.runs] == ["sharpened"]


def test_mixed_dates(tmp_path, four_band_pair):
    worldview(tmp_path / "in" / "one", four_band_pair, part="P001", date="2019-04-23")
    worldview(tmp_path / "in" / "two", four_band_pair, part="P002", date="2020-08-01")
    shutil.rmtree(tmp_path / "in" / "one" / "014493935010_01_P001_MUL")
    shutil.rmtree(tmp_path / "in" / "two" / "014493935010_01_P002_PAN")
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "was recorded at another time or place" in sentence
    assert "2019-04-23" in sentence
    assert "2020-08-01" in sentence


@pytest.mark.parametrize("make", [worldview, dimap])
@pytest.mark.parametrize("role", ["PAN", "MS"])
def test_a_missing_tile_is_named(tmp_path, four_band_pair, make, role):
    make(tmp_path / "in", four_band_pair)
    folders = {"PAN": ("*_PAN", "*_P"), "MS": ("*_MUL", "*_MS")}[role]
    tile = next(f for pattern in folders for f in (tmp_path / "in").glob(f"{pattern}/*R1C2*"))
    tile.unlink()
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert f"{role} of" in sentence
    assert f"Missing: {tile.name}" in sentence


def test_an_archive_inside_an_archive(tmp_path, landsat_pair):
    landsat(tmp_path / "product", landsat_pair)
    (tmp_path / "outer").mkdir()
    packed(tmp_path / "product", tmp_path / "outer" / "inner.tar")
    archive = packed(tmp_path / "outer", tmp_path / "outer.zip")
    sentence = refusal(archive, tmp_path / "out")
    assert "inner.tar is an archive inside an archive" in sentence
    assert "Take it out first" in sentence


@pytest.mark.promise(12)
@pytest.mark.parametrize("name", ["p.tar", "p.tar.gz", "p.zip"])
def test_half_an_archive(tmp_path, landsat_pair, name):
    landsat(tmp_path / "product", landsat_pair)
    archive = packed(tmp_path / "product", tmp_path / name)
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) // 2])
    sentence = refusal(archive, tmp_path / "out")
    assert name in sentence or "Missing" in sentence
    assert "ownload" in sentence or "truncated" in sentence


@pytest.mark.promise(12)
def test_a_band_cut_short_is_named(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    band = tmp_path / "in" / f"{product}_B3.TIF"
    band.write_bytes(band.read_bytes()[:3000])
    assert band.name in refusal(tmp_path / "in", tmp_path / "out")


@pytest.mark.promise(12)
@pytest.mark.parametrize("share", [0.1, 0.6, 0.99])
@pytest.mark.parametrize("form", ["txt", "json", "xml"])
def test_metadata_cut_short_are_not_believed(tmp_path, landsat_pair, form, share):
    """The bands are then taken by the names of their files, all of them, and the log says why."""
    product = landsat(tmp_path / "in", landsat_pair, forms=(form,))
    file = tmp_path / "in" / f"{product}_MTL.{form}"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: int(share * len(text))], encoding="utf-8")
    (tmp_path / "out").mkdir()
    lines: list[str] = []
    job = ProductJob(str(tmp_path / "in"), tmp_path / "out", FusionOptions(device="cpu"))
    result = sharpen_products(job, Progress(log=lines.append))
    assert f"{file} is cut short" in "\n".join(lines)
    assert [r.status for r in result.runs] == ["sharpened", "no product"]
    assert len(load_image(result.runs[0].output)) == 7


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_imd_file(tmp_path, four_band_pair, share):
    worldview(tmp_path / "in", four_band_pair)
    file = next((tmp_path / "in").glob("*_MUL/*.IMD"))
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: int(share * len(text))], encoding="utf-8")
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert f"{file} is cut short" in sentence


def test_names_that_lead_out_of_an_archive_are_not_followed(tmp_path, landsat_pair):
    """Bands are taken from outside only where a name like ../B2.TIF is followed."""
    product = landsat(tmp_path / "product", landsat_pair)
    outside = tmp_path / f"{product}_B2.TIF"
    shutil.move(tmp_path / "product" / outside.name, outside)
    for archive, add in ((tmp_path / "p.tar", "tar"), (tmp_path / "p.zip", "zip")):
        packed(tmp_path / "product", archive)
        if add == "tar":
            with tarfile.open(archive, "a") as target:
                target.add(outside, f"../{outside.name}")
        else:
            with zipfile.ZipFile(archive, "a") as target:
                target.write(outside, f"../{outside.name}")
        assert f"Missing: {product}_B2.TIF" in refusal(archive, tmp_path / "out")


def test_fewer_bands_than_the_metadata_say(tmp_path, four_band_pair):
    worldview(tmp_path / "in", four_band_pair, across=1)
    file = next((tmp_path / "in").glob("*_MUL/*.TIF"))
    cut(four_band_pair.ms, file, [1, 2, 3])
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "has 3 band(s)" in sentence
    assert "should have 4 (blue, green, red, nir)" in sentence


def test_sharpened_by_the_maker(tmp_path, four_band_pair):
    dimap(tmp_path / "in", four_band_pair)
    for file in (tmp_path / "in").glob("*/DIM*MS*.XML"):
        text = file.read_text(encoding="utf-8").replace("<SPECTRAL_PROCESSING>MS<", "<SPECTRAL_PROCESSING>PMS<")
        file.write_text(text, encoding="utf-8")
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "sharpened by its maker already" in sentence


def test_a_satellite_without_pan(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair, 7)
    file = tmp_path / "in" / f"{product}_MTL.txt"
    file.write_text(file.read_text(encoding="utf-8").replace("LANDSAT_7", "LANDSAT_5"), encoding="utf-8")
    assert "Landsat 5, which has no panchromatic band" in refusal(file, tmp_path / "out")


def test_bands_on_two_grids(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    cut(landsat_pair.ms, tmp_path / "in" / f"{product}_B5.TIF", [5], (0, 0, 60, 60))
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert f"{product}_B5.TIF" in sentence
    assert f"{product}_B5.TIF" in sentence
    assert "has another grid than" in sentence


def test_a_folder_for_results_that_is_none(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "a_pan.tif", "a_ms.tif")
    with pytest.raises(PansharpenError, match="does not exist"):
        sharpen_products(ProductJob(str(tmp_path / "in"), tmp_path / "nowhere"))


def test_tiles_without_a_place_on_the_map(tmp_path, four_band_pair):
    worldview(tmp_path / "in", four_band_pair)
    from osgeo import gdal

    for file in (tmp_path / "in").glob("*/*.TIF"):
        dataset = gdal.Open(str(file), gdal.GA_Update)
        dataset.SetGeoTransform((0, 1, 0, 0, 0, 1))
        dataset.FlushCache()
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "no georeference" in sentence
    assert "map-projected" in sentence
