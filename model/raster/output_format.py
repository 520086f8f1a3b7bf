"""Which format a name asks for, and how the values are kept in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal

from ..errors import OutputError
from .pixel_types import value_limits

BY_EXTENSION = {  # where several drivers take a name, or the one that everybody means takes none
    "tif": "GTiff", "tiff": "GTiff", "img": "HFA", "jp2": "JP2OpenJPEG",
    "": "ENVI", "dat": "ENVI", "bsq": "ENVI", "bil": "ENVI", "bip": "ENVI", "raw": "ENVI",
}  # fmt: skip
HOLDS = {  # what to do where a format cannot hold a raster
    "VRT": "A VRT only points to the files of others; use .tif.",
    "GPKG": "A GeoPackage holds one or three bands of Byte, or one band of Int16, UInt16 or Float32; use .tif.",
    "": "Choose other creation options, fewer bands or another data type, or use .tif.",
}
CODECS = {  # what compression in a GeoTIFF takes, where GDAL's own words do not say it
    "JPEG": "JPEG takes Byte, and more than four bands only with INTERLEAVE=BAND. ",
    "WEBP": "WEBP takes three or four bands of Byte. ",
}


@dataclass(frozen=True)
class OutputForm:
    """How the values are kept.

    type     GDAL's name                       nodata    what marks gaps; None where there are none
    options  creation options NAME=VALUE       overviews whether there are any
    highest  the largest value the format holds, where that is less than the type's
    lossy    whether the format changes the values a little
    """

    type: str
    nodata: float | None
    options: tuple[str, ...] = ()
    overviews: bool = False
    highest: float | None = None
    lossy: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest value that can be kept."""
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

    @property
    def accepted_error(self) -> float:
        """By how much the user lets a codec change a value."""
        return float(self.given.get("MAX_Z_ERROR", 0.0))


def written_directly(driver: str, form: OutputForm) -> bool:
    """Whether the result is written in its format at once; else by way of a draft that loses nothing."""
    return driver == "GTiff" and not form.lossy and "STREAMABLE_OUTPUT" not in form.given


def driver_for(path: Path) -> gdal.Driver:
    """The GDAL driver that writes files with this extension; COG for .cog.tif, ENVI for no extension.

    Raises OutputError where there is none.
    """
    if path.name.startswith(".") and not path.suffix:
        raise OutputError(f"The output {path} has nothing before its extension. Name it, as in out{path.name}.")
    cloud_optimised = gdal.GetDriverByName("COG")
    if path.name.lower().endswith((".cog.tif", ".cog.tiff")) and cloud_optimised is not None:
        return cloud_optimised
    extension = path.suffix.lstrip(".").lower()
    usual = gdal.GetDriverByName(BY_EXTENSION.get(extension, ""))
    if usual is not None:
        return usual
    drivers = [gdal.GetDriver(i) for i in range(gdal.GetDriverCount())]
    fitting = [
        d
        for d in drivers
        if d.GetMetadataItem(gdal.DCAP_RASTER)
        and extension in (d.GetMetadataItem(gdal.DMD_EXTENSIONS) or "").lower().split()
        and (d.GetMetadataItem(gdal.DCAP_CREATE) or d.GetMetadataItem(gdal.DCAP_CREATECOPY))
    ]
    if not fitting:
        raise OutputError(
            f"GDAL cannot write a raster with the extension '{path.suffix}' ({path}). "
            "Use .tif or the extension of another raster format."
        )
    return fitting[0]
