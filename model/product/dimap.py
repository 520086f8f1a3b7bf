"""Pleiades, Pleiades Neo and SPOT 6/7: DIMAP files DIM_*.XML for PAN and for MS, each with the tiles of its image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from ..errors import InputError
from .listing import Listing
from .metadata import MAX_BANDS, Tree, check_value, find_value, parse_count
from .scene import Band, Part, RefusedProduct, Sensor, find_sensor

STAMP = re.compile(r"_(\d{14,17})(?=_|$)")
MAX_NODATA = 65535  # All images are delivered as 16-bit integers.
BY_MODEL = ("SENSOR", "PRIMARY")  # Levels that are georeferenced by RPC alone.
PAN_WORDS, MS_WORDS = ("P", "PAN"), ("MS", "MS-FS", "XS", "MS-N", "MS-X")  # Others are sharpened already.


def read_dimap(listing: Listing, file: str, root: Tree, sensors: Sequence[Sensor]) -> Iterator[Part | RefusedProduct]:
    """Yield PAN or MS of a DIM file."""
    path, stem = listing.path(file), PurePosixPath(file).stem
    processing = find_value(root, "SPECTRAL_PROCESSING").upper()
    fault = _find_fault(processing)
    model = f"RPC_{stem[4:]}.XML"
    if not fault and find_value(root, "PROCESSING_LEVEL").upper() in BY_MODEL and not listing.find_next_to(file, model):
        fault = f"is placed by {model} only, which is missing. Download the product again"
    if fault:
        yield RefusedProduct(stem, f"{path} {fault}.", (path,))
        return
    sensor = find_sensor(sensors, find_value(root, "MISSION") or find_value(root, "METADATA_PROFILE"))
    date = find_value(root, "IMAGING_DATE")[:10]
    stamp = STAMP.search(stem)
    time = stamp[1] if stamp else date + find_value(root, "IMAGING_TIME")[:5]
    groups = _list_tile_names(root)
    tiles = {name: listing.find_next_to(file, name) for group in groups for name in group}
    images = [tuple(listing.path(f) for name in group if (f := tiles[name]) is not None) for group in groups]
    if processing in PAN_WORDS:
        bands = [Band("PAN", files) for files in images[:1]]
    else:
        bands = _list_ms_bands(processing, root, sensor, sensors, images)
    yield Part(
        role="PAN" if processing in PAN_WORDS else "MS",
        sensor=sensor,
        scene=" ".join([sensor.name, find_value(root, "MISSION_INDEX"), time]).strip(),
        title=re.sub(r"(?i)^DIM_", "", stem),
        bands=tuple(bands),
        date=date or (f"{time[:4]}-{time[4:6]}-{time[6:8]}" if stamp else ""),
        metadata=(path,),
        missing=tuple(n for n, f in tiles.items() if f is None) if tiles else (f"image of {stem}",),
        nodata=_read_nodata(root),
    )


def _find_fault(processing: str) -> str:
    """Return why the image of a DIM file cannot be sharpened, as part of a sentence; empty if it can."""
    if not processing:
        return "does not say what it holds (SPECTRAL_PROCESSING); it may be cut short, download it again"
    if processing not in PAN_WORDS + MS_WORDS:
        return f"is of the kind '{processing}', sharpened by its maker already; the bundle of PAN and MS is needed"
    return ""


def _list_tile_names(root: Tree) -> list[list[str]]:
    """List the names of the tiles of each image. Pleiades Neo has two images of three bands each."""
    groups = ([path.get("href", "") for path in group.iter("data_file_path")] for group in root.iter("data_files"))
    return [list(dict.fromkeys(check_value("DATA_FILE_PATH", h) for h in hrefs if h)) for hrefs in groups]


def _read_nodata(root: Tree) -> float | None:
    for value in root.iter("special_value"):
        if find_value(value, "SPECIAL_VALUE_TEXT").upper() == "NODATA":
            count = find_value(value, "SPECIAL_VALUE_COUNT")
            return float(parse_count("NODATA", count, 0, MAX_NODATA)) if count else None
    return None


def _list_ms_bands(
    processing: str, root: Tree, sensor: Sensor, sensors: Sequence[Sensor], images: Sequence[tuple[str, ...]]
) -> list[Band]:
    """List bands in the order that the file states, for each image or for all, else in the sensor's usual order."""
    count = parse_count("NBANDS", find_value(root, "NBANDS") or "4", 1, MAX_BANDS)
    if not images:
        return []
    if count % len(images):
        raise InputError(f"has {count} bands in {len(images)} images, which cannot be as many in each")
    per_image = count // len(images)
    names = {token: name for s in sensors for token, name in s.bands.items()}
    lists = [_list_indices(group, names) for group in root.iter("data_files")]
    whole = _list_indices(root, names)
    if all(len(own) == per_image for own in lists):
        order = [name for own in lists for name in own]
    elif len(whole) == count and len(images) == 1:
        order = whole
    else:
        order = ["nir", "red", "green"] if processing == "MS-X" else list(sensor.order[:count])
    order += [f"band {n}" for n in range(len(order) + 1, count + 1)]
    return [Band(name, images[n // per_image], n % per_image + 1) for n, name in enumerate(order[:count])]


def _list_indices(tree: Tree, names: Mapping[str, str]) -> list[str]:
    """List the bands of a tree by their indices, where these number all of an image, else in the order of the file."""
    indices = {}
    for entry in tree.iter("raster_index"):
        number = find_value(entry, "BAND_INDEX")
        if number:
            name = find_value(entry, "BAND_ID")
            indices[parse_count("BAND_INDEX", number, 1, MAX_BANDS)] = names.get(name.upper(), name.lower())
    first, count = min(indices, default=1), len(indices)
    is_whole = max(indices, default=0) == first + count - 1 and (first - 1) % max(count, 1) == 0
    return [indices[n] for n in (sorted(indices) if is_whole else indices)]
