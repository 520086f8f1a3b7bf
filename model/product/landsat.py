"""Landsat 7 to 9 and EO-1 ALI: one file a band, listed in a metadata file MTL as text, XML or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..errors import InputError
from .listing import Listing
from .scene import Band, Part, Refused
from .sensors import NOT_SHARPENED, SENSORS, Sensor

MTL = re.compile(r"^(.*?)_?MTL(_L1\w+)?\.(txt|xml|json)$", re.IGNORECASE)
FORMS = ("txt", "xml", "json")  # the same content; the first that is there is read
FILE_OF_BAND = re.compile(r"FILE_NAME_BAND_(?:ST_B)?(\d+(?:_VCID_\d)?)|BAND(\d+)_FILE_NAME")
COMPLETE = re.compile(r"(?:\n\s*END|</\w+_METADATA_FILE>)$")  # how text and XML end
TEXT_LINE = re.compile(r"^\s*(\w+)\s*=\s*(.*?)\s*$", re.MULTILINE)
XML_ITEM = re.compile(r"<(\w+)>([^<]*)</\1>")
PAN_ALONE = re.compile(r"^L[CE]0?([789])_L1\w+_(\d{6})_(\d{4})(\d\d)(\d\d)_.*_B8\.TIFF?$", re.IGNORECASE)
PAN_NUMBER = {"Landsat 7": "8", "Landsat 8": "8", "Landsat 9": "8", "EO-1 ALI": "1"}
WITHOUT_PAN = re.compile(r"LANDSAT_?([1-5])$", re.IGNORECASE)
FILL = 0.0  # which all levels use, though not all files say so


def read_landsat(listing: Listing) -> Iterator[Part | Refused]:
    """PAN and MS of every MTL file, and PAN files of level 1 that lie there without one."""
    chosen: dict[str, str] = {}
    for file in listing.files:
        found = MTL.match(file)
        if found:
            stem = found[1].lower()
            chosen[stem] = min((chosen.get(stem, file), file), key=lambda f: FORMS.index(f.rsplit(".", 1)[1].lower()))
    listed: set[str] = set()
    for file in chosen.values():
        try:
            for found_part in _of_mtl(listing, file):
                listed |= set(found_part.files)
                yield found_part
        except InputError as error:
            yield Refused(listing.path(file), str(error), (listing.path(file),))
    for file in listing.files:
        if listing.path(file) not in listed:
            yield from _pan_alone(listing, file)


def items_of(text: str) -> dict[str, str]:
    """Keys and values of an MTL file, whatever its form; of a key that comes twice the first counts.

    Raises InputError, with part of a sentence, where it is not complete.
    """
    if text.lstrip().startswith("{"):
        try:
            pairs = list(_flat(json.loads(text)))
        except ValueError as error:
            raise InputError(f"is cut short ({error})") from error
    elif not COMPLETE.search(text.rstrip("\0 \r\n\t")[-80:]):
        raise InputError("is cut short")
    elif text.lstrip().startswith("<"):
        pairs = XML_ITEM.findall(text)
    else:
        pairs = TEXT_LINE.findall(text)
    items: dict[str, str] = {}
    for key, value in pairs:
        items.setdefault(key.upper(), str(value).strip().strip('"'))
    return items


def _flat(tree: Any) -> Iterator[tuple[str, str]]:
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield str(key), str(value)


def _of_mtl(listing: Listing, file: str) -> Iterator[Part | Refused]:
    try:
        items = items_of(listing.text(file))
    except InputError as error:
        raise InputError(f"The metadata file {listing.path(file)} {error}. Download the product again.") from error
    spacecraft = items.get("SPACECRAFT_ID", "")
    title = items.get("LANDSAT_PRODUCT_ID") or re.sub(r"_?MTL\w*$", "", PurePosixPath(file).stem, flags=re.IGNORECASE)
    title = title or PurePosixPath(listing.root).name
    without = WITHOUT_PAN.match(spacecraft)
    if without:
        yield Refused(
            title, f"{title} is of Landsat {without[1]}, which has no panchromatic band.", (listing.path(file),)
        )
        return
    name = (
        "EO-1 ALI"
        if spacecraft.upper().startswith("EO")
        else re.sub(r"^LANDSAT_?", "Landsat ", spacecraft, flags=re.IGNORECASE)
    )
    sensor = SENSORS.get(name)
    if sensor is None:
        raise InputError(
            f"{listing.path(file)} names the spacecraft '{spacecraft}'; Landsat 7, 8, 9 and EO-1 ALI are known. "
            "Download the product again where the file is cut short."
        )
    yield from _parts(listing, file, items, sensor, title)


def _parts(listing: Listing, file: str, items: Mapping[str, str], sensor: Sensor, title: str) -> Iterator[Part]:
    level = 2 if (items.get("PROCESSING_LEVEL") or items.get("DATA_TYPE") or "").upper().startswith("L2") else 1
    date = items.get("DATE_ACQUIRED") or items.get("ACQUISITION_DATE") or ""
    scene = _scene(sensor, items.get("WRS_PATH", ""), items.get("WRS_ROW", ""), date)
    found: dict[str, list[Band]] = {"PAN": [], "MS": []}
    missing: dict[str, list[str]] = {"PAN": [], "MS": []}
    for key, value in items.items():
        matched = FILE_OF_BAND.fullmatch(key)
        name = sensor.bands.get(matched[1] or matched[2], "") if matched else ""
        if not name or name in NOT_SHARPENED or "_ST_" in key:
            continue
        role = "PAN" if name == "PAN" else "MS"
        there = listing.beside(file, value)
        if there is None:
            missing[role].append(f"{value} ({name})")
        else:
            found[role].append(Band(name, (listing.path(there),)))
    for role in ("PAN", "MS"):
        if found[role] or missing[role]:
            yield Part(
                role, sensor, scene, title, tuple(found[role]), date, level, (listing.path(file),),
                tuple(missing[role]), FILL,
            )  # fmt: skip


def _pan_alone(listing: Listing, file: str) -> Iterator[Part]:
    """Band 8 of level 1 by its name, which tells sensor, path, row and date."""
    found = PAN_ALONE.match(PurePosixPath(file).name)
    if found:
        sensor, date = SENSORS[f"Landsat {found[1]}"], "-".join(found.group(3, 4, 5))
        scene = _scene(sensor, found[2][:3], found[2][3:], date)
        title = re.sub(r"_B8$", "", PurePosixPath(file).stem, flags=re.IGNORECASE)
        yield Part("PAN", sensor, scene, title, (Band("PAN", (listing.path(file),)),), date, nodata=FILL)


def _scene(sensor: Sensor, path: str, row: str, date: str) -> str:
    return " ".join([sensor.name, path.lstrip("0"), row.lstrip("0"), date])
