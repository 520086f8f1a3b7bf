"""Format of the output by its name, the type of its values, and creation options that lose nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal

from ..errors import OutputError
from .pixel_types import FLOAT_TYPES, value_limits

BY_EXTENSION = {  # for extensions that several drivers take, or that the usual driver does not list
    "tif": "GTiff", "tiff": "GTiff", "img": "HFA", "jp2": "JP2OpenJPEG",
    "": "ENVI", "dat": "ENVI", "bsq": "ENVI", "bil": "ENVI", "bip": "ENVI", "raw": "ENVI",
}  # fmt: skip
GEOTIFF_DEFAULTS = {"TILED": "YES", "BIGTIFF": "IF_SAFER", "PHOTOMETRIC": "MINISBLACK", "ALPHA": "NO"}
PREDICTED = ("DEFLATE", "LZW", "ZSTD")
PACKED = ("NONE", "PACKBITS", "LZMA", *PREDICTED)  # codecs that take values of any number of bits
ODD_BITS = {"Byte": range(1, 8), "UInt16": range(9, 16), "UInt32": range(17, 32)}  # that a GeoTIFF may have
TOGETHER = ("WEBP", "JXL")  # codecs of all bands of a pixel at once
LOSSLESS = {  # creation options for drivers that are lossy by default
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


@dataclass(frozen=True)
class OutputForm:
    """Type, gaps and options of the values in a file.

    type     GDAL's name                       nodata    value of gaps; None without gaps
    options  creation options NAME=VALUE       overviews whether to add them
    highest  the largest value the format holds, where that is less than the type's
    lossy    whether the format changes the values a little
    stretch  for each band the values that become black and white; empty where values are kept
    """

    type: str
    nodata: float | None
    options: tuple[str, ...] = ()
    overviews: bool = False
    highest: float | None = None
    lossy: bool = False
    stretch: tuple[tuple[float, float], ...] = ()

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest value that can be kept."""
        if self.stretch:
            return -math.inf, math.inf
        low, high = value_limits(self.type)
        return low, high if self.highest is None else min(high, self.highest)

    @property
    def bits(self) -> int | None:
        """Bits that hold every value, the nodata value too, where they are fewer than the type's."""
        if self.highest is None or not 0.0 <= (self.nodata or 0.0) < 2.0 ** int(self.highest).bit_length():
            return None
        return int(self.highest).bit_length()

    @property
    def given(self) -> dict[str, str]:
        """The user's creation options by their names in capitals."""
        return {name.upper(): value for name, _, value in (o.partition("=") for o in self.options)}


def is_written_directly(driver: str, form: OutputForm) -> bool:
    """Tell whether the result is written in its format at once; else by way of a draft that loses nothing."""
    return driver == "GTiff" and not form.lossy and "STREAMABLE_OUTPUT" not in form.given


def choose_driver(path: Path) -> gdal.Driver:
    """Return the GDAL driver that writes files with this extension; COG for .cog.tif, ENVI for no extension.

    Raises OutputError where there is none.
    """
    if path.name.startswith(".") and not path.suffix:
        raise OutputError(f"The output {path} has nothing before its extension. Name it, as in out{path.name}.")
    cloud_optimised = gdal.GetDriverByName("COG")
    if path.name.lower().endswith((".cog.tif", ".cog.tiff")) and cloud_optimised is not None:
        return cloud_optimised
    extension = path.suffix.lstrip(".").lower()
    if extension == "vrt":
        raise OutputError(f"The output {path} cannot be a VRT, which only points to the files of others. Use .tif.")
    usual = gdal.GetDriverByName(BY_EXTENSION.get(extension, ""))
    if usual is not None:
        return usual
    fitting = [d for d in list_writers() if extension in (d.GetMetadataItem(gdal.DMD_EXTENSIONS) or "").lower().split()]
    if not fitting:
        raise OutputError(
            f"GDAL cannot write a raster with the extension '{path.suffix}' ({path}). "
            "Use .tif or the extension of another raster format."
        )
    return fitting[0]


def list_writers() -> list[gdal.Driver]:
    """List the drivers that write rasters."""
    drivers = (gdal.GetDriver(i) for i in range(gdal.GetDriverCount()))
    able = (gdal.DCAP_CREATE, gdal.DCAP_CREATECOPY)
    return [d for d in drivers if d.GetMetadataItem(gdal.DCAP_RASTER) and any(map(d.GetMetadataItem, able))]


def creation_options(path: Path, form: OutputForm) -> list[str]:
    """Return the options for the driver of a path: the user's, those of the name, and those to lose nothing."""
    handler, order = choose_driver(path), path.suffix[1:].upper()
    driver = handler.ShortName
    if driver == "GTiff":
        return geotiff_options(form)
    chosen = {"INTERLEAVE": order} if order in ("BSQ", "BIL", "BIP") else {}  # as ENVI's extensions name it
    listed = handler.GetMetadataItem(gdal.DMD_CREATIONOPTIONLIST) or ""
    if driver == "COG" and form.bits in ODD_BITS.get(form.type, ()) and "'INTERLEAVE'" in listed:
        chosen["INTERLEAVE"] = "PIXEL"  # GDAL 3.13 writes wrong values where bands of odd bits lie one after the other
    lossless = LOSSLESS.get(driver, {}) if driver != "GPKG" or form.type == "Byte" else {}
    if not LOSS & set(form.given):  # else the user has chosen how much to lose
        chosen |= lossless
    return [f"{name}={value}" for name, value in {**chosen, **form.given}.items()]


def geotiff_options(form: OutputForm, own: bool = True) -> list[str]:
    """Return creation options of a GeoTIFF, with a predictor that suits the type; without the user's if not `own`."""
    asked = form.given if own else {}
    codec = asked.get("COMPRESS", "NONE").upper()
    together = codec in TOGETHER or asked.get("PHOTOMETRIC", "").upper() == "YCBCR"
    chosen = {**GEOTIFF_DEFAULTS, "INTERLEAVE": "PIXEL" if together else "BAND", **asked}
    if form.bits in ODD_BITS.get(form.type, ()) and codec in PACKED and "PREDICTOR" not in asked:
        chosen.setdefault("NBITS", str(form.bits))
    if codec in PREDICTED and "NBITS" not in chosen:  # predictors need whole bytes
        chosen.setdefault("PREDICTOR", "3" if form.type in FLOAT_TYPES else "2")
    if codec != "NONE":
        chosen.setdefault("NUM_THREADS", "ALL_CPUS")
    return [f"{name}={value}" for name, value in chosen.items()]
