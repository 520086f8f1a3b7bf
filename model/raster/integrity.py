"""Input that GDAL forgives: raw files cut short, damaged pixels, files that change while they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from osgeo import gdal

from ..errors import InputError
from .files_behind import files_behind

RAW_DRIVERS = (
    "ENVI",
    "EHdr",
    "PAux",
    "ISCE",
    "ROI_PAC",
    "GenBin",
    "KRO",
    "MFF",
    "LAN",
    "BT",
    "SNODAS",
    "NDF",
    "RRASTER",
)
DAMAGE = ("jpeg", "corrupt", "premature", "truncat", "unexpected end", "bad ", "invalid code")  # words of warnings
MOST_FILES = 200  # behind one source, that are looked at one by one

Stamp = dict[str, tuple[int, int]]  # of files: size in bytes and time of the last change in nanoseconds


def stamps(name: str) -> Stamp:
    """Size and time of every file on disk that is read where a raster is opened by `name`."""
    found: Stamp = {}
    for file in sorted(files_behind(name))[:MOST_FILES]:
        if os.path.isfile(file):
            status = os.stat(file)
            found[file] = (status.st_size, status.st_mtime_ns)
    return found


def refuse_cut_files(role: str, files: Stamp) -> None:
    """Raises InputError for a raw file that is shorter than its header says: GDAL reads what is missing as zeros."""
    for file, (size, _) in files.items():
        try:
            dataset = gdal.OpenEx(file, gdal.OF_RASTER, allowed_drivers=list(RAW_DRIVERS))
        except RuntimeError:
            continue
        if dataset is None or os.path.realpath(dataset.GetDescription()) != os.path.realpath(file):
            continue
        offset = int(float(dataset.GetMetadataItem("header_offset", "ENVI") or 0))
        kinds = [dataset.GetRasterBand(b).DataType for b in range(1, dataset.RasterCount + 1)]
        pixels = dataset.RasterXSize * dataset.RasterYSize
        needed = offset + pixels * sum(gdal.GetDataTypeSize(k) // 8 for k in kinds)
        if size < needed and not file.lower().endswith((".gz", ".hdr")):
            raise InputError(
                f"{role} {file} has {size:,} bytes, but {needed:,} are needed for {dataset.RasterXSize} x "
                f"{dataset.RasterYSize} pixels and {len(kinds)} bands: it is cut short. Copy or download it again."
            )


def refuse_changed_files(role: str, before: Stamp) -> None:
    """Raises InputError where a file is not any more what it was when the run began: the result would be a mixture."""
    for file, stamp in before.items():
        try:
            status = os.stat(file)
            now = (status.st_size, status.st_mtime_ns)
        except OSError:
            now = (-1, -1)
        if now != stamp:
            raise InputError(
                f"{role} {file} was changed while it was read, so the result would be a mixture; nothing is written. "
                "Run again once the file is complete."
            )


@contextmanager
def damage_raised() -> Iterator[None]:
    """Warnings of decoders about damaged pixels, within the block and this thread, as RuntimeError."""
    heard: list[str] = []

    def hear(level: int, number: int, message: str) -> None:
        if level == gdal.CE_Warning and any(word in message.lower() for word in DAMAGE):
            heard.append(message)

    gdal.PushErrorHandler(hear)
    try:
        yield
    finally:
        gdal.PopErrorHandler()
    if heard:
        raise RuntimeError(heard[0])
