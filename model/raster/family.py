"""The files that make up a raster beside its own: overviews, masks, statistics, headers, world files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from osgeo import gdal

SIDECARS = (".aux.xml", ".ovr", ".ovr.aux.xml", ".msk", ".msk.ovr", "-wal", "-shm", "-journal")  # after the whole name
POINTERS = ("VRT",)  # drivers whose list of files names other rasters


def family(target: Path) -> list[Path]:
    """The files there are of a raster at this path, itself among them; none that another raster beside it uses too.

    Those that GDAL lists, and the usual ones also where GDAL cannot open it or it is gone. Call within
    `gdal_exceptions`.
    """
    found = {target.with_name(target.name + ending) for ending in SIDECARS} | _world_files(target)
    found |= {f for f in listed(target) if f.parent == target.parent and f.name.startswith(target.stem)}
    there = {f for f in found if os.path.isfile(f) and f != target}  # no error where a name would be too long
    kept = _used_by_others(target, there) if there else set()
    return ([target] if os.path.lexists(target) else []) + sorted(there - kept)


def listed(path: Path) -> list[Path]:
    """What GDAL lists for the raster at a path; nothing where it cannot be opened or only points to other rasters."""
    if not path.exists():
        return []
    try:
        dataset = gdal.OpenEx(str(path), gdal.OF_RASTER)
        return [] if dataset.GetDriver().ShortName in POINTERS else [Path(f) for f in dataset.GetFileList() or ()]
    except RuntimeError:
        return []


def _world_files(target: Path) -> set[Path]:
    """Where the georeference of an image may lie: for .tif .tfw, .tifw and .wld."""
    extension = target.suffix[1:]
    endings = {"wld", f"{extension}w", f"{extension[:1]}{extension[-1:]}w"} if extension else set()
    return {target.with_suffix(f".{case}") for e in endings for case in (e.lower(), e.upper())}


def _used_by_others(target: Path, files: Iterable[Path]) -> set[Path]:
    """Those of the files that belong to another raster of the same name up to the extension as well."""
    shared = {f for f in files if not f.name.startswith(target.name)}
    if not shared:
        return set()
    alike = [p for p in target.parent.iterdir() if p.stem == target.stem and p != target and p not in shared]
    return {f for p in alike for f in listed(p) if f in shared}
