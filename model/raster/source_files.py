"""Files behind a raster: their list, checks that they are undamaged and unchanged, and products opened alone.

A file next to the image of a product could make GDAL read any file on the disk or the network. So could an image that
is a virtual raster.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from osgeo import gdal

from ..errors import InputError
from .gdal_errors import ProcessSetting, gdal_messages, hide_signatures

MAX_NAME = 4096  # characters; longer text is not a name
STARTS = re.compile(r"/vsi\w+/|[:\"'{,=]")  # a path may start after these within a name
ENDS = re.compile(r"[/\\:\"'},?|&]")  # and end before these
POINTS = re.compile(r"<(?:SourceFilename|SourceDataset)[^>]*>([^<]+)<")  # elements of a VRT that name what it reads
DAMAGE = ("jpeg", "corrupt", "premature", "truncat", "unexpected end", "bad ", "invalid code")  # words of warnings
DRIVERS = ("GTiff", "NITF", "JP2KAK", "JP2ECW", "JP2OpenJPEG", "JP2MrSID", "JP2Lura", "JPEG2000")  # of products
TRACES = "CPL_VSIL_GZIP_WRITE_PROPERTIES"  # whether GDAL leaves a .properties file next to a compressed archive
OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no overviews, masks, statistics or metadata next to an image
    TRACES: "NO",
    "GDAL_HTTP_CONNECTTIMEOUT": "30",  # seconds
    "GDAL_HTTP_LOW_SPEED_TIME": "60",  # seconds without a byte
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    "GDAL_HTTP_MAX_RETRY": "3",  # of a server that is busy
}
REMOTE = "/vsicurl/"  # begins GDAL's names of addresses, which may end in a signature
REDIRECTS = ("OVERVIEWS", "ProxyOverviewRequest")  # domains of metadata that name other files
# Of metadata.
SENSOR_KEYS = ("SENSOR", "SENSOR_ID", "SATELLITE", "SATELLITEID", "SPACECRAFT_ID", "SPACECRAFT", "PLATFORM")
WORLD_FILES = (".tfw", ".tifw", ".j2w", ".jp2w", ".wld")

Stamp = dict[str, tuple[int, int]]  # of files: size in bytes and time of the last change in nanoseconds


def public_name(name: str) -> str:
    """Return a name for messages and metadata: of an address without what may be secret."""
    return hide_signatures(name.removeprefix(REMOTE))


def files_behind(name: str) -> set[str]:
    """Return the paths of all files that are read where this is opened. Call within `gdal_exceptions`."""
    behind: set[str] = set()
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        files = {*_find_mentioned(current), *list_files(current)}
        behind |= files
        waiting += [*files, *_find_vrt_sources(current)]
    return behind


def is_on_disk(name: str) -> bool:
    """Tell whether all that is read lies in files on disk, whose size and time show a change."""
    return all(any(True for _ in _find_mentioned(file)) for file in files_behind(name))


def _find_mentioned(name: str) -> Iterator[str]:
    """Yield files whose path is part of a name, as in GPKG:path:layer, NETCDF:"path":band, /vsizip/path/within."""
    if len(name) > MAX_NAME:
        return
    for start in (0, *(m.end() for m in STARTS.finditer(name))):
        for end in (*(m.start() for m in ENDS.finditer(name, start)), len(name)):
            if os.path.isfile(name[start:end]):
                yield name[start:end]


def list_files(name: str, drivers: Sequence[str] = ()) -> list[str]:
    """Return the files that GDAL lists for what it opens by a name, with any driver or with some."""
    try:
        return list(gdal.OpenEx(name, gdal.OF_RASTER, allowed_drivers=list(drivers)).GetFileList() or ())
    except RuntimeError:
        return []


def _find_vrt_sources(name: str) -> Iterator[str]:
    """Yield the names that a VRT reads, which GDAL lists only where they are those of files."""
    try:
        if name.lstrip().startswith("<"):
            text, folder = name, Path()
        elif gdal.IdentifyDriver(name).ShortName == "VRT" and os.path.isfile(name):
            text, folder = Path(name).read_text(encoding="utf-8", errors="replace"), Path(name).parent
        else:
            return
    except (RuntimeError, AttributeError, OSError):  # not a VRT
        return
    for inner in find_names_in_vrt(text):
        yield inner
        yield str(folder / inner)  # names relative to the VRT


def find_names_in_vrt(text: str) -> list[str]:
    """Return the names of what a VRT reads, as they stand in its text."""
    return [html.unescape(name) for name in POINTS.findall(text)]


def stamps(name: str) -> Stamp:
    """Return size and time of every file on disk that is read where a raster is opened by `name`."""
    return {file: _read_stamp(file) for file in sorted(files_behind(name)) if os.path.isfile(file)}


def list_sensor_names(dataset: gdal.Dataset, files: Iterable[str]) -> list[str]:
    """Return the names that tell the sensor of a raster: those in its metadata, then those of its files."""
    metadata = {**dataset.GetMetadata("IMAGERY"), **dataset.GetMetadata()}
    return [v[:MAX_NAME] for k, v in metadata.items() if k.upper() in SENSOR_KEYS] + [Path(f).name for f in files]


def _read_stamp(file: str) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def refuse_changed_files(role: str, before: Stamp) -> None:
    """Refuse files that changed since the run began: the result would be a mixture. Raises InputError."""
    for file, stamp in before.items():
        if _read_stamp(file) != stamp:
            raise InputError(
                f"{role} {file} was changed while it was read, so the result would be a mixture; nothing is written. "
                "Run again once the file is complete."
            )


@contextmanager
def damage_raised() -> Iterator[None]:
    """Raise warnings of decoders about damaged pixels, within the block and this thread, as RuntimeError."""
    with gdal_messages() as messages:
        yield
    for severity, text in messages:
        if severity == gdal.CE_Warning and any(word in text.lower() for word in DAMAGE):
            raise RuntimeError(text)


@ProcessSetting
@contextmanager
def confined() -> Iterator[None]:
    """Keep GDAL from other files than those that are named, in all threads; then restore the state."""
    before = {name: gdal.GetConfigOption(name) for name in OPTIONS}
    for name, value in OPTIONS.items():
        gdal.SetConfigOption(name, value)
    yield
    for name, previous in before.items():
        gdal.SetConfigOption(name, previous)


def suggest_cure(name: str) -> str:
    """Return what to do with a file that GDAL cannot open."""
    packed = name.startswith(("/vsizip", "/vsitar", "/vsi7z", "/vsirar", "/vsigzip"))
    return "Unpack its archive and choose the folder" if packed else "Copy or download it again"


def open_delivered(path: str) -> gdal.Dataset:
    """Open an image of a product, or a VRT, given as text, of such images. Call within `confined`.

    Raises RuntimeError, or InputError, part of a sentence, for another format or an image that names other files.
    """
    if path.startswith("<"):
        for name in find_names_in_vrt(path):
            open_delivered(name)
        return gdal.OpenEx(path, gdal.OF_RASTER, allowed_drivers=["VRT"])
    driver = gdal.IdentifyDriver(path)  # what GDAL takes it for, also where a VRT names it later
    if driver is None or driver.ShortName not in DRIVERS:
        reason = f"is of the format {driver.ShortName}" if driver else "is of no known format"
        raise InputError(
            f"{reason}, but products are read as GeoTIFF, JPEG 2000 or NITF only. Download the product again, or use "
            "otfm:pansharpen"
        )
    dataset = gdal.OpenEx(path, gdal.OF_RASTER, allowed_drivers=list(DRIVERS))
    if any(dataset.GetMetadata(domain) for domain in REDIRECTS):
        raise InputError("names another file as its overview, which is not read. Download the product again")
    _refuse_placement(path, dataset)
    return dataset


def _refuse_placement(path: str, dataset: gdal.Dataset) -> None:
    """Refuse an image that only a world file georeferences. Raises InputError with part of a sentence."""
    if dataset.GetGeoTransform(can_return_null=True) or dataset.GetGCPCount() or dataset.GetMetadata("RPC"):
        return
    stem = str(PurePosixPath(path).with_suffix(""))
    for ending in WORLD_FILES:
        for name in (stem + ending, stem + ending.upper()):
            if gdal.VSIStatL(name) is not None:
                raise InputError(
                    f"is placed by {PurePosixPath(name).name} only: of a product no world file is read. Warp PAN and "
                    "MS to a map projection first, for example with gdal:warpreproject"
                )
