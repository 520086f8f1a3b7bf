"""From a product to the two rasters that are fused: PAN, and MS as a VRT of the bands that are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from osgeo import gdal

from ..errors import InputError
from ..options import PRODUCT_BANDS
from ..raster.reader import Raster
from ..raster.source import RasterSource
from ..raster.stack import join_images, label, mosaic, stack, vrt_text
from .scene import Band, Part, Product

COLOURS = ("red", "green", "blue")
WANTED = {PRODUCT_BANDS[1]: (*COLOURS, "nir"), PRODUCT_BANDS[2]: COLOURS}  # names by choice; "all" takes all
INTERPRETATIONS = {"red": gdal.GCI_RedBand, "green": gdal.GCI_GreenBand, "blue": gdal.GCI_BlueBand}


def pan_source(product: Product) -> RasterSource:
    """PAN to open. Call within `gdal_exceptions`. Raises InputError where its files are not all there."""
    part, band = product.pan, product.pan.bands[0] if product.pan.bands else None
    if band is None or part.missing:
        raise InputError(_incomplete(part))
    if len(band.files) > 1:
        text = vrt_text(mosaic(_delivered(band.files), [band.number], "PAN"))
        return RasterSource(xml=text, bands=(1,), nodata=_fill(part), label=label(band.files), delivered=True)
    return RasterSource(band.files[0], bands=(band.number,), nodata=_fill(part), delivered=True)


def _delivered(files: Iterable[str]) -> list[RasterSource]:
    return [RasterSource(file, delivered=True) for file in files]


def ms_source(product: Product, choice: str, facts: Mapping[str, str]) -> RasterSource:
    """MS to open, with the bands of one of PRODUCT_BANDS and `facts` in its metadata.

    Call within `gdal_exceptions`. Raises InputError where files are missing or do not fit together.
    """
    bands = wanted_bands(product, choice)
    files = list(dict.fromkeys(b.files for b in bands))
    if len(files) == len(bands) and all(len(f) == 1 for f in files) and len(bands) > 1:
        dataset = stack(_delivered(f for (f,) in files), "MS")
    else:
        images = [_of_one_image(product.ms, f, [b.number for b in bands if b.files == f]) for f in files]
        dataset = images[0] if len(images) == 1 else join_images(images, [label(f) for f in files], "MS")
    for number, band in enumerate(bands, start=1):
        _describe(dataset.GetRasterBand(number), band, product.ms)
    dataset.SetMetadata({**(dataset.GetMetadata() or {}), **facts})
    dataset.FlushCache()
    name = label([f for some in files for f in some])
    return RasterSource(xml=vrt_text(dataset), nodata=_fill(product.ms), label=name, delivered=True)


def wanted_bands(product: Product, choice: str) -> list[Band]:
    """Bands of MS by one of PRODUCT_BANDS. Raises InputError, with what there is, where they are not all there."""
    part = product.ms
    if choice not in PRODUCT_BANDS:
        raise InputError(f"The choice of bands '{choice}' is unknown; take one of {', '.join(PRODUCT_BANDS)}.")
    names = {b.name: b for b in reversed(part.bands)}
    wanted = WANTED.get(choice)
    apart = len({b.files for b in part.bands}) > 1
    if part.missing and not (apart and wanted and set(wanted) <= set(names)):
        raise InputError(_incomplete(part))
    if wanted is None:
        return list(part.bands)
    lacking = [w for w in wanted if w not in names]
    if lacking:
        raise InputError(
            f"{part.title} has no band that is known as {', '.join(lacking)}; its bands are "
            f"{', '.join(b.name for b in part.bands)}. Take BANDS = all."
        )
    return [names[w] for w in wanted]


def _incomplete(part: Part) -> str:
    there = ", ".join(label(b.files) for b in part.bands) or "none"
    lacking = ", ".join(part.missing) or "its image"
    return (
        f"{part.role} of {part.title} is not complete. Missing: {lacking}. There: {there}. Download the product again, "
        "or put the missing files beside the others."
    )


def _fill(part: Part) -> tuple[float, ...]:
    return () if part.nodata is None else (part.nodata,)


def _of_one_image(part: Part, files: tuple[str, ...], numbers: Sequence[int]) -> gdal.Dataset:
    """The VRT of bands of one image, a raster or tiles of it. Raises InputError where it has fewer than stated."""
    sources, stated = _delivered(files), [b.name for b in part.bands if b.files == files]
    with Raster(sources[0], "MS") as image:
        count = image.dataset.RasterCount
        if count < len(stated):
            raise InputError(
                f"MS {files[0]} has {count} band(s), but {part.title} is said to have {len(stated)} "
                f"({', '.join(stated)}). Download the product again."
            )
        if len(files) > 1:
            return mosaic(sources, numbers, "MS")
        return gdal.Translate("", image.dataset, format="VRT", bandList=list(numbers))


def _describe(band: gdal.Band, known: Band, part: Part) -> None:
    """Name, colour, wavelength and nodata value, where the file does not say them itself."""
    if not band.GetDescription():
        band.SetDescription(known.name)
    centre = part.sensor.centres.get(known.name)
    if known.name in INTERPRETATIONS or centre is not None:
        band.SetColorInterpretation(INTERPRETATIONS.get(known.name, gdal.GCI_Undefined))
    if centre is not None and not band.GetMetadataItem("wavelength"):
        band.SetMetadataItem("wavelength", f"{centre:g}")
        band.SetMetadataItem("wavelength_units", "Nanometers")
        band.SetMetadataItem("CENTRAL_WAVELENGTH_UM", f"{centre / 1000:g}", "IMAGERY")
    if part.nodata is not None and band.GetNoDataValue() is None:
        band.SetNoDataValue(part.nodata)
