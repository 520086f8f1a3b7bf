"""PAN and MS of a product as sources to fuse: MS is a VRT of the chosen bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from osgeo import gdal

from ..errors import InputError
from ..options import PRODUCT_BANDS
from ..raster.reader import Raster
from ..raster.source import RasterSource
from ..raster.stack import export_vrt, join_images, label, mosaic, stack
from .scene import Band, Part, Product

RGB = ("red", "green", "blue")
BAND_NAMES = {PRODUCT_BANDS[1]: (*RGB, "nir"), PRODUCT_BANDS[2]: RGB}  # By choice; "all" takes all bands.
INTERPRETATIONS = {"red": gdal.GCI_RedBand, "green": gdal.GCI_GreenBand, "blue": gdal.GCI_BlueBand}


def pan_source(product: Product) -> RasterSource:
    """Return the source of PAN. Call within `gdal_exceptions`. Raises InputError where files are missing."""
    part, band = product.pan, product.pan.bands[0] if product.pan.bands else None
    if band is None or part.missing:
        raise InputError(_describe_missing(part))
    if len(band.files) > 1:
        text = export_vrt(mosaic(_make_sources(band.files), [band.number], "PAN"))
        return RasterSource(xml=text, bands=(1,), nodata=_list_nodata(part), label=label(band.files), delivered=True)
    return RasterSource(band.files[0], bands=(band.number,), nodata=_list_nodata(part), delivered=True)


def _make_sources(files: Iterable[str]) -> list[RasterSource]:
    return [RasterSource(file, delivered=True) for file in files]


def ms_source(product: Product, choice: str, facts: Mapping[str, str]) -> RasterSource:
    """Return the source of MS, with the bands of one of PRODUCT_BANDS and `facts` in its metadata.

    Call within `gdal_exceptions`. Raises InputError where files are missing or do not fit together.
    """
    bands = choose_product_bands(product, choice)
    files = list(dict.fromkeys(b.files for b in bands))
    if len(files) == len(bands) and all(len(f) == 1 for f in files) and len(bands) > 1:
        dataset = stack(_make_sources(f for (f,) in files), "MS")
    else:
        images = [_build_vrt(product.ms, f, [b.number for b in bands if b.files == f]) for f in files]
        dataset = images[0] if len(images) == 1 else join_images(images, [label(f) for f in files], "MS")
    for number, band in enumerate(bands, start=1):
        _describe(dataset.GetRasterBand(number), band, product.ms)
    dataset.SetMetadata({**(dataset.GetMetadata() or {}), **facts})
    dataset.FlushCache()
    name = label([f for some in files for f in some])
    return RasterSource(xml=export_vrt(dataset), nodata=_list_nodata(product.ms), label=name, delivered=True)


def choose_product_bands(product: Product, choice: str) -> list[Band]:
    """Return the bands of MS by one of PRODUCT_BANDS. Raises InputError with the available bands if some lack."""
    part = product.ms
    if choice not in PRODUCT_BANDS:
        raise InputError(f"The choice of bands '{choice}' is unknown; take one of {', '.join(PRODUCT_BANDS)}.")
    names = {b.name: b for b in reversed(part.bands)}
    band_names = BAND_NAMES.get(choice)
    is_split = len({b.files for b in part.bands}) > 1
    if part.missing and not (is_split and band_names and set(band_names) <= set(names)):
        raise InputError(_describe_missing(part))
    if band_names is None:
        return list(part.bands)
    lacking = [w for w in band_names if w not in names]
    if lacking:
        raise InputError(
            f"{part.title} has no band named {', '.join(lacking)}; its bands are "
            f"{', '.join(b.name for b in part.bands)}. Take BANDS = all."
        )
    return [names[w] for w in band_names]


def _describe_missing(part: Part) -> str:
    present = ", ".join(label(b.files) for b in part.bands) or "none"
    lacking = ", ".join(part.missing) or "its image"
    return (
        f"{part.role} of {part.title} is not complete. Missing: {lacking}. Present: {present}. Download the product "
        "again, or put the missing files next to the others."
    )


def _list_nodata(part: Part) -> tuple[float, ...]:
    return () if part.nodata is None else (part.nodata,)


def _build_vrt(part: Part, files: tuple[str, ...], numbers: Sequence[int]) -> gdal.Dataset:
    """Build a VRT of bands of one image or its tiles. Raises InputError where it has fewer bands than stated."""
    sources, stated = _make_sources(files), [b.name for b in part.bands if b.files == files]
    with Raster(sources[0], "MS") as raster:
        count = raster.dataset.RasterCount
        if count < len(stated):
            raise InputError(
                f"MS {files[0]} has {count} band(s), but {part.title} should have {len(stated)} "
                f"({', '.join(stated)}). Download the product again."
            )
        if len(files) > 1:
            return mosaic(sources, numbers, "MS")
        return gdal.Translate("", raster.dataset, format="VRT", bandList=list(numbers))


def _describe(band: gdal.Band, entry: Band, part: Part) -> None:
    """Set name, colour, wavelength and nodata value that the file itself lacks."""
    if not band.GetDescription():
        band.SetDescription(entry.name)
    centre = part.sensor.centres.get(entry.name)
    if entry.name in INTERPRETATIONS or centre is not None:
        band.SetColorInterpretation(INTERPRETATIONS.get(entry.name, gdal.GCI_Undefined))
    if centre is not None and not band.GetMetadataItem("wavelength"):
        band.SetMetadataItem("wavelength", f"{centre:g}")
        band.SetMetadataItem("wavelength_units", "Nanometers")
        band.SetMetadataItem("CENTRAL_WAVELENGTH_UM", f"{centre / 1000:g}", "IMAGERY")
    if part.nodata is not None and band.GetNoDataValue() is None:
        band.SetNoDataValue(part.nodata)
