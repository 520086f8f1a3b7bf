"""Pleiades, Pleiades Neo and SPOT 6/7: DIMAP files DIM_*.XML for PAN and for MS, each with the tiles of its image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from ..errors import InputError
from .listing import Listing
from .metadata import MAX_BANDS, Tree, check_value, find_value, parse_count
from .scene import Band, Part, Refused, Sensor, find_sensor

STAMP = re.compile(r"_(\d{14,17})(?=_|$)")
MAX_NODATA = 65535  # of 16-bit integers, in which all are delivered
BY_MODEL = ("SENSOR", "PRIMARY")  # levels whose pixels are placed by RPC alone
PAN_WORDS, MS_WORDS = ("P", "PAN"), ("MS", "MS-FS", "XS", "MS-N", "MS-X")  # others are sharpened already


def read_dimap(listing: Listing, file: str, root: Tree, sensors: Sequence[Sensor]) -> Iterator[Part | Refused]:
    """Yield PAN or MS of a DIM file."""
    path, stem = listing.path(file), PurePosixPath(file).stem
    kind = find_value(root, "SPECTRAL_PROCESSING").upper()
    why = _reason_to_refuse(kind, find_value(root, "PROCESSING_LEVEL").upper())
    if why:
        yield Refused(stem, f"{path} {why}.", (path,))
        return
    sensor = find_sensor(sensors, find_value(root, "MISSION") or find_value(root, "METADATA_PROFILE"))
    date = find_value(root, "IMAGING_DATE")[:10]
    stamp = STAMP.search(stem)
    when = stamp[1] if stamp else date + find_value(root, "IMAGING_TIME")[:5]
    groups = _tile_names(root)
    tiles = {name: listing.beside(file, name) for group in groups for name in group}
    images = [tuple(listing.path(f) for name in group if (f := tiles[name]) is not None) for group in groups]
    if kind in PAN_WORDS:
        bands = [Band("PAN", files) for files in images[:1]]
    else:
        bands = _bands_of_ms(kind, root, sensor, sensors, images)
    yield Part(
        role="PAN" if kind in PAN_WORDS else "MS",
        sensor=sensor,
        scene=" ".join([sensor.name, find_value(root, "MISSION_INDEX"), when]).strip(),
        title=re.sub(r"(?i)^DIM_", "", stem),
        bands=tuple(bands),
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


def _tile_names(root: Tree) -> list[list[str]]:
    """Names of the tiles of each image; Pleiades Neo has its bands in two, three in each."""
    found = []
    for group in root.iter("data_files"):
        hrefs = (path.get("href", "") for path in group.iter("data_file_path"))
        found.append(list(dict.fromkeys(check_value("DATA_FILE_PATH", h) for h in hrefs if h)))
    return found


def _nodata(root: Tree) -> float | None:
    """The value of gaps, where the file states one. Raises InputError."""
    for value in root.iter("special_value"):
        if find_value(value, "SPECIAL_VALUE_TEXT").upper() == "NODATA":
            return float(parse_count("NODATA", find_value(value, "SPECIAL_VALUE_COUNT"), 0, MAX_NODATA))
    return None


def _bands_of_ms(
    kind: str, root: Tree, sensor: Sensor, sensors: Sequence[Sensor], images: Sequence[tuple[str, ...]]
) -> list[Band]:
    """Bands in the order of the images, which the list of indices states; else that of the sensor's products."""
    count = parse_count("NBANDS", find_value(root, "NBANDS") or "4", 1, MAX_BANDS)
    if not images:
        return []
    if count % len(images):
        raise InputError(f"has {count} bands in {len(images)} images, which cannot be as many in each")
    names = {token: name for s in sensors for token, name in s.bands.items()}
    indices = {}
    for entry in root.iter("raster_index"):
        name = find_value(entry, "BAND_ID")
        number = parse_count("BAND_INDEX", find_value(entry, "BAND_INDEX"), 1, MAX_BANDS)
        indices[number] = names.get(name.upper(), name.lower())
    complete = sorted(indices) == list(range(1, count + 1)) and not kind.endswith("-FS")
    order = [indices[n] for n in sorted(indices)] if complete else list(sensor.order[:count])
    order += [f"band {n}" for n in range(len(order) + 1, count + 1)]
    each = count // len(images)
    return [Band(name, images[n // each], n % each + 1) for n, name in enumerate(order)]
