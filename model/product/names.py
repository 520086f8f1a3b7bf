"""Products without known metadata files, recognised by the names that makers give to images."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from osgeo import gdal

from ..errors import InputError
from ..geometry.grids import MIN_RATIO, RATIO_DIGITS
from ..raster.gdal_errors import gdal_exceptions, quote_messages
from ..raster.source_files import open_delivered, suggest_cure
from .families import FAMILIES
from .landsat import FILL, name_scene
from .listing import Listing
from .scene import CENTRES, NOT_SHARPENED, RGB, UNKNOWN, Band, Part, Product, RefusedProduct, Sensor, guide_by_finest

PIXEL_DIGITS = ".4g"  # Pixel sizes with equal digits are equal, also in degrees.
LAYOUTS = ("bgr", "bgrn", "rgb", "rgbn", "nrg")  # Letters of the bands of a file, in their order.
MARKS = {
    **dict.fromkeys(("pan", "panchro", "panchromatic", "p", "bwdpan"), "PAN"),
    **dict.fromkeys(("ms", "mul", "multi", "multispectral", "mss", "mux", "xs", "bwdmux", "analytic"), "MS"),
    **dict.fromkeys(LAYOUTS, "MS"),
    **{name.replace(" ", ""): name for name in CENTRES},
    **{"blu": "blue", "grn": "green", "nir1": "nir", "coastalblue": "coastal", "nearinfrared": "nir", "nad": "PAN"},
}  # Marks by words in names of files.
SENTINEL_2 = next(s for family in FAMILIES for s in family.sensors if s.name == "Sentinel-2")
MIN_NAMED = 3  # Bands of a file whose descriptions are those of the sensor, so that they are believed.
NEAR = 40.0  # nm from the usual centre of a colour.
LETTERS = {"b": "blue", "g": "green", "r": "red", "n": "nir"}  # Marks by the last word, where no other word is one.
BAND_WORD = re.compile(r"(?:b|band)_?0*(\d{1,2}a?)$")
COUNTED_WORD = re.compile(r"(pan|ms|mss|mul|mux|xs)(\d)$")  # Such as PAN1 and MSS1 of the first camera.
MAXAR_WORD = re.compile(r"([pm])\d[a-z]s$")  # Such as P2AS and M2AS.
TILE_WORD = re.compile(r"(?i)r\d+c\d+$")  # Row and column of a tile.
PIXEL_WORD = re.compile(r"(?i)r?\d{1,3}m$")  # Such as R20m, in names of one band.
WORDS = re.compile(r"[_\-. /()]+")
DATE = re.compile(r"(?<!\d)(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?:\d{6})?(?!\d)")


@dataclass(frozen=True)
class _Image:
    """A file, the group it belongs to, and its mark: PAN, MS, a number, or the name of a colour.

    place            path and row of Landsat, of level 1
    layout           letters of the bands of a file, in their order
    count and pixel  number of bands and pixel size, 0 until it is opened
    """

    file: str
    group: str
    title: str
    mark: str
    sensor: Sensor
    place: str = ""
    layout: str = ""
    count: int = 0
    pixel: float = 0.0

    @property
    def band(self) -> str:
        """Name of the band by mark and sensor."""
        return self.sensor.bands.get(self.mark, f"band {self.mark}" if self.mark[:1].isdigit() else self.mark)


def list_untaken(listing: Listing, taken: set[str], titles: set[str]) -> list[_Image]:
    """List the images that no metadata file has `taken` and whose names hold none of the `titles` of products."""
    # Next to an IMD file, Maxar's names do not count: the file may say that the image was sharpened.
    described = {PurePosixPath(f).parent for f in listing.files if f.lower().endswith(".imd")}
    files = [
        file
        for file in listing.images
        if listing.path(file) not in taken
        and not any(t.lower() in PurePosixPath(file).name.lower() for t in titles)
        and not (_is_of_maxar(file) and PurePosixPath(file).parent in described)
    ]
    return _mark_letters([image for image in map(_parse_name, files) if image])


def _mark_letters(images: list[_Image]) -> list[_Image]:
    """Mark images by a letter before another word, such as scene_R_utm, where one scene has several."""
    lettered: dict[str, list[_Image]] = defaultdict(list)
    for image in images:
        words = image.group.split()
        letter = next((w for w in reversed(words) if w in LETTERS), "")
        if letter and not image.mark:
            words.remove(letter)
            group, title = " ".join(words), "_".join(words)
            lettered[group].append(replace(image, mark=LETTERS[letter], group=group, title=title))
    marked = {i.file: i for group in lettered.values() for i in group if len(group) >= MIN_NAMED}
    return [marked.get(i.file, i) for i in images]


def read_names(listing: Listing, images: Sequence[_Image]) -> Iterator[Part | Product | RefusedProduct]:
    """Yield PAN and MS of a scene among images with a mark."""
    groups: dict[str, list[_Image]] = defaultdict(list)
    for image in images:
        if image.mark:
            groups[image.group].append(image)
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
    if image is None or not image.mark or image.band in NOT_SHARPENED:
        return None
    number = float(image.mark) if image.mark.isdigit() else 0.0
    date = match[0] if (match := DATE.search(path)) else ""
    centre = image.sensor.centres.get(image.band) or CENTRES.get(image.band)
    return NamedBand(f"{PurePosixPath(path).parent} {image.group}", date, image.band, centre or number)


def guess_parts(listing: Listing, images: Sequence[_Image]) -> Iterator[Part]:
    """Yield what images without a mark may be, by their number of bands."""
    for unmarked in (i for i in images if not i.mark):
        listing.check()
        with suppress(InputError):
            image = _open(listing, unmarked)
            if image is not None:
                one_band = (Band("PAN", (listing.path(image.file),)),)
                role, bands = ("PAN", one_band) if image.count == 1 else ("MS", _list_file_bands(listing, image))
                scene = f"{listing.root} {image.file}"
                yield Part(role, image.sensor, scene, image.title, bands, nodata=_find_nodata(image), guessed=True)


def _parse_name(file: str) -> _Image | None:
    """Recognise an image by its name or those of its folders; its mark is empty if they have none.

    None for copies of bands with larger pixels, and for what is not a band.
    """
    path = PurePosixPath(file)
    sensors = (s for family in FAMILIES for s in family.sensors if s.files)
    matches = ((s, re.search(rf"(?<![A-Za-z0-9])(?:{s.files})", path.stem, re.IGNORECASE)) for s in sensors)
    sensor, match = next(((s, m) for s, m in matches if m), (UNKNOWN, None))
    fields = match.groupdict() if match else {}
    if match and "token" in fields:
        mark = "MS" if fields.get("several") else (fields["token"] or "").upper()
        if not mark:
            return None
        scene = re.sub(r"(?i)_PAN(5|10)M_", "_PAN_", fields["scene"])
        around = WORDS.split(f"{path.stem[: match.start()]} {path.stem[match.end() :]}")
        title = "_".join([scene, *(w for w in around if w and w.lower() not in MARKS)])
        return _Image(file, f"{sensor.name} {title}".lower(), title, MARKS.get(mark.lower(), mark), sensor)
    words = [w for w in WORDS.split(path.with_suffix("").as_posix()) if w]
    marks = _find_marks(words)
    if not marks and words and words[-1].lower() in LETTERS:
        marks = {len(words) - 1: LETTERS[words[-1].lower()]}
    of_one_band = bool(marks) and list(marks.values())[-1] not in ("MS", "PAN")
    counted = {i: match[2] for i, w in enumerate(words) if (match := COUNTED_WORD.match(w.lower()))}
    rest = [counted.get(i, w) for i, w in enumerate(words) if i not in marks or i in counted]
    rest = [w for w in rest if not TILE_WORD.match(w) and not (of_one_band and PIXEL_WORD.match(w))]
    title = "_".join(rest) or path.parent.as_posix().strip(".") or "product"
    layout = next((w.lower() for w in words if w.lower() in LAYOUTS), "")
    mark = list(marks.values())[-1] if marks else ""
    return _Image(file, " ".join(rest).lower(), title, mark, sensor, fields.get("place") or "", layout)


def _find_marks(words: Sequence[str]) -> dict[int, str]:
    """Map the positions of words to their marks. Two words may have one, such as red edge, nir 2 and band 2."""
    marks: dict[int, str] = {}
    for i, word in enumerate(words):
        before = words[i - 1].lower() if i else ""
        pair = before + word.lower()
        if before == "band" or MARKS.get(pair) in CENTRES:
            marks |= dict.fromkeys((i - 1, i), _parse_mark(pair) or _parse_mark(word))
        elif mark := _parse_mark(word):
            marks[i] = mark
    return {i: mark for i, mark in marks.items() if mark}


def _parse_mark(word: str) -> str:
    word = word.lower()
    number, counted, maxar = (pattern.match(word) for pattern in (BAND_WORD, COUNTED_WORD, MAXAR_WORD))
    if maxar:
        return "PAN" if maxar[1] == "p" else "MS"
    return number[1].upper() if number else MARKS.get(counted[1] if counted else word, "")


def _open(listing: Listing, image: _Image) -> _Image | None:
    """Read band count and pixel size; None for results of this plugin. Raises InputError with part of a sentence."""
    path = listing.path(image.file)
    try:
        dataset = open_delivered(path)
    except RuntimeError as error:
        raise InputError(f"{path} cannot be opened: {quote_messages(error)}. {suggest_cure(path)}") from error
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
    if "8A" in [i.mark for i in images]:  # Only Sentinel-2 has it.
        images = [replace(i, sensor=SENTINEL_2, mark=i.mark.zfill(2)) if i.mark[:1].isdigit() else i for i in images]
    guided = _guide_by_finest(listing, images)
    if guided:
        yield guided
        return
    pans = [i for i in images if i.count == 1 and i.band == "PAN"] or _find_finest(images)
    others = [i for i in images if i not in pans]
    multiband = [i for i in others if i.count > 1]
    single = _list_single_bands(listing, [i for i in others if i.count == 1])
    of_ms = [_list_file_bands(listing, i) for i in multiband] or [single]
    band_names = {b.name for b in of_ms[0]}
    if len(multiband) == 1 and {*RGB} <= band_names and {i.pixel for i in others} == {multiband[0].pixel}:
        of_ms = [(*of_ms[0], *(b for b in single if b.name not in band_names))]  # Such as RGB and NIR.
    of_pan: list[tuple[Band, ...]] = [(Band("PAN", (listing.path(i.file),)),) for i in pans]
    first = images[0]
    date, nodata = _find_date(first), _find_nodata(first)
    for role, parts in (("PAN", of_pan), ("MS", of_ms)):
        for bands in filter(None, _join_tiles(parts)):
            scene = f"{listing.root} {first.group}"
            if role == "PAN" and first.place:  # It may belong to metadata of level 2.
                scene = name_scene(first.sensor, first.place[:3], first.place[3:], date)
            yield Part(role, first.sensor, scene, first.title, bands, date, nodata=nodata)


def _join_tiles(images: list[tuple[Band, ...]]) -> list[tuple[Band, ...]]:
    """Make one image of those whose names say that they are its tiles."""
    files = [file for bands in images for file in bands[0].files] if all(images) else []
    if len(files) > 1 and all(any(map(TILE_WORD.match, WORDS.split(PurePosixPath(f).stem))) for f in files):
        return [tuple(replace(b, files=tuple(sorted(files))) for b in images[0])]
    return images


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
    has_fill = image.sensor.name.startswith(("Landsat", "Sentinel-2", "ASTER"))
    return FILL if has_fill or _is_of_maxar(image.file) else None


def _is_of_maxar(file: str) -> bool:
    return any(map(MAXAR_WORD.match, WORDS.split(file.lower())))


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
    letters = [LETTERS[letter] for letter in image.layout]
    tokens = [_parse_mark(re.split(r"[^a-z0-9]+", d)[-1]) for d in described]
    named = [image.sensor.bands.get(token, "") for token in tokens]  # Of a stack with masks, these are the bands.
    sharpened = [n for n in order if n not in NOT_SHARPENED]
    fitting = (names for names in (letters, order, sharpened) if len(names) == image.count)
    names = next(fitting, [MARKS.get(d, d) or f"band {i}" for i, d in enumerate(described, start=1)])
    names = named if sum(map(bool, named)) >= MIN_NAMED else names
    shown = [(i, n) for i, n in enumerate(names, start=1) if n and n not in ("PAN", *NOT_SHARPENED)]
    centres = image.sensor.centres
    return tuple(Band(n, (file,), i, "", centres.get(n)) for i, n in shown)


def _list_single_bands(listing: Listing, images: Sequence[_Image]) -> tuple[Band, ...]:
    """List the bands of files with one each, of the most common pixel size, in the order of wavelengths or numbers."""
    images = [i for i in images if i.band not in NOT_SHARPENED and i.mark != "MS"]
    if not images:
        return ()
    usual = Counter(f"{i.pixel:{PIXEL_DIGITS}}" for i in images).most_common(1)[0][0]
    centres = {**CENTRES, **images[0].sensor.centres}

    def rank(image: _Image) -> tuple[float, int, str]:
        number = int(digits[0]) if (digits := re.match(r"\d+", image.mark)) else 0
        return centres.get(image.band, math.inf), number, image.file

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
    distances = {c: abs(centre - CENTRES[c]) for c in RGB}
    nearest = min(distances, key=lambda c: distances[c])
    best = min(abs(other - CENTRES[nearest]) for other in centres)
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
