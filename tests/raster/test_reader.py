"""Any raster that GDAL opens can be sharpened, with the pixels of a plain GeoTIFF."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fusion import job, run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource


def copied(path, name, driver, *options):
    target = path.with_name(name)
    gdal.Translate(str(target), str(path), format=driver, creationOptions=list(options))
    return str(target)


def as_vrt_of_bands(path):
    """Write one file per band and a VRT of them."""
    names = []
    for number in range(1, gdal.Open(str(path)).RasterCount + 1):
        names.append(str(path.with_name(f"{path.stem}_b{number}.tif")))
        gdal.Translate(names[-1], str(path), bandList=[number])
    target = str(path.with_suffix(".vrt"))
    gdal.BuildVRT(target, names, separate=True)
    return target


def in_zip(path):
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.write(path, path.name)
    return f"/vsizip/{path.with_suffix('.zip')}/{path.name}"


def as_subdataset(path):
    """The second directory of a GeoTIFF, behind a decoy."""
    target = path.with_name(f"{path.stem}_pages.tif")
    gdal.Translate(str(target), str(path), scaleParams=[[0, 1, 7, 7]])
    gdal.Translate(str(target), str(path), creationOptions=["APPEND_SUBDATASET=YES"])
    return f"GTIFF_DIR:2:{target}"


def placed_by_world_file(bil):
    """Place a BIL file as older programs do; its header has the size and type only."""
    left, across, _, top, _, down = gdal.Open(bil).GetGeoTransform()
    header = Path(bil).with_suffix(".hdr")
    lines = [li for li in header.read_text().splitlines() if not li.startswith(("ULX", "ULY", "XDIM", "YDIM"))]
    header.write_text("\n".join(lines) + "\n")
    numbers = across, 0.0, 0.0, down, left + across / 2, top + down / 2
    header.with_suffix(".blw").write_text("\n".join(map(str, numbers)))
    return bil


SOURCES = {
    "VRT of bands": as_vrt_of_bands,
    "COG": lambda p: copied(p, f"{p.stem}.cog.tif", "COG", "BLOCKSIZE=128"),
    "JPEG 2000": lambda p: copied(p, f"{p.stem}.jp2", "JP2OpenJPEG", "QUALITY=100", "REVERSIBLE=YES"),
    "zip": in_zip,
    "subdataset": as_subdataset,
    "one row a block": lambda p: copied(p, f"{p.stem}_rows.tif", "GTiff", "BLOCKYSIZE=1"),
    "one block": lambda p: copied(p, f"{p.stem}_one.tif", "GTiff", "BLOCKYSIZE=4096", "COMPRESS=LZW"),
    "tiles by band": lambda p: copied(p, f"{p.stem}_tiles.tif", "GTiff", "TILED=YES", "INTERLEAVE=BAND"),
    "ENVI": lambda p: copied(p, f"{p.stem}.dat", "ENVI", "INTERLEAVE=BIL"),
    "Erdas": lambda p: copied(p, f"{p.stem}.img", "HFA"),
    "BIL with .prj": lambda p: copied(p, f"{p.stem}.bil", "EHdr"),
    "BIL with world file": lambda p: placed_by_world_file(copied(p, f"{p.stem}.bil", "EHdr")),
    "R raster": lambda p: copied(p, f"{p.stem}.grd", "RRASTER"),
}


@pytest.mark.parametrize("source_type", SOURCES)
def test_every_kind_of_source_gives_the_same_pixels(tmp_path, source_type):
    pair = Recipe().write(tmp_path)
    plain, _ = run(pair, tmp_path, "plain.tif")
    pan, ms = (RasterSource(SOURCES[source_type](p)) for p in (pair.pan, pair.ms))
    fuse(replace(job(pair, tmp_path / "out.tif"), pan=pan, ms=ms))
    assert np.array_equal(load_image(tmp_path / "out.tif"), plain)


def bytes_read():
    """Bytes that this process has read from files so far, cached by the system or not."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("rchar")))


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system does not count what a process reads")
def test_striped_rows_are_not_read_again_for_every_tile(tmp_path):
    pair = Recipe(bands=1, height=256, width=4096).write(tmp_path)
    pan = RasterSource(copied(pair.pan, "rows.tif", "GTiff", "BLOCKYSIZE=1"))
    before = gdal.GetCacheMax()
    gdal.SetCacheMax(500_000)
    try:
        first = bytes_read()
        fuse(replace(job(pair, tmp_path / "out.tif", tile=128), pan=pan))
        read = bytes_read() - first
        assert gdal.GetCacheMax() == 500_000
    finally:
        gdal.SetCacheMax(before)
    assert read < 5 * (pair.pan.stat().st_size + (tmp_path / "out.tif").stat().st_size)


def test_a_geopackage_raster(tmp_path):
    pair = Recipe(bands=3, dtype="uint8", scale=0.08).write(tmp_path)
    plain, _ = run(pair, tmp_path, "plain.tif")
    table = copied(pair.ms, "all.gpkg", "GPKG", "RASTER_TABLE=ms", "TILE_FORMAT=PNG")
    fuse(replace(job(pair, tmp_path / "out.tif"), ms=RasterSource(f"GPKG:{table}:ms", bands=(1, 2, 3))))
    assert np.array_equal(load_image(tmp_path / "out.tif"), plain)


def test_open_options_count(tmp_path):
    """A geotransform that only an open option lets GDAL ignore: both rasters are then without a georeference."""
    pair = Recipe().write(tmp_path)
    sources = [RasterSource(str(p), open_options=("GEOREF_SOURCES=NONE",)) for p in (pair.pan, pair.ms)]
    fuse(replace(job(pair, tmp_path / "out.tif"), pan=sources[0], ms=sources[1]))
    assert gdal.Open(str(tmp_path / "out.tif")).GetGeoTransform(can_return_null=True) is None


@pytest.mark.promise(5)
@pytest.mark.parametrize("value", [2e30, 1e37, -3e38])
def test_floats_that_no_sensor_measures_are_gaps(tmp_path, value):
    pixels = np.full((1, 8, 8), 5.0, np.float32)
    pixels[0, 2, 3] = value
    path = save(tmp_path / "odd.tif", pixels, "float32")
    with gdal_exceptions(), Raster(RasterSource(str(path)), "MS") as raster:
        _, valid = raster.read(raster.grid.window)
    assert np.argwhere(~valid[0]).tolist() == [[2, 3]]
