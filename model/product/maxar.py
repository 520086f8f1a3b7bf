"""WorldView, GeoEye, QuickBird and IKONOS: an IMD file for PAN and for MS, and the tiles that a TIL file lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ..errors import InputError
from .listing import Listing
from .metadata import MAX_BANDS, check_value, decode_text, read_metadata, refuse_on_error
from .scene import Band, Part, Refused
from .sensors import MAXAR, MAXAR_BANDS, SENSORS, UNKNOWN, Sensor

STEM = re.compile(r"^(?P<time>\d{2}[A-Z]{3}\d{8})-(?P<kind>[A-Z])\d[A-Z]{2}-(?P<order>.+)$", re.IGNORECASE)
IMAGES = (".tif", ".tiff", ".ntf", ".nitf", ".jp2")
BAND = "BAND_"  # how the name of a group of an IMD file begins that describes a band
SHARPENED = "S"  # in names: PAN and MS already in one
FILL = 0.0


def read_maxar(listing: Listing) -> Iterator[Part | Refused]:
    """PAN or MS of every IMD file."""
    for file in listing.files:
        if file.lower().endswith(".imd"):
            yield from refuse_on_error(listing, file, _of_imd)


def _read_pairs(listing: Listing, file: str) -> Iterator[tuple[str, str]]:
    """Yield keys, in lower case, and values of an IMD or TIL file. Raises InputError where it is cut short."""
    lines = decode_text(read_metadata(listing.path(file), listing.check)).splitlines()
    if not lines or lines[-1].strip() != "END;":
        raise InputError("is cut short")
    for line in lines:
        key, sign, value = line.partition("=")
        if sign:
            yield key.strip().lower(), value.strip().rstrip(";").strip().strip('"').strip()


def _of_imd(listing: Listing, file: str) -> Iterator[Part | Refused]:
    items: dict[str, str] = {}
    groups = []
    for key, value in _read_pairs(listing, file):
        items.setdefault(key, value)
        if key == "begin_group" and value.startswith(BAND):
            groups.append(check_value("BEGIN_GROUP", value[len(BAND) :]))
    if not 1 <= len(groups) <= MAX_BANDS:
        raise InputError(f"lists {len(groups):,} bands, but 1 to {MAX_BANDS} are expected")
    stem = PurePosixPath(file).stem
    named = STEM.match(stem)
    sensor = SENSORS.get(MAXAR.get(items.get("satid", "").upper(), ""), UNKNOWN)
    date = check_value("firstLineTime", (items.get("firstlinetime") or items.get("earliestacqtime") or "")[:10])
    catalog = check_value("catId", items.get("catid") or date)
    if named and named["kind"].upper() == SHARPENED:
        yield Refused(stem, f"{stem} was sharpened by its maker already; the unsharpened bundle is needed.", (file,))
        return
    files, missing = _images(listing, file)
    order = named["order"] if named else re.sub(r"(?i)pan|mul|ms", "", stem)
    yield Part(
        role="PAN" if groups == ["P"] else "MS",
        sensor=sensor,
        scene=" ".join([sensor.name, catalog, order]),
        title=order if not named else f"{named['time']}_{order}",
        bands=tuple(_bands(groups, files, sensor)) if files else (),
        date=date,
        metadata=(listing.path(file),),
        missing=missing,
        nodata=FILL,
    )


def _bands(groups: list[str], files: tuple[str, ...], sensor: Sensor) -> Iterator[Band]:
    for number, group in enumerate(groups, start=1):
        yield Band("PAN" if group == "P" else MAXAR_BANDS.get(group.upper(), group), files, number)


def _images(listing: Listing, file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files of the image of an IMD file, and names of those that its TIL file lists and that are not there."""
    stem = PurePosixPath(file).stem
    list_of_tiles = listing.beside(file, f"{stem}.TIL")
    if list_of_tiles is not None:
        try:
            pairs = list(_read_pairs(listing, list_of_tiles))
        except InputError as error:
            raise InputError(f"goes with {PurePosixPath(list_of_tiles).name}, which {error}") from error
        names = [check_value(key, value) for key, value in pairs if key == "filename"]
        found = {name: listing.beside(file, name) for name in names}
        there = tuple(listing.path(f) for f in found.values() if f is not None)
        return there, tuple(n for n, f in found.items() if f is None)
    single = [f for f in (listing.beside(file, stem + ending) for ending in IMAGES) if f is not None]
    return (listing.path(single[0]),) if single else (), () if single else (f"{stem}.TIF",)
