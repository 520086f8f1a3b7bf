"""Landsat 7 to 9 and EO-1 ALI: one file a band, listed in a metadata file MTL as text, XML or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..errors import InputError
from ..files import parse_json
from .listing import Listing
from .metadata import MAX_DEPTH, Element, check_value, decode_text, parse_xml, read_metadata, refuse_on_error
from .scene import Band, Part, Refused
from .sensors import NOT_SHARPENED, SENSORS, Sensor

MTL = re.compile(r"^(.*?)_?MTL(_L1\w+)?\.(txt|xml|json)$", re.IGNORECASE)
FORMS = ("txt", "xml", "json")  # the same content; the first that is there is read
FILE_OF_BAND = re.compile(r"FILE_NAME_BAND_(?:ST_B)?(\d+(?:_VCID_\d)?)|BAND(\d+)_FILE_NAME")
PAN_ALONE = re.compile(r"^L[CE]0?([789])_L1\w+_(\d{6})_(\d{4})(\d\d)(\d\d)_.*_B8\.TIFF?$", re.IGNORECASE)
WITHOUT_PAN = re.compile(r"LANDSAT_?([1-5])$", re.IGNORECASE)
RECORD = "LEVEL1_PROCESSING_RECORD"  # a group that in level 2 names the files of level 1, which are not with it
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
        listing.check()
        for found_part in refuse_on_error(listing, file, _of_mtl):
            listed |= set(found_part.files)
            yield found_part
    for file in listing.files:
        if listing.path(file) not in listed:
            yield from _pan_alone(listing, file)


def read_items(listing: Listing, file: str) -> dict[str, str]:
    """Read keys and values of an MTL file, whatever its form; of a key that comes twice the first counts.

    Raises InputError, with part of a sentence, where it is not complete.
    """
    content = read_metadata(listing.path(file), listing.check)
    pairs: Iterable[tuple[str, str]]
    if content.startswith(b"<"):
        root = parse_xml(content, listing.check)
        pairs = _leaves(root)
    elif content.startswith(b"{"):
        try:
            pairs = _flatten(parse_json(decode_text(content), MAX_DEPTH))
        except ValueError as error:
            raise InputError(f"is cut short ({error})") from error
    else:
        lines = decode_text(content).splitlines()
        if not lines or lines[-1].strip() != "END":
            raise InputError("is cut short")
        pairs = _lines(lines)
    items: dict[str, str] = {}
    for key, value in pairs:
        items.setdefault(key.upper(), value.strip().strip('"'))
    return items


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    skipped = False
    for key, value in ((k.strip(), v.strip()) for k, sign, v in (line.partition("=") for line in lines) if sign):
        if value == RECORD:
            skipped = key == "GROUP"
        elif not skipped:
            yield key, value


def _leaves(tree: Element) -> Iterator[tuple[str, str]]:
    for child in tree.children:
        if child.children and child.name != RECORD:
            yield from _leaves(child)
        elif not child.children:
            yield child.name, child.text


def _flatten(tree: Any) -> Iterator[tuple[str, str]]:
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        if key == RECORD:
            continue
        if isinstance(value, Mapping):
            yield from _flatten(value)
        else:
            yield str(key), str(value)


def _of_mtl(listing: Listing, file: str) -> Iterator[Part | Refused]:
    items = read_items(listing, file)
    spacecraft = _value(items, "SPACECRAFT_ID")
    title = _value(items, "LANDSAT_PRODUCT_ID") or re.sub(r"(?i)_?MTL\w*$", "", PurePosixPath(file).stem)
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
        raise InputError(f"names the spacecraft '{spacecraft}', but only Landsat 7, 8, 9 and EO-1 ALI are known")
    yield from _parts(listing, file, items, sensor, title)


def _value(items: Mapping[str, str], *keys: str) -> str:
    """Read the first of `keys` that has a value. Raises InputError for one that no product has."""
    return next((check_value(key, items[key]) for key in keys if items.get(key)), "")


def _parts(listing: Listing, file: str, items: Mapping[str, str], sensor: Sensor, title: str) -> Iterator[Part]:
    level = 2 if _value(items, "PROCESSING_LEVEL", "DATA_TYPE").upper().startswith("L2") else 1
    date = _value(items, "DATE_ACQUIRED", "ACQUISITION_DATE")
    scene = _scene(sensor, _value(items, "WRS_PATH"), _value(items, "WRS_ROW"), date)
    found: dict[str, list[Band]] = {"PAN": [], "MS": []}
    missing: dict[str, list[str]] = {"PAN": [], "MS": []}
    for key, value in items.items():
        matched = FILE_OF_BAND.fullmatch(key)
        name = sensor.bands.get(matched[1] or matched[2], "") if matched else ""
        if not name or name in NOT_SHARPENED or "_ST_" in key:
            continue
        role, wanted = "PAN" if name == "PAN" else "MS", check_value(key, value)
        there = listing.beside(file, wanted)
        if there is None:
            missing[role].append(f"{wanted} ({name})")
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
