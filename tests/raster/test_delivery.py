"""A name that is used again: the previous raster and all its sidecars go, or all of them stay."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import OutputError
from otfm_pansharpen.model.fusion.pipeline import fuse


def with_sidecars(path, side=600):
    """A raster with overviews, a mask, statistics, nodata and a world file, all next to it."""
    save(path, np.full((1, side, side), 7), transform=(0, 1, 0, 0, 0, 1), crs=None)
    dataset = gdal.Open(str(path))
    dataset.BuildOverviews("NEAREST", [2, 4])
    dataset.GetRasterBand(1).ComputeStatistics(False)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    dataset.GetRasterBand(1).SetNoDataValue(7)
    dataset = None
    path.with_suffix(".tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    return {p: p.read_bytes() for p in path.parent.glob(f"{path.stem}.*")}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.mark.promise(7)
def test_nothing_of_the_previous_raster_shows(tmp_path, folder):
    pair = Recipe().write(tmp_path)
    target = folder / "fused.tif"
    assert {p.suffix for p in with_sidecars(target)} == {".tif", ".ovr", ".xml", ".msk", ".tfw"}
    fuse(job(pair, target))
    assert os.listdir(folder) == ["fused.tif"]
    fused = gdal.Open(str(target))
    assert fused.GetFileList() == [str(target)]
    assert fused.GetRasterBand(1).GetOverviewCount() == 0
    assert fused.GetRasterBand(1).GetNoDataValue() is None
    assert fused.GetRasterBand(1).GetMaskFlags() == gdal.GMF_ALL_VALID


@pytest.mark.promise(7)
@pytest.mark.parametrize("previous", [b"no raster any more", None])
def test_sidecars_go_where_the_raster_itself_is_spoiled_or_gone(tmp_path, folder, previous):
    pair = Recipe().write(tmp_path)
    target = folder / "fused.tif"
    with_sidecars(target)
    target.unlink()
    if previous:
        target.write_bytes(previous)
    fuse(job(pair, target))
    assert os.listdir(folder) == ["fused.tif"]


@pytest.mark.promise(11)
@pytest.mark.parametrize("name", ["fused.tif", "fused.img"])
def test_previous_files_are_back_where_the_last_step_fails(tmp_path, folder, monkeypatch, name):
    pair = Recipe(height=640, width=640).write(tmp_path)
    target = folder / name
    with_sidecars(folder / "fused.tif")
    if name.endswith(".img"):
        gdal.Translate(str(target), str(folder / "fused.tif"), format="HFA")
        gdal.Open(str(target)).BuildOverviews("NEAREST", [2])
    before = {p: p.read_bytes() for p in folder.iterdir()}
    real = os.replace

    def failing(source, destination):
        if os.fspath(destination) == str(target) and os.path.dirname(source) != str(folder) and b"OTFM" in read(source):
            raise PermissionError(13, "The file is in use")
        real(source, destination)

    monkeypatch.setattr("os.replace", failing)
    with pytest.raises(OutputError, match=r"fused\.\w+ cannot be written.*The file is in use"):
        fuse(job(pair, target, overviews=True))
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def read(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.promise(7)
def test_files_of_other_rasters_stay(tmp_path, folder):
    """They share the name up to the extension, and a world file serves both."""
    pair = Recipe().write(tmp_path)
    target = folder / "fused.tif"
    gdal.GetDriverByName("GTiff").Create(str(target), 50, 50)  # without a georeference of its own
    for name, driver in (("fused.dat", "ENVI"), ("fused.png", "PNG"), ("fused_2.tif", "GTiff")):
        gdal.Translate(str(folder / name), str(pair.ms), format=driver, bandList=[1])
    (folder / "fused.wld").write_text("1\n0\n0\n-1\n0\n0\n")
    (folder / "fused.qml").write_text("a style")
    others = {p: p.read_bytes() for p in folder.iterdir() if p != target}
    assert len(others) == 8
    assert str(folder / "fused.wld") in gdal.Open(str(target)).GetFileList()
    fuse(job(pair, target))
    assert {p: p.read_bytes() for p in folder.iterdir() if p != target} == others
    assert load_image(target).shape == (4, 192, 240)


def test_vrt_under_the_output_name_loses_none_of_its_sources(tmp_path, folder):
    pair = Recipe().write(tmp_path)
    source = save(folder / "fused.source.tif", np.ones((1, 50, 50)))
    before = source.read_bytes()
    gdal.Translate(str(folder / "fused.tif"), str(source), format="VRT")
    run(pair, folder)
    assert source.read_bytes() == before
    assert temporaries(folder) == []


WATCHED = """
import sys
from pathlib import Path
from otfm_pansharpen.model.files import whole_file
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource
target, seen, changes = Path(sys.argv[3]), set(), []
def watch(event, arguments):
    if event.startswith(("os.", "shutil.")):  # also of what is about to happen to other files
        seen.add(target.exists())
        changes.extend(event for a in arguments if event != "os.scandir" and str(a) == str(target))
sys.addaudithook(watch)
if target.suffix == ".tif":
    fuse(FusionJob(RasterSource(sys.argv[1]), RasterSource(sys.argv[2]), target, FusionOptions(device="cpu")))
else:
    with whole_file(target) as draft:
        draft.write_bytes(b"new")
seen.add(target.exists())
print(seen, changes)
"""


@pytest.mark.promise(10)
@pytest.mark.parametrize("name", ["fused.tif", "weights.safetensors"])
def test_single_file_is_replaced_in_one_step(tmp_path, folder, name):
    """At no moment is neither the previous file there nor the new one: one rename, over the previous file."""
    pair = Recipe(bands=1).write(tmp_path)
    (folder / name).write_bytes(b"old")
    arguments = [str(p) for p in (pair.pan, pair.ms, folder / name)]
    done = subprocess.run([sys.executable, "-c", WATCHED, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{True} ['os.rename']"
    assert (folder / name).read_bytes() != b"old"


@pytest.mark.promise(26)
@pytest.mark.parametrize("driver", ["VRT", "DIMAP"])
def test_files_that_a_planted_raster_points_to_stay(tmp_path, folder, driver):
    """Under the name of the output lies a file whose text names files of the user."""
    pair = Recipe().write(tmp_path)
    others = {n: save(folder / n, np.ones((1, 50, 50))).read_bytes() for n in ("fused_map.tif", "fused.map.tif")}
    target = folder / "fused.tif"
    if driver == "VRT":
        gdal.BuildVRT(str(target), [str(folder / n) for n in others])
    else:
        target.write_text(
            '<Dimap_Document><Metadata_Id><METADATA_FORMAT version="1.1">DIMAP</METADATA_FORMAT></Metadata_Id>'
            "<Raster_Dimensions><NROWS>50</NROWS><NCOLS>50</NCOLS><NBANDS>1</NBANDS></Raster_Dimensions><Data_Access>"
            '<Data_File><DATA_FILE_PATH href="fused_map.tif"/></Data_File></Data_Access></Dimap_Document>'
        )
    listed = gdal.Open(str(target)).GetFileList()
    assert str(folder / "fused_map.tif") in listed
    fuse(job(pair, target))
    assert {n: (folder / n).read_bytes() for n in others} == others


@pytest.mark.promise(11)
@pytest.mark.parametrize("step", range(7))
def test_interrupted_exchange_brings_the_previous_files_back(tmp_path, folder, monkeypatch, step):
    """As by Ctrl-C or SIGTERM, right after any of the renames; after the last one the new raster stays."""
    pair = Recipe(bands=1).write(tmp_path)
    gdal.Translate(str(folder / "fused.dat"), str(pair.ms), format="ENVI")
    (folder / "fused.dat.ovr").write_bytes(b"of the previous one")
    before = {p: p.read_bytes() for p in folder.iterdir()}
    real, calls = os.replace, iter(range(100))

    def interrupting(source, destination):
        real(source, destination)
        if next(calls) == step:
            raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupting)
    with pytest.raises(KeyboardInterrupt):
        fuse(job(pair, folder / "fused.dat"))
    after = {p: p.read_bytes() for p in folder.iterdir()}
    assert after == before if step < 6 else after.keys() == before.keys() - {folder / "fused.dat.ovr"}
    assert temporaries(folder) == []
