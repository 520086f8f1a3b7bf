"""Which products are in a folder or an archive, and what is wrong with what looks like one."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .families import FAMILIES, Family, describe_families
from .listing import Listing, kind_of_archive, of_archive, of_folder
from .metadata import read_tree
from .names import read_names
from .scene import Part, Product, Refused

MOST_NAMED = 12  # files or parts that a refusal lists


def find_products(place: str, check: Callable[[], None]) -> tuple[list[Product], list[Refused]]:
    """Products in a folder or an archive, or those that a metadata file or an image belongs to; and what is none.

    Call within `gdal_exceptions`. `check` may raise to stop. Raises InputError, with what is there, where nothing
    can be sharpened.
    """
    if not os.path.exists(place):
        raise InputError(f"{place} does not exist. Choose the folder, the archive or a metadata file of a product.")
    place = os.path.abspath(place)  # VRTs that are kept, and other processes, read the same files
    if os.path.isdir(place) or kind_of_archive(place):
        return _found_in(place, check)
    folder = os.path.dirname(place)
    for one in (folder, os.path.dirname(folder)):  # PAN and MS lie in folders side by side, too
        try:
            products, _ = _found_in(one, check)
        except InputError:
            continue
        own = [p for p in products if any(_goes_with(place, f) for f in p.files)] or (
            products if one == folder and Path(place).name.upper().startswith("VOL_") else []
        )
        if own:
            return own, []
    products, refused = _found_in(folder, check)  # which says what is there where it is none
    names = "; ".join(p.title for p in products)
    reasons = " ".join(r.sentence for r in refused)
    raise InputError(
        f"{place} belongs to no product that can be sharpened. In its folder there is: {names}. {reasons} Choose the "
        "folder, or the metadata file of one of these.".replace("  ", " ")
    )


def _goes_with(place: str, file: str) -> bool:
    """Whether they are one file, or differ in their ending alone, as the forms of an MTL file do."""
    alike = os.path.splitext(place)[0] == os.path.splitext(file)[0]
    return alike or (os.path.exists(file) and os.path.samefile(place, file))


def _found_in(place: str, check: Callable[[], None]) -> tuple[list[Product], list[Refused]]:
    found = list(_listings(place, check))
    listings = [f for f in found if isinstance(f, Listing)]
    items = [item for listing in listings for item in _read(listing)]
    parts = [i for i in items if isinstance(i, Part)]
    refused = [i for i in (*found, *items) if isinstance(i, Refused)]
    once = {(p.role, p.bands): p for p in reversed(parts)}  # copies of metadata name the same files
    products, unfit = _paired(list(reversed(once.values())))
    refused += unfit
    if not products:
        raise InputError(_nothing_found(place, listings, refused))
    return products, refused


def _listings(place: str, check: Callable[[], None]) -> Iterator[Listing | Refused]:
    """Of the place and of the archives in it; archives in archives are not opened."""
    if kind_of_archive(place) and not os.path.isdir(place):
        yield from _opened(of_archive(place, check))
        return
    own = of_folder(place, check)
    yield from _opened(replace(own, archives=()))
    for archive in own.archives:
        try:
            yield from _opened(of_archive(own.path(archive), check))
        except InputError as error:
            yield Refused(PurePosixPath(archive).name, str(error))


def _opened(listing: Listing) -> Iterator[Listing | Refused]:
    yield listing
    for archive in listing.archives:
        yield Refused(
            PurePosixPath(archive).name,
            f"{listing.path(archive)} is an archive inside an archive, which is not opened. Take it out first.",
        )
    if listing.outside:
        names = ", ".join(listing.outside[:MOST_NAMED])
        yield Refused(
            PurePosixPath(listing.root).name,
            f"{len(listing.outside)} link(s) in {listing.root} lead out of it and are not followed: {names}. Copy the "
            "files of the product into its folder.",
        )


def _read(listing: Listing) -> Iterator[Part | Refused]:
    taken: set[str] = set()
    for family in FAMILIES:
        for file in _metadata_files(listing, family):
            listing.check()
            for item in _read_metadata(listing, file, family):
                taken |= set(item.files)
                yield item
    yield from read_names(listing, taken)


def _metadata_files(listing: Listing, family: Family) -> Iterable[str]:
    """Metadata files of a family; of those that differ in their ending alone, text where it is among them."""
    files = [f for f in listing.files if re.match(family.metadata, f, re.IGNORECASE)]
    chosen: dict[str, str] = {}
    for file in sorted(files, key=lambda f: f.lower().endswith((".json", ".xml"))):
        chosen.setdefault(os.path.splitext(file.lower())[0], file)
    return chosen.values()


def _read_metadata(listing: Listing, file: str, family: Family) -> Iterator[Part | Refused]:
    """Yield what a metadata file lists, and a refusal of that file where it cannot be believed."""
    try:
        yield from family.read(listing, file, read_tree(listing, file), family.sensors)
    except (InputError, ValueError, RecursionError) as error:
        path = listing.path(file)
        sentence = f"The metadata file {path} {error}. Download the product again."
        yield Refused(PurePosixPath(file).stem, sentence, (path,))


def _paired(parts: Sequence[Part]) -> tuple[list[Product], list[Refused]]:
    """PAN and MS of one scene; where one of them is alone, with the only other of its sensor and day."""
    scenes: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        scenes[part.scene].append(part)
    products: list[Product] = []
    refused: list[Refused] = []
    alone: list[Part] = []
    for group in scenes.values():
        if {p.role for p in group} == {"PAN", "MS"}:
            found = _product(group)
            if isinstance(found, Product):
                products.append(found)
            else:
                refused.append(found)
        else:
            alone += group
    of_role = {role: [p for p in alone if p.role == role] for role in ("PAN", "MS")}
    days: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for part in alone:
        days[part.sensor.name, part.date].append(part)
    for (_, date), group in days.items():
        if date and sorted(p.role for p in group) == ["MS", "PAN"]:
            products.append(Product(*_by_role(group), (f"PAN and MS are of one sensor and day, {date}.",)))
        else:
            refused += [_lonely(p, of_role["MS" if p.role == "PAN" else "PAN"]) for p in group]
    return products, refused


def _by_role(group: Sequence[Part]) -> tuple[Part, Part]:
    return next(p for p in group if p.role == "PAN"), next(p for p in group if p.role == "MS")


def _product(group: Sequence[Part]) -> Product | Refused:
    """The product of one scene's parts: of level 2, MS is that, with the PAN of level 1."""
    pans = [p for p in group if p.role == "PAN"]
    level = max(p.level for p in group if p.role == "MS")
    mss = [p for p in group if p.role == "MS" and p.level == level]
    listed = [p for p in pans if p.metadata]
    pans = listed if len(listed) == 1 else pans  # the same file may lie there by itself, too
    if len(pans) > 1 or len(mss) > 1:
        doubled = pans if len(pans) > 1 else mss
        names = ", ".join(f for p in doubled for b in p.bands[:1] for f in b.files[:1])
        return Refused(
            doubled[0].title,
            f"{doubled[0].title} has {len(doubled)} {doubled[0].role} images: {names}. Keep the one that is wanted in "
            "the folder, or put each pair into a folder of its own.",
        )
    choices = []
    if level > 1:
        choices.append(f"MS is of level {level}; PAN is that of level {pans[0].level}, as level {level} has none.")
        if any(p.role == "MS" and p.level < level for p in group):
            choices.append("MS of level 1 lies there too and is left out.")
    return Product(pans[0], mss[0], tuple(choices))


def _lonely(part: Part, others: Sequence[Part]) -> Refused:
    """Why a PAN without MS, or an MS without PAN, cannot be sharpened, and what to do."""
    other = "MS" if part.role == "PAN" else "PAN"
    if part.level > 1 and not others:
        cure = "Level 2 has no panchromatic band: download level 1 of the scene too and put it into the same folder."
    elif others:
        names = "; ".join(p.describe() for p in others[:MOST_NAMED])
        cure = (
            f"What there is of {other} was recorded at another time or place: {names}. Put the {other} of the same "
            "scene into the folder."
        )
    else:
        cure = f"No {other} image is there. Put the {other} files of the scene into the folder, or download them again."
    return Refused(part.title, f"{part.describe()} has no {other}. {cure}")


def _nothing_found(place: str, listings: Sequence[Listing], refused: Sequence[Refused]) -> str:
    """What is there in place of a product, and what to do."""
    if refused:
        more = f" ... and {len(refused) - MOST_NAMED} more." if len(refused) > MOST_NAMED else ""
        return (
            f"{place} holds nothing that can be sharpened. " + " ".join(r.sentence for r in refused[:MOST_NAMED]) + more
        )
    files = [f for listing in listings for f in listing.files]
    unfinished = [f for listing in listings for f in listing.unfinished]
    named = ", ".join(files[:MOST_NAMED]) or "nothing"
    more = f" and {len(files) - MOST_NAMED} more files" if len(files) > MOST_NAMED else ""
    waiting = (
        f" {', '.join(unfinished[:MOST_NAMED])} look(s) like a download that has not finished." if unfinished else ""
    )
    return (
        f"{place} holds no product with a panchromatic and a multispectral image. Found: {named}{more}.{waiting} Known "
        f"are products of {describe_families()}, and folders whose files' names say PAN and MS, or PAN and B1, B2 and "
        "so on."
    )
