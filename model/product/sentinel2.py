"""Sentinel-2: SAFE folders of level 1C and 2A, whose bands have pixels of 10, 20 and 60 m and no PAN.

Every granule is a product of its own, as each has its grid. Until 2016 a SAFE folder could hold several, names were
longer, and metadata named images without their folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ..errors import InputError
from .cloud_masks import find_mask
from .listing import Listing
from .metadata import Tree, check_value, find_value, parse_count, parse_number
from .scene import Band, Part, Product, RefusedProduct, Sensor, guide_by_finest

PIXELS = {
    **dict.fromkeys(("02", "03", "04", "08"), 10.0),
    **dict.fromkeys(("05", "06", "07", "8A", "11", "12"), 20.0),
    **dict.fromkeys(("01", "09", "10"), 60.0),
}  # Metres of each band. Level 2A also has coarser copies, and a finer one of band 1.
IMAGE = re.compile(r".*_B(\d[\dA])(?:_(\d0)m)?$")
TILE = re.compile(r"_T(\d\d[A-Z]{3})(?=_|$)")
RESOLUTION_FOLDER = re.compile(r"(?i)R\d0m$")
IMAGE_TAGS = ("image_file", "image_id", "image_file_2a", "image_id_2a")
QUANTIFICATIONS = ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")
NODATA, SATURATED = 0, 65535  # Digital numbers, where the metadata state no others.


def read_safe(listing: Listing, file: str, root: Tree, sensors: Sequence[Sensor]) -> Iterator[Product | RefusedProduct]:
    """Yield the granules of a product's metadata file."""
    images: dict[str, list[str]] = {}
    for granule in (e for e in root.iter() if e.tag in ("granule", "granules")):
        identifier = check_value("granuleIdentifier", granule.get("granuleIdentifier", ""))
        listed = (check_value(e.tag.upper(), e.text or "") for e in granule if e.tag in IMAGE_TAGS)
        images.setdefault(identifier, []).extend(listed)
    if not any(images.values()):
        raise InputError("lists no image of a granule")
    level = 2 if "L2A" in PurePosixPath(file).name.upper() else 1
    uri = find_value(root, "PRODUCT_URI_2A") or find_value(root, "PRODUCT_URI") or PurePosixPath(file).parent.name
    title = re.sub(r"(?i)\.SAFE$", "", uri) or PurePosixPath(listing.root).stem
    part = Part(
        role="MS",
        sensor=sensors[0],
        scene=title,
        title=title,
        bands=(),
        date=(find_value(root, "PRODUCT_START_TIME") or find_value(root, "DATATAKE_SENSING_START"))[:10],
        level=level,
        nodata=float(_read_special_value(root, "NODATA", NODATA)),
        saturated=float(_read_special_value(root, "SATURATED", SATURATED)),
    )
    described = _describe_bands(root, level, sensors[0])
    for identifier, names in images.items():
        tile = TILE.search(f"{identifier}_{' '.join(names[:1])}".replace("/", "_"))
        name = f"{title}_T{tile[1]}" if len(images) > 1 and tile else title
        yield _read_granule(listing, file, replace(part, title=name), identifier, names, described)


def _read_granule(
    listing: Listing, file: str, part: Part, identifier: str, names: Sequence[str], described: Mapping[str, Band]
) -> Product | RefusedProduct:
    """Return the product of a granule, or why its images cannot be sharpened."""
    wanted = {}
    for name in names:
        image = IMAGE.match(name)
        if image and image[1] in PIXELS and float(image[2] or PIXELS[image[1]]) == PIXELS[image[1]]:
            folder = f"GRANULE/{identifier}/IMG_DATA/" + (f"R{image[2]}m/" if image[2] else "")
            wanted[image[1]] = f"{name if '/' in name else folder + name}.jp2"
    present = {token: f for token, name in wanted.items() if (f := listing.find_next_to(file, name)) is not None}
    bands: dict[float, list[Band]] = {}
    for token in (t for t in described if t in present):
        bands.setdefault(PIXELS[token], []).append(replace(described[token], files=(listing.path(present[token]),)))
    missing = tuple(PurePosixPath(name).name for token, name in wanted.items() if token not in present)
    product = guide_by_finest(replace(part, metadata=(listing.path(file),)), bands)
    if product is None:
        sentence = (
            f"{part.title} has no bands of two pixel sizes. Missing: {', '.join(missing) or 'nothing'}. Download the "
            "product again."
        )
        return RefusedProduct(part.title, sentence, (listing.path(file),))
    inner = PurePosixPath(next(iter(present.values()))).parent  # IMG_DATA, or R10m in it.
    folder = f"{inner.parents[1 if RESOLUTION_FOLDER.match(inner.name) else 0]}/"
    mask, choice = find_mask(listing, folder, product.ms.bands[0].files[0])
    own = (f for f in listing.files if f.lower().endswith(".xml") and f"{PurePosixPath(f).parent}/" == folder)
    metadata = (*product.ms.metadata, *map(listing.path, own))
    ms = replace(product.ms, missing=missing, metadata=metadata, unmeasured=mask)
    coarser = tuple(replace(p, unmeasured=mask) for p in product.coarser)
    return replace(product, ms=ms, coarser=coarser, choices=(*product.choices, *filter(None, [choice])))


def _describe_bands(root: Tree, level: int, sensor: Sensor) -> dict[str, Band]:
    """Return every band without its files, by its token: name, wavelength, and scale and offset to reflectance."""
    texts = (find_value(root, name) for name in QUANTIFICATIONS[: 2 if level == 2 else 3])
    quantification = next(filter(None, texts), "")
    divisor = parse_number("QUANTIFICATION_VALUE", quantification, 1.0, 1e6) if quantification else None
    tag = "boa_add_offset" if level == 2 else "radio_add_offset"
    added, tokens = {}, list(sensor.bands)  # in the order of band_id
    for element in root.iter(tag):
        token = tokens[parse_count("band_id", element.get("band_id", ""), 0, len(tokens) - 1)]
        added[token] = parse_number(tag.upper(), element.text or "", -1e5, 1e5)
    centres = {}
    for information in root.iter("spectral_information"):
        text = find_value(information, "CENTRAL")
        if text:
            token = information.get("physicalBand", "").removeprefix("B").rjust(2, "0")
            centres[token] = parse_number("CENTRAL", text, 300.0, 3000.0)
    return {
        token: Band(
            name=name,
            files=(),
            token=f"B{token}",
            centre=centres.get(token),
            calibration=(1.0 / divisor, added.get(token, 0.0) / divisor) if divisor else None,
        )
        for token, name in sensor.bands.items()
    }


def _read_special_value(root: Tree, name: str, default: int) -> int:
    for value in root.iter("special_values"):
        if find_value(value, "SPECIAL_VALUE_TEXT").upper() == name:
            return parse_count(name, find_value(value, "SPECIAL_VALUE_INDEX"), 0, 65535)
    return default
