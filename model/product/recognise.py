"""Recognition of the products in a folder or an archive, with reasons for what is refused."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .families import FAMILIES, Family, describe_families
from .listing import Listing, find_archive_prefix, of_archive, of_folder
from .metadata import read_tree
from .names import read_names
from .scene import Part, Product, RefusedProduct

MAX_NAMED = 12  # Files or parts that a refusal lists, so that it stays readable.


def find_products(place: str, check: Callable[[], None]) -> tuple[list[Product], list[RefusedProduct]]:
    """Find products in a folder or an archive, or those of a metadata file or an image; and what is refused.

    Call within `gdal_exceptions`. `check` may raise to stop. Raises InputError with the contents where nothing can
    be sharpened.
    """
    if not os.path.exists(place):
        raise InputError(f"{place} does not exist. Choose the folder, the archive or a metadata file of a product.")
    place = os.path.abspath(place)  # Kept VRTs and other processes read the same files.
    if os.path.isdir(place) or find_archive_prefix(place):
        return _find_in(place, check)
    folder = os.path.dirname(place)
    for parent in (folder, os.path.dirname(folder)):  # PAN and MS may have folders next to each other.
        try:
            products, _ = _find_in(parent, check)
        except InputError:
            continue
        matching = [p for p in products if any(_is_same_file(place, f) for f in p.files)] or (
            products if parent == folder and Path(place).name.upper().startswith("VOL_") else []
        )
        if matching:
            return matching, []
    products, refused = _find_in(folder, check)  # It raises with the contents if there are none.
    names = "; ".join(p.title for p in products)
    reasons = " ".join(r.sentence for r in refused)
    raise InputError(
        f"{place} does not belong to a product that can be sharpened. Its folder holds: {names}. {reasons} Choose the "
        "folder, or the metadata file of one of these.".replace("  ", " ")
    )


def _is_same_file(place: str, file: str) -> bool:
    """Check that two paths are one file or differ only in their ending, as the forms of an MTL file do."""
    is_same_stem = os.path.splitext(place)[0] == os.path.splitext(file)[0]
    return is_same_stem or (os.path.exists(file) and os.path.samefile(place, file))


def _find_in(place: str, check: Callable[[], None]) -> tuple[list[Product], list[RefusedProduct]]:
    places = list(_list_places(place, check))
    listings = [p for p in places if isinstance(p, Listing)]
    items = [item for listing in listings for item in _read_listing(listing)]
    parts = [i for i in items if isinstance(i, Part)]
    refused = [i for i in (*places, *items) if isinstance(i, RefusedProduct)]
    once = {(p.role, p.bands): p for p in reversed(parts)}  # Copies of metadata name the same files.
    products, unfit = _pair_parts(list(reversed(once.values())))
    refused += unfit
    if not products:
        raise InputError(_describe_contents(place, listings, refused))
    return products, refused


def _list_places(place: str, check: Callable[[], None]) -> Iterator[Listing | RefusedProduct]:
    """List a place and the archives in it. Archives in archives are not opened."""
    if find_archive_prefix(place) and not os.path.isdir(place):
        yield from _expand_listing(of_archive(place, check))
        return
    listing = of_folder(place, check)
    yield from _expand_listing(replace(listing, archives=()))
    for archive in listing.archives:
        try:
            yield from _expand_listing(of_archive(listing.path(archive), check))
        except InputError as error:
            yield RefusedProduct(PurePosixPath(archive).name, str(error))


def _expand_listing(listing: Listing) -> Iterator[Listing | RefusedProduct]:
    yield listing
    for archive in listing.archives:
        yield RefusedProduct(
            PurePosixPath(archive).name,
            f"{listing.path(archive)} is an archive inside an archive, which is not opened. Take it out first.",
        )
    if listing.outside:
        names = ", ".join(listing.outside[:MAX_NAMED])
        yield RefusedProduct(
            PurePosixPath(listing.root).name,
            f"{len(listing.outside)} link(s) in {listing.root} lead out of it and are not followed: {names}. Copy the "
            "files of the product into its folder.",
        )


def _read_listing(listing: Listing) -> Iterator[Part | RefusedProduct]:
    taken: set[str] = set()
    for family in FAMILIES:
        for file in _find_metadata_files(listing, family):
            listing.check()
            for item in _read_metadata(listing, file, family):
                taken |= set(item.files)
                yield item
    yield from read_names(listing, taken)


def _find_metadata_files(listing: Listing, family: Family) -> Iterable[str]:
    """Find metadata files of a family. Of those that differ only in their ending, the text is taken."""
    files = [f for f in listing.files if re.match(family.metadata, f, re.IGNORECASE)]
    chosen: dict[str, str] = {}
    for file in sorted(files, key=lambda f: f.lower().endswith((".json", ".xml"))):
        chosen.setdefault(os.path.splitext(file.lower())[0], file)
    return chosen.values()


def _read_metadata(listing: Listing, file: str, family: Family) -> Iterator[Part | RefusedProduct]:
    """Yield the parts of a metadata file, or a refusal of a file that is not valid."""
    try:
        yield from family.read(listing, file, read_tree(listing, file), family.sensors)
    except (InputError, ValueError, RecursionError) as error:
        path = listing.path(file)
        sentence = f"The metadata file {path} {error}. Download the product again."
        yield RefusedProduct(PurePosixPath(file).stem, sentence, (path,))


def _pair_parts(parts: Sequence[Part]) -> tuple[list[Product], list[RefusedProduct]]:
    """Pair PAN and MS of one scene, and single ones with the only other of their sensor and day."""
    scenes: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        scenes[part.scene].append(part)
    products: list[Product] = []
    refused: list[RefusedProduct] = []
    alone: list[Part] = []
    for group in scenes.values():
        if {p.role for p in group} == {"PAN", "MS"}:
            item = _make_product(group)
            if isinstance(item, Product):
                products.append(item)
            else:
                refused.append(item)
        else:
            alone += group
    of_role = {role: [p for p in alone if p.role == role] for role in ("PAN", "MS")}
    days: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for part in alone:
        days[part.sensor.name, part.date].append(part)
    for (_, date), group in days.items():
        if date and sorted(p.role for p in group) == ["MS", "PAN"]:
            products.append(Product(*_split_roles(group), (f"PAN and MS are of one sensor and day, {date}.",)))
        else:
            refused += [_refuse_part(p, of_role["MS" if p.role == "PAN" else "PAN"]) for p in group]
    return products, refused


def _split_roles(group: Sequence[Part]) -> tuple[Part, Part]:
    return next(p for p in group if p.role == "PAN"), next(p for p in group if p.role == "MS")


def _make_product(group: Sequence[Part]) -> Product | RefusedProduct:
    """Make the product of one scene's parts. MS of level 2 goes with the PAN of level 1."""
    pans = [p for p in group if p.role == "PAN"]
    level = max(p.level for p in group if p.role == "MS")
    mss = [p for p in group if p.role == "MS" and p.level == level]
    listed = [p for p in pans if p.metadata]
    pans = listed if len(listed) == 1 else pans  # The same file may be listed without metadata, too.
    if len(pans) > 1 or len(mss) > 1:
        doubled = pans if len(pans) > 1 else mss
        names = ", ".join(f for p in doubled for b in p.bands[:1] for f in b.files[:1])
        return RefusedProduct(
            doubled[0].title,
            f"{doubled[0].title} has {len(doubled)} {doubled[0].role} images: {names}. Keep one of them in the "
            "folder, or put each pair into a folder of its own.",
        )
    choices = []
    if level > 1:
        choices.append(f"MS is of level {level}; PAN is that of level {pans[0].level}, as level {level} has none.")
        if any(p.role == "MS" and p.level < level for p in group):
            choices.append("MS of level 1 is there too and is left out.")
    return Product(pans[0], mss[0], tuple(choices))


def _refuse_part(part: Part, others: Sequence[Part]) -> RefusedProduct:
    """Refuse a PAN without MS or an MS without PAN, with what to do."""
    other = "MS" if part.role == "PAN" else "PAN"
    if part.level > 1 and not others:
        cure = "Level 2 has no panchromatic band: download level 1 of the scene too and put it into the same folder."
    elif others:
        names = "; ".join(p.describe() for p in others[:MAX_NAMED])
        cure = (
            f"Each {other} was recorded at another time or place: {names}. Put the {other} of the same "
            "scene into the folder."
        )
    else:
        cure = f"No {other} image is there. Put the {other} files of the scene into the folder, or download them again."
    return RefusedProduct(part.title, f"{part.describe()} has no {other}. {cure}")


def _describe_contents(place: str, listings: Sequence[Listing], refused: Sequence[RefusedProduct]) -> str:
    """Describe the contents of a place without products, with what to do."""
    if refused:
        more = f" ... and {len(refused) - MAX_NAMED} more." if len(refused) > MAX_NAMED else ""
        return (
            f"{place} holds nothing that can be sharpened. " + " ".join(r.sentence for r in refused[:MAX_NAMED]) + more
        )
    files = [f for listing in listings for f in listing.files]
    unfinished = [f for listing in listings for f in listing.unfinished]
    names = ", ".join(files[:MAX_NAMED]) or "nothing"
    more = f" and {len(files) - MAX_NAMED} more files" if len(files) > MAX_NAMED else ""
    waiting = (
        f" {', '.join(unfinished[:MAX_NAMED])} look(s) like a download that has not finished." if unfinished else ""
    )
    return (
        f"{place} holds no product with a panchromatic and a multispectral image. Found: {names}{more}.{waiting} Known "
        f"are products of {describe_families()}, and folders whose files' names say PAN and MS, or PAN and B1, B2 and "
        "so on."
    )
