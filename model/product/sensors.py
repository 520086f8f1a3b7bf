"""What is known of sensors: names and centre wavelengths of their bands, and their tabulated MTF gains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COLOURS = ("red", "green", "blue")
NOT_SHARPENED = ("cirrus", "thermal", "thermal 1", "thermal 2")  # coarse, or of heights that PAN does not show


@dataclass(frozen=True)
class Sensor:
    """A sensor by its name.

    bands    token of a band in names of files (a number or letters, in capitals) to the band's name; "PAN" is
             the panchromatic one. Their order is that of a file with all bands.
    centres  name of a band to its centre wavelength in nm
    gains    tabulated MTF gains of MS at Nyquist, least and largest; None where no table has them
    """

    name: str
    bands: Mapping[str, str] = field(default_factory=dict)
    centres: Mapping[str, float] = field(default_factory=dict)
    gains: tuple[float, float] | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the bands of MS in a file that has all of them."""
        return tuple(dict.fromkeys(n for n in self.bands.values() if n != "PAN"))


def _numbered(first: int, *names: str) -> dict[str, str]:
    return {str(first + i): name for i, name in enumerate(names)}


def _named(*centres: tuple[str, float]) -> tuple[dict[str, str], dict[str, float]]:
    """Bands in the order of files whose names hold no tokens."""
    return _numbered(1, *(name for name, _ in centres)), dict(centres)


_OLI = ("coastal", "blue", "green", "red", "nir", "swir1", "swir2", "PAN", "cirrus", "thermal 1", "thermal 2")
_OLI_CENTRES = {
    "coastal": 443.0,
    "blue": 482.0,
    "green": 561.0,
    "red": 655.0,
    "nir": 865.0,
    "swir1": 1609.0,
    "swir2": 2201.0,
}
_ETM = {**_numbered(1, "blue", "green", "red", "nir", "swir1", "thermal", "swir2", "PAN")}
_ETM |= {"6_VCID_1": "thermal 1", "6_VCID_2": "thermal 2"}
_ALI = ("PAN", "coastal", "blue", "green", "red", "nir", "nir2", "swir", "swir1", "swir2")
_QUICKBIRD = _named(("blue", 485.0), ("green", 560.0), ("red", 660.0), ("nir", 830.0))
_GEOEYE = _named(("blue", 480.0), ("green", 545.0), ("red", 672.0), ("nir", 850.0))
_WORLDVIEW = _named(
    ("coastal", 427.0),
    ("blue", 478.0),
    ("green", 546.0),
    ("yellow", 608.0),
    ("red", 659.0),
    ("red edge", 724.0),
    ("nir", 831.0),
    ("nir2", 908.0),
)
_PLEIADES = _named(("red", 650.0), ("green", 560.0), ("blue", 490.0), ("nir", 840.0))
_SPOT = _named(("red", 660.0), ("green", 560.0), ("blue", 490.0), ("nir", 825.0))
_NEO = _named(
    ("red", 655.0), ("green", 560.0), ("blue", 485.0), ("nir", 825.0), ("red edge", 725.0), ("deep blue", 425.0)
)
_FOUR = {"blue": 485.0, "green": 560.0, "red": 660.0, "nir": 830.0}  # of many sensors, within 15 nm
_LETTERS = {"P": "PAN", "B": "blue", "G": "green", "R": "red", "N": "nir"}

_ETM_CENTRES = {"blue": 478.0, "green": 561.0, "red": 661.0, "nir": 835.0, "swir1": 1650.0, "swir2": 2208.0}
_ALI_CENTRES = {
    "coastal": 443.0,
    "blue": 483.0,
    "green": 565.0,
    "red": 660.0,
    "nir": 790.0,
    "nir2": 868.0,
    "swir": 1250.0,
    "swir1": 1650.0,
    "swir2": 2215.0,
}

SENSORS = {
    s.name: s
    for s in (
        Sensor("Landsat 7", _ETM, _ETM_CENTRES),
        Sensor("Landsat 8", _numbered(1, *_OLI), _OLI_CENTRES),
        Sensor("Landsat 9", _numbered(1, *_OLI), _OLI_CENTRES),
        Sensor("EO-1 ALI", _numbered(1, *_ALI), _ALI_CENTRES),
        Sensor("QuickBird", *_QUICKBIRD, (0.22, 0.34)),
        Sensor("IKONOS", *_named(("blue", 480.0), ("green", 551.0), ("red", 665.0), ("nir", 805.0)), (0.26, 0.29)),
        Sensor("GeoEye-1", *_GEOEYE, (0.23, 0.23)),
        Sensor("WorldView-1"),
        Sensor("WorldView-2", *_WORLDVIEW, (0.27, 0.35)),
        Sensor("WorldView-3", *_WORLDVIEW, (0.315, 0.365)),
        Sensor("WorldView-4", *_GEOEYE, (0.23, 0.23)),
        Sensor("Pleiades", *_PLEIADES),
        Sensor("Pleiades Neo", *_NEO),
        Sensor("SPOT 6/7", *_SPOT),
        Sensor("KOMPSAT-2", {"P": "PAN", **_numbered(1, *_FOUR)}, _FOUR),
        Sensor("KOMPSAT-3", _LETTERS, _FOUR),
        Sensor("CBERS-4A WPM", {"0": "PAN", **_numbered(1, *_FOUR)}, _FOUR),
        Sensor("CBERS-4 PAN", {"1": "PAN", **_numbered(2, "green", "red", "nir")}, _FOUR),
        Sensor("GaoFen", _numbered(1, *_FOUR), _FOUR),
    )
}  # fmt: skip
UNKNOWN = Sensor("unknown sensor")

MAXAR = {
    "QB02": "QuickBird",
    "IK01": "IKONOS",
    "GE01": "GeoEye-1",
    "WV01": "WorldView-1",
    "WV02": "WorldView-2",
    "WV03": "WorldView-3",
    "WV04": "WorldView-4",
}  # satId of an IMD file
MAXAR_BANDS = {
    "C": "coastal",
    "B": "blue",
    "G": "green",
    "Y": "yellow",
    "R": "red",
    "RE": "red edge",
    "N": "nir",
    "N2": "nir2",
}  # group BAND_x of an IMD file
DIMAP_BANDS = {
    "R": "red",
    "G": "green",
    "B": "blue",
    "NIR": "nir",
    "RE": "red edge",
    "DB": "deep blue",
    "B0": "blue",
    "B1": "green",
    "B2": "red",
    "B3": "nir",
}  # BAND_ID of a DIMAP file
