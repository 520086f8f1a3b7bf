"""Bands of a raster: the choice of those to read, their type, names and validity, and what is refused."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from ..errors import InputError
from ..progress import format_bytes
from .pixel_types import FLOAT_TYPES, INTEGER_TYPES
from .source import RasterSource

WIDE_TYPES = ("Int32", "UInt32", "Int64", "UInt64", "Float64")  # with values that float32 may not distinguish
MAX_BLOCK = 2**30  # bytes of a stored block, which is read as a whole
MAX_VALUE = 1e30  # larger floats are undeclared nodata, not measurements
ALPHA_SHARE = 0.9  # of the opaque pixels of an alpha band have one value; an image has many
MAX_CLASSES = 12  # numbers in a mask, as in scene classifications; an image has more
MAX_ROUNDING = 1e-3  # of a band's spread, that float32 may lose
FLOAT32_DIGITS = 2.0**-24
OF_THE_FILE = ("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "vrt_sources", "new_vrt_sources")  # domains of metadata
SIGNED = "0:0,127:127,128:-128,255:-1"  # bytes and the signed ones with the same bits, as GDAL writes a table


def choose_bands(
    dataset: gdal.Dataset, source: RasterSource, role: str
) -> tuple[tuple[int, ...], tuple[int, ...], int | None, tuple[int, ...]]:
    """Choose the bands that are wanted, and those to read. Raises InputError.

    Returns their numbers, that of the alpha band, if any, and those of bands that claim to be one, but hold an image.
    """
    count = dataset.RasterCount
    missing = [b for b in source.bands if not 1 <= b <= count]
    if missing:
        raise InputError(f"{role} {source.name} has {count} bands; band {missing[0]} does not exist.")
    bands = {b: dataset.GetRasterBand(b) for b in range(1, count + 1)}
    declared = [b for b, band in bands.items() if band.GetColorInterpretation() == gdal.GCI_AlphaBand]
    false_alpha = tuple(b for b in declared if b in source.bands or _is_image(bands[b]))
    alpha = tuple(b for b in declared if b not in false_alpha)
    image_bands = tuple(b for b in bands if b not in alpha)
    if not image_bands:
        raise InputError(f"{role} {source.name} has no band but alpha.")
    wanted = source.bands or image_bands
    if role == "PAN" and len(wanted) > 1 and not source.bands:
        wanted = tuple(b for b in image_bands if not _is_mask(bands[b])) or image_bands
    context = source.context or (wanted if role == "PAN" else image_bands)
    read = tuple(sorted(set(context) | set(wanted if not source.context else ())))
    return wanted, read, alpha[0] if alpha else None, false_alpha


def _is_image(band: gdal.Band) -> bool:
    """Tell whether a band declared alpha holds an image: GDAL takes the fourth band of 8-bit files for alpha."""
    values = _probe_values(band)
    opaque = values[values > 0]
    if not opaque.size:
        return False
    return bool(np.unique(opaque, return_counts=True)[1].max() < ALPHA_SHARE * opaque.size)


def _is_mask(band: gdal.Band) -> bool:
    """Tell whether a band holds a few numbers that stand for classes, as masks next to PAN do."""
    return bool(np.unique(_probe_values(band)).size <= MAX_CLASSES)


def describe_band(band: gdal.Band, origin: gdal.Band, left_out: tuple[str, ...] = ()) -> None:
    """Copy name, unit, scale, offset and metadata of another band, except metadata with the prefixes `left_out`."""
    band.SetDescription(origin.GetDescription())
    copy_metadata(band, origin, left_out)
    if origin.GetUnitType():
        band.SetUnitType(origin.GetUnitType())
    if origin.GetScale() not in (None, 1.0) or origin.GetOffset() not in (None, 0.0):
        band.SetScale(origin.GetScale() if origin.GetScale() is not None else 1.0)
        band.SetOffset(origin.GetOffset() or 0.0)


def copy_metadata(band: gdal.Band, origin: gdal.Band, left_out: tuple[str, ...] = ()) -> None:
    """Copy metadata of all domains, where they lack, except those with the prefixes `left_out`."""
    for domain in set(origin.GetMetadataDomainList() or ()).difference(OF_THE_FILE):
        metadata, present = (b.GetMetadata(domain) or {} for b in (origin, band))
        if isinstance(metadata, dict):  # else a text, as of XML
            metadata = {**present, **{k: v for k, v in metadata.items() if not k.startswith(left_out)}}
        if metadata != present:
            band.SetMetadata(metadata, domain)


def widen_signed_bytes(dataset: gdal.Dataset) -> gdal.Dataset:
    """Return a raster whose signed bytes are 16-bit integers: GDAL before 3.7 warps and copies them as unsigned ones.

    Other rasters are returned unchanged.
    """
    bands = [dataset.GetRasterBand(n) for n in range(1, dataset.RasterCount + 1)]
    if all(b.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") != "SIGNEDBYTE" for b in bands):
        return dataset
    text = gdal.Translate("", dataset, format="VRT", outputType=gdal.GDT_Int16).GetMetadata("xml:VRT")[0]
    pixels, start, mask = re.sub(r"(?:Simple|Complex)Source>", "ComplexSource>", text).partition("<MaskBand>")
    wide = gdal.Open(pixels.replace("</ComplexSource>", f"<LUT>{SIGNED}</LUT></ComplexSource>") + start + mask)
    for number, band in enumerate(bands, start=1):
        describe_band(wide.GetRasterBand(number), band)
    return wide


def rgb_bands(names: Sequence[str]) -> tuple[int, int, int]:
    """Return the indices of the red, green and blue band by their names; the first three where they have none."""
    lowered, last = [name.lower() for name in names], len(names) - 1
    if {"red", "green", "blue"} <= set(lowered):
        return lowered.index("red"), lowered.index("green"), lowered.index("blue")
    return 0, min(1, last), min(2, last)


def find_common_type(dataset: gdal.Dataset, numbers: tuple[int, ...]) -> str:
    """Return the name of the type that holds the values of all these bands."""
    kinds = [dataset.GetRasterBand(b).DataType for b in numbers]
    return str(gdal.GetDataTypeName(functools.reduce(gdal.DataTypeUnion, kinds)))


def refuse_types(dataset: gdal.Dataset, numbers: tuple[int, ...], name: str) -> None:
    """Refuse bands of complex numbers and of numbers that stand for colours. Raises InputError."""
    kinds = [gdal.GetDataTypeName(dataset.GetRasterBand(b).DataType) for b in numbers]
    odd = [k for k in kinds if k not in INTEGER_TYPES + FLOAT_TYPES]
    if odd:
        raise InputError(f"{name} has bands of type {odd[0]}; take their real part (gdal_translate -ot Float32).")
    for number in numbers:
        table = dataset.GetRasterBand(number).GetColorTable()
        if table is not None and not _is_grey_ramp(table):
            raise InputError(
                f"{name} is paletted: the numbers of band {number} stand for colours of a table and cannot be "
                "sharpened. Expand it first, with gdal:pcttorgb (pct2rgb.py) or gdal_translate -expand rgb."
            )


def _is_grey_ramp(table: gdal.ColorTable) -> bool:
    """Tell whether a colour table only says that numbers are grey levels."""
    entries = [table.GetColorEntry(i) for i in range(table.GetCount())]
    return all(e[0] == e[1] == e[2] == i for i, e in enumerate(entries))


def refuse_blocks(dataset: gdal.Dataset, number: int, name: str) -> None:
    """Refuse blocks of gigabytes: a damaged header, or a file that windows cannot be read from. Raises InputError."""
    together = dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") == "PIXEL"
    count = dataset.RasterCount if together else 1
    band = dataset.GetRasterBand(number)
    width, height = band.GetBlockSize()
    size = width * height * count * gdal.GetDataTypeSize(band.DataType) // 8
    if size > MAX_BLOCK:
        raise InputError(
            f"{name} is stored in blocks of {width} x {height} pixels with {count} band(s), {format_bytes(size)} each, "
            "too large to be read piece by piece. If the file is not damaged, convert it first: gdal_translate -co "
            "TILED=YES -co INTERLEAVE=BAND -co BIGTIFF=IF_SAFER."
        )


def choose_offset(band: gdal.Band) -> float:
    """Return the offset to take off a band: 0, or its usual value where float32 could not hold what is around it."""
    if gdal.GetDataTypeName(band.DataType) not in WIDE_TYPES:
        return 0.0
    values = _probe_values(band).astype(np.float64)
    values = values[np.isfinite(values) & (np.abs(values) < MAX_VALUE) & (values != band.GetNoDataValue())]
    if not values.size:
        return 0.0
    low, middle, high = np.percentile(values, (1, 50, 99))
    is_coarse = abs(middle) * FLOAT32_DIGITS > MAX_ROUNDING * (high - low) > 0.0
    return float(np.round(middle)) if is_coarse else 0.0


def _probe_values(band: gdal.Band, count: int = 3, side: int = 128) -> np.ndarray:
    """Read pixels of `count` x `count` squares spread over a band, (n,)."""
    parts = []
    for row in np.linspace(0, max(band.YSize - side, 0), count).astype(int):
        for column in np.linspace(0, max(band.XSize - side, 0), count).astype(int):
            size = (min(side, band.XSize), min(side, band.YSize))
            parts.append(band.ReadAsArray(int(column), int(row), *size).ravel())
    return np.concatenate(parts)


def combine_masks(
    masks: list[NDArray[np.bool_] | None],
    marks: list[NDArray[np.bool_] | None],
    shared: NDArray[np.bool_] | None,
    shape: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Combine masks to validity (1, h, w), or (bands, h, w) where bands differ.

    A band without declared nodata has a gap where its value is nodata of others and none of those bands is valid.
    Such stacks share their footprint, but a value that is nodata in one band may be a measurement in another.
    """
    common = np.ones(shape, dtype=bool) if shared is None else shared
    declaring = [m for m, mark in zip(masks, marks) if m is not None and mark is None]
    if any(mark is not None for mark in marks):
        nowhere = ~np.logical_or.reduce(declaring)
        alone = [None if mark is None else ~(nowhere & mark) for mark in marks]
        masks = [a if m is None else m if a is None else m & a for m, a in zip(masks, alone)]
    present = [m for m in masks if m is not None]
    if not present:
        return common[None]
    if len(present) == len(masks) and all(np.array_equal(m, present[0]) for m in present[1:]):
        return (common & present[0])[None]
    full = np.stack([common if m is None else common & m for m in masks])
    return full[:1] if (full == full[:1]).all() else full


def is_within(exact: np.ndarray, ranges: Iterable[tuple[float, float]]) -> NDArray[np.bool_]:
    """Mark the values in one of the ranges (least, largest)."""
    inside = np.zeros(exact.shape, dtype=bool)
    for low, high in ranges:
        inside |= (exact == low) if low == high else (exact >= low) & (exact <= high)
    return inside
