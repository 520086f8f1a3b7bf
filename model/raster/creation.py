"""Creation options: what a driver is asked for, and whether it knows what the user asks for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from osgeo import gdal

from ..errors import OutputError
from .output_format import OutputForm, driver_for
from .pixel_types import FLOAT_TYPES

GEOTIFF_DEFAULTS = {"TILED": "YES", "BIGTIFF": "IF_SAFER", "PHOTOMETRIC": "MINISBLACK", "ALPHA": "NO"}
PREDICTED = ("DEFLATE", "LZW", "ZSTD")
PACKED = ("NONE", "PACKBITS", "LZMA", *PREDICTED)  # codecs that take values of any number of bits
ODD_BITS = {"Byte": range(1, 8), "UInt16": range(9, 16), "UInt32": range(17, 32)}  # that a GeoTIFF may have
TOGETHER = ("WEBP", "JXL")  # codecs that take all bands of a pixel at once
LOSSLESS = {  # what makes drivers lossless that are not by themselves
    "JP2OpenJPEG": {"QUALITY": "100", "REVERSIBLE": "YES"},
    "JP2KAK": {"QUALITY": "100"},
    "JP2ECW": {"TARGET": "0"},
    "JP2Lura": {"REVERSIBLE": "YES"},
    "WEBP": {"LOSSLESS": "YES", "EXACT": "1"},
    "JPEGXL": {"LOSSLESS": "YES"},
    "AVIF": {"QUALITY": "100", "YUV_SUBSAMPLING": "444"},
    "GPKG": {"TILE_FORMAT": "PNG"},
}
LOSS = {"QUALITY", "REVERSIBLE", "LOSSLESS", "TARGET", "TARGETSIZE", "PSNR", "RATE", "TILE_FORMAT", "YCBCR420"}
INTERLEAVED = ("BSQ", "BIL", "BIP")  # orders of values that ENVI's extensions name
TRUTHS = ("YES", "NO", "TRUE", "FALSE", "ON", "OFF")


def creation_options(path: Path, form: OutputForm) -> list[str]:
    """What the driver of a path's format is asked for: the user's options, what the name says, to lose nothing."""
    handler, order = driver_for(path), path.suffix[1:].upper()
    driver = handler.ShortName
    if driver == "GTiff":
        return geotiff_options(form)
    chosen = {"INTERLEAVE": order} if order in INTERLEAVED else {}
    listed = handler.GetMetadataItem(gdal.DMD_CREATIONOPTIONLIST) or ""
    if driver == "COG" and form.bits in ODD_BITS.get(form.type, ()) and "'INTERLEAVE'" in listed:
        chosen["INTERLEAVE"] = "PIXEL"  # GDAL 3.13 writes wrong values where bands of odd bits lie one after the other
    lossless = LOSSLESS.get(driver, {}) if driver != "GPKG" or form.type == "Byte" else {}
    if not LOSS & set(form.given):  # else the user has chosen how much to lose
        chosen |= lossless
    return [f"{name}={value}" for name, value in {**chosen, **form.given}.items()]


def geotiff_options(form: OutputForm, own: bool = True) -> list[str]:
    """Creation options of a GeoTIFF, with a predictor that suits the type; without the user's if not `own`."""
    given = form.given if own else {}
    codec = given.get("COMPRESS", "NONE").upper()
    together = codec in TOGETHER or given.get("PHOTOMETRIC", "").upper() == "YCBCR"
    chosen = {**GEOTIFF_DEFAULTS, "INTERLEAVE": "PIXEL" if together else "BAND", **given}
    if form.bits in ODD_BITS.get(form.type, ()) and codec in PACKED and "PREDICTOR" not in given:
        chosen.setdefault("NBITS", str(form.bits))
    if codec in PREDICTED and "NBITS" not in chosen:  # which is for whole bytes
        chosen.setdefault("PREDICTOR", "3" if form.type in FLOAT_TYPES else "2")
    if codec != "NONE":
        chosen.setdefault("NUM_THREADS", "ALL_CPUS")
    return [f"{name}={value}" for name, value in chosen.items()]


class _Element:
    """An element of XML as GDAL parses it: lists of kind, name and children."""

    def __init__(self, node: list[Any]) -> None:
        self.name, self.children = node[1], node[2:]

    def get(self, name: str, otherwise: str | None = None) -> Any:
        """The value of an attribute."""
        found = (c for c in self.children if c[0] == gdal.CXT_Attribute and c[1] == name)
        return next((c[2][1] for c in found if len(c) > 2), otherwise)

    @property
    def text(self) -> str:
        return "".join(c[1] for c in self.children if c[0] == gdal.CXT_Text)

    def iter(self, name: str) -> Iterator[_Element]:
        """Elements of a name directly below."""
        return (_Element(c) for c in self.children if c[0] == gdal.CXT_Element and c[1] == name)


def check_options(driver: gdal.Driver, options: Sequence[str]) -> None:
    """Refuse options, NAME=VALUE, that the driver does not list. Raises OutputError with what is near."""
    listed = _Element(gdal.ParseXMLString(driver.GetMetadataItem(gdal.DMD_CREATIONOPTIONLIST) or "<None/>"))
    known: dict[str, _Element] = {}
    for option in listed.iter("Option"):
        names = (option.get("name", ""), option.get("alias", ""))
        known |= {n.upper(): option for n in names if n and option.get("scope", "raster") != "vector"}
    given: dict[str, str] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals:
            raise OutputError(f"The creation option {text} is not of the form NAME=VALUE, such as COMPRESS=DEFLATE.")
        if name.upper() not in known:
            raise OutputError(
                f"{driver.ShortName} has no creation option {name}{_instead(name, known)} "
                "Leave it out, or choose another format."
            )
        if given.setdefault(name.upper(), value).upper() != value.upper():
            values = f"{given[name.upper()]} and as {value}"
            raise OutputError(f"The creation option {name.upper()} is given twice, as {values}. Leave one out.")
        wanted = _misfit(known[name.upper()], value)
        if wanted:
            raise OutputError(f"The creation option {name} of {driver.ShortName} cannot be {value}{wanted}")


def _instead(word: str, words: Iterable[str]) -> str:
    """What a misspelt word may have meant, as the end of a sentence."""
    near = difflib.get_close_matches(word.upper(), [w.upper() for w in words], 3)
    return f"; did you mean {' or '.join(near)}?" if near else f"; it has {', '.join(words)}."


def _misfit(option: _Element, value: str) -> str:
    """Why a value is none for an option, as the end of a sentence; empty where it is one."""
    kind = option.get("type", "string").lower()
    if kind == "string-select":
        choices = [v.text or "" for v in option.iter("Value")]
        aliases = [v.get("alias", "") for v in option.iter("Value")]
        fits = not choices or value.upper() in (c.upper() for c in (*choices, *aliases) if c)
        listed = f" It can be {', '.join(choices)}."
        near = _instead(value, choices)
        return "" if fits else near if near.startswith("; it") else near + listed
    if kind == "boolean":
        return "" if value.upper() in TRUTHS else "; it is YES or NO."
    if "int" in kind or kind == "float":
        return _beyond(option, value, float if kind == "float" else int)
    return ""


def _beyond(option: _Element, value: str, number: type) -> str:
    try:
        found = number(value)
    except ValueError:
        return "; it is a number." if number is float else "; it is a whole number."
    least, most = option.get("min"), option.get("max")
    if least is not None and found < float(least):
        return f"; it is at least {least}."
    return f"; it is at most {most}." if most is not None and found > float(most) else ""
