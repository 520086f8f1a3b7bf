"""The files behind a raster: which they are, whether they are whole and unchanged, and products opened alone.

A file next to the image of a product, or an image that is a virtual raster, could have GDAL read anything on the disk
or the network.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from osgeo import gdal

from ..errors import InputError
from .gdal_errors import ProcessSetting, gdal_messages

LONGEST_NAME = 4096  # characters; anything longer is no name
STARTS = re.compile(r"/vsi\w+/|[:\"'{,=]")  # a path may start after these within a name
ENDS = re.compile(r"[/\\:\"'},?|&]")  # and end before these
POINTS = re.compile(r"<(?:SourceFilename|SourceDataset)[^>]*>([^<]+)<")  # elements of a VRT that name what it reads
DAMAGE = ("jpeg", "corrupt", "premature", "truncat", "unexpected end", "bad ", "invalid code")  # words of warnings
PCIDSK_BLOCK = 512  # bytes
DRIVERS = ("GTiff", "NITF", "JP2KAK", "JP2ECW", "JP2OpenJPEG", "JP2MrSID", "JP2Lura", "JPEG2000")  # of products
TRACES = "CPL_VSIL_GZIP_WRITE_PROPERTIES"  # whether GDAL leaves a .properties file next to a compressed archive
OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no overviews, masks, statistics or metadata next to an image
    TRACES: "NO",
}
REDIRECTS = ("OVERVIEWS", "ProxyOverviewRequest")  # domains of metadata that name other files
PLACEMENTS = (".rpb", "_rpc.txt", ".rpc", ".tfw", ".tifw", ".j2w", ".jp2w", ".wld")  # files with RPC, world files

Stamp = dict[str, tuple[int, int]]  # of files: size in bytes and time of the last change in nanoseconds


def files_behind(name: str) -> set[str]:
    """Paths of all files that are read where this is opened. Call within `gdal_exceptions`."""
    found: set[str] = set()
    waiting, seen = [name], set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        files = {*_mentioned(one), *_listed(one)}
        found |= files
        waiting += [*files, *_pointed_to(one)]
    return found


def on_disk(name: str) -> bool:
    """Whether all that is read where this is opened lies in files on disk, whose size and time tell of a change."""
    return all(any(True for _ in _mentioned(file)) for file in files_behind(name))


def _mentioned(name: str) -> Iterator[str]:
    """Files whose path is part of a name, as in GPKG:path:layer, NETCDF:"path":band, /vsizip/path/within."""
    if len(name) > LONGEST_NAME:
        return
    for start in (0, *(m.end() for m in STARTS.finditer(name))):
        for end in (*(m.start() for m in ENDS.finditer(name, start)), len(name)):
            if os.path.isfile(name[start:end]):
                yield name[start:end]


def _listed(name: str) -> list[str]:
    """Files that GDAL lists for what it opens by a name."""
    try:
        dataset = gdal.OpenEx(name, gdal.OF_RASTER)
        return list(dataset.GetFileList() or ())
    except RuntimeError:
        return []


def _pointed_to(name: str) -> Iterator[str]:
    """What a VRT reads, by its own names, which GDAL lists only where they are those of files."""
    try:
        if name.lstrip().startswith("<"):
            text, folder = name, Path()
        elif gdal.IdentifyDriver(name).ShortName == "VRT" and os.path.isfile(name):
            text, folder = Path(name).read_text(encoding="utf-8", errors="replace"), Path(name).parent
        else:
            return
    except (RuntimeError, AttributeError, OSError):  # it is none
        return
    for inner in named_in_vrt(text):
        yield inner
        yield str(folder / inner)  # names relative to the VRT


def named_in_vrt(text: str) -> list[str]:
    """Names of what a VRT reads, as they stand in its text."""
    return [html.unescape(name) for name in POINTS.findall(text)]


def stamps(name: str) -> Stamp:
    """Size and time of every file on disk that is read where a raster is opened by `name`."""
    return {file: _stamp(file) for file in sorted(files_behind(name)) if os.path.isfile(file)}


def _stamp(file: str) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def refuse_cut_files(role: str, files: Stamp) -> None:
    """Raises InputError for a file that is shorter than its header says, of which GDAL reads the rest as zeros."""
    for file, (size, _) in files.items():
        needed = _needed_bytes(file)
        if size < needed:
            raise InputError(
                f"{role} {file} has {size:,} bytes, but {needed:,} are needed by what its header says: it is cut "
                "short. Copy or download it again."
            )


def _needed_bytes(file: str) -> int:
    """Bytes by the header of an ENVI or PCIDSK file, whose drivers do not notice missing ones; 0 for others."""
    try:
        with open(file, "rb") as opened:
            start = opened.read(365)
        if start.startswith(b"PCIDSK"):
            blocks = int(start[16:32]) if start[360:365] in (b"PIXEL", b"BAND ") else 0
            return max((blocks - 1) * PCIDSK_BLOCK + 1, 0)
        dataset = gdal.OpenEx(file, gdal.OF_RASTER)
    except (OSError, ValueError, RuntimeError):
        return 0
    if dataset.GetDriver().ShortName != "ENVI" or file.lower().endswith(".gz"):
        return 0
    bits = sum(gdal.GetDataTypeSize(dataset.GetRasterBand(b).DataType) for b in range(1, dataset.RasterCount + 1))
    first = int(float(dataset.GetMetadataItem("header_offset", "ENVI") or 0))
    return first + dataset.RasterXSize * dataset.RasterYSize * bits // 8


def refuse_changed_files(role: str, before: Stamp) -> None:
    """Raises InputError where a file is not any more what it was when the run began: the result would be a mixture."""
    for file, stamp in before.items():
        if _stamp(file) != stamp:
            raise InputError(
                f"{role} {file} was changed while it was read, so the result would be a mixture; nothing is written. "
                "Run again once the file is complete."
            )


@contextmanager
def damage_raised() -> Iterator[None]:
    """Warnings of decoders about damaged pixels, within the block and this thread, as RuntimeError."""
    with gdal_messages() as messages:
        yield
    for severity, text in messages:
        if severity == gdal.CE_Warning and any(word in text.lower() for word in DAMAGE):
            raise RuntimeError(text)


@ProcessSetting
@contextmanager
def confined() -> Iterator[None]:
    """Have GDAL look at no other files than those that are named, in all threads; afterwards all is as before."""
    before = {name: gdal.GetConfigOption(name) for name in OPTIONS}
    for name, value in OPTIONS.items():
        gdal.SetConfigOption(name, value)
    yield
    for name, previous in before.items():
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
