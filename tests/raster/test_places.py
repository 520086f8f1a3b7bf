"""Targets of an output: never a file that is read, by any name, nor one that the output does not replace."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fusion import job, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import OutputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource


def untouched(tmp_path, fusion_job, words):
    """The run is refused in these words and no file changes."""
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    received: list[object] = []
    with pytest.raises(OutputError, match=words):
        fuse(fusion_job, Progress(report=received.append, log=received.append))
    assert received == []
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert temporaries(tmp_path) == []


def vrt(path: Path, source: Path | str) -> Path:
    gdal.Translate(str(path), str(source), format="VRT")
    return path


def behind_a_vrt(folder, ms):
    return vrt(folder / "ms.vrt", ms), ms


def behind_a_vrt_of_a_vrt(folder, ms):
    return vrt(folder / "two.vrt", vrt(folder / "one.vrt", ms)), ms


def behind_a_vrt_in_text(folder, ms):
    text = vrt(folder / "one.vrt", ms).read_text()
    return text.replace(f'relativeToVRT="1">{ms.name}', f'relativeToVRT="0">{ms}'), ms


def behind_the_vrt_of_a_geopackage(folder, ms):
    gdal.Translate(str(folder / "ms.gpkg"), str(ms), format="GPKG", bandList=[1], creationOptions=["RASTER_TABLE=a"])
    return vrt(folder / "ms.vrt", f"GPKG:{folder}/ms.gpkg:a"), folder / "ms.gpkg"


def behind_a_warped_vrt(folder, ms):
    gdal.Warp(str(folder / "ms.vrt"), str(ms), format="VRT", dstSRS="EPSG:32633")
    return folder / "ms.vrt", ms


def within_an_archive(folder, ms):
    archive = folder / "ms.tif.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(ms, "deep/ms.tif")
    os.rename(archive, folder / "archive.tif")  # GDAL takes any name within braces
    return f"/vsizip/{{{folder}/archive.tif}}/deep/ms.tif", folder / "archive.tif"


def a_subdataset(folder, ms):
    return f"GTIFF_DIR:1:{ms}", ms


def a_layer_of_a_geopackage(folder, ms):
    gdal.Translate(str(folder / "ms.gpkg"), str(ms), format="GPKG", bandList=[1], creationOptions=["RASTER_TABLE=a"])
    return f"GPKG:{folder}/ms.gpkg:a", folder / "ms.gpkg"


def a_hard_link_behind_a_vrt(folder, ms):
    os.link(ms, folder / "hard.tif")
    return vrt(folder / "ms.vrt", ms), folder / "hard.tif"


def a_link_behind_a_vrt(folder, ms):
    (folder / "soft.tif").symlink_to(ms)
    return vrt(folder / "ms.vrt", folder / "soft.tif"), ms


def the_data_of_a_header(folder, ms):
    gdal.Translate(str(folder / "ms.ers"), str(ms), format="ERS")
    return folder / "ms.ers", folder / "ms"


@pytest.mark.promise(13)
@pytest.mark.parametrize(
    "hidden",
    [
        behind_a_vrt, behind_a_vrt_of_a_vrt, behind_a_vrt_in_text, behind_the_vrt_of_a_geopackage, behind_a_warped_vrt,
        within_an_archive, a_subdataset, a_layer_of_a_geopackage, a_hard_link_behind_a_vrt, a_link_behind_a_vrt,
        the_data_of_a_header,
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", ["pan", "ms"])
def test_output_over_files_behind_an_input_is_refused(tmp_path, hidden, role):
    pair = Recipe(bands=1).write(tmp_path)
    name, target = hidden(tmp_path, getattr(pair, role))
    fusion_job = replace(job(pair, target), **{role: RasterSource(str(name))})
    untouched(tmp_path, fusion_job, f"{target}.*reads.*Choose another")


@pytest.mark.promise(13)
def test_relative_names_are_followed(tmp_path, monkeypatch):
    pair = Recipe(bands=1).write(tmp_path)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    gdal.Translate("ms.vrt", "../ms.tif", format="VRT")
    monkeypatch.chdir(tmp_path)
    fusion_job = replace(job(pair, Path("ms.tif")), ms=RasterSource("deep/ms.vrt"))
    untouched(tmp_path, fusion_job, r"ms\.tif.*reads")


@pytest.mark.promise(13)
def test_the_header_of_an_input_is_not_written_over(tmp_path):
    """ms.dat and ms.bsq would share ms.hdr."""
    pair = Recipe().write(tmp_path)
    gdal.Translate(str(tmp_path / "ms.dat"), str(pair.ms), format="ENVI")
    fusion_job = replace(job(pair, tmp_path / "ms.bsq"), ms=RasterSource(str(tmp_path / "ms.dat")))
    untouched(tmp_path, fusion_job, r"ms\.bsq.*ms\.hdr.*belongs to another raster")


@pytest.mark.promise(13)
def test_weights_are_not_written_over(tmp_path):
    pair = Recipe().write(tmp_path)
    weights = tmp_path / "weights.tif"
    weights.write_bytes(job(pair, tmp_path).options.weights.read_bytes())
    untouched(tmp_path, job(pair, weights, weights=weights), "is the input")


@pytest.mark.promise(11)
@pytest.mark.parametrize(
    ("name", "changes", "copies"),
    [
        ("o.tif", {}, 1.0),
        ("o.tif", {"overviews": True}, 4 / 3),
        ("o.tif", {"creation_options": ("COMPRESS=NONE",)}, 1.0),
        ("o.tif", {"creation_options": ("COMPRESS=DEFLATE",)}, 0.0),  # nobody knows how small it will be
        ("o.tif", {"creation_options": ("COMPRESS=LERC", "MAX_Z_ERROR=9")}, 1.0),  # the draft at least
        ("o.cog.tif", {}, 7 / 3),
        ("o.cog.tif", {"creation_options": ("COMPRESS=ZSTD",)}, 1.0),
        ("o.cog.tif", {"creation_options": ("OVERVIEWS=NONE",)}, 2.0),
        ("o.jp2", {}, 2.0),
        ("o.jp2", {"overviews": True}, 7 / 3),
        ("o.img", {"data_type": "Float64"}, 8.0),
    ],
)
def test_the_space_for_drafts_copies_and_overviews_is_asked_for(tmp_path, monkeypatch, name, changes, copies):
    pair = Recipe().write(tmp_path)
    needed, usage = round(4 * 192 * 240 * 2 * copies), shutil.disk_usage(tmp_path)
    if copies:
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=needed - 1))
        untouched(tmp_path, job(pair, tmp_path / name, **changes), r"bytes are free in its folder")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=needed))
    fuse(job(pair, tmp_path / name, **changes))


@pytest.mark.promise(10)
@pytest.mark.parametrize(
    "name",
    [
        "Luftbild \u00e4\u00f6\u00fc.tif", "\u5730\u56fe.tif", "a b  c.tif", "x" * 196 + ".tif",
        "\u0436" * 124 + ".tif", "o.TIF", "o.tif.tif", "O.TIFF", "o'quote\".tif", "[o]*?.tif", "-co.tif", "o.Jp2",
    ],
)  # fmt: skip
@pytest.mark.parametrize("again", [False, True])
def test_names_of_any_letters(tmp_path, name, again):
    """The second time over a previous output."""
    pair = Recipe().write(tmp_path)
    (tmp_path / "out").mkdir()
    for _ in range(1 + again):
        fuse(job(pair, tmp_path / "out" / name))
    assert {n.removesuffix(".aux.xml") for n in os.listdir(tmp_path / "out")} == {name}
    assert load_image(tmp_path / "out" / name).shape == (4, 192, 240)


def test_a_relative_name(tmp_path, monkeypatch):
    pair = Recipe().write(tmp_path)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        fuse(job(pair, Path("out.img")))
    assert load_image(tmp_path / "out.img").shape == (4, 192, 240)
    assert temporaries(tmp_path) == []


def protected(path):
    path.write_bytes(b"old")
    path.chmod(0o444)


@pytest.mark.promise(13)
@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (protected, "o.tif", "write-protected"),
        (os.mkfifo, "o.tif", "a device or a pipe"),
        (Path.mkdir, "o.tif", "is a folder"),
        (None, "\u0436" * 130 + ".tif", "are the most that a file name can have"),
        (None, "x" * 255 + ".tif", "are the most that a file name can have"),
        (None, ".tif", "nothing before its extension"),
    ],
)
def test_targets_that_are_not_files_to_replace(tmp_path, make, name, words):
    pair = Recipe().write(tmp_path)
    if make:
        make(tmp_path / name)
    untouched(tmp_path, job(pair, tmp_path / name), f"(?i){words}")


@pytest.mark.promise(13)
@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path, there):
    pair = Recipe().write(tmp_path)
    other, link = tmp_path / "other.tif", tmp_path / "link.tif"
    if there:
        other.write_bytes(b"old")
    link.symlink_to(other)
    result = fuse(job(pair, link))
    assert [n.code for n in result.notices] == ["link_replaced"]
    assert load_image(link).shape == (4, 192, 240)
    assert not link.is_symlink()
    assert other.exists() == there
    assert not there or other.read_bytes() == b"old"


def test_name_without_an_extension_is_reported_to_become_envi(tmp_path):
    pair = Recipe().write(tmp_path)
    assert [n.code for n in fuse(job(pair, tmp_path / "out")).notices] == ["no_extension"]


def test_a_file_that_a_vrt_does_not_read_may_be_replaced(tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    target = save(tmp_path / "old.tif", np.ones((1, 9, 9)))
    fuse(replace(job(pair, target), ms=RasterSource(str(vrt(tmp_path / "ms.vrt", pair.ms)))))
    assert load_image(target).shape == (1, 192, 240)


rasterlite = pytest.mark.skipif(gdal.GetDriverByName("Rasterlite") is None, reason="this GDAL cannot write .sqlite")


def a_layer(path, extension):
    driver = gdal.GetDriverByName({"sqlite": "SQLite"}.get(extension, "GPKG"))
    container = driver.Create(str(path), 0, 0, 0, gdal.GDT_Unknown)
    container.CreateLayer("parcels")


def a_project(path, extension):
    gdal.Translate(str(path), gdal.Open(str(path.parent / "pan.tif")), format=extension.upper())
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE qgis_projects (name TEXT PRIMARY KEY)")


def two_rasters(path, extension):
    pan = gdal.Open(str(path.parent / "pan.tif"))
    if extension == "gpkg":
        for number in (1, 2):
            options = [f"RASTER_TABLE=t{number}", "APPEND_SUBDATASET=YES"]
            gdal.Translate(str(path), pan, format="GPKG", creationOptions=options)
    elif extension == "nc":
        gdal.Translate(str(path), str(path.parent / "ms.tif"), format="netCDF")
    else:
        gdal.Translate(str(path), pan)
        gdal.Translate(str(path), pan, creationOptions=["APPEND_SUBDATASET=YES"])


@pytest.mark.promise(13)
@pytest.mark.parametrize(
    ("name", "inside", "words"),
    [
        ("o.gpkg", a_layer, "parcels"),
        ("o.gpkg", a_project, "qgis_projects"),
        ("o.gpkg", two_rasters, "2 rasters"),
        pytest.param("o.sqlite", a_layer, "parcels", marks=rasterlite),
        ("o.nc", two_rasters, "3 rasters"),
        ("o.tif", two_rasters, "2 rasters"),
    ],
)
def test_a_file_that_holds_more_than_a_raster_is_not_replaced(tmp_path, name, inside, words):
    pair = Recipe(bands=3, dtype="uint8", scale=0.08).write(tmp_path)
    inside(tmp_path / name, Path(name).suffix[1:])
    untouched(tmp_path, job(pair, tmp_path / name), f"holds .*{words}.*would be lost.*Choose another")


@pytest.mark.parametrize("name", ["o.gpkg", pytest.param("o.sqlite", marks=rasterlite), "o.jp2", "o.pix"])
@pytest.mark.parametrize("previous", [b"", None])
def test_a_previous_output_and_an_empty_file_are_replaced(tmp_path, name, previous):
    pair = Recipe(bands=3, dtype="uint8", scale=0.08).write(tmp_path)
    if previous is not None:
        (tmp_path / name).write_bytes(previous)
    for seed in (0, 1):
        pixels = load_image(pair.ms) + seed
        save(pair.ms, pixels, "uint8", (5e5, 8, 0, 4e6, 0, -8))
        fuse(job(pair, tmp_path / name))
    fuse(job(pair, tmp_path / "plain.tif"))
    assert np.array_equal(load_image(tmp_path / name), load_image(tmp_path / "plain.tif"))


@pytest.mark.promise(13)
def test_output_that_is_a_hard_link_of_an_input_is_refused(tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    os.link(pair.pan, tmp_path / "linked.tif")
    untouched(tmp_path, job(pair, tmp_path / "linked.tif"), "linked.tif is the same file as the input .*pan.tif")
