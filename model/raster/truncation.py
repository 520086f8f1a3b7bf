"""Truncated files: GDAL reads the missing bytes of some formats as zeros, or leaves out tiles, without an error."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable
from pathlib import Path

from osgeo import gdal

from ..errors import InputError

RAW_DRIVERS = (
    *("ENVI", "EHdr", "PAux", "ISCE", "ROI_PAC", "GenBin", "KRO", "MFF", "LAN", "BT", "SNODAS", "NDF", "RRASTER"),
    "PCRaster",
)
HEADER_DRIVERS = ("RRASTER", "NDF")  # which open a file of text, whose pixels are in others
HEADER_BYTES = {"BT": 256, "LAN": 128, "KRO": 20, "PCRaster": 256}  # before the pixels
# Endings next to raw files, which GDAL's drivers of raw files would open by the header of these, too.
RAW_SIDECARS = (".gz", ".hdr", ".prj", ".stx", ".clr", ".sta", ".wld", ".blw", ".bpw", ".bqw", ".dtw", ".igw", ".rww")
START_BYTES = 1024  # of a file, which show its format
MAX_VRT_BYTES = 2**26  # of a VRT that is searched for raw bands; real ones with raw bands have some kilobytes
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # whose driver notices what is missing
PCIDSK_BLOCK = 512  # bytes
RAW_BAND = re.compile(r"<VRTRasterBand[^>]*VRTRawRasterBand.*?</VRTRasterBand>", re.DOTALL)

Sizes = dict[str, int]  # bytes by path


def refuse_truncated_files(role: str, files: Iterable[str]) -> None:
    """Refuse files that are smaller than a header states. Call within `gdal_exceptions`. Raises InputError."""
    for header in files:
        for file, needed in read_needed_sizes(header).items():
            size = os.path.getsize(file) if os.path.isfile(file) else needed
            if size < needed:
                raise InputError(
                    f"{role} {file} has {size:,} bytes, but {needed:,} are needed by what its header says: it is cut "
                    "short. Copy or download it again."
                )


def read_needed_sizes(file: str) -> Sizes:
    """Read the bytes that a file, and files of pixels that it describes, need; empty where it does not state them."""
    try:
        with open(file, "rb") as opened:
            start = opened.read(START_BYTES)
        if start.startswith(TIFF):
            return {}
        if start.startswith(b"SQLite format 3\0"):
            return _read_database(file, start)
        if start.startswith(b"PCIDSK"):
            return _read_pcidsk(file, start)
        if b"<VRTDataset" in start:
            return _read_vrt(file)
        return _read_raw(file)
    except (OSError, ValueError, OverflowError, RuntimeError):  # a header without numbers
        return {}


def _read_raw(file: str) -> Sizes:
    """Read the size of a raw file that GDAL opens by its header."""
    dataset = gdal.OpenEx(file, gdal.OF_RASTER, allowed_drivers=list(RAW_DRIVERS))
    if dataset is None or os.path.realpath(dataset.GetDescription()) != os.path.realpath(file):
        return {}
    if file.lower().endswith(RAW_SIDECARS):
        return {}
    first = HEADER_BYTES.get(dataset.GetDriver().ShortName, 0)
    first += int(float(dataset.GetMetadataItem("header_offset", "ENVI") or 0))
    bands = [dataset.GetRasterBand(b) for b in range(1, dataset.RasterCount + 1)]
    bits = sum(int(b.GetMetadataItem("NBITS", "IMAGE_STRUCTURE") or gdal.GetDataTypeSize(b.DataType)) for b in bands)
    needed = first + dataset.RasterXSize * dataset.RasterYSize * bits // 8
    if dataset.GetDriver().ShortName not in HEADER_DRIVERS:
        return {file: needed}
    files = [f for f in dataset.GetFileList() if f != file and not f.endswith(".aux.xml")]
    return {f: needed // len(files) for f in files}


def _read_database(file: str, start: bytes) -> Sizes:
    """Read the size of a GeoPackage or MBTiles file: pages of one size, whose number counts where it is current."""
    if len(start) < 100 or os.path.exists(f"{file}-wal") or start[24:28] != start[92:96]:
        return {}
    page = int.from_bytes(start[16:18], "big")
    return {file: (65536 if page == 1 else page) * int.from_bytes(start[28:32], "big")}


def _read_pcidsk(file: str, start: bytes) -> Sizes:
    """Read the size of channels by pixel or by band in the file itself, or each in its own file; tiles are skipped."""
    if start[360:365] in (b"PIXEL", b"BAND "):
        blocks = int(start[304:320]) - 1 + int(start[320:336])
        return {file: (blocks - 1) * PCIDSK_BLOCK + 1}  # of the last block only its start has to be there
    width, height, count = int(start[384:392]), int(start[392:400]), int(start[376:384])
    sizes: Sizes = {}
    with open(file, "rb") as opened:
        opened.seek((int(start[336:352]) - 1) * PCIDSK_BLOCK)
        for _ in range(count):
            header = opened.read(2 * PCIDSK_BLOCK)
            if len(header) < 2 * PCIDSK_BLOCK:
                break
            name = header[64:128].decode("utf-8", "replace").strip()
            if name and not name.startswith("/"):
                first, pixel, line = int(header[168:184]), int(header[184:192]), int(header[192:200])
                path = str(Path(file).parent / name)
                end = first + (height - 1) * line + (width - 1) * pixel + 1
                sizes[path] = max(sizes.get(path, 0), end)
    return sizes


def _read_vrt(file: str) -> Sizes:
    """Read the sizes of the raw files of a VRT's bands, by their offsets."""
    with open(file, encoding="utf-8", errors="replace") as opened:
        text = opened.read(MAX_VRT_BYTES)
    sizes: Sizes = {}
    for band in RAW_BAND.findall(text):
        try:
            width, height = (int(_find_word(text, rf'raster{axis}Size="(\d+)"')) for axis in "XY")
            pixel_bytes = gdal.GetDataTypeSize(gdal.GetDataTypeByName(_find_word(band, r'dataType="(\w+)"'))) // 8
            pixel = int(_find_word(band, r"<PixelOffset>\s*(-?\d+)", str(pixel_bytes)))
            line = int(_find_word(band, r"<LineOffset>\s*(-?\d+)", str(pixel * width)))
            first = int(_find_word(band, r"<ImageOffset>\s*(\d+)", "0"))
        except ValueError:
            continue
        name = html.unescape(_find_word(band, r"<SourceFilename[^>]*>([^<]+)<"))
        path = str(Path(file).parent / name) if re.search(r'relativetoVRT="1"', band, re.IGNORECASE) else name
        end = first + max(line, 0) * (height - 1) + max(pixel, 0) * (width - 1) + pixel_bytes
        sizes[path] = max(sizes.get(path, 0), end)
    return sizes


def _find_word(text: str, pattern: str, default: str = "") -> str:
    """Return what a pattern finds first in a text."""
    match = re.search(pattern, text, re.IGNORECASE)
    return match.group(1) if match else default
