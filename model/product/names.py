"""Products without a metadata file that is known here: what their files are by the names, as makers give them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import InputError
from ..geometry.grids import RATIO_DIGITS
from ..raster.gdal_errors import said
from ..raster.source_files import open_delivered
from .landsat import FILL
from .listing import Listing
from .scene import Band, Part, Refused
from .sensors import NOT_SHARPENED, SENSORS, UNKNOWN, Sensor

IMAGES = (".tif", ".tiff", ".jp2", ".j2k", ".ntf", ".nitf")
PIXEL_DIGITS = ".4g"  # by which sizes of pixels are the same, also in degrees
FINEST = 1.5  # times smaller than the others' are the pixels of PAN
NO_IMAGES = re.compile(
    r"(?:^|[_\-. ])(?:browse|thumb(?:nail)?|preview|ql|quicklook|mask|msk|cloud|bqa|qa|psh|psm|pansharp\w*|udm\d?|aux)"
    r"(?:[_\-. ]|$)"
)
PAN_WORDS = {"pan", "panchro", "panchromatic", "p", "bwdpan"}
MS_WORDS = {"ms", "mul", "multi", "multispectral", "mss", "mux", "xs", "bwdmux"}
COLOUR_WORDS = {
    "blue": "blue",
    "blu": "blue",
    "green": "green",
    "grn": "green",
    "red": "red",
    "nir": "nir",
    "coastal": "coastal",
    "swir1": "swir1",
    "swir2": "swir2",
}
BAND_WORD = re.compile(r"(?:b|band)_?0*(\d{1,2})$")
WORDS = re.compile(r"[_\-. /()]+")
LANDSAT = re.compile(r"^(?:l|lc|le|lo|landsat)_?0?([789])(?:(?!\d)|\d{13})")
DATE = re.compile(r"(?<!\d)(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?:\d{6})?(?!\d)")


@dataclass(frozen=True)
class Naming:
    """How a maker names files: groups `scene` and `token` of the name without its ending."""

    sensor: str
    pattern: re.Pattern[str]


NAMINGS = (
    Naming("CBERS-4A WPM", re.compile(r"^(?P<scene>CBERS_?4A_WPM_.*?)_BAND(?P<token>\d)$", re.IGNORECASE)),
    Naming("CBERS-4 PAN", re.compile(r"^(?P<scene>CBERS_?4_PAN(?:5|10)M_.*?)_BAND(?P<token>\d)$", re.IGNORECASE)),
    Naming("GaoFen", re.compile(r"^(?P<scene>GF\d\w*_.*?)-(?:BWD)?(?P<token>PAN|MSS|MUX)\d?$", re.IGNORECASE)),
    Naming("KOMPSAT-3", re.compile(r"^(?P<scene>K3A?_.*?)_(?P<token>PAN|MS|[PBGRN])$", re.IGNORECASE)),
    Naming(
        "KOMPSAT-2", re.compile(r"^(?P<scene>MSC_\d+_\d+_\d+)M?(?P<token>P|[1-4])[A-Z]{1,2}\d\d_1\w$", re.IGNORECASE)
    ),
    Naming("EO-1 ALI", re.compile(r"^(?P<scene>EO1A\w+?)_B0?(?P<token>\d+)_L1\w+$", re.IGNORECASE)),
)


@dataclass(frozen=True)
class _Named:
    """A file, what it belongs to, and its mark: PAN, MS, a number, or the name of a colour."""

    file: str
    scene: str
    title: str
    mark: str
    sensor: Sensor


@dataclass(frozen=True)
class _Image:
    """What GDAL says of a file."""

    named: _Named
    count: int
    pixel: float


def read_names(listing: Listing, taken: set[str]) -> Iterator[Part | Refused]:
    """PAN and MS among the images of a listing that no metadata file has `taken`."""
    groups: dict[str, list[_Named]] = {}
    for file in listing.files:
        if file.lower().endswith(IMAGES) and listing.path(file) not in taken:
            named = _understood(file)
            if named is not None:
                groups.setdefault(named.scene, []).append(named)
    for group in groups.values():
        listing.check()
        try:
            yield from _parts(listing, [i for i in (_opened(listing, n) for n in group) if i is not None])
        except InputError as error:
            yield Refused(group[0].title, f"{error}.")


def _understood(file: str) -> _Named | None:
    """What a file is by its name, or by those of its folders; None where they do not say."""
    place = PurePosixPath(file)
    stem, folder = place.stem, place.parent.as_posix()
    if NO_IMAGES.search(stem.lower()):
        return None
    for naming in NAMINGS:
        found = naming.pattern.match(stem)
        if found:
            scene, token = found["scene"], found["token"].upper()
            scene = re.sub(r"(?i)_PAN(5|10)M_", "_PAN_", scene)
            return _Named(file, f"{naming.sensor} {scene}".lower(), scene, _role_word(token), SENSORS[naming.sensor])
    words = [w for w in WORDS.split(place.with_suffix("").as_posix()) if w]
    tokens = [(i, t) for i, t in ((i, _token(w)) for i, w in enumerate(words)) if t]
    if not tokens:
        return None
    rest = [w for i, w in enumerate(words) if i not in {i for i, _ in tokens}]
    landsat = LANDSAT.match(stem.lower())
    sensor = SENSORS[f"Landsat {landsat[1]}"] if landsat else UNKNOWN
    return _Named(file, " ".join(rest).lower(), "_".join(rest) or folder.strip(".") or "product", tokens[-1][1], sensor)


def _role_word(token: str) -> str:
    return {"MSS": "MS", "MUX": "MS"}.get(token, token)


def _token(word: str) -> str:
    low = word.lower()
    number = BAND_WORD.match(low)
    if number:
        return number[1]
    return "PAN" if low in PAN_WORDS else "MS" if low in MS_WORDS else COLOUR_WORDS.get(low, "")


def _opened(listing: Listing, named: _Named) -> _Image | None:
    """None for results of this plugin. Raises InputError, with a sentence without its end, for what cannot be read."""
    path = listing.path(named.file)
    try:
        dataset = open_delivered(path)
    except RuntimeError as error:
        raise InputError(f"{path} cannot be opened: {said(error)}. Download it again") from error
    except InputError as error:
        raise InputError(f"{path} {error}") from error
    if dataset.GetMetadataItem("OTFM_VERSION"):
        return None
    transform = dataset.GetGeoTransform()
    size = abs(transform[1] * transform[5] - transform[2] * transform[4]) ** 0.5
    return _Image(named, dataset.RasterCount, size)


def _parts(listing: Listing, images: list[_Image]) -> Iterator[Part]:
    """PAN and MS of one group of files."""
    if not images:
        return
    pans = [i for i in images if _is_pan(i)] or _finest(images)
    others = [i for i in images if i not in pans]
    first = images[0].named
    found = DATE.search(first.file)
    date = "-".join(found.groups()) if found else ""
    nodata = FILL if first.sensor.name.startswith("Landsat") else None
    several = [i for i in others if i.count > 1]
    of_ms = [_of_file(listing, i) for i in several] if several else [_one_a_file(listing, others)]
    of_pan = [(Band("PAN", (listing.path(i.named.file),)),) for i in pans]
    for role, found_bands in (("PAN", of_pan), ("MS", of_ms)):
        for bands in filter(None, found_bands):
            scene = f"{listing.root} {first.scene}"
            yield Part(role, first.sensor, scene, first.title, bands, date, nodata=nodata)


def _is_pan(image: _Image) -> bool:
    return image.count == 1 and _name(image) == "PAN"


def _name(image: _Image) -> str:
    """A band's name by its file's mark and sensor."""
    mark, sensor = image.named.mark, image.named.sensor
    return sensor.bands.get(mark, f"band {mark}" if mark.isdigit() else mark)


def _finest(images: list[_Image]) -> list[_Image]:
    """The one image of one band whose pixels are smaller than those of all others; none where there is no such one."""
    sized = sorted((i for i in images if i.pixel > 0.0), key=lambda i: i.pixel)
    clear = len(sized) > 1 and sized[0].count == 1 and round(sized[1].pixel / sized[0].pixel, RATIO_DIGITS) >= FINEST
    return sized[:1] if clear else []


def _of_file(listing: Listing, image: _Image) -> tuple[Band, ...]:
    """Bands of a file with several, by their names in it; else those of the sensor, or of most, where they are four."""
    file, order = listing.path(image.named.file), image.named.sensor.order
    dataset = open_delivered(file)
    described = [dataset.GetRasterBand(n).GetDescription().lower() for n in range(1, image.count + 1)]
    names = order if len(order) == image.count else [COLOUR_WORDS.get(d, d) for d in described]
    return tuple(Band(n or f"band {i}", (file,), i) for i, n in enumerate(names, start=1))


def _one_a_file(listing: Listing, images: list[_Image]) -> tuple[Band, ...]:
    """Bands of files with one each, all of the pixel size that most of them have, in the order of their numbers."""
    images = [i for i in images if _name(i) not in NOT_SHARPENED and i.named.mark != "MS"]
    if not images:
        return ()
    usual = Counter(f"{i.pixel:{PIXEL_DIGITS}}" for i in images).most_common(1)[0][0]
    alike = [i for i in images if f"{i.pixel:{PIXEL_DIGITS}}" == usual]
    order = images[0].named.sensor.order
    alike.sort(key=lambda i: (order.index(_name(i)) if _name(i) in order else len(order), _number(i), i.named.file))
    return tuple(Band(_name(i), (listing.path(i.named.file),)) for i in alike)


def _number(image: _Image) -> int:
    return int(image.named.mark) if image.named.mark.isdigit() else 0
