"""Products without known metadata files, recognised by the names that makers give to images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from osgeo import gdal

from ..errors import InputError
from ..geometry.grids import RATIO_DIGITS
from ..raster.gdal_errors import gdal_exceptions, quote_messages
from ..raster.source_files import open_delivered
from .families import FAMILIES
from .landsat import FILL, name_scene
from .listing import IMAGES, Listing
from .scene import NOT_SHARPENED, UNKNOWN, Band, Part, Product, RefusedProduct, Sensor, guide_by_finest

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
USUAL_CENTRES = {"coastal": 443, "blue": 485, "green": 560, "red": 660, "nir": 835, "swir1": 1610, "swir2": 2200}  # nm.
RGB = ("red", "green", "blue")
NEAR = 40.0  # nm from the usual centre of a colour.
BAND_WORD = re.compile(r"(?:b|band)_?0*(\d{1,2}a?)$")
PIXEL_WORD = re.compile(r"(?i)r?\d{1,3}m$")  # Such as R20m, in names of one band.
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
        return self.sensor.bands.get(self.mark, f"band {self.mark}" if self.mark[:1].isdigit() else self.mark)


def read_names(listing: Listing, taken: set[str]) -> Iterator[Part | Product | RefusedProduct]:
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


@dataclass(frozen=True)
class NamedBand:
    """What the name of a file states: the scene, its date, the band (PAN or a name), and an order by wavelength."""

    scene: str
    date: str
    band: str
    rank: float


def parse_band_name(path: str) -> NamedBand | None:
    """Recognise the band in the name of a file; None for other files, and for bands that PAN cannot sharpen."""
    image = _parse_name(PurePosixPath(path).name)
    if image is None or image.band in NOT_SHARPENED:
        return None
    number = float(image.mark) if image.mark.isdigit() else 0.0
    date = match[0] if (match := DATE.search(path)) else ""
    return NamedBand(
        f"{PurePosixPath(path).parent} {image.group}", date, image.band, find_centre(image.band, image.sensor) or number
    )


def find_centre(band: str, sensor: Sensor = UNKNOWN) -> float:
    """Return the centre wavelength in nm of a band by its name; 0 where it is unknown."""
    return sensor.centres.get(band, 0.0) or USUAL_CENTRES.get(band, 0.0)


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
        mark = "MS" if fields.get("several") else (fields["token"] or "").upper()
        if not mark:  # A copy of a band with larger pixels, or no band.
            return None
        title = re.sub(r"(?i)_PAN(5|10)M_", "_PAN_", fields["scene"])
        return _Image(file, f"{sensor.name} {title}".lower(), title, "MS" if mark in ("MSS", "MUX") else mark, sensor)
    words = [w for w in WORDS.split(path.with_suffix("").as_posix()) if w]
    marks = [mark for mark in map(_parse_mark, words) if mark]
    if not marks:
        return None
    rest = [w for w in words if not _parse_mark(w) and not (marks[-1] not in ("MS", "PAN") and PIXEL_WORD.match(w))]
    title = "_".join(rest) or path.parent.as_posix().strip(".") or "product"
    return _Image(file, " ".join(rest).lower(), title, marks[-1], sensor, fields.get("place") or "")


def _parse_mark(word: str) -> str:
    number = BAND_WORD.match(word.lower())
    return number[1].upper() if number else MARKS.get(word.lower(), "")


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


def _make_parts(listing: Listing, images: Sequence[_Image]) -> Iterator[Part | Product]:
    """Yield PAN and MS of one group of files, or the product of one that has two pixel sizes and no PAN."""
    if not images:
        return
    guided = _guide_by_finest(listing, images)
    if guided:
        yield guided
        return
    pans = [i for i in images if i.count == 1 and i.band == "PAN"] or _find_finest(images)
    others = [i for i in images if i not in pans]
    multiband = [i for i in others if i.count > 1]
    of_ms = [_list_file_bands(listing, i) for i in multiband] if multiband else [_list_single_bands(listing, others)]
    of_pan = [(Band("PAN", (listing.path(i.file),)),) for i in pans]
    first = images[0]
    date, nodata = _find_date(first), _find_nodata(first)
    for role, parts in (("PAN", of_pan), ("MS", of_ms)):
        for bands in filter(None, parts):
            scene = f"{listing.root} {first.group}"
            if role == "PAN" and first.place:  # It may belong to metadata of level 2.
                scene = name_scene(first.sensor, first.place[:3], first.place[3:], date)
            yield Part(role, first.sensor, scene, first.title, bands, date, nodata=nodata)


def _guide_by_finest(listing: Listing, images: Sequence[_Image]) -> Product | None:
    """Make the product of files without PAN of which several, or one with several bands, have the smallest pixels."""
    bands: dict[float, list[Band]] = {}
    if any(i.count == 1 and i.band == "PAN" for i in images) or _find_finest(images):
        return None
    taken: set[str] = set()
    for pixel in sorted({float(f"{i.pixel:{PIXEL_DIGITS}}") for i in images}):
        group = [i for i in images if float(f"{i.pixel:{PIXEL_DIGITS}}") == pixel]
        several = [b for i in group if i.count > 1 for b in _list_file_bands(listing, i)]
        single = _list_single_bands(listing, [i for i in group if i.count == 1 and i.band not in taken])
        bands[pixel] = [*several, *single]
        taken |= {i.band for i in group}
    first = images[0]
    scene = f"{listing.root} {first.group}"
    part = Part("MS", first.sensor, scene, first.title, (), _find_date(first), nodata=_find_nodata(first))
    return guide_by_finest(part, bands)


def _find_date(image: _Image) -> str:
    return "-".join(match.groups()) if (match := DATE.search(image.file)) else ""


def _find_nodata(image: _Image) -> float | None:
    return FILL if image.sensor.name.startswith(("Landsat", "Sentinel-2", "ASTER")) else None


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
    centres = image.sensor.centres
    return tuple(Band(n or f"band {i}", (file,), i, "", centres.get(n)) for i, n in enumerate(names, start=1))


def _list_single_bands(listing: Listing, images: Sequence[_Image]) -> tuple[Band, ...]:
    """List the bands of files with one each, of the most common pixel size, in the order of their numbers."""
    images = [i for i in images if i.band not in NOT_SHARPENED and i.mark != "MS"]
    if not images:
        return ()
    usual = Counter(f"{i.pixel:{PIXEL_DIGITS}}" for i in images).most_common(1)[0][0]
    order = images[0].sensor.order

    def rank(image: _Image) -> tuple[int, int, str]:
        number = int(digits[0]) if (digits := re.match(r"\d+", image.mark)) else 0
        return order.index(image.band) if image.band in order else len(order), number, image.file

    usual_images = sorted((i for i in images if f"{i.pixel:{PIXEL_DIGITS}}" == usual), key=rank)
    return tuple(Band(i.band, (listing.path(i.file),)) for i in usual_images)


def find_natural_colours(files: Sequence[str]) -> tuple[int, int, int] | None:
    """Return the numbers of the red, green and blue band of a raster, or of files with one band each.

    Names of bands decide, else their wavelengths, else the sensor by the file's name. None where they do not.
    """
    if len(files) > 1:
        return _find_rgb([named.band if (named := parse_band_name(f)) else "" for f in files])
    with gdal_exceptions():
        try:
            dataset = gdal.Open(files[0])
        except RuntimeError:
            return None
        bands = [dataset.GetRasterBand(n) for n in range(1, dataset.RasterCount + 1)]
        words = [re.split(r"[^a-z]+", b.GetDescription().lower()) for b in bands]
        centres = [_read_wavelength(b) for b in bands]
    described = [next((MARKS[w] for w in ws if MARKS.get(w) in RGB and "edge" not in ws), "") for ws in words]
    image = _parse_name(PurePosixPath(files[0]).name)
    order = [n for n in image.sensor.order if n not in NOT_SHARPENED] if image else []
    return (
        _find_rgb(described)
        or _find_rgb([_name_wavelength(c, centres) for c in centres])
        or (_find_rgb(order) if len(order) == len(bands) else None)
    )


def _name_wavelength(centre: float, centres: Sequence[float]) -> str:
    """Return the colour whose usual centre is near, and nearer than to any other of the bands; empty for none."""
    distances = {c: abs(centre - USUAL_CENTRES[c]) for c in RGB}
    nearest = min(distances, key=lambda c: distances[c])
    best = min(abs(other - USUAL_CENTRES[nearest]) for other in centres)
    return nearest if distances[nearest] == best < NEAR else ""


def _find_rgb(names: Sequence[str]) -> tuple[int, int, int] | None:
    if not set(RGB) <= set(names):
        return None
    return names.index("red") + 1, names.index("green") + 1, names.index("blue") + 1


def _read_wavelength(band: gdal.Band) -> float:
    """Return the centre wavelength of a band in nm; 0 where its metadata do not state it."""
    stated, unit = band.GetMetadataItem("wavelength"), str(band.GetMetadataItem("wavelength_units") or "")
    if stated is None:
        stated, unit = band.GetMetadataItem("CENTRAL_WAVELENGTH_UM", "IMAGERY"), "micrometers"
    try:
        return float(stated or 0) * (1000.0 if unit.lower().startswith(("micro", "um")) else 1.0)
    except ValueError:
        return 0.0
