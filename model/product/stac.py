"""STAC items, local or at an address: PAN, MS and masks by the names, roles and wavelengths of their assets' bands.

Only these products are read over the network. Each host is logged before it is asked.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from ..codec import parse_json
from ..errors import InputError
from ..geometry.grids import Grid
from ..raster.gdal_errors import quote_messages
from ..raster.source_files import REMOTE, open_delivered, public_name
from .cloud_masks import SCENE_CLASSES, build_mask, check_mask
from .families import STAC
from .metadata import MAX_BANDS, MAX_DEPTH, check_value, read_metadata
from .scene import NOT_SHARPENED, Band, Part, Product, Sensor, guide_by_finest

ADDRESS = re.compile(r"https?://[^\s/]", re.IGNORECASE)
STREAMED = "/vsicurl_streaming/"  # GDAL's way to read a whole file, also from servers that know no ranges.
MAX_HREF = 4096  # Characters; signed addresses have up to 2,000.
URL_MARKS = "!#$%&'()*+,/:;=?@[]~"  # All that may be in an address, besides letters and digits.
MAX_ASSETS = 200  # Of one item; Sentinel-2 has 40.
PIXEL_DIGITS = 4  # Pixel sizes with equal digits are equal, also in degrees.
NOT_BANDS = re.compile(r"visual|pan_?sharp|thumb|preview|overview|metadata|mask|udm|scl|saturation|snow|water", re.I)
SEVERAL = re.compile(r"analytic|multispectral|(?:^|[_-])ms(?:$|[_-])", re.I)  # In keys of assets that list no bands.
TOKEN = re.compile(r"B\d[\dA]?")


@dataclass
class _Item:
    """An item that is being read: `hosts` that are logged, `left_out` assets with the reason."""

    place: str
    log: Callable[[str], None]
    hosts: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    def announce(self, address: str) -> None:
        """Log the host of an address, once."""
        host = urlsplit(address).netloc.rpartition("@")[2]
        if host not in self.hosts:
            self.hosts.add(host)
            self.log(f"Connecting to {host} for the STAC item {public_name(self.place)}.")

    def find(self, key: str, asset: Mapping[str, Any]) -> str:
        """Return the name by which GDAL opens an asset; empty, and listed as left out, where it is not to be read."""
        href = asset.get("href")
        try:
            if not isinstance(href, str) or not 0 < len(href) <= MAX_HREF or not href.isprintable():
                raise ValueError("no text")
            address = urljoin(self.place, href) if is_address(self.place) else href.removeprefix("file://")
            if is_address(address):
                address = quote(address, safe=URL_MARKS)
                self.announce(address)
                return REMOTE + address
        except ValueError:  # Also of a host that is not one.
            self.left_out.append(f"{key} (no address)")
            return ""
        folder = os.path.dirname(os.path.abspath(self.place))
        path = os.path.normpath(os.path.join(folder, address))
        inside = os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)
        if "://" in address or is_address(self.place) or not inside:
            self.left_out.append(f"{key} (neither at an https address nor in the item's folder: {href[:80]})")
        elif not os.path.isfile(path):
            self.left_out.append(f"{key} (not downloaded: {href[:80]})")
        else:
            return path
        return ""


def is_address(place: str) -> bool:
    """Return whether a place is an address on the network."""
    return bool(ADDRESS.match(place))


def read_item(place: str, check: Callable[[], None], log: Callable[[str], None]) -> Product | None:
    """Return the product of a STAC item; None where a local file is not one. Call within `gdal_exceptions`.

    Raises InputError where it is an item, but cannot be sharpened.
    """
    item = _Item(place, log)
    content = _read_content(item, check)
    if content is None:
        return None
    found = content.get("properties")
    properties = found if isinstance(found, dict) else {}
    title = check_value("id", str(content.get("id") or "item"))
    part = Part(
        role="MS",
        sensor=Sensor(check_value("platform", str(properties.get("platform") or "STAC"))),
        scene=title,
        title=title,
        bands=(),
        date=check_value("datetime", str(properties.get("datetime") or properties.get("start_datetime") or ""))[:10],
        metadata=() if is_address(place) else (place,),
    )
    bands: dict[float, list[Band]] = {}
    nodata = None
    for pixel, band, stated in _read_bands(item, content["assets"], properties, check):
        bands.setdefault(pixel, []).append(band)
        nodata = stated if nodata is None else nodata
    product = _make_product(replace(part, nodata=nodata), bands)
    if product is None:
        names = ", ".join(b.name for some in bands.values() for b in some) or "none"
        reasons = f" Left out: {'; '.join(item.left_out)}." if item.left_out else ""
        raise InputError(
            f"{public_name(place)} has neither PAN and MS nor bands of two pixel sizes. Its bands: {names}.{reasons} "
            "Take an item that has them, with https addresses, or download its assets next to it."
        )
    choices = (*product.choices, *([f"Left out: {'; '.join(item.left_out)}."] if item.left_out else []))
    return _add_mask(item, replace(product, choices=choices), content["assets"])


def _read_content(item: _Item, check: Callable[[], None]) -> dict[str, Any] | None:
    """Return the JSON of an item; None for another local file. Raises InputError for another address."""
    remote, several = is_address(item.place), 1
    try:
        if remote:
            item.announce(item.place)
        text = read_metadata(STREAMED + item.place if remote else item.place, check).decode("utf-8", errors="replace")
        content = parse_json(text, MAX_DEPTH)
        features = content.get("features") if isinstance(content, dict) else None
        if isinstance(features, list) and features and "stac_version" in features[0]:  # What a search returns.
            several, content = len(features), features[0]
        assets = content.get("assets") if isinstance(content, dict) and "stac_version" in content else None
        if not isinstance(assets, dict) or not 1 <= len(assets) <= MAX_ASSETS:
            raise ValueError(f"it has no list of 1 to {MAX_ASSETS} assets")
        for key in assets:
            check_value("key", key)
    except (InputError, ValueError, TypeError) as error:  # TypeError: features that are numbers
        if not remote:
            return None
        raise InputError(f"{public_name(item.place)} is not a STAC item ({error}). Give the address of one.") from error
    if several > 1:
        raise InputError(
            f"{public_name(item.place)} lists {several:,} STAC items. Save an item as a file, and choose that."
        )
    return dict(content)


def _read_bands(
    item: _Item, assets: Mapping[str, Any], properties: Mapping[str, Any], check: Callable[[], None]
) -> Iterator[tuple[float, Band, float | None]]:
    """Yield pixel size, band and stated nodata value; of copies of a band, the first counts. Raises InputError."""
    has_offset = properties.get("earthsearch:boa_offset_applied") is not True  # Else no pixel needs it any more.
    listed = {key: (asset, _list_entries(key, asset)) for key, asset in assets.items()}
    names = {_name_band(key, e)[0] for key, (_, entries) in listed.items() for e in entries}
    seen: set[str] = set()
    for key, (asset, entries) in listed.items():
        check()
        named = [_name_band(key, entry) for entry in entries]
        own_names = {str(e.get("name", name)) for e, (name, _) in zip(entries, named)}
        path = item.find(key, asset) if named and not own_names <= seen else ""
        if not path:
            continue
        seen |= own_names
        count, pixel = _open_asset(key, path)
        if count > 1 and entries == [{}]:
            _refuse_many_bands(key, count)
            named = [(f"band {n}", None) for n in range(1, count + 1)]
        if count < len(named):
            raise InputError(f"The asset {key} has {count} band(s), but its item lists {len(named)}. Get it again.")
        for number, (name, centre) in enumerate(named, start=1):
            entry = entries[min(number, len(entries)) - 1]
            scale, offset, nodata = (_find_number(asset, number, entry, word) for word in ("scale", "offset", "nodata"))
            calibration = None if scale is None else (scale, (offset or 0.0) if has_offset else 0.0)
            token = str(entry.get("name"))
            own = "nir" if name == "narrow nir" and "nir" not in names else name  # The only one of Landsat.
            band = Band(own, (path,), number, token if TOKEN.fullmatch(token) else "", centre, calibration)
            yield pixel, band, nodata


def _list_entries(key: str, asset: object) -> list[dict[str, Any]]:
    """List what an item states of the bands of an asset; empty for what is not one."""
    if not isinstance(asset, dict) or not str(asset.get("type", "image/")).startswith("image/"):
        return []
    roles = asset.get("roles")
    if any(NOT_BANDS.search(str(word)) for word in (key, *(roles if isinstance(roles, list) else []))):
        return []
    bands = asset.get("bands") or asset.get("eo:bands")
    if isinstance(bands, list) and all(isinstance(b, dict) for b in bands):
        _refuse_many_bands(key, len(bands))
        return bands
    return [{}] if SEVERAL.search(key) or _name_band(key, {})[0] != key else []


def _refuse_many_bands(key: str, count: int) -> None:
    if count > MAX_BANDS:
        raise InputError(f"The asset {key} has {count:,} bands, but at most {MAX_BANDS} are expected.")


def _name_band(key: str, entry: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return our name of a band and its wavelength in nm."""
    stated = entry.get("eo:center_wavelength", entry.get("center_wavelength"))
    centre = 1000.0 * stated if isinstance(stated, (int, float)) and 0.3 <= stated <= 20.0 else None
    own = check_value("name", str(entry.get("name") or key))
    for word in (own, entry.get("eo:common_name"), entry.get("common_name"), *([] if entry else re.split("[_-]", key))):
        name = STAC.bands.get(str(word).upper().removeprefix("BAND_"), "")
        if name:
            return name, centre or STAC.centres.get(name)
    return own, centre


def _find_number(asset: Mapping[str, Any], number: int, entry: Mapping[str, Any], word: str) -> float | None:
    """Return scale, offset or nodata value of a band, by its entry, by raster:bands, or by the asset."""
    rasters = asset.get("raster:bands")
    raster = rasters[number - 1] if isinstance(rasters, list) and len(rasters) >= number else {}
    for place in (entry, raster if isinstance(raster, dict) else {}, asset):
        for key in (f"raster:{word}", word):
            value = place.get(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
                return float(value)
    return None


def _open_asset(key: str, path: str) -> tuple[int, float]:
    """Return the number of bands and the pixel size of an asset. Raises InputError."""
    try:
        dataset = open_delivered(path)
    except (RuntimeError, InputError) as error:
        raise InputError(
            f"The asset {key}, {public_name(path)}, cannot be opened: {quote_messages(error)}. Signed addresses "
            "expire: get the item again."
        ) from error
    return dataset.RasterCount, float(f"{math.prod(Grid.of(dataset).pixel_size) ** 0.5:.{PIXEL_DIGITS}g}")


def _make_product(part: Part, bands: Mapping[float, Sequence[Band]]) -> Product | None:
    """Make the product of the bands of each pixel size: with PAN if there is one, else guided by the finest."""
    pan = [b for some in bands.values() for b in some if b.name == "PAN"]
    if not pan:
        return guide_by_finest(part, bands)
    rest = [[b for b in some if b.name not in ("PAN", *NOT_SHARPENED)] for some in bands.values()]
    rest.sort(key=len)
    ms = sorted(rest[-1], key=lambda b: b.centre or math.inf)
    return Product(replace(part, role="PAN", bands=(pan[0],)), replace(part, bands=tuple(ms))) if ms else None


def _add_mask(item: _Item, product: Product, assets: Mapping[str, Any]) -> Product:
    """Add the mask of clouds by the scene classification of Sentinel-2, if the item has one."""
    key = next((k for k, asset in assets.items() if k.lower() == "scl" and isinstance(asset, dict)), "")
    path = item.find(key, assets[key]) if key else ""
    if not path:
        return product
    mask, sentence = check_mask(key, lambda: build_mask(path, SCENE_CLASSES), product.ms.bands[0].files[0])
    ms, *coarser = (replace(p, unmeasured=mask) for p in (product.ms, *product.coarser))
    return replace(product, ms=ms, coarser=tuple(coarser), choices=(*product.choices, sentence))
