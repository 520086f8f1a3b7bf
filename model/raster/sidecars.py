"""Sidecars, the files that make up a raster besides its own: overviews, masks, statistics, headers, world files."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path

from osgeo import gdal

SIDECARS = (".aux.xml", ".ovr", ".ovr.aux.xml", ".msk", ".msk.ovr", "-wal", "-shm", "-journal")  # after the whole name
POINTERS = ("VRT", "MRF", "PDS4", "ISIS3", "STACTA", "WMS", "WMTS")  # drivers whose files name any other file or server
SIDECAR_FORMATS = ("", "GTiff", "ENVI")  # overviews and masks are GeoTIFFs; ENVI takes any file next to a header


def family(target: Path) -> list[Path]:
    """List the raster at this path and its sidecars, without those that another raster next to it uses too.

    Those that GDAL lists, and the usual ones also where GDAL cannot open it or it is gone. Call within
    `gdal_exceptions`.
    """
    files = {target.with_name(target.name + ending) for ending in SIDECARS} | _name_world_files(target)
    near = {f for f in listed(target) if f.parent == target.parent and f.name.startswith(target.stem)}
    files |= {f for f in near if _name_format(f) in (*SIDECAR_FORMATS, _name_format(target))}  # no raster of its own
    there = {f for f in files if os.path.isfile(f) and f != target}  # no error where a name would be too long
    kept = _find_shared_files(target, there) if there else set()
    return ([target] if os.path.lexists(target) else []) + sorted(there - kept)


def listed(path: Path) -> list[Path]:
    """Return GDAL's file list of the raster at a path; nothing where rasters are not written in its format.

    Formats that only point to other files are left out: the text of such a file must not decide which files are removed
    with it.
    """
    if not path.exists():
        return []
    try:
        dataset = gdal.OpenEx(str(path), gdal.OF_RASTER, allowed_drivers=_list_drivers())
        return [Path(f) for f in dataset.GetFileList() or ()]
    except RuntimeError:
        return []


def _name_format(file: Path) -> str:
    """Return the name of the driver that takes a file for a raster; empty where none does."""
    try:
        driver = gdal.IdentifyDriverEx(str(file), gdal.OF_RASTER)
    except RuntimeError:  # as for a header: "select the data file"
        return ""
    return driver.ShortName if driver else ""


@functools.lru_cache(maxsize=1)
def _list_drivers() -> list[str]:
    """List drivers that write rasters whose files are known by their names."""
    drivers = (gdal.GetDriver(i) for i in range(gdal.GetDriverCount()))
    able = (gdal.DCAP_CREATE, gdal.DCAP_CREATECOPY)
    return [d.ShortName for d in drivers if d.ShortName not in POINTERS and any(d.GetMetadataItem(c) for c in able)]


def _name_world_files(target: Path) -> set[Path]:
    """Return where the georeference of an image may lie: for .tif .tfw, .tifw and .wld."""
    extension = target.suffix[1:]
    endings = {"wld", f"{extension}w", f"{extension[:1]}{extension[-1:]}w"} if extension else set()
    return {target.with_suffix(f".{case}") for e in endings for case in (e.lower(), e.upper())}


def _find_shared_files(target: Path, files: Iterable[Path]) -> set[Path]:
    """Return those of the files that belong to another raster of the same name up to the extension as well."""
    shared = {f for f in files if not f.name.startswith(target.name)}
    if not shared:
        return set()
    alike = [p for p in target.parent.iterdir() if p.stem == target.stem and p != target and p not in shared]
    return {f for p in alike for f in listed(p) if f in shared}
