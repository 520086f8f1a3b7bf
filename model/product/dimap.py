"""Pleiades, Pleiades Neo and SPOT 6/7: DIMAP files DIM_*.XML for PAN and for MS, each with the tiles of its image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ..errors import InputError
from .listing import Listing
from .metadata import MAX_BANDS, Element, check_value, parse_count, parse_xml, read_metadata, refuse_on_error
from .scene import Band, Part, Refused
from .sensors import DIMAP_BANDS, SENSORS, UNKNOWN, Sensor

STAMP = re.compile(r"_(\d{14,17})(?=_|$)")
MAX_NODATA = 65535  # of 16-bit integers, in which all are delivered
BY_MODEL = ("SENSOR", "PRIMARY")  # levels whose pixels are placed by RPC alone
MISSIONS = {"PNEO": "Pleiades Neo", "PHR": "Pleiades", "S6": "SPOT 6/7", "S7": "SPOT 6/7", "SPOT": "SPOT 6/7"}
PAN_WORDS, MS_WORDS = ("P", "PAN"), ("MS", "MS-FS", "XS", "MS-N", "MS-X")  # others are sharpened already


def read_dimap(listing: Listing) -> Iterator[Part | Refused]:
    """PAN or MS of every DIM file."""
    for file in listing.files:
        if re.match(r"dim_.*\.xml$", PurePosixPath(file).name, re.IGNORECASE):
            yield from refuse_on_error(listing, file, _of_dim)


def _of_dim(listing: Listing, file: str) -> Iterator[Part | Refused]:
    path, stem = listing.path(file), PurePosixPath(file).stem
    root = parse_xml(read_metadata(path, listing.check), listing.check)
    kind = root.find_value("SPECTRAL_PROCESSING").upper()
    why = _reason_to_refuse(kind, root.find_value("PROCESSING_LEVEL").upper())
    if why:
        yield Refused(stem, f"{path} {why}.", (path,))
        return
    role = "PAN" if kind in PAN_WORDS else "MS"
    sensor = _sensor(root.find_value("MISSION") or root.find_value("METADATA_PROFILE").split("_")[0])
    date = root.find_value("IMAGING_DATE")[:10]
    stamp = STAMP.search(stem)
    when = stamp[1] if stamp else date + root.find_value("IMAGING_TIME")[:5]
    tiles = {name: listing.beside(file, name) for group in _tile_names(root) for name in group}
    yield Part(
        role=role,
        sensor=sensor,
        scene=" ".join([sensor.name, root.find_value("MISSION_INDEX"), when]).strip(),
        title=re.sub(r"(?i)^DIM_", "", stem),
        bands=tuple(_bands(role, kind, root, sensor, _images(listing, root, tiles))),
        date=date or (f"{when[:4]}-{when[4:6]}-{when[6:8]}" if stamp else ""),
        metadata=(path,),
        missing=tuple(n for n, f in tiles.items() if f is None) if tiles else (f"image of {stem}",),
        nodata=_nodata(root),
    )


def _reason_to_refuse(kind: str, level: str) -> str:
    """Why a DIM file does not name an image that can be sharpened, as part of a sentence; empty if it does."""
    if not kind:
        return "does not say what it holds (SPECTRAL_PROCESSING); it may be cut short, download it again"
    if kind not in PAN_WORDS + MS_WORDS:
        return f"is of the kind '{kind}', sharpened by its maker already; the bundle of PAN and MS is needed"
    if level in BY_MODEL:
        return (
            f"is of the level {level}, which is placed by rational polynomial coefficients (RPC) only. Warp PAN and MS "
            "to a map projection first, for example with gdal:warpreproject"
        )
    return ""


def _sensor(mission: str) -> Sensor:
    word = mission.upper()
    return next((SENSORS[name] for start, name in MISSIONS.items() if word.startswith(start)), UNKNOWN)


def _tile_names(root: Element) -> list[list[str]]:
    """Names of the tiles of each image; Pleiades Neo has its bands in two, three in each."""
    found = []
    for group in root.find_all("Data_Files"):
        hrefs = (path.attributes.get("href", "") for path in group.find_all("DATA_FILE_PATH"))
        found.append(list(dict.fromkeys(check_value("DATA_FILE_PATH", h) for h in hrefs if h)))
    return found


def _images(listing: Listing, root: Element, tiles: dict[str, str | None]) -> list[tuple[str, ...]]:
    """Paths of the tiles of each image that are there."""
    found = ((tiles[name] for name in group) for group in _tile_names(root))
    return [tuple(listing.path(tile) for tile in group if tile is not None) for group in found]


def _nodata(root: Element) -> float | None:
    """The value of gaps, where the file states one. Raises InputError."""
    for value in root.find_all("Special_Value"):
        if value.find_value("SPECIAL_VALUE_TEXT").upper() == "NODATA":
            return float(parse_count("NODATA", value.find_value("SPECIAL_VALUE_COUNT"), 0, MAX_NODATA))
    return None


def _bands(role: str, kind: str, root: Element, sensor: Sensor, images: list[tuple[str, ...]]) -> Iterator[Band]:
    """Bands in the order of the images, which the list of indices states; else that of the sensor's products."""
    if role == "PAN":
        yield from (Band("PAN", files) for files in images[:1])
        return
    count = parse_count("NBANDS", root.find_value("NBANDS") or "4", 1, MAX_BANDS)
    if count % max(len(images), 1):
        raise InputError(f"has {count} bands in {len(images)} images, which cannot be as many in each")
    indices = _indices(root)
    complete = sorted(indices) == list(range(1, count + 1)) and not kind.endswith("-FS")
    order = [indices[n] for n in sorted(indices)] if complete else list(sensor.order[:count])
    order += [f"band {n}" for n in range(len(order) + 1, count + 1)]
    each = count // max(len(images), 1)
    for number, name in enumerate(order if images else []):
        yield Band(name, images[number // each], number % each + 1)


def _indices(root: Element) -> dict[int, str]:
    """Names of bands by their numbers in the image. Raises InputError."""
    found = {}
    for entry in root.find_all("Raster_Index"):
        name = entry.find_value("BAND_ID")
        number = parse_count("BAND_INDEX", entry.find_value("BAND_INDEX"), 1, MAX_BANDS)
        found[number] = DIMAP_BANDS.get(name.upper(), name.lower())
    return found
