"""Which format a name asks for, and how the values are kept in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal

from ..errors import OutputError
from .reader import FLOAT_TYPES

GEOTIFF_DEFAULTS = {"TILED": "YES", "INTERLEAVE": "BAND", "BIGTIFF": "IF_SAFER"}
BY_EXTENSION = {  # where several drivers take a name, or the one that everybody means takes none
    "tif": "GTiff", "tiff": "GTiff", "img": "HFA", "jp2": "JP2OpenJPEG",
    "": "ENVI", "dat": "ENVI", "bsq": "ENVI", "bil": "ENVI", "bip": "ENVI", "raw": "ENVI",
}  # fmt: skip
LOSSLESS = ("DEFLATE", "LZW", "ZSTD")


@dataclass(frozen=True)
class OutputForm:
    """How the values are kept: GDAL's name of the type, nodata value, creation options NAME=VALUE, overviews or not."""

    type: str
    nodata: float | None
    options: tuple[str, ...] = ()
    overviews: bool = False

    def geotiff_options(self, own: bool) -> list[str]:
        """Creation options of a GeoTIFF, with a predictor that suits the type; without the user's if not `own`."""
        given = dict(o.split("=", 1) for o in self.options if "=" in o) if own else {}
        chosen = {**GEOTIFF_DEFAULTS, **{k.upper(): v for k, v in given.items()}}
        if chosen.get("COMPRESS", "").upper() in LOSSLESS:
            chosen.setdefault("PREDICTOR", "3" if self.type in FLOAT_TYPES else "2")
        if "COMPRESS" in chosen:
            chosen.setdefault("NUM_THREADS", "ALL_CPUS")
        return ["PHOTOMETRIC=MINISBLACK", "ALPHA=NO", *(f"{k}={v}" for k, v in chosen.items())]


def driver_for(path: Path) -> gdal.Driver:
    """The GDAL driver that writes files with this extension; COG for .cog.tif, ENVI for no extension.

    Raises OutputError where there is none.
    """
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
