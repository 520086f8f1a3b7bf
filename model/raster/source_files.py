"""Every file that is read where a raster is opened, by whatever name: VRTs, archives, subdatasets."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from pathlib import Path

from osgeo import gdal

LONGEST_NAME = 4096  # characters; anything longer is no name
STARTS = re.compile(r"/vsi\w+/|[:\"'{,=]")  # a path may start after these within a name
ENDS = re.compile(r"[/\\:\"'},?|&]")  # and end before these
POINTS = re.compile(r"<(?:SourceFilename|SourceDataset)[^>]*>([^<]+)<")  # elements of a VRT that name what it reads


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
