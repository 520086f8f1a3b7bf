"""Files of parts: named by plan, place and content, verified before use, removed without touching other files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from osgeo import gdal

from ..model.geometry.grids import Window
from .storage import DamagedFileError, child, compute_sha256, is_remote, names, read_chunks, remove_file

PART_NAME = re.compile(r"(\d{6,}_\d{6,}_[0-9a-f]{16})_([0-9a-f]{16})\.tif")  # stem and checksum
OWN_ENTRY = re.compile(r"\.?\d{6,}_\d{6,}_[0-9a-f]{16}.*")  # parts, their sidecars, and what a killed worker leaves
IDENTITY = "OTFM_PART"  # metadata of a part: its stem
CHECKSUM_DIGITS = 16
MAX_GROWTH = 2  # compressed over plain size, which no codec reaches
MAX_HEADER_BYTES = 2**24  # metadata and directories of a part

Result = TypeVar("Result")


@dataclass(frozen=True)
class VerifiedPart:
    """A part whose content is what was written, opened from memory: what was verified is what is read."""

    dataset: gdal.Dataset
    path: str
    size: int
    sha256: str

    def read(self) -> np.ndarray:
        """All values, (bands, h, w)."""
        values = self.dataset.ReadAsArray()
        return values if values.ndim == 3 else values[None]


@dataclass(frozen=True)
class PartForm:
    """What a part has to be: its stem, window, number of bands and GDAL's name of its type."""

    stem: str
    window: Window
    bands: int
    type: str

    @property
    def max_bytes(self) -> int:
        """Most that its file can have."""
        pixel = self.bands * gdal.GetDataTypeSize(gdal.GetDataTypeByName(self.type)) // 8
        return MAX_GROWTH * self.window.width * self.window.height * pixel + MAX_HEADER_BYTES

    def name_file(self, file: Path) -> str:
        """The name that a file of this part gets by its content."""
        return f"{self.stem}_{compute_sha256(str(file))[:CHECKSUM_DIGITS]}.tif"

    def fits(self, dataset: gdal.Dataset) -> bool:
        """Whether a file is this part, and not another one."""
        size = (dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount)
        kind = gdal.GetDataTypeName(dataset.GetRasterBand(1).DataType)
        wanted = (self.window.width, self.window.height, self.bands)
        return size == wanted and kind == self.type and dataset.GetMetadataItem(IDENTITY) == self.stem


def list_parts(folder: str) -> dict[str, list[str]]:
    """Names of the parts in a folder by their stems. Their content is not looked at."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names(folder)):
        match = PART_NAME.fullmatch(name)
        if match:
            found[match[1]].append(name)
    return found


def use_part(
    folder: str, candidates: Sequence[str], form: PartForm, use: Callable[[VerifiedPart], Result]
) -> Result | None:
    """Use the first of some files that is the part; None where none is. Those that are not are removed.

    Call within `gdal_exceptions`. Raises InputError where a store does not answer.
    """
    for name in candidates:
        try:
            with _opened(child(folder, name), form) as part:
                return use(part)
        except DamagedFileError:
            remove_file(child(folder, name))
    return None


@contextmanager
def _opened(path: str, form: PartForm) -> Iterator[VerifiedPart]:
    """A verified part. Raises DamagedFileError."""
    copy = f"/vsimem/{uuid.uuid4().hex}.tif"
    digest, size = hashlib.sha256(), 0
    try:
        handle = gdal.VSIFOpenL(copy, "wb")
        try:
            for chunk in read_chunks(path, form.max_bytes, follow_links=False):
                digest.update(chunk)
                size += len(chunk)
                gdal.VSIFWriteL(chunk, 1, len(chunk), handle)
        finally:
            gdal.VSIFCloseL(handle)
        match = PART_NAME.fullmatch(path.rpartition("/")[2])
        if match is None or match[2] != digest.hexdigest()[:CHECKSUM_DIGITS]:
            raise DamagedFileError(f"{path} has another checksum than its name")
        try:
            dataset = gdal.OpenEx(copy, gdal.OF_RASTER, allowed_drivers=["GTiff"])
            if not form.fits(dataset):
                raise DamagedFileError(f"{path} is another part")
            yield VerifiedPart(dataset, path, size, digest.hexdigest())
        except RuntimeError as error:
            raise DamagedFileError(f"{path} cannot be read ({error})") from error
        finally:
            dataset = None
    finally:
        with suppress(RuntimeError):
            gdal.Unlink(copy)


def remove_parts(folder: str, keep: Collection[str] = ()) -> None:
    """Remove parts, except those to keep, and what killed workers left of them; then the folder, if it is empty."""
    if is_remote(folder):
        for name in names(folder):
            if OWN_ENTRY.fullmatch(name) and name not in keep:
                remove_file(child(folder, name))
        return
    if os.path.islink(folder) or not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        left = [e for e in entries if OWN_ENTRY.fullmatch(e.name) and e.name not in keep]
    for entry in left:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            remove_file(entry.path)
    with suppress(OSError):
        os.rmdir(folder)
