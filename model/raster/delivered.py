"""Rasters of products: opened in the formats in which they are delivered, alone, without what lies beside them.

A file next to an image, or an image that is a virtual raster, could have GDAL read anything on the disk or the network.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from osgeo import gdal

from ..errors import InputError
from .source_files import named_in_vrt

DRIVERS = ("GTiff", "NITF", "JP2KAK", "JP2ECW", "JP2OpenJPEG", "JP2MrSID", "JP2Lura", "JPEG2000")
TRACES = "CPL_VSIL_GZIP_WRITE_PROPERTIES"  # whether GDAL leaves a .properties file next to a compressed archive
OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no overviews, masks, statistics or metadata next to an image
    TRACES: "NO",
}
REDIRECTS = ("OVERVIEWS", "ProxyOverviewRequest")  # domains of metadata that name other files
PLACEMENTS = (".rpb", "_rpc.txt", ".rpc", ".tfw", ".tifw", ".j2w", ".jp2w", ".wld")  # files with RPC, world files


class _Confinement:
    """GDAL's options are one for the process: the first user sets them, the last one restores them."""

    lock = threading.Lock()
    users = 0
    before: dict[str, str | None] = {}  # noqa: RUF012


@contextmanager
def confined() -> Iterator[None]:
    """Have GDAL look at no other files than those that are named, in all threads; afterwards all is as before."""
    with _Confinement.lock:
        if _Confinement.users == 0:
            _Confinement.before = {name: gdal.GetConfigOption(name) for name in OPTIONS}
            for name, value in OPTIONS.items():
                gdal.SetConfigOption(name, value)
        _Confinement.users += 1
    try:
        yield
    finally:
        with _Confinement.lock:
            _Confinement.users -= 1
            if _Confinement.users == 0:
                for name, previous in _Confinement.before.items():
                    gdal.SetConfigOption(name, previous)


def open_delivered(path: str) -> gdal.Dataset:
    """Open an image of a product, or a VRT, given as text, of such images. Call within `confined`.

    Raises:
        InputError: part of a sentence, for another format or an image that names other files.
        RuntimeError: GDAL cannot open it.
    """
    if path.startswith("<"):
        for name in named_in_vrt(path):
            open_delivered(name)
        return gdal.OpenEx(path, gdal.OF_RASTER, allowed_drivers=["VRT"])
    driver = gdal.IdentifyDriver(path)  # what GDAL takes it for, also where a VRT names it later
    if driver is None or driver.ShortName not in DRIVERS:
        kind = f"is of the format {driver.ShortName}" if driver else "is of no known format"
        raise InputError(
            f"{kind}, but products are read as GeoTIFF, JPEG 2000 or NITF only. Download the product again, or use "
            "otfm:pansharpen"
        )
    dataset = gdal.OpenEx(path, gdal.OF_RASTER, allowed_drivers=list(DRIVERS))
    if any(dataset.GetMetadata(domain) for domain in REDIRECTS):
        raise InputError("names another file as its overview, which is not read. Download the product again")
    _refuse_placement(path, dataset)
    return dataset


def _refuse_placement(path: str, dataset: gdal.Dataset) -> None:
    """Raise InputError, with part of a sentence, where only a file next to an image says where it lies."""
    if dataset.GetGeoTransform(can_return_null=True) or dataset.GetGCPCount() or dataset.GetMetadata("RPC"):
        return
    stem = str(PurePosixPath(path).with_suffix(""))
    for ending in PLACEMENTS:
        for name in (stem + ending, stem + ending.upper()):
            if gdal.VSIStatL(name) is not None:
                raise InputError(
                    f"is placed by {PurePosixPath(name).name} only: of a product no file next to an image is read. "
                    "Warp PAN and MS to a map projection first, for example with gdal:warpreproject"
                )
