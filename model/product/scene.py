"""Data of readers of products: bands in files, PAN and MS of a scene, and both as a product."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..geometry.grids import MAX_RATIO, MIN_RATIO, RATIO_DIGITS

RGB = ("red", "green", "blue")
NOT_SHARPENED = ("cirrus", "thermal", "thermal 1", "thermal 2")  # They are coarse, or show heights that PAN does not.

CENTRES = {
    **{"deep blue": 425.0, "coastal": 443.0, "blue": 480.0, "green": 560.0, "yellow": 608.0, "red": 660.0},
    **{"red edge": 720.0, "nir": 835.0, "nir2": 900.0, "swir": 1250.0, "swir1": 1610.0, "swir2": 2200.0},
}  # Usual centre wavelengths in nm, where the sensor is unknown.


@dataclass(frozen=True)
class Sensor:
    """A sensor, with its names in metadata and files.

    bands       token of a band in metadata or names of files, in capitals, to the band's name, in the order of a file
                with all bands; "PAN" is the panchromatic one
    centres     name of a band to its centre wavelength in nm
    gains       tabulated MTF gains of MS at Nyquist, minimum and maximum; None where no table has them
    spacecraft  pattern of its name in metadata
    files       pattern of image files' names without their ending. Groups `token` and `scene` are the band's token and
                the name its files share; `place` is Landsat's path and row in names of level 1
    """

    name: str
    bands: Mapping[str, str] = field(default_factory=dict)
    centres: Mapping[str, float] = field(default_factory=dict)
    gains: tuple[float, float] | None = None
    spacecraft: str = ""
    files: str = ""

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the bands of MS in a file that has all of them."""
        return tuple(dict.fromkeys(n for n in self.bands.values() if n != "PAN"))


UNKNOWN = Sensor("unknown sensor")


def find_sensor(sensors: Sequence[Sensor], spacecraft: str) -> Sensor:
    """Find the sensor that metadata name; UNKNOWN for other sensors."""
    named = (s for s in sensors if s.spacecraft and re.match(s.spacecraft, spacecraft, re.IGNORECASE))
    return next(named, UNKNOWN)


@dataclass(frozen=True)
class Band:
    """A band and where it is: `number` (from 1) of the raster in `files`, or of the image that its tiles make up.

    token        the maker's name of it, such as B8A
    centre       wavelength in nm, where the metadata state it
    calibration  scale and offset by which its digital numbers become reflectance or another quantity
    """

    name: str
    files: tuple[str, ...]
    number: int = 1
    token: str = ""
    centre: float | None = None
    calibration: tuple[float, float] | None = None


@dataclass(frozen=True)
class Part:
    """PAN or MS of one scene.

    role     PAN or MS                         scene    equal for what was recorded together
    title    of a product of it                date     YYYY-MM-DD, empty if unknown
    level    of processing: 1 or 2             metadata files, and those that they name
    missing  names in the metadata of files that are not there
    nodata   the maker's value of gaps, which files may not declare
    made     date and time of processing, empty if unknown
    guessed  no name says what it is; its number of bands does
    saturated  the least digital number of saturated pixels, None if unknown
    unmeasured  areas, such as clouds, that are sharpened but excluded from measurements, as in RasterSource
    """

    role: str
    sensor: Sensor
    scene: str
    title: str
    bands: tuple[Band, ...]
    date: str = ""
    level: int = 1
    metadata: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    nodata: float | None = None
    made: str = ""
    guessed: bool = False
    saturated: float | None = None
    unmeasured: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """All files, each once."""
        return tuple(dict.fromkeys([*self.metadata, *(f for b in self.bands for f in b.files)]))

    def describe(self) -> str:
        """Describe it for lists in messages."""
        bands = f"{len(self.bands)} band(s)" if self.role == "MS" else "one band"
        sensor = self.sensor.name if self.sensor != UNKNOWN else ""
        level = f"level {self.level}" if self.level > 1 else ""
        return f"{self.role} of {', '.join(filter(None, [self.title, sensor, level, self.date, bands]))}"


@dataclass(frozen=True)
class Product:
    """PAN and MS that belong together, and in `choices` sentences with the reasons.

    A product without PAN has its sharpest bands instead: they guide the bands of MS and those of `coarser` parts, which
    have larger pixels, and are bands of the result themselves.
    """

    pan: Part
    ms: Part
    choices: tuple[str, ...] = ()
    coarser: tuple[Part, ...] = ()

    @property
    def title(self) -> str:
        """Name of the product."""
        return self.ms.title

    @property
    def is_guided(self) -> bool:
        """True where the sharpest bands take the place of PAN."""
        return len(self.pan.bands) > 1 or bool(self.coarser)

    @property
    def parts(self) -> tuple[Part, ...]:
        """PAN, MS and bands of larger pixels."""
        return self.pan, self.ms, *self.coarser

    @property
    def image(self) -> Part:
        """All bands that the result can have: those of MS, or of all parts in the order of their wavelengths."""
        if not self.is_guided:
            return self.ms

        def rank(band: Band) -> tuple[float, int]:
            number = re.match(r"band (\d+)", band.name)
            return band.centre or self.ms.sensor.centres.get(band.name, math.inf), int(number[1]) if number else 0

        bands = sorted((b for part in self.parts for b in part.bands), key=rank)
        missing = tuple(name for part in self.parts for name in part.missing)
        return replace(self.ms, bands=tuple(bands), missing=missing)

    @property
    def files(self) -> tuple[str, ...]:
        """Files of all parts, each once."""
        return tuple(dict.fromkeys(file for part in self.parts for file in part.files))


@dataclass(frozen=True)
class RefusedProduct:
    """A refusal of what looks like a product: the reason and what to do, in whole sentences."""

    title: str
    sentence: str
    files: tuple[str, ...] = ()


def guide_by_finest(part: Part, bands: Mapping[float, Sequence[Band]]) -> Product | None:
    """Make the product without PAN of the bands of each pixel size; those of the smallest guide the others.

    `part` is what all its parts share. None where fewer than two pixel sizes differ by MIN_RATIO to MAX_RATIO.
    """
    sizes = sorted(size for size, some in bands.items() if some and size > 0.0)
    coarse = [s for s in sizes[1:] if MIN_RATIO <= round(s / sizes[0], RATIO_DIGITS) <= MAX_RATIO]
    if not coarse:
        return None
    pan, ms, *coarser = (
        replace(part, role="MS" if s > sizes[0] else "PAN", bands=tuple(bands[s])) for s in (sizes[0], *coarse)
    )
    names = ", ".join(b.token or b.name for b in pan.bands)
    choice = f"{part.title} has no panchromatic band: its sharpest bands ({names}) guide the others."
    return Product(pan, ms, (choice,), tuple(coarser))
