"""Pleiades, Pleiades Neo and SPOT 6/7: DIMAP files DIM_*.XML for PAN and for MS, each with the tiles of its image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from .listing import Listing
from .scene import Band, Part, Refused
from .sensors import DIMAP_BANDS, SENSORS, UNKNOWN, Sensor

TILE = re.compile(r"<DATA_FILE_PATH[^>]*\bhref\s*=\s*[\"']([^\"']+)[\"']")
INDEX = re.compile(r"<BAND_ID>\s*([^<]+?)\s*</BAND_ID>\s*(?:<BAND_NAME>[^<]*</BAND_NAME>\s*)?<BAND_INDEX>\s*(\d+)")
STAMP = re.compile(r"_(\d{14,17})(?=_|$)")
FILES_OF_ONE_TILE = 2  # where the bands lie in two: red, green, blue and near infrared, red edge, deep blue
MISSIONS = {"PNEO": "Pleiades Neo", "PHR": "Pleiades", "S6": "SPOT 6/7", "S7": "SPOT 6/7", "SPOT": "SPOT 6/7"}
PAN_WORDS, MS_WORDS = ("P", "PAN"), ("MS", "MS-FS", "XS", "MS-N", "MS-X")  # others are sharpened already


def read_dimap(listing: Listing) -> Iterator[Part | Refused]:
    """PAN or MS of every DIM file."""
    for file in listing.files:
        if re.match(r"dim_.*\.xml$", PurePosixPath(file).name, re.IGNORECASE):
            yield _of_dim(listing, file)


def _of_dim(listing: Listing, file: str) -> Part | Refused:
    text, stem = listing.text(file), PurePosixPath(file).stem
    kind = _value(text, "SPECTRAL_PROCESSING").upper()
    if kind not in PAN_WORDS + MS_WORDS:
        why = f"is of the kind '{kind}', sharpened by its maker already; the bundle of PAN and MS is needed"
        why = (
            why if kind else "does not say what it holds (SPECTRAL_PROCESSING); it may be cut short, download it again"
        )
        return Refused(stem, f"{listing.path(file)} {why}.", (listing.path(file),))
    role = "PAN" if kind in PAN_WORDS else "MS"
    mission = _value(text, "MISSION") or _value(text, "METADATA_PROFILE").split("_")[0]
    sensor = _sensor(mission)
    date = _value(text, "IMAGING_DATE")[:10]
    stamp = STAMP.search(stem)
    when = stamp[1] if stamp else date + _value(text, "IMAGING_TIME")[:5]
    tiles = {name: listing.beside(file, name) for name in dict.fromkeys(TILE.findall(text))}
    if kind.endswith("-FS") and _overlap(text) and len(tiles) > FILES_OF_ONE_TILE:
        return Refused(
            stem,
            f"{listing.path(file)} has tiles that overlap, of which GDAL reads the first alone where six bands lie in "
            "two files. Order tiles without overlap, or put them together first, for example with gdal:merge.",
            (listing.path(file),),
        )
    return Part(
        role=role,
        sensor=sensor,
        scene=" ".join([sensor.name, _value(text, "MISSION_INDEX"), when]).strip(),
        title=re.sub(r"(?i)^DIM_", "", stem),
        bands=tuple(_bands(role, kind, text, sensor, _files(listing, file, text, tiles))),
        date=date or (f"{when[:4]}-{when[4:6]}-{when[6:8]}" if stamp else ""),
        metadata=(listing.path(file), *(listing.path(t) for t in tiles.values() if t is not None)),
        missing=tuple(n for n, f in tiles.items() if f is None) if tiles else (f"image of {stem}",),
    )


def _value(text: str, key: str) -> str:
    found = re.search(rf"<{key}(?:\s[^>]*)?>\s*([^<]*?)\s*</{key}>", text)
    return found[1] if found else ""


def _overlap(text: str) -> bool:
    return any(int(_value(text, f"OVERLAP_{way}") or 0) > 0 for way in ("ROW", "COL"))


def _sensor(mission: str) -> Sensor:
    word = mission.upper()
    return next((SENSORS[name] for start, name in MISSIONS.items() if word.startswith(start)), UNKNOWN)


def _files(listing: Listing, file: str, text: str, tiles: dict[str, str | None]) -> tuple[str, ...]:
    """The DIM file, through GDAL's driver; the tiles themselves where they overlap, as it then reads only the first."""
    there = tuple(listing.path(t) for t in tiles.values() if t is not None)
    return there if _overlap(text) and len(there) > 1 else (listing.path(file),)


def _bands(role: str, kind: str, text: str, sensor: Sensor, files: tuple[str, ...]) -> Iterator[Band]:
    """Bands in the order of the file, which the list of indices tells; else that of the sensor's products."""
    if role == "PAN":
        yield Band("PAN", files)
        return
    count = int(_value(text, "NBANDS") or 4)
    told = {int(index): DIMAP_BANDS.get(name.upper(), name.lower()) for name, index in INDEX.findall(text)}
    complete = sorted(told) == list(range(1, count + 1)) and not kind.endswith("-FS")
    order = [told[n] for n in sorted(told)] if complete else list(sensor.order[:count])
    order += [f"band {n}" for n in range(len(order) + 1, count + 1)]
    for number, name in enumerate(order, start=1):
        yield Band(name, files, number)
