"""How many bytes a file needs by what its own header says: GDAL reads what is missing as zeros, or leaves tiles out."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

from osgeo import gdal

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
    "PCRaster",
)
HEADERS = {"BT": 256, "LAN": 128, "KRO": 20, "PCRaster": 256}  # bytes before the pixels
START = 1024  # bytes of a file that tell its kind
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # whose reader notices what is missing
PCIDSK_BLOCK = 512
RAW_BAND = re.compile(r"<VRTRasterBand[^>]*VRTRawRasterBand.*?</VRTRasterBand>", re.DOTALL)

Sizes = dict[str, int]  # bytes, by path


def needed_sizes(file: str) -> Sizes:
    """Bytes that a file, and files of pixels that it describes, need; empty where it does not say.

    Call within `gdal_exceptions`.
    """
    try:
        with open(file, "rb") as opened:
            start = opened.read(START)
    except OSError:
        return {}
    if start.startswith(TIFF):
        return {}
    if start.startswith(b"SQLite format 3\0"):
        return _database(file, start)
    if start.startswith(b"PCIDSK"):
        return _pcidsk(file, start)
    if b"<VRTDataset" in start:
        return _virtual(file)
    return _raw(file)


def _raw(file: str) -> Sizes:
    """A raw file that GDAL opens by its header."""
    try:
        dataset = gdal.OpenEx(file, gdal.OF_RASTER, allowed_drivers=list(RAW_DRIVERS))
    except RuntimeError:
        return {}
    if dataset is None or os.path.realpath(dataset.GetDescription()) != os.path.realpath(file):
        return {}
    if file.lower().endswith((".gz", ".hdr")):
        return {}
    before = HEADERS.get(dataset.GetDriver().ShortName, 0)
    before += int(float(dataset.GetMetadataItem("header_offset", "ENVI") or 0))
    kinds = [dataset.GetRasterBand(b).DataType for b in range(1, dataset.RasterCount + 1)]
    pixels = dataset.RasterXSize * dataset.RasterYSize
    return {file: before + pixels * sum(gdal.GetDataTypeSize(k) // 8 for k in kinds)}


def _database(file: str, start: bytes) -> Sizes:
    """GeoPackage, MBTiles: pages of one size, whose number counts where the last writer knew of it."""
    if len(start) < 100 or os.path.exists(f"{file}-wal") or start[24:28] != start[92:96]:
        return {}
    page = int.from_bytes(start[16:18], "big")
    return {file: (65536 if page == 1 else page) * int.from_bytes(start[28:32], "big")}


def _pcidsk(file: str, start: bytes) -> Sizes:
    """Channels by pixel or by band in the file itself, or each in a file of its own; tiles are not looked at."""
    try:
        if start[360:365] in (b"PIXEL", b"BAND "):
            blocks = int(start[304:320]) - 1 + int(start[320:336])
            return {file: (blocks - 1) * PCIDSK_BLOCK + 1}  # of the last block nothing but its start has to be there
        width, height, count = int(start[384:392]), int(start[392:400]), int(start[376:384])
        found: Sizes = {}
        with open(file, "rb") as opened:
            opened.seek((int(start[336:352]) - 1) * PCIDSK_BLOCK)
            for _ in range(count):
                header = opened.read(2 * PCIDSK_BLOCK)
                name = header[64:128].decode("utf-8", "replace").strip()
                if name and not name.startswith("/"):
                    first, pixel, line = int(header[168:184]), int(header[184:192]), int(header[192:200])
                    end = first + (height - 1) * line + (width - 1) * pixel + 1
                    path = str(Path(file).parent / name)
                    found[path] = max(found.get(path, 0), end)
        return found
    except (ValueError, OSError):  # a header without numbers
        return {}


def _virtual(file: str) -> Sizes:
    """The raw files of a VRT's bands, by their offsets."""
    text = Path(file).read_text(encoding="utf-8", errors="replace")
    found: Sizes = {}
    for band in RAW_BAND.findall(text):
        try:
            width, height = (int(_word(text, rf'raster{axis}Size="(\d+)"')) for axis in "XY")
            size = gdal.GetDataTypeSize(gdal.GetDataTypeByName(_word(band, r'dataType="(\w+)"'))) // 8
            pixel = int(_word(band, r"<PixelOffset>\s*(-?\d+)", str(size)))
            line = int(_word(band, r"<LineOffset>\s*(-?\d+)", str(pixel * width)))
            first = int(_word(band, r"<ImageOffset>\s*(\d+)", "0"))
        except ValueError:
            continue
        name = html.unescape(_word(band, r"<SourceFilename[^>]*>([^<]+)<"))
        path = str(Path(file).parent / name) if re.search(r'relativetoVRT="1"', band, re.IGNORECASE) else name
        end = first + max(line, 0) * (height - 1) + max(pixel, 0) * (width - 1) + size
        found[path] = max(found.get(path, 0), end)
    return found


def _word(text: str, pattern: str, otherwise: str = "") -> str:
    """What a pattern finds first in a text."""
    found = re.search(pattern, text, re.IGNORECASE)
    return found.group(1) if found else otherwise
