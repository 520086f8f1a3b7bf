"""Runs over products: levels, bands, single files, batches, second runs."""

from __future__ import annotations

import os
import re
import shutil
import threading

import numpy as np
import pytest
from helpers.dimap import dimap
from helpers.fusion import run as fuse_pair
from helpers.fusion import temporaries
from helpers.landsat import landsat
from helpers.maxar import worldview
from helpers.products import band_names, named, packed, pair_for, sharpened
from helpers.scenes import load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, InputError
from otfm_pansharpen.model.fusion.job import FusionOptions, SceneMetrics
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.product.job import ProductJob, ProductRun
from otfm_pansharpen.model.product.run import sharpen_products, table
from otfm_pansharpen.model.progress import Progress


def test_level_2_takes_the_pan_of_level_1(tmp_path, landsat_pair):
    surface = pair_for(tmp_path / "surface", 7, 2, scale=5.0)
    landsat(tmp_path / "in" / "one", landsat_pair)
    landsat(tmp_path / "in" / "two", surface, level=2)
    surface.pan = landsat_pair.pan
    plain, _ = fuse_pair(surface, tmp_path)
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"]
    assert "L2SP" in result.runs[0].output
    np.testing.assert_array_equal(load_image(result.runs[0].output), plain)
    assert "MS is of level 2; PAN is that of level 1" in log
    assert re.search(r"MS of LC08_L1TP\S+ Landsat 8, 2020-07-01, 7 band\(s\) is there too and is left out", log)


def test_level_2_takes_a_pan_file_that_lies_there_alone(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair, level=2)
    shutil.copy(landsat_pair.pan, tmp_path / "in" / f"{product.replace('L2SP', 'L1TP')}_B8.TIF")
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"]
    assert "PAN is that of level 1" in log


@pytest.mark.promise(7)
def test_the_result_says_what_its_bands_are(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    band = gdal.Open(str(tmp_path / "in" / f"{product}_B4.TIF"), gdal.GA_Update)
    band.GetRasterBand(1).SetScale(2e-5)
    band.GetRasterBand(1).SetOffset(-0.1)
    band.FlushCache()
    result, _ = sharpened(tmp_path / "in", tmp_path / "out", bands="natural colour")
    dataset = gdal.Open(result.runs[0].output)
    red = dataset.GetRasterBand(1)
    assert (red.GetDescription(), red.GetScale(), red.GetOffset(), red.GetNoDataValue()) == ("red", 2e-5, -0.1, 0)
    assert red.GetColorInterpretation() == gdal.GCI_RedBand
    assert (red.GetMetadataItem("wavelength"), red.GetMetadataItem("wavelength_units")) == ("655", "Nanometers")
    assert dataset.GetMetadataItem("SENSOR") == "Landsat 8"
    assert dataset.GetMetadataItem("ACQUISITION_DATE") == "2020-07-01"
    assert "_B4.TIF" in dataset.GetMetadataItem("OTFM_MS")


@pytest.mark.parametrize(
    ("choice", "names"),
    [("colour and NIR", ["red", "green", "blue", "nir"]), ("natural colour", ["red", "green", "blue"])],
)
def test_bands_are_chosen_by_what_they_show(tmp_path, landsat_pair, choice, names):
    landsat(tmp_path / "in", landsat_pair)
    plain, _ = fuse_pair(landsat_pair, tmp_path)
    result, log = sharpened(tmp_path / "in", tmp_path / "out", bands=choice)
    assert band_names(result.runs[0].output) == names
    assert "Left out by BANDS" in log
    assert result.runs[0].colours == (1, 2, 3)
    assert load_image(result.runs[0].output).shape == (len(names), *plain.shape[1:])


def test_bands_that_are_not_needed_may_lack(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    (tmp_path / "in" / f"{product}_B6.TIF").unlink()
    with pytest.raises(InputError, match=rf"Missing: {product}_B6.TIF \(swir1\). Present: {product}_B1.TIF"):
        sharpened(tmp_path / "in", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    result, _ = sharpened(tmp_path / "in", tmp_path / "out", bands="natural colour")
    assert result.runs[0].status == "sharpened"


def test_unknown_colours_are_refused(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "a_pan.tif", "a_ms.tif")
    with pytest.raises(InputError, match="no band named red, green, blue; its bands are band 1, band 2"):
        sharpened(tmp_path / "in", tmp_path / "out", bands="natural colour")


@pytest.mark.parametrize("ending", ["MTL.txt", "MTL.xml", "B3.TIF"])
def test_a_file_of_a_product_stands_for_that_product_alone(tmp_path, landsat_pair, ending):
    landsat(tmp_path / "in", landsat_pair, 8)
    nine = landsat(tmp_path / "in", landsat_pair, 9, forms=("txt", "xml", "json"))
    result, _ = sharpened(tmp_path / "in" / f"{nine}_{ending}", tmp_path / "out")
    assert [r.title for r in result.runs] == [nine]


@pytest.mark.parametrize("pattern", ["VOL_*", "IMG*_MS/DIM*", "IMG*_P/*R1C2*"])
def test_files_of_products_in_several_folders_stand_for_them(tmp_path, four_band_pair, pattern):
    dimap(tmp_path / "in", four_band_pair)
    result, _ = sharpened(next((tmp_path / "in").glob(pattern)), tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"]


def batch(folder, pair, archive=True):
    """Three products. The second lacks a band; one in an archive. Returns their names."""
    names = [landsat(folder / "a", pair, 8), landsat(folder / "b", pair, 7), landsat(folder / "c", pair, 9)]
    (folder / "b" / f"{names[1]}_B3.TIF").unlink()
    packed(folder / "c", folder / "c.tar")
    shutil.rmtree(folder / "c")
    return names


def test_failed_product_stops_no_other_and_a_table_ends_the_log(tmp_path, landsat_pair):
    eight, seven, nine = batch(tmp_path / "in", landsat_pair)
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    runs = {r.title: r for r in result.runs}
    assert {t: r.status for t, r in runs.items()} == {eight: "sharpened", seven: "failed", nine: "sharpened"}
    assert f"{seven}_B3.TIF (red)" in runs[seven].sentence
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{eight}_sharp.tif", f"{nine}_sharp.tif"]
    lines = log.splitlines()[-4:]
    assert lines[0].split() == ["product", "result", "ratio", "shift", "gain", "HQNR", "seconds"]
    row = next(line for line in lines if line.startswith(nine))
    assert "sharpened" in row
    assert f"{runs[nine].metrics.gain:.3f}" in row
    assert f"{runs[nine].metrics.hqnr:.4f}" in row
    assert "Missing:" in next(line for line in lines if line.startswith(seven))


def test_a_second_run_leaves_out_what_is_complete(tmp_path, landsat_pair):
    eight, seven, nine = batch(tmp_path / "in", landsat_pair)
    sharpened(tmp_path / "in", tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    shutil.copy(tmp_path / "in" / "b" / f"{seven}_B2.TIF", tmp_path / "in" / "b" / f"{seven}_B3.TIF")
    second, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert {r.title: r.status for r in second.runs} == {
        eight: "complete already",
        seven: "sharpened",
        nine: "complete already",
    }
    assert all(p.stat().st_mtime_ns == then for p, then in before.items())
    assert log.count("was made from the same files with the same settings") >= 2


@pytest.mark.parametrize("change", ["bands", "file", "weights"])
def test_what_was_made_otherwise_is_made_again(tmp_path, landsat_pair, change):
    product = landsat(tmp_path / "in", landsat_pair)
    sharpened(tmp_path / "in", tmp_path / "out")
    if change == "file":
        os.utime(tmp_path / "in" / f"{product}_B2.TIF", (1, 1))

    changes = {"bands": "natural colour"} if change == "bands" else {}
    weights = BUNDLED["best" if change == "weights" else "fast"]
    result, _ = sharpened(tmp_path / "in", tmp_path / "out", weights=weights, **changes)
    assert [r.status for r in result.runs] == ["sharpened"]


def test_results_in_the_same_folder_are_not_an_input(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "a_pan.tif", "a_ms.tif")
    sharpened(tmp_path / "in", tmp_path / "in")
    (tmp_path / "in" / "a_sharp.tif").rename(tmp_path / "in" / "a_ms_sharp.tif")
    result, _ = sharpened(tmp_path / "in", tmp_path / "in")
    assert [r.status for r in result.runs] == ["sharpened"]


def test_parts_of_one_order_are_products_of_their_own(tmp_path, four_band_pair):
    worldview(tmp_path / "in", four_band_pair, part="P001")
    worldview(tmp_path / "in", four_band_pair, part="P002")
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"] * 2
    assert len({r.output for r in result.runs}) == 2
    assert "Tabulated MTF gains of WorldView-2: 0.27 to 0.35; measured and used:" in log


def test_virtual_rasters_stay_where_they_are_asked_for(tmp_path, four_band_pair):
    worldview(tmp_path / "in", four_band_pair)
    result, _ = sharpened(tmp_path / "in", tmp_path / "out", keep_vrt=True)
    stem = result.runs[0].output[: -len(".tif")]
    np.testing.assert_array_equal(load_image(f"{stem}_pan.vrt"), load_image(four_band_pair.pan))
    np.testing.assert_array_equal(load_image(f"{stem}_ms.vrt"), load_image(four_band_pair.ms))


def test_an_extent_in_another_system_cuts_every_product(tmp_path, landsat_pair):
    landsat(tmp_path / "in", landsat_pair)
    whole, _ = sharpened(tmp_path / "in", tmp_path / "out")
    (tmp_path / "half").mkdir()
    system = gdal.osr.SpatialReference()
    system.ImportFromEPSG(32632)
    there = gdal.osr.SpatialReference()
    there.ImportFromEPSG(32633)
    box = gdal.osr.CoordinateTransformation(there, system).TransformBounds(5e5 + 40, 4e6 - 280, 5e5 + 240, 4e6 - 60, 21)
    half, _ = sharpened(tmp_path / "in", tmp_path / "half", extent=box, extent_crs=system.ExportToWkt())
    raster, all_of_it = gdal.Open(half.runs[0].output), load_image(whole.runs[0].output)
    transform = raster.GetGeoTransform()
    column, row = round((transform[0] - 5e5) / 2), round((4e6 - transform[3]) / 2)
    assert 0 < column <= 20
    assert 0 < row <= 30
    cut = all_of_it[:, row : row + raster.RasterYSize, column : column + raster.RasterXSize]
    np.testing.assert_allclose(raster.ReadAsArray(), cut, atol=1)


def test_progress_is_even_over_products(tmp_path, landsat_pair):
    for satellite in (8, 9):
        landsat(tmp_path / "in", landsat_pair, satellite)
    (tmp_path / "out").mkdir()
    shares: list[float] = []
    at: list[float] = []
    listener = Progress(
        report=shares.append, log=lambda line: at.append(max(shares, default=0.0)) if "Product 2" in line else None
    )
    sharpen_products(ProductJob(str(tmp_path / "in"), tmp_path / "out", FusionOptions(device="cpu")), listener)
    assert shares == sorted(shares)
    assert at == [0.5]
    assert shares[-1] == 1.0


@pytest.mark.promise(9)
@pytest.mark.parametrize("when", ["while products are looked for", "in the second product"])
def test_cancelled_leaves_what_is_complete_and_nothing_else(tmp_path, landsat_pair, when):
    first = landsat(tmp_path / "in", landsat_pair, 8)
    landsat(tmp_path / "in", landsat_pair, 9)
    (tmp_path / "out").mkdir()
    stop = threading.Event()
    if when == "while products are looked for":
        stop.set()

    def report(share: float) -> None:
        if share > 0.75:
            stop.set()

    lines: list[str] = []
    listener = Progress(report=report, cancelled=stop.is_set, log=lines.append)
    with pytest.raises(CancelledError):
        sharpen_products(ProductJob(str(tmp_path / "in"), tmp_path / "out", FusionOptions(device="cpu")), listener)
    left = [] if when == "while products are looked for" else [f"{first}_sharp.tif"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == left
    assert temporaries(tmp_path / "out") == []
    assert "failed" not in "\n".join(lines)


@pytest.mark.promise(22)
def test_gdals_settings_are_as_before(tmp_path, landsat_pair):
    landsat(tmp_path / "in", landsat_pair)
    gdal.SetConfigOption("CPL_VSIL_GZIP_WRITE_PROPERTIES", "YES")
    try:
        sharpened(tmp_path / "in", tmp_path / "out")
        assert gdal.GetConfigOption("CPL_VSIL_GZIP_WRITE_PROPERTIES") == "YES"
    finally:
        gdal.SetConfigOption("CPL_VSIL_GZIP_WRITE_PROPERTIES", None)


@pytest.mark.promise(27)
def test_constant_product_is_complete_and_in_the_table(tmp_path, landsat_pair):
    ms = load_image(landsat_pair.ms)
    save(landsat_pair.ms, np.full_like(ms, 255), str(ms.dtype), gdal.Open(str(landsat_pair.ms)).GetGeoTransform())
    landsat(tmp_path / "in" / "one", landsat_pair)
    result, log = sharpened(tmp_path / "in" / "one", tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"]
    assert (load_image(result.runs[0].output) == 255).all()
    assert not re.search(r"\b(nan|inf)\b", log)


@pytest.mark.promise(27)
def test_vrt_that_cannot_be_kept_fails_no_product(tmp_path, landsat_pair, monkeypatch):
    """The disk fills up after the result is in place."""
    landsat(tmp_path / "in" / "one", landsat_pair)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("otfm_pansharpen.model.product.run.whole_file", full)
    result, log = sharpened(tmp_path / "in", tmp_path / "out", keep_vrt=True)
    assert [r.status for r in result.runs] == ["sharpened"]
    assert re.search(r"_sharp\.tif is complete, but .*_ms\.vrt next to it cannot be written .*No space left", log)


def test_table_leaves_out_what_was_not_measured():
    runs = [ProductRun("a", "s", "sharpened", metrics=SceneMetrics(2.0, (-0.001, 0.0), float("nan")))]
    line = list(table(runs))[1]
    assert "nan" not in line
    assert "+0.00 +0.00" in line
