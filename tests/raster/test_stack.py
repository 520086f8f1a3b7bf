"""Several rasters read as one: bands that come one a file, tiles of one image."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal, osr
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.stack import export_vrt, mosaic, stack_sources


def one_file_a_band(pair, folder):
    """The bands of MS in files with spaces and letters beyond ASCII in their names."""
    folder.mkdir()
    files = [folder / f"Übersicht 8 band {n}.tif" for n in range(1, gdal.Open(str(pair.ms)).RasterCount + 1)]
    for number, file in enumerate(files, start=1):
        gdal.Translate(str(file), str(pair.ms), bandList=[number])
    return [RasterSource(str(f)) for f in files]


def test_stack_of_one_file_per_band_gives_pixels_of_one_raster(tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    whole, _ = run(pair, tmp_path, "whole.tif")
    stacked_bands, result = run(
        pair, tmp_path, "apart.tif", ms=stack_sources(one_file_a_band(pair, tmp_path / "b"), "MS")
    )
    np.testing.assert_array_equal(stacked_bands, whole)
    assert result.bands == (1, 2, 3)
    described = gdal.Open(str(tmp_path / "apart.tif")).GetMetadataItem("OTFM_MS")
    assert described == "Übersicht 8 band 1.tif, Übersicht 8 band 2.tif, Übersicht 8 band 3.tif bands 1 2 3"


@pytest.mark.promise(7)
def test_what_files_say_of_their_band_is_kept(tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    sources = one_file_a_band(pair, tmp_path / "b")
    for number, source in enumerate(sources, start=1):
        dataset = gdal.Open(source.path, gdal.GA_Update)
        band = dataset.GetRasterBand(1)
        band.SetDescription(f"name {number}")
        band.SetScale(0.1 * number)
        band.SetOffset(-number)
        band.SetNoDataValue(60000 + number)
        band.SetMetadataItem("wavelength", str(400 + number))
        band.SetMetadataItem("CENTRAL_WAVELENGTH_UM", f"0.{number}", "IMAGERY")
        dataset.FlushCache()
    run(pair, tmp_path, ms=stack_sources(sources, "MS"))
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    for number in range(1, 4):
        band = fused.GetRasterBand(number)
        assert band.GetDescription() == f"name {number}"
        assert (band.GetScale(), band.GetOffset()) == (pytest.approx(0.1 * number), -number)
        assert band.GetMetadataItem("wavelength") == str(400 + number)
        assert band.GetMetadataItem("CENTRAL_WAVELENGTH_UM", "IMAGERY") == f"0.{number}"


@pytest.mark.promise(5)
def test_every_band_of_a_stack_has_its_own_nodata(tmp_path):
    files = [save(tmp_path / f"{n}.tif", np.arange(16).reshape(1, 4, 4), nodata=n) for n in (3, 7)]
    source = replace(stack_sources([RasterSource(str(files[0])), RasterSource(str(files[1]), nodata=(9.0,))], "MS"))
    with gdal_exceptions(), Raster(source, "MS") as raster:
        _, valid = raster.read(raster.grid.window)
    assert np.argwhere(~valid[0].ravel()).ravel().tolist() == [3]
    assert np.argwhere(~valid[1].ravel()).ravel().tolist() == [7, 9]


def test_a_stack_is_plain_data(tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    source = stack_sources(one_file_a_band(pair, tmp_path / "b"), "MS")
    again = json.loads(json.dumps(asdict(source)))
    assert load_image(again["xml"]).shape == load_image(pair.ms).shape


def test_a_stack_of_relative_paths_opens_anywhere(tmp_path, monkeypatch):
    save(tmp_path / "a.tif", np.ones((1, 8, 8)))
    monkeypatch.chdir(tmp_path)
    source = stack_sources([RasterSource("a.tif"), RasterSource("a.tif")], "MS")
    monkeypatch.chdir("/")
    assert load_image(source.gdal_name).shape == (2, 8, 8)


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"transform": (5e5, 4.0, 0, 4e6, 0, -4.0)}, "another grid than"),
        ({"transform": (5e5 + 1, 2.0, 0, 4e6, 0, -2.0)}, "another grid than"),
        ({"pixels": np.ones((1, 9, 8))}, "another grid than"),
        ({"crs": 32634}, "different reference systems"),
        ({"pixels": np.ones((2, 8, 8))}, "has 2 bands"),
    ],
)
def test_bands_that_do_not_share_a_grid_are_refused(tmp_path, other, words):
    save(tmp_path / "one.tif", np.ones((1, 8, 8)))
    save(tmp_path / "odd.tif", **{"pixels": np.ones((1, 8, 8)), **other})
    with pytest.raises(InputError, match=words) as refused:
        stack_sources([RasterSource(str(tmp_path / "one.tif")), RasterSource(str(tmp_path / "odd.tif"))], "MS")
    assert "odd.tif" in str(refused.value)


def test_a_mask_that_would_be_lost_is_refused(tmp_path):
    files = [save(tmp_path / f"{n}.tif", np.ones((1, 8, 8))) for n in "ab"]
    dataset = gdal.Open(str(files[1]), gdal.GA_Update)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    dataset = None
    with pytest.raises(InputError, match=r"b\.tif marks its gaps by a mask"):
        stack_sources([RasterSource(str(f)) for f in files], "MS")


@pytest.mark.parametrize("overlap", [0, 3])
def test_tiles_make_one_image(tmp_path, overlap):
    pixels = np.arange(2 * 20 * 30).reshape(2, 20, 30)
    save(tmp_path / "R1C1.tif", pixels[:, :, : 15 + overlap])
    save(tmp_path / "R1C2.tif", pixels[:, :, 15:], transform=(5e5 + 30, 2.0, 0, 4e6, 0, -2.0))
    with gdal_exceptions():
        text = export_vrt(mosaic([RasterSource(str(tmp_path / f"R1C{c}.tif")) for c in (1, 2)], [2, 1], "PAN"))
    np.testing.assert_array_equal(load_image(text), pixels[::-1])


def test_tiles_of_other_images_are_refused(tmp_path):
    files = [str(save(tmp_path / f"{n}.tif", np.ones((n, 8, 8)))) for n in (1, 2)]
    with pytest.raises(InputError, match=re.escape("2.tif (2 bands")), gdal_exceptions():
        mosaic([RasterSource(f) for f in files], [1], "PAN")


@pytest.mark.promise(2)
@pytest.mark.parametrize("odd", [{"kind": "int16"}, {"transform": (5e5 + 16, 2.0, 0.1, 4e6, 0.1, -2.0)}])
def test_tiles_that_gdal_would_leave_out_are_refused(tmp_path, odd):
    """GDAL builds the mosaic without them, with a warning."""
    whole = odd.get("transform", (5e5, 2.0, 0, 4e6, 0, -2.0))
    save(tmp_path / "a.tif", np.ones((1, 8, 8)), transform=whole)
    save(tmp_path / "b.tif", **{"image": np.ones((1, 8, 8)), "transform": (5e5 + 16, *whole[1:]), **odd})
    with pytest.raises(InputError, match=r"tif cannot be put together: .*does not support"), gdal_exceptions():
        mosaic([RasterSource(str(tmp_path / f"{n}.tif")) for n in "ab"], [1], "PAN")


@pytest.mark.promise(2)
def test_tiles_and_bands_in_one_system_written_differently(tmp_path):
    other = osr.SpatialReference()
    other.ImportFromProj4("+proj=utm +zone=33 +ellps=WGS84 +units=m +no_defs")
    for n, left in enumerate((5e5, 5e5 + 16, 5e5)):
        save(tmp_path / f"{n}.tif", np.full((1, 8, 8), n + 1), transform=(left, 2.0, 0, 4e6, 0, -2.0))
        if n:
            gdal.Open(str(tmp_path / f"{n}.tif"), gdal.GA_Update).SetProjection(other.ExportToWkt())
    files = [RasterSource(str(tmp_path / f"{n}.tif")) for n in range(3)]
    with gdal_exceptions():
        tiles = load_image(export_vrt(mosaic(files[:2], [1], "PAN")))
    np.testing.assert_array_equal(tiles, np.repeat([[[1, 2]]], 8, axis=1).repeat(8, axis=2))
    assert load_image(stack_sources([files[0], files[2]], "MS").gdal_name)[:, 0, 0].tolist() == [1, 3]


@pytest.mark.promise(2)
@pytest.mark.parametrize("nodata", [(None, 5), (5, None)])
def test_tiles_of_which_some_declare_nodata_are_refused(tmp_path, nodata):
    """A mosaic has one nodata value, or none: gaps would become 0, or values gaps."""
    for n, value in zip("ab", nodata):
        left = 5e5 if n == "a" else 5e5 + 16
        save(tmp_path / f"{n}.tif", np.full((1, 8, 8), 5), transform=(left, 2.0, 0, 4e6, 0, -2.0), nodata=value)
    with pytest.raises(InputError, match="only one of them declares a nodata value"), gdal_exceptions():
        mosaic([RasterSource(str(tmp_path / f"{n}.tif")) for n in "ab"], [1], "PAN")
