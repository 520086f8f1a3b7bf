"""Source of a raster, as plain data that can cross threads and processes."""

from __future__ import annotations

from dataclasses import dataclass

SAME_RASTER = (
    "PAN and MS are the same raster, {name}. Choose the panchromatic raster for PAN and the multispectral one for MS. "
    "A volume or product file (VOL_*.XML, for example) opens as one of its parts: choose the metadata or image file of "
    "each part."
)


@dataclass(frozen=True)
class RasterSource:
    """A raster, its bands, and what a user declared of them.

    path            anything GDAL opens               open_options   NAME=VALUE
    xml             the text of a VRT, opened instead of a path
    label           its name in messages where there is no path
    bands           numbers from 1 of the wanted bands; empty for all except alpha
    context         bands that are read and measured as well; empty for all that are image
    nodata          values that a user declared for every band, besides the file's own
    band_nodata     (band, least, largest): values between which a user declared all of one band to be nodata
    ignored_nodata  bands whose own nodata value a user switched off
    crs             WKT that replaces the file's own; empty to keep it
    delivered       True for an image of a product, which is opened in the formats of products only, and alone
    height          in metres above the ellipsoid, at which RPC place a raster in sensor geometry; None for their mean
    unmeasured      areas that are sharpened but excluded from measurements and tuning: polygons as hexadecimal WKB in
                    PAN's system (degrees in sensor geometry), or the text of a VRT of one band, which is not 0 there
    saturated       the least value of saturated pixels, which are excluded likewise; None if unknown
    """

    path: str = ""
    open_options: tuple[str, ...] = ()
    bands: tuple[int, ...] = ()
    context: tuple[int, ...] = ()
    nodata: tuple[float, ...] = ()
    band_nodata: tuple[tuple[int, float, float], ...] = ()
    ignored_nodata: tuple[int, ...] = ()
    crs: str = ""
    label: str = ""
    unmeasured: str = ""
    delivered: bool = False
    xml: str = ""
    saturated: float | None = None
    height: float | None = None

    @property
    def gdal_name(self) -> str:
        """Name by which GDAL opens it."""
        return self.xml or self.path

    @property
    def name(self) -> str:
        """Name in messages and metadata."""
        return self.label or self.path

    def declared(self, band: int) -> list[tuple[float, float]]:
        """Return the ranges (least, largest) of one band that a user declared to be nodata."""
        return [(v, v) for v in self.nodata] + [(low, high) for b, low, high in self.band_nodata if b == band]
