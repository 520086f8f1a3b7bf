"""PAN and MS of a product as sources to fuse: MS is a VRT of the chosen bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple, replace
from itertools import groupby

from osgeo import gdal

from ..errors import InputError
from ..geometry.grids import Extent
from ..options import PRODUCT_BANDS
from ..raster.bands import describe_band
from ..raster.reader import Raster
from ..raster.source import RasterSource
from ..raster.source_files import open_delivered, public_name
from ..raster.stack import export_vrt, join_images, label, mosaic, stack
from .rpc import find_rpc, read_rpc
from .scene import RGB, Band, Part, Product

BAND_NAMES = {PRODUCT_BANDS[1]: (*RGB, "nir"), PRODUCT_BANDS[2]: RGB}  # By choice; "all" takes all bands.
MEASURED_MARGIN = 64  # Pixels of MS around an extent.
INTERPRETATIONS = {"red": gdal.GCI_RedBand, "green": gdal.GCI_GreenBand, "blue": gdal.GCI_BlueBand}


def pan_source(product: Product) -> RasterSource:
    """Return the source of PAN. Call within `gdal_exceptions`. Raises InputError where files are missing."""
    part, band = product.pan, product.pan.bands[0] if product.pan.bands else None
    if band is None or part.missing:
        raise InputError(_describe_missing(part))
    if product.is_guided:
        return replace(part_source(part, part.bands, "PAN"), bands=tuple(range(1, len(part.bands) + 1)))
    if len(band.files) > 1 or _read_model(part, band.files):
        text = export_vrt(_build_vrt(part, band.files, [band.number], "PAN"))
        return RasterSource(xml=text, bands=(1,), nodata=_list_nodata(part), label=label(band.files), delivered=True)
    name = public_name(band.files[0])
    return RasterSource(band.files[0], bands=(band.number,), nodata=_list_nodata(part), label=name, delivered=True)


def _read_model(part: Part, files: Sequence[str]) -> dict[str, str]:
    """Read the RPC file next to an image without a georeference, else {}. Raises InputError."""
    dataset = open_delivered(files[0])
    placed = dataset.GetGeoTransform(can_return_null=True) or dataset.GetGCPCount() or dataset.GetMetadata("RPC")
    path = "" if placed else find_rpc([*files, *part.metadata])
    try:
        return read_rpc(path) if path else {}
    except InputError as error:
        name = path.rpartition("/")[2]
        raise InputError(
            f"{part.role} {files[0]} is placed by {name} only, which {error}. Download the product again."
        ) from error


def _make_sources(files: Iterable[str]) -> list[RasterSource]:
    return [RasterSource(file, label=public_name(file), delivered=True) for file in files]


def ms_sources(
    product: Product, bands: Sequence[Band], facts: Mapping[str, str]
) -> tuple[tuple[RasterSource, ...], tuple[tuple[int, int], ...]]:
    """Return the sources of chosen bands, one per pixel size, and the place of each band.

    A place is the number of a source (from 1; 0 is PAN), and that of the band in it. Call within `gdal_exceptions`.
    Raises InputError where files do not fit together.
    """
    parts = [(part, [b for b in bands if b in part.bands]) for part in (product.ms, *product.coarser)]
    parts = [(part, chosen) for part, chosen in parts if chosen]
    places = {b: (0, n) for n, b in enumerate(product.pan.bands, start=1)}
    for level, (_, chosen) in enumerate(parts, start=1):
        places |= {b: (level, n) for n, b in enumerate(chosen, start=1)}
    sources = tuple(part_source(part, chosen, "MS", facts) for part, chosen in parts)
    return sources, tuple(places[b] for b in bands)


def crop_sources(sources: Sequence[RasterSource], extent: Extent) -> list[RasterSource]:
    """Return the sources of what lies near an extent, in which they can be measured."""
    with ExitStack() as open_ones:
        rasters = [open_ones.enter_context(Raster(source, "MS")) for source in sources]
        margin = MEASURED_MARGIN * max(max(raster.grid.pixel_size) for raster in rasters)
        around = extent[0] - margin, extent[1] - margin, extent[2] + margin, extent[3] + margin
        cropped = []
        for source, raster in zip(sources, rasters):
            window = raster.grid.covering(around).clipped(raster.grid.window)
            used = raster.grid.window if window.empty else window  # The fusion then refuses it.
            part = gdal.Translate("", raster.dataset, format="VRT", srcWin=[*astuple(used)])
            cropped.append(replace(source, path="", xml=export_vrt(part)))
        return cropped


def part_source(part: Part, bands: Sequence[Band], role: str, facts: Mapping[str, str] | None = None) -> RasterSource:
    """Return the source of some bands of a part, with `facts` in its metadata.

    Call within `gdal_exceptions`. Raises InputError where files do not fit together.
    """
    files = list(dict.fromkeys(b.files for b in bands))
    if len(files) == len(bands) and all(len(f) == 1 for f in files) and len(bands) > 1:
        dataset = stack(_make_sources(f for (f,) in files), role)
        dataset.SetMetadata(_read_model(part, files[0]), "RPC")
    else:
        runs = [(f, [b.number for b in some]) for f, some in groupby(bands, lambda band: band.files)]
        images = [_build_vrt(part, f, numbers, role) for f, numbers in runs]
        dataset = images[0] if len(images) == 1 else join_images(images, [label(f) for f, _ in runs], role)
    for number, band in enumerate(bands, start=1):
        _describe(dataset.GetRasterBand(number), band, part)
    dataset.SetMetadata({**(dataset.GetMetadata() or {}), **(facts or {})})
    dataset.FlushCache()
    return RasterSource(
        xml=export_vrt(dataset),
        nodata=_list_nodata(part),
        label=label([f for some in files for f in some]),
        delivered=True,
        saturated=part.saturated,
        unmeasured=part.unmeasured if role == "MS" else "",
    )


def choose_product_bands(product: Product, choice: str) -> list[Band]:
    """Return the bands of MS by one of PRODUCT_BANDS. Raises InputError with the available bands if some lack."""
    part = product.image
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


def _build_vrt(part: Part, files: tuple[str, ...], numbers: Sequence[int], role: str) -> gdal.Dataset:
    """Build a VRT of bands of one image or its tiles. Raises InputError where it has fewer bands than stated."""
    sources, stated = _make_sources(files), [b.name for b in part.bands if b.files == files]
    with Raster(sources[0], role) as raster:
        count = raster.dataset.RasterCount
        if count < len(stated):
            raise InputError(
                f"{role} {files[0]} has {count} band(s), but {part.title} should have {len(stated)} "
                f"({', '.join(stated)}). Download the product again."
            )
        model = _read_model(part, files)
        if len(files) > 1:
            chosen = mosaic(sources, numbers, role, by_names=bool(model))
        else:
            chosen = gdal.Translate("", raster.dataset, format="VRT", bandList=list(numbers))
            for position, number in enumerate(numbers, start=1):
                describe_band(chosen.GetRasterBand(position), raster.dataset.GetRasterBand(number))
        if model:
            chosen.SetMetadata(model, "RPC")
        return chosen


def _describe(band: gdal.Band, entry: Band, part: Part) -> None:
    """Set name, colour, wavelength, calibration and nodata value that the file itself lacks."""
    if not band.GetDescription():
        band.SetDescription(f"{entry.token} {entry.name}".strip())
    if entry.calibration:
        band.SetScale(entry.calibration[0])
        band.SetOffset(entry.calibration[1])
    centre = entry.centre or part.sensor.centres.get(entry.name)
    if entry.name in INTERPRETATIONS or centre is not None:
        band.SetColorInterpretation(INTERPRETATIONS.get(entry.name, gdal.GCI_Undefined))
    if centre is not None and not band.GetMetadataItem("wavelength"):
        band.SetMetadataItem("wavelength", f"{centre:g}")
        band.SetMetadataItem("wavelength_units", "Nanometers")
        band.SetMetadataItem("CENTRAL_WAVELENGTH_UM", f"{centre / 1000:g}", "IMAGERY")
    if part.nodata is not None and band.GetNoDataValue() is None:
        band.SetNoDataValue(part.nodata)
