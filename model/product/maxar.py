"""WorldView, GeoEye, QuickBird and IKONOS: an IMD file for PAN and for MS, and the tiles that a TIL file lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from .listing import Listing
from .scene import Band, Part, Refused
from .sensors import MAXAR, MAXAR_BANDS, SENSORS, UNKNOWN, Sensor

ITEM = re.compile(r"^\s*(\w+)\s*=\s*\"?([^\";\n]*)\"?\s*;", re.MULTILINE)
GROUP = re.compile(r"BEGIN_GROUP\s*=\s*BAND_(\w+)")
TILE = re.compile(r"filename\s*=\s*\"?([^\";\n]+)\"?\s*;", re.IGNORECASE)
STEM = re.compile(r"^(?P<time>\d{2}[A-Z]{3}\d{8})-(?P<kind>[A-Z])\d[A-Z]{2}-(?P<order>.+)$", re.IGNORECASE)
IMAGES = (".tif", ".tiff", ".ntf", ".nitf", ".jp2")
SHARPENED = "S"  # in names: PAN and MS already in one
FILL = 0.0


def read_maxar(listing: Listing) -> Iterator[Part | Refused]:
    """PAN or MS of every IMD file."""
    for file in listing.files:
        if file.lower().endswith(".imd"):
            yield _of_imd(listing, file)


def _of_imd(listing: Listing, file: str) -> Part | Refused:
    text = listing.text(file)
    items = {key.lower(): value.strip() for key, value in reversed(ITEM.findall(text))}
    stem = PurePosixPath(file).stem
    groups = GROUP.findall(text)
    named = STEM.match(stem)
    sensor = SENSORS.get(MAXAR.get(items.get("satid", "").upper(), ""), UNKNOWN)
    date = (items.get("firstlinetime") or items.get("earliestacqtime") or "")[:10]
    if not groups or not text.rstrip("\0 \r\n\t").endswith("END;"):
        return Refused(stem, f"The metadata file {listing.path(file)} is cut short. Download the product again.")
    if named and named["kind"].upper() == SHARPENED:
        return Refused(stem, f"{stem} was sharpened by its maker already; the unsharpened bundle is needed.", (file,))
    files, missing = _images(listing, file)
    order = named["order"] if named else re.sub(r"(?i)pan|mul|ms", "", stem)
    return Part(
        role="PAN" if groups == ["P"] else "MS",
        sensor=sensor,
        scene=" ".join([sensor.name, items.get("catid") or date, order]),
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
        names = TILE.findall(listing.text(list_of_tiles))
        found = {name: listing.beside(file, name) for name in names}
        there = tuple(listing.path(f) for f in found.values() if f is not None)
        return there, tuple(n for n, f in found.items() if f is None)
    single = [f for f in (listing.beside(file, stem + ending) for ending in IMAGES) if f is not None]
    return (listing.path(single[0]),) if single else (), () if single else (f"{stem}.TIF",)
