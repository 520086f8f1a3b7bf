"""Trial of a format: a small raster is written as the result will be, before any work."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from ..errors import OutputError
from ..geometry.grids import Grid, Window
from .delivery import check_clash, family
from .gdal_errors import gdal_messages, quote_messages
from .output_format import OutputForm, choose_driver
from .pixel_types import INTEGER_TYPES, NUMPY_TYPES
from .reader import Raster
from .writer import LOSSY_TOLERANCE, RasterWriter, measure_lossy_error

SIDE = 256  # pixels
NARROW = 16  # pixels across a trial of the full width or height
LONG = 8192  # pixels that any format holds in a row
MISPLACED = 1e-3  # pixels by which a georeference may differ
IGNORED = re.compile("not recogni[sz]ed|invalid|unexpected|not support|ignoring|not formatted", re.IGNORECASE)
SATURATED = 0.9  # of the type's largest value; a smaller maximum that reads back was cut off


def check_format(path: Path, grid: Grid, crs: str, like: Raster, form: OutputForm) -> OutputForm:
    """Return the form of a raster with the bands of `like`, completed by small trials of the format of `path`.

    Raises OutputError where the format cannot hold it, with the reason.
    """
    driver = choose_driver(path).ShortName
    for name, _, value in (option.partition("=") for option in form.options):
        if value.upper() != form.given[name.upper()].upper():
            both = f"{value} and as {form.given[name.upper()]}"
            raise OutputError(f"The creation option {name.upper()} is given twice, as {both}. Leave one out.")
    bits = form.given.get("NBITS", "")
    if bits.isdecimal() and form.type in INTEGER_TYPES:  # which int() reads
        form = replace(form, highest=min(form.limits[1], 2.0 ** min(max(int(bits), 1), 64) - 1.0))
    if driver == "GTiff" and not form.options:
        return form
    if form.nodata is not None and "JPEG" in (driver, form.given.get("COMPRESS", "").upper()):  # may pass by chance
        raise OutputError(
            f"{path} would be compressed with loss (JPEG), which makes image of gaps (nodata {form.nodata:g}); use "
            ".tif without compression or with COMPRESS=DEFLATE."
        )
    values = _estimate_range(like, form)
    windows = [Window(0, 0, min(SIDE, grid.width), min(SIDE, grid.height))]
    windows += [Window(0, 0, grid.width, NARROW)] if grid.width > LONG else []
    windows += [Window(0, 0, NARROW, grid.height)] if grid.height > LONG else []
    for window in windows:
        image, read_back, fault = _try_sample(path, grid.cropped(window), crs, like, form, values)
        if fault:
            options = f" with {' '.join(form.options)}" if form.options else ""
            raise OutputError(
                f"The format {driver} of {path} cannot hold {len(like.bands)} bands of {form.type}{options}: {fault}. "
                f"{_suggest(path, form)}Choose other creation options, fewer bands or another data type, or use .tif."
            )
        form = replace(form, lossy=form.lossy or not np.array_equal(read_back, image, equal_nan=True))
    if form.type in INTEGER_TYPES:
        plain, values = replace(form, nodata=None), (form.limits[1], form.limits[1])
        full, read_back, _ = _try_sample(path, grid.cropped(Window(0, 0, NARROW, NARROW)), crs, like, plain, values)
        highest = float(read_back.max())
        form = replace(form, highest=highest) if highest < SATURATED * float(full.max()) else form
    return form


def _estimate_range(like: Raster, form: OutputForm) -> tuple[float, float]:
    """Return the least and largest value in the middle of a raster, as the type holds them."""
    width, height = min(SIDE, like.grid.width), min(SIDE, like.grid.height)
    left, top = (like.grid.width - width) // 2, (like.grid.height - height) // 2
    values, valid = like.read(Window(left, top, width, height))
    exact = values + like.offsets[:, None, None]
    measured = exact[np.broadcast_to(valid, exact.shape)]
    seen = measured.clip(*form.limits) if measured.size else np.zeros(1)
    low, high = float(seen.min()), float(seen.max())
    return (low, high) if high > low else (0.0, 100.0)


def _make_sample(
    shape: tuple[int, int], bands: int, form: OutputForm, values: tuple[float, float]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Make a small image (bands, h, w) in the scene's range of values, its first one 0, with a gap; validity (h, w)."""
    dtype = NUMPY_TYPES[form.type]
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    smooth = 0.1 + 0.45 * columns / shape[1] + 0.25 * rows / shape[0]
    shares = smooth + 0.08 * rng.random(shape) + 0.02 * rng.random((bands, *shape))
    image = (values[0] + (values[1] - values[0]) * shares).astype(dtype)
    image[:, 0, 0] = 0  # some formats take it for a gap
    valid = np.ones(shape, dtype=bool)
    if form.nodata is not None:
        image[image == dtype.type(form.nodata)] += 1
        valid[shape[0] // 3 : shape[0] // 3 + 21, shape[1] // 3 : shape[1] // 3 + 21] = False
        image[:, ~valid] = form.nodata
    return image, valid


def _try_sample(
    path: Path, grid: Grid, crs: str, like: Raster, form: OutputForm, values: tuple[float, float]
) -> tuple[NDArray[Any], NDArray[Any], str]:
    """Write a sample as the result will be; returns it, what reads back of it, and its fault."""
    image, valid = _make_sample((grid.height, grid.width), len(like.bands), form, values)
    read_back, names = image, []
    hidden = re.escape(os.path.abspath(path.parent)) + r"[/\\][^/\\]+\.part[/\\](?:made[/\\])?"
    with gdal_messages() as messages:
        try:
            with RasterWriter(path, grid, crs, like, form) as writer:
                writer.write(grid.window, image)
                writer.close()
                if not writer.direct:
                    writer.convert()
                names = [file.name for file in writer.made.iterdir()]
                made = gdal.Open(str(writer.file))
                fault = _find_report(messages, form) or _find_misfit(made, grid, crs, like, form.type)
                if not fault:
                    read_back = made.ReadAsArray().reshape(image.shape)
                    fault = _find_change(made, read_back, image, valid, form)
                made = None
        except (OutputError, RuntimeError) as error:
            fault = _find_report(messages, form) or quote_messages(error.__cause__ or error) or "GDAL does not say why"
    check_clash(path, names, family(path))
    return image, read_back, re.sub(hidden, "", fault)


def _find_report(messages: list[tuple[int, str]], form: OutputForm) -> str:
    """Return GDAL's words for a failure or for an ignored option; some drivers go on after failures."""
    faults = [
        quote_messages(text)
        for severity, text in messages
        if severity == gdal.CE_Failure or (IGNORED.search(text) and any(name in text.upper() for name in form.given))
    ]
    return min(faults, key=lambda text: "creation option" not in text, default="")  # the first of the clearest ones


def _find_misfit(made: gdal.Dataset, grid: Grid, crs: str, like: Raster, type_name: str) -> str:
    """Describe faults of size, bands and georeference, as part of a sentence."""
    if (made.RasterXSize, made.RasterYSize) != (grid.width, grid.height):
        return f"it makes {made.RasterXSize} x {made.RasterYSize} pixels of {grid.width} x {grid.height}"
    bands = [made.GetRasterBand(n) for n in range(1, made.RasterCount + 1)]
    types = {gdal.GetDataTypeName(band.DataType) for band in bands}
    if len(bands) != len(like.bands) or types != {type_name}:
        return f"it makes {len(bands)} bands of {' and '.join(sorted(types)) or 'no type'} of them"
    for band in bands:
        if band.GetColorInterpretation() == gdal.GCI_AlphaBand:
            return f"it takes band {band.GetBand()} for transparency"
    wanted, made_transform = np.array(grid.transform), np.array(made.GetGeoTransform())
    reach = np.array([1.0, grid.width, grid.height] * 2)
    if np.abs((made_transform - wanted) * reach).max() > MISPLACED * np.abs(wanted[[1, 2, 4, 5]]).max():
        return "it does not keep the georeference"
    return "it does not keep the reference system" if crs and not made.GetProjection() else ""


def _find_change(
    made: gdal.Dataset, read_back: NDArray[Any], image: NDArray[Any], valid: NDArray[np.bool_], form: OutputForm
) -> str:
    """Describe faults of values and gaps, as part of a sentence; the loss of a codec does not count."""
    share = measure_lossy_error(read_back[:, valid], image[:, valid], form)
    if share > 1.0:
        return f"it would change them by {100 * LOSSY_TOLERANCE * share:.0f} % of their mean"
    masks = [made.GetRasterBand(n).GetMaskBand().ReadAsArray() != 0 for n in range(1, made.RasterCount + 1)]
    if all(np.array_equal(mask, valid) for mask in masks):
        return ""
    if form.nodata is None:
        return "it would take valid values for gaps"
    why = "its compression is lossy" if share else f"it does not keep the nodata value {form.nodata:g}"
    return f"{why}, which would make image of gaps"


def _suggest(path: Path, form: OutputForm) -> str:
    """Suggest the options or values that a misspelt one may mean, as a sentence; empty where all are known."""
    listed = choose_driver(path).GetMetadataItem(gdal.DMD_CREATIONOPTIONLIST) or ""
    options = dict(re.findall(r"<Option[^>]* name=['\"](\w+)(.*?)(?=<Option|$)", listed, re.DOTALL))
    for name, value in form.given.items():
        values = re.findall(r"<Value[^>]*>([^<]+)", options.get(name, ""))
        word, words = (value.upper(), values) if name in options else (name, list(options))
        if words and word not in words:
            near = difflib.get_close_matches(word, words, 3)
            return f"Did you mean {' or '.join(near)}? " if near else f"It can be {', '.join(words)}. "
    return ""
