"""Landsat 7 to 9 and EO-1 ALI: one file per band, listed in a metadata file MTL as text, XML or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from ..errors import InputError
from .listing import Listing
from .metadata import Tree, check_value, find_value
from .scene import NOT_SHARPENED, UNKNOWN, Band, Part, RefusedProduct, Sensor, find_sensor

FILE_OF_BAND = re.compile(r"file_name_band_(\d+(?:_vcid_\d)?)|band(\d+)_file_name")
WITHOUT_PAN = re.compile(r"LANDSAT_?([1-5])$", re.IGNORECASE)
RECORD = "level1_processing_record"  # In level 2, this group names files of level 1, which are elsewhere.
FILL = 0.0
ESPA_FILL = -9999.0


def read_mtl(listing: Listing, file: str, root: Tree, sensors: Sequence[Sensor]) -> Iterator[Part | RefusedProduct]:
    """Yield PAN and MS of an MTL file."""
    path = listing.path(file)
    made = find_value(root, "DATE_PRODUCT_GENERATED") or find_value(root, "FILE_DATE")
    for group in list(root.iter()):
        for record in group.findall(RECORD):
            group.remove(record)
    spacecraft = find_value(root, "SPACECRAFT_ID")
    title = find_value(root, "LANDSAT_PRODUCT_ID") or re.sub(r"(?i)_?MTL\w*( ?\(\d+\))?$", "", PurePosixPath(file).stem)
    title = title or PurePosixPath(listing.root).name
    without_pan = WITHOUT_PAN.match(spacecraft)
    if without_pan:
        yield RefusedProduct(title, f"{title} is of Landsat {without_pan[1]}, which has no panchromatic band.", (path,))
        return
    sensor = find_sensor(sensors, spacecraft)
    if sensor == UNKNOWN:
        sensor_names = ", ".join(s.name for s in sensors)
        raise InputError(f"names the spacecraft '{spacecraft}', but only {sensor_names} are known")
    date = find_value(root, "DATE_ACQUIRED") or find_value(root, "ACQUISITION_DATE")
    scene = name_scene(sensor, find_value(root, "WRS_PATH"), find_value(root, "WRS_ROW"), date)
    level = find_value(root, "PROCESSING_LEVEL") or find_value(root, "DATA_TYPE")
    listed = _find_band_files(root, sensor)
    for role in ("PAN", "MS"):
        of_role = {band: name for band, name in listed.items() if (band == "PAN") == (role == "PAN")}
        for process, name_of in _choose_names(listing, file, of_role):
            file_of = {band: listing.find_next_to(file, name) for band, name in name_of.items()}
            yield Part(
                role=role,
                sensor=sensor,
                scene=scene,
                title=title,
                bands=tuple(Band(b, (listing.path(f),)) for b, f in file_of.items() if f is not None),
                date=date,
                level=2 if level.upper().startswith("L2") or process == "sr" else 1,
                metadata=(path,),
                missing=tuple(f"{name_of[b]} ({b})" for b, f in file_of.items() if f is None),
                nodata=ESPA_FILL if process else FILL,
                made=made,
            )


def _choose_names(listing: Listing, file: str, name_of: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield kinds of processing, and names of files by band: those of the MTL file, and what ESPA made of them."""
    renamed = {"": r"\g<0>", **{k: rf"_{k}_band\1.tif" for k in ("sr", "toa")}}
    sets = {k: {b: re.sub(r"(?i)_B(\d)\.TIFF?$", new, n) for b, n in name_of.items()} for k, new in renamed.items()}
    present = [process for process, names in sets.items() if any(listing.find_next_to(file, n) for n in names.values())]
    for process in present or [""]:
        if name_of and (process != "toa" or present == ["toa"]):
            yield process, sets[process]


def name_scene(sensor: Sensor, path: str, row: str, date: str) -> str:
    """Name a scene, independent of its processing level."""
    return " ".join([sensor.name, path.lstrip("0"), row.lstrip("0"), date])


def _find_band_files(root: Tree, sensor: Sensor) -> dict[str, str]:
    """Map names of bands to names of files; of a band that is listed twice, the first counts."""
    name_of: dict[str, str] = {}
    for element in root.iter():
        matched = FILE_OF_BAND.fullmatch(element.tag)
        band = sensor.bands.get((matched[1] or matched[2]).upper(), "") if matched else ""
        if band and element.text and band not in NOT_SHARPENED:
            name_of.setdefault(band, check_value(element.tag.upper(), element.text or ""))
    return name_of
