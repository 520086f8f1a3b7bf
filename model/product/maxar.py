"""WorldView, GeoEye, QuickBird and IKONOS: an IMD file for PAN and for MS, and the tiles that a TIL file lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from ..errors import InputError
from .listing import IMAGES, Listing
from .metadata import MAX_BANDS, Tree, check_value, find_value, read_tree
from .scene import Band, Part, RefusedProduct, Sensor, find_sensor

STEM = re.compile(r"(?<![A-Z0-9])(?P<time>\d{2}[A-Z]{3}\d{8})-(?P<kind>[A-Z])\d[A-Z]{2}-(?P<order>.+)$", re.IGNORECASE)
BAND = "band_"  # The prefix of groups that describe a band.
SHARPENED = "S"  # The kind of sharpened images in names.
FILL = 0.0


def read_imd(listing: Listing, file: str, root: Tree, sensors: Sequence[Sensor]) -> Iterator[Part | RefusedProduct]:
    """Yield PAN or MS of an IMD file."""
    path, stem = listing.path(file), PurePosixPath(file).stem
    if not find_value(root, "satId") and not any(e.tag.startswith(BAND) for e in root.iter()):
        return  # GDAL writes what it knows of images of other makers into IMD files, too.
    groups = [check_value("BEGIN_GROUP", e.tag[len(BAND) :]).upper() for e in root.iter() if e.tag.startswith(BAND)]
    if not 1 <= len(groups) <= MAX_BANDS:
        raise InputError(f"lists {len(groups):,} bands, but 1 to {MAX_BANDS} are expected")
    match = STEM.search(stem)
    algorithm = find_value(root, "panSharpenAlgorithm").lower()  # It stays true where the files were renamed.
    if (match and match["kind"].upper() == SHARPENED) or algorithm not in ("", "none"):
        yield RefusedProduct(
            stem, f"{stem} was sharpened by its maker already; the unsharpened bundle is needed.", (path,)
        )
        return
    sensor = find_sensor(sensors, find_value(root, "satId"))
    date = (find_value(root, "firstLineTime") or find_value(root, "earliestAcqTime"))[:10]
    order = match["order"] if match else re.sub(r"(?i)pan|mul|ms", "", stem)
    names = {"P": "PAN", **{token: name for s in sensors for token, name in s.bands.items()}}
    files, missing = _find_images(listing, file)
    bands = (Band(names.get(group, group), files, number) for number, group in enumerate(groups, start=1))
    yield Part(
        role="PAN" if groups == ["P"] else "MS",
        sensor=sensor,
        scene=" ".join([sensor.name, find_value(root, "catId") or date, order]),
        title=f"{match['time']}_{order}" if match else order,
        bands=tuple(bands) if files else (),
        date=date,
        metadata=(path,),
        missing=missing,
        nodata=FILL,
    )


def _find_images(listing: Listing, file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files of the image of an IMD file, and names that its TIL file lists but that are missing."""
    stem = PurePosixPath(file).stem
    list_of_tiles = listing.find_next_to(file, f"{stem}.TIL")
    single = next(filter(None, (listing.find_next_to(file, stem + ending) for ending in IMAGES)), None)
    if list_of_tiles is None:
        return ((listing.path(single),), ()) if single else ((), (f"{stem}.TIF",))
    try:
        tiles = list(read_tree(listing, list_of_tiles).iter("filename"))
        file_of = {n: listing.find_next_to(file, n) for n in (check_value("filename", t.text or "") for t in tiles)}
    except InputError as error:
        raise InputError(f"goes with {PurePosixPath(list_of_tiles).name}, which {error}") from error
    present = tuple(listing.path(f) for f in file_of.values() if f is not None)
    if single and not present:  # A mosaic of the tiles.
        return (listing.path(single),), ()
    return present, tuple(n for n, f in file_of.items() if f is None)
