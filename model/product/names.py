"""Products without known metadata files, recognised by the names that makers give to images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ..errors import InputError
from ..geometry.grids import RATIO_DIGITS
from ..raster.gdal_errors import quote_messages
from ..raster.source_files import open_delivered
from .families import FAMILIES
from .landsat import FILL, name_scene
from .listing import IMAGES, Listing
from .scene import NOT_SHARPENED, UNKNOWN, Band, Part, RefusedProduct, Sensor

PIXEL_DIGITS = ".4g"  # Pixel sizes with equal digits are equal, also in degrees.
MIN_RATIO = 1.5  # Of the next pixel size to PAN's, as the fusion needs.
NOT_IMAGES = re.compile(
    r"(?:^|[_\-. ])(?:browse|thumb(?:nail)?|preview|ql|quicklook|mask|msk|cloud|bqa|qa|psh|psm|pansharp\w*|udm\d?|aux)"
    r"(?:[_\-. ]|$)"
)
MARKS = {
    **dict.fromkeys(("pan", "panchro", "panchromatic", "p", "bwdpan"), "PAN"),
    **dict.fromkeys(("ms", "mul", "multi", "multispectral", "mss", "mux", "xs", "bwdmux"), "MS"),
    **{name: name for name in ("blue", "green", "red", "nir", "coastal", "swir1", "swir2")},
    **{"blu": "blue", "grn": "green"},
}  # Marks by words in names of files.
BAND_WORD = re.compile(r"(?:b|band)_?0*(\d{1,2})$")
WORDS = re.compile(r"[_\-. /()]+")
DATE = re.compile(r"(?<!\d)(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?:\d{6})?(?!\d)")


@dataclass(frozen=True)
class _Image:
    """A file, the group it belongs to, and its mark: PAN, MS, a number, or the name of a colour.

    place            path and row of Landsat, of level 1
    count and pixel  number of bands and pixel size, 0 until it is opened
    """

    file: str
    group: str
    title: str
    mark: str
    sensor: Sensor
    place: str = ""
    count: int = 0
    pixel: float = 0.0

    @property
    def band(self) -> str:
        """Name of the band by mark and sensor."""
        return self.sensor.bands.get(self.mark, f"band {self.mark}" if self.mark.isdigit() else self.mark)


def read_names(listing: Listing, taken: set[str]) -> Iterator[Part | RefusedProduct]:
    """Yield PAN and MS among the images of a listing that no metadata file has `taken`."""
    groups: dict[str, list[_Image]] = {}
    for file in listing.files:
        if file.lower().endswith(IMAGES) and listing.path(file) not in taken:
            image = _parse_name(file)
            if image is not None:
                groups.setdefault(image.group, []).append(image)
    for group in groups.values():
        listing.check()
        try:
            yield from _make_parts(listing, [i for i in (_open(listing, n) for n in group) if i is not None])
        except InputError as error:
            yield RefusedProduct(group[0].title, f"{error}.")


def _parse_name(file: str) -> _Image | None:
    """Recognise an image by its name or those of its folders; None if they have no mark."""
    path = PurePosixPath(file)
    if NOT_IMAGES.search(path.stem.lower()):
        return None
    sensors = (s for family in FAMILIES for s in family.sensors if s.files)
    matches = ((s, re.match(s.files, path.stem, re.IGNORECASE)) for s in sensors)
    sensor, match = next(((s, m) for s, m in matches if m), (UNKNOWN, None))
    fields = match.groupdict() if match else {}
    if "token" in fields:
        mark = fields["token"].upper()
        title = re.sub(r"(?i)_PAN(5|10)M_", "_PAN_", fields["scene"])
        return _Image(file, f"{sensor.name} {title}".lower(), title, "MS" if mark in ("MSS", "MUX") else mark, sensor)
    words = [w for w in WORDS.split(path.with_suffix("").as_posix()) if w]
    marks = [mark for mark in map(_parse_mark, words) if mark]
    if not marks:
        return None
    rest = [w for w in words if not _parse_mark(w)]
    title = "_".join(rest) or path.parent.as_posix().strip(".") or "product"
    return _Image(file, " ".join(rest).lower(), title, marks[-1], sensor, fields.get("place") or "")


def _parse_mark(word: str) -> str:
    number = BAND_WORD.match(word.lower())
    return number[1] if number else MARKS.get(word.lower(), "")


def _open(listing: Listing, image: _Image) -> _Image | None:
    """Read band count and pixel size; None for results of this plugin. Raises InputError with part of a sentence."""
    path = listing.path(image.file)
    try:
        dataset = open_delivered(path)
    except RuntimeError as error:
        raise InputError(f"{path} cannot be opened: {quote_messages(error)}. Download it again") from error
    except InputError as error:
        raise InputError(f"{path} {error}") from error
    if dataset.GetMetadataItem("OTFM_VERSION"):
        return None
    transform = dataset.GetGeoTransform()
    size = abs(transform[1] * transform[5] - transform[2] * transform[4]) ** 0.5
    return replace(image, count=dataset.RasterCount, pixel=size)


def _make_parts(listing: Listing, images: Sequence[_Image]) -> Iterator[Part]:
    """Yield PAN and MS of one group of files."""
    if not images:
        return
    pans = [i for i in images if i.count == 1 and i.band == "PAN"] or _find_finest(images)
    others = [i for i in images if i not in pans]
    multiband = [i for i in others if i.count > 1]
    of_ms = [_list_file_bands(listing, i) for i in multiband] if multiband else [_list_single_bands(listing, others)]
    of_pan = [(Band("PAN", (listing.path(i.file),)),) for i in pans]
    first = images[0]
    date = "-".join(match.groups()) if (match := DATE.search(first.file)) else ""
    nodata = FILL if first.sensor.name.startswith("Landsat") else None
    for role, parts in (("PAN", of_pan), ("MS", of_ms)):
        for bands in filter(None, parts):
            scene = f"{listing.root} {first.group}"
            if role == "PAN" and first.place:  # It may belong to metadata of level 2.
                scene = name_scene(first.sensor, first.place[:3], first.place[3:], date)
            yield Part(role, first.sensor, scene, first.title, bands, date, nodata=nodata)


def _find_finest(images: Sequence[_Image]) -> list[_Image]:
    """Return the image of one band with clearly smaller pixels than all others; empty if there is none."""
    sized = sorted((i for i in images if i.pixel > 0.0), key=lambda i: i.pixel)
    clear = len(sized) > 1 and sized[0].count == 1 and round(sized[1].pixel / sized[0].pixel, RATIO_DIGITS) >= MIN_RATIO
    return sized[:1] if clear else []


def _list_file_bands(listing: Listing, image: _Image) -> tuple[Band, ...]:
    """List the bands of a file with several, named as the sensor's if the count fits, else as in the file."""
    file, order = listing.path(image.file), image.sensor.order
    dataset = open_delivered(file)
    described = [dataset.GetRasterBand(n).GetDescription().lower() for n in range(1, image.count + 1)]
    names = order if len(order) == image.count else [MARKS.get(d, d) for d in described]
    return tuple(Band(n or f"band {i}", (file,), i) for i, n in enumerate(names, start=1))


def _list_single_bands(listing: Listing, images: Sequence[_Image]) -> tuple[Band, ...]:
    """List the bands of files with one each, of the most common pixel size, in the order of their numbers."""
    images = [i for i in images if i.band not in NOT_SHARPENED and i.mark != "MS"]
    if not images:
        return ()
    usual = Counter(f"{i.pixel:{PIXEL_DIGITS}}" for i in images).most_common(1)[0][0]
    order = images[0].sensor.order

    def rank(image: _Image) -> tuple[int, int, str]:
        number = int(image.mark) if image.mark.isdigit() else 0
        return order.index(image.band) if image.band in order else len(order), number, image.file

    usual_images = sorted((i for i in images if f"{i.pixel:{PIXEL_DIGITS}}" == usual), key=rank)
    return tuple(Band(i.band, (listing.path(i.file),)) for i in usual_images)
