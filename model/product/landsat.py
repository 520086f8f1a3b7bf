"""Landsat 7 to 9 and EO-1 ALI: one file a band, listed in a metadata file MTL as text, XML or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from ..errors import InputError
from .listing import Listing
from .metadata import Tree, check_value, find_value
from .scene import NOT_SHARPENED, UNKNOWN, Band, Part, Refused, Sensor, find_sensor

FILE_OF_BAND = re.compile(r"file_name_band_(\d+(?:_vcid_\d)?)|band(\d+)_file_name")
WITHOUT_PAN = re.compile(r"LANDSAT_?([1-5])$", re.IGNORECASE)
RECORD = "level1_processing_record"  # a group that in level 2 names the files of level 1, which are not with it
FILL = 0.0


def read_mtl(listing: Listing, file: str, root: Tree, sensors: Sequence[Sensor]) -> Iterator[Part | Refused]:
    """Yield PAN and MS of an MTL file."""
    path = listing.path(file)
    for group in list(root.iter()):
        for record in group.findall(RECORD):
            group.remove(record)
    spacecraft = find_value(root, "SPACECRAFT_ID")
    title = find_value(root, "LANDSAT_PRODUCT_ID") or re.sub(r"(?i)_?MTL\w*$", "", PurePosixPath(file).stem)
    title = title or PurePosixPath(listing.root).name
    without = WITHOUT_PAN.match(spacecraft)
    if without:
        yield Refused(title, f"{title} is of Landsat {without[1]}, which has no panchromatic band.", (path,))
        return
    sensor = find_sensor(sensors, spacecraft)
    if sensor == UNKNOWN:
        known = ", ".join(s.name for s in sensors)
        raise InputError(f"names the spacecraft '{spacecraft}', but only {known} are known")
    date = find_value(root, "DATE_ACQUIRED") or find_value(root, "ACQUISITION_DATE")
    scene = name_scene(sensor, find_value(root, "WRS_PATH"), find_value(root, "WRS_ROW"), date)
    level = find_value(root, "PROCESSING_LEVEL") or find_value(root, "DATA_TYPE")
    named = _files_of_bands(root, sensor)
    there = {band: listing.beside(file, name) for band, name in named.items()}
    for role in ("PAN", "MS"):
        bands = [b for b in named if (b == "PAN") == (role == "PAN")]
        if bands:
            yield Part(
                role=role,
                sensor=sensor,
                scene=scene,
                title=title,
                bands=tuple(Band(b, (listing.path(f),)) for b in bands if (f := there[b]) is not None),
                date=date,
                level=2 if level.upper().startswith("L2") else 1,
                metadata=(path,),
                missing=tuple(f"{named[b]} ({b})" for b in bands if there[b] is None),
                nodata=FILL,
            )


def name_scene(sensor: Sensor, path: str, row: str, date: str) -> str:
    """Name what was recorded together, whatever its level."""
    return " ".join([sensor.name, path.lstrip("0"), row.lstrip("0"), date])


def _files_of_bands(root: Tree, sensor: Sensor) -> dict[str, str]:
    """Names of files by the names of their bands; of a band that is listed twice, the first counts."""
    named: dict[str, str] = {}
    for element in root.iter():
        matched = FILE_OF_BAND.fullmatch(element.tag)
        band = sensor.bands.get((matched[1] or matched[2]).upper(), "") if matched else ""
        if band and band not in NOT_SHARPENED:
            named.setdefault(band, check_value(element.tag.upper(), element.text or ""))
    return named
