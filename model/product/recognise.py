"""Recognition of the products in a folder or an archive, with reasons for what is refused."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..errors import InputError
from ..geometry.grids import MAX_RATIO, MIN_RATIO
from ..raster.stack import label
from .candidates import choose_ms, describe_image, has_fitting_pixels
from .families import FAMILIES, Family, describe_families
from .listing import Listing, archive_stem, describe_closed, find_archive_prefix, is_closed, of_archive, of_folder
from .metadata import read_tree
from .names import guess_parts, list_untaken, read_names
from .scene import Part, Product, RefusedProduct
from .stac import is_address, read_item

MAX_NAMED = 12  # Files or parts that a refusal lists, so that it stays readable.


def find_products(
    place: str, check: Callable[[], None], log: Callable[[str], None] = lambda sentence: None
) -> tuple[list[Product], list[RefusedProduct]]:
    """Find products in a folder or an archive, or those of a metadata file or an image; and what is refused.

    Call within `gdal_exceptions`. `check` may raise to stop, and `log` receives the hosts that a STAC item asks. Raises
    InputError with the contents where nothing can be sharpened.
    """
    if not os.path.exists(place) and not is_address(place):
        raise InputError(f"{place} does not exist. Choose the folder, the archive or a metadata file of a product.")
    if is_address(place) or place.lower().endswith(("json", "stac")):
        item = read_item(place, check, log)
        if item is not None:
            return [item], []
    if is_closed(place):
        raise InputError(describe_closed(place))
    place = os.path.abspath(place)  # Kept VRTs and other processes read the same files.
    if os.path.isdir(place) or find_archive_prefix(place):
        return _find_in(place, check)
    folder = os.path.dirname(place)
    whole = [str(p) for p in Path(place).parents if p.suffix.upper() == ".SAFE"]  # Of which a file means little.
    for parent in (*whole, folder, os.path.dirname(folder)):  # PAN and MS may have folders next to each other.
        try:
            products, _ = _find_in(parent, check)
        except InputError:
            continue
        matching = [p for p in products if any(_is_same_file(place, f) for f in p.files)] or (
            products if parent == folder and Path(place).name.upper().startswith(("VOL_", "MANIFEST")) else []
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
    products, unfit = _pair_parts(_drop_copies(parts))
    products += [i for i in items if isinstance(i, Product)]
    refused += unfit
    titles = [p.title for p in products]
    refused += [
        RefusedProduct(PurePosixPath(file).name, describe_closed(listing.path(file)))
        for listing in listings
        for file in listing.closed
        if not products or ((stem := archive_stem(file)) and not any(stem in t or t in stem for t in titles))
    ]
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


def _read_listing(listing: Listing) -> Iterator[Part | Product | RefusedProduct]:
    taken: set[str] = set()
    items: list[Part | Product | RefusedProduct] = []
    for family in FAMILIES:
        for file in _find_metadata_files(listing, family):
            listing.check()
            for item in _read_metadata(listing, file, family):
                taken |= set(item.files)
                items.append(item)
    images = list_untaken(listing, taken, {i.title for i in items if isinstance(i, Part)})
    items += read_names(listing, images)
    yield from items
    roles = Counter(scene for scene, _ in {(i.scene, i.role) for i in items if isinstance(i, Part)})
    if 1 in roles.values() or (not items and len(images) <= MAX_NAMED):
        yield from guess_parts(listing, images)


def _find_metadata_files(listing: Listing, family: Family) -> Iterable[str]:
    """Find metadata files of a family. Of those that differ only in their ending, the text is taken."""
    files = [f for f in listing.files if re.match(family.metadata, f, re.IGNORECASE)]
    chosen: dict[str, str] = {}
    for file in sorted(files, key=lambda f: f.lower().endswith((".json", ".xml"))):
        chosen.setdefault(os.path.splitext(file.lower())[0], file)
    return chosen.values()


def _read_metadata(listing: Listing, file: str, family: Family) -> Iterator[Part | Product | RefusedProduct]:
    """Yield the parts of a metadata file, or a refusal of a file that is not valid."""
    try:
        yield from family.read(listing, file, read_tree(listing, file), family.sensors)
    except (InputError, ValueError, RecursionError) as error:
        path = listing.path(file)
        sentence = f"The metadata file {path} {error}. Download the product again."
        yield RefusedProduct(PurePosixPath(file).stem, sentence, (path,))


def _drop_copies(parts: Sequence[Part]) -> list[Part]:
    """Drop copies: metadata that were downloaded twice, and the archive of what was unpacked next to it."""
    once: dict[object, Part] = {}
    for part in sorted(parts, key=lambda p: any(f.startswith("/vsi") for f in p.files)):
        names = tuple(PurePosixPath(f).name.lower() for b in part.bands for f in b.files)
        once.setdefault((part.scene, part.title, part.role, names) if part.metadata else (part.role, part.bands), part)
    return list(once.values())


def _pair_parts(parts: Sequence[Part]) -> tuple[list[Product], list[RefusedProduct]]:
    """Pair PAN and MS of one scene, and single ones with the only other of their sensor and day, or with a guess."""
    scenes: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        if not part.guessed:
            scenes[part.scene].append(part)
    items: list[Product | RefusedProduct] = [] if scenes else _pair_guesses(parts)
    days: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for group in scenes.values():
        if {p.role for p in group} == {"PAN", "MS"}:
            items.append(_make_product(group))
        else:
            for part in group:
                days[part.sensor.name, part.date].append(part)
    alone = [p for group in days.values() for p in group]
    for (_, date), group in days.items():
        reason = f"PAN and MS are of one sensor and day, {date}." if date else "PAN and MS are the only ones here."
        if sum(p.role == "PAN" for p in group) == 1 < len(group) and (date or len(alone) == 2):
            items.append(_make_product(group, reason))
        else:
            items += [_complete_part(p, parts, [o for o in alone if o.role != p.role]) for p in group]
    return [i for i in items if isinstance(i, Product)], [i for i in items if isinstance(i, RefusedProduct)]


def _pair_guesses(parts: Sequence[Part]) -> list[Product | RefusedProduct]:
    """Pair the only two images whose places and pixels fit, where no name tells PAN or MS."""
    pans, mss = ([p for p in parts if p.role == role] for role in ("PAN", "MS"))
    pairs = [(pan, ms) for pan in pans for ms in mss if has_fitting_pixels(pan, ms)]
    reason = "No name says PAN or MS: the only two images are taken whose places and pixels fit."
    return [_make_product(pairs[0], reason)] if len(pairs) == 1 else []


def _make_product(group: Sequence[Part], *choices: str) -> Product | RefusedProduct:
    """Make the product of one scene's parts. MS of level 2 goes with the PAN of level 1."""
    level = max(p.level for p in group if p.role == "MS")
    pans = _keep_newest([p for p in group if p.role == "PAN"])
    mss = _keep_newest([p for p in group if p.role == "MS" and p.level == level])
    listed = [p for p in pans if p.metadata]
    pans = listed if len(listed) == 1 else pans  # The same file may be listed without metadata, too.
    if len(pans) == 1 and len(mss) > 1:
        mss = choose_ms(pans[0], mss)
    if len(pans) > 1 or len(mss) > 1:
        doubled = pans if len(pans) > 1 else mss
        names = ", ".join(f for p in doubled for b in p.bands[:1] for f in b.files[:1])
        return RefusedProduct(
            doubled[0].title,
            f"{doubled[0].title} has {len(doubled)} {doubled[0].role} images: {names}. Keep one of them in the "
            "folder, or put each pair into a folder of its own. Unpack archives of single bands into one folder.",
        )
    product = Product(pans[0], mss[0])
    left_out = [p for p in group if p.bands not in (product.pan.bands, product.ms.bands)]
    if level > 1:
        choices += (f"MS is of level {level}; PAN is that of level {pans[0].level}, as level {level} has none.",)
        left_out = [p for p in left_out if p.role == "MS"]
    return replace(product, choices=(*choices, *(f"{p.describe()} is there too and is left out." for p in left_out)))


def _keep_newest(parts: Sequence[Part]) -> list[Part]:
    """Keep the parts that are complete, if any are, and of several processings of them the newest."""
    complete = [p for p in parts if not p.missing] or list(parts)
    newest = max(p.made for p in complete)
    return [p for p in complete if p.made == newest] if all(p.made for p in complete) else complete


def _complete_part(part: Part, parts: Sequence[Part], others: Sequence[Part]) -> Product | RefusedProduct:
    """Pair a single part with an image that no name tells, if its pixels fit, else refuse it, with what to do."""
    role = "MS" if part.role == "PAN" else "PAN"
    folder = {PurePosixPath(f).parent for f in part.files}
    guesses = [p for p in parts if p.guessed]
    fitting = [p for p in guesses if p.role == role and has_fitting_pixels(*((part, p) if role == "MS" else (p, part)))]
    if len(fitting) > 1 or part.metadata:
        fitting = [p for p in fitting if PurePosixPath(p.files[0]).parent in folder]
    if fitting and part.level == 1:
        reason = f"No name says which image is {role}: {label(fitting[0].files)} is taken, because its pixels fit."
        return _make_product([part, *fitting], reason)
    of_role = [p for p in parts if p.role == role and not p.guessed]
    if part.level > 1 and not others:
        cure = "Level 2 has no panchromatic band: download level 1 of the scene too and put it into the same folder."
    elif others or of_role:
        names = "; ".join(p.describe() for p in (others or of_role)[:MAX_NAMED])
        cure = (
            f"Each {role} was recorded at another time or place: {names}. Put the {role} of the same "
            "scene into the folder."
        )
        if not others:
            cure = f"Each {role} belongs to another image: {names}. Put the {role} of the same scene into the folder."
    elif guesses:
        names = "; ".join(describe_image(p) for p in guesses[:MAX_NAMED])
        cure = (
            f"No name says {role}, and no other image fits: {names}. MS needs several bands on the same place, with "
            f"pixels {MIN_RATIO:g} to {MAX_RATIO:g} times those of PAN. Add one, or sharpen with otfm:pansharpen."
        )
    else:
        cure = f"No {role} image is there. Put the {role} files of the scene into the folder, or download them again."
    return RefusedProduct(part.title, f"{part.describe()} has no {role}. {cure}")


def _describe_contents(place: str, listings: Sequence[Listing], refused: Sequence[RefusedProduct]) -> str:
    """Describe the contents of a place without products, with what to do."""
    left_out = ", ".join([f for listing in listings for f in listing.left_out][:MAX_NAMED])
    masks = f" Left out as masks or previews, by their names: {left_out}. Rename what is not." if left_out else ""
    if refused:
        more = f" ... and {len(refused) - MAX_NAMED} more." if len(refused) > MAX_NAMED else ""
        sentences = " ".join(r.sentence for r in refused[:MAX_NAMED])
        return f"{place} holds nothing that can be sharpened. {sentences}{more}{masks}"
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
        f"so on. Images are GeoTIFF, JPEG 2000 or NITF; sharpen others with otfm:pansharpen.{masks}"
    )
