"""Whether a format can hold the result: tried out on a small one before any work."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from ..errors import OutputError
from ..geometry.grids import Grid, Window
from ..staging import staging
from .creation import check_options, creation_options
from .delivery import check_clash
from .gdal_errors import said
from .output_format import CODECS, HOLDS, OutputForm, driver_for
from .pixel_types import INTEGER_TYPES, NUMPY_TYPES
from .reader import Raster
from .sidecars import family

SIDE = 256  # pixels
NARROW = 16  # pixels across a trial of the full width or height
LONG = 8192  # pixels; any format holds as many in a row
MISPLACED = 1e-3  # pixels
LOSSY_TOLERANCE = 0.1  # of the mean value
SHRUG = re.compile("not recogni[sz]ed|invalid|unexpected|not supported|ignoring", re.IGNORECASE)  # at an option
SATURATED = 0.9  # of the type's largest value: what reads back as less has been cut off


@dataclass(frozen=True)
class Sample:
    """A small raster in place of the result, of values as they are in the scene, its first one 0, with a gap."""

    dataset: gdal.Dataset
    values: NDArray[Any]
    valid: NDArray[np.bool_]


def check_format(path: Path, grid: Grid, crs: str, like: Raster, form: OutputForm) -> OutputForm:
    """The form of a raster with the bands of `like`, with what is true of the format of `path`, by small trials.

    Raises OutputError where the format cannot hold it, with the reason.
    """
    driver = driver_for(path)
    check_options(driver, form.options)
    if "NBITS" in form.given and form.type in INTEGER_TYPES:
        form = replace(form, highest=min(form.limits[1], 2.0 ** max(int(form.given["NBITS"]), 1) - 1.0))
    if driver.ShortName == "GTiff" and not form.options:
        return form
    if form.nodata is not None and _is_jpeg(driver, form):  # which a trial may pass by chance
        raise OutputError(
            f"{path} would be compressed with loss (JPEG), which makes image of gaps (nodata {form.nodata:g}); use "
            ".tif without compression or with COMPRESS=DEFLATE."
        )
    values = _range(like, form)
    shapes = [(min(SIDE, grid.height), min(SIDE, grid.width))]
    shapes += [(NARROW, grid.width)] if grid.width > LONG else []
    shapes += [(grid.height, NARROW)] if grid.height > LONG else []
    try:
        with staging(path) as made:
            for shape in shapes:
                sample = _sample(shape, grid, crs, like, form, values)
                read = _tried(driver, path, made.folder, sample, form, like)
                form = replace(form, lossy=form.lossy or not np.array_equal(read, sample.values, equal_nan=True))
            if form.type in INTEGER_TYPES:
                top = form.limits[1]
                full = _sample((NARROW, NARROW), grid, crs, like, replace(form, nodata=None), (top, top))
                form = replace(form, highest=_ceiling(driver, path, made.folder, full, form))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}. Choose another folder.") from error
    return form


def _is_jpeg(driver: gdal.Driver, form: OutputForm) -> bool:
    return bool(driver.ShortName == "JPEG") or form.given.get("COMPRESS", "").upper() == "JPEG"


def _ceiling(driver: gdal.Driver, path: Path, folder: Path, full: Sample, form: OutputForm) -> float | None:
    """The largest value that the format keeps, where it is less than those of a sample full of the type's largest."""
    try:
        most = float(_written(driver, path, folder, full, form).ReadAsArray().max())
    except RuntimeError:
        return form.highest
    return most if most < SATURATED * float(full.values.max()) else form.highest


def _range(like: Raster, form: OutputForm) -> tuple[float, float]:
    """Least and largest value in the middle of a raster, as the type holds them."""
    width, height = min(SIDE, like.grid.width), min(SIDE, like.grid.height)
    left, top = (like.grid.width - width) // 2, (like.grid.height - height) // 2
    values, valid = like.read(Window(left, top, width, height))
    exact = values + like.offsets[:, None, None]
    known = exact[np.broadcast_to(valid, exact.shape)]
    seen = known.clip(*form.limits) if known.size else np.zeros(1)
    least, most = float(seen.min()), float(seen.max())
    return (least, most) if most > least else (0.0, 100.0)


def _sample(
    shape: tuple[int, int], grid: Grid, crs: str, like: Raster, form: OutputForm, values: tuple[float, float]
) -> Sample:
    kind, bands = NUMPY_TYPES[form.type], len(like.bands)
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    smooth = 0.1 + 0.45 * columns / shape[1] + 0.25 * rows / shape[0]
    shares = smooth + 0.08 * rng.random(shape) + 0.02 * rng.random((bands, *shape))
    image = (values[0] + (values[1] - values[0]) * shares).astype(kind)
    image[:, 0, 0] = 0  # that some formats take for a gap
    valid = np.ones(shape, dtype=bool)
    if form.nodata is not None:
        image[image == kind.type(form.nodata)] += 1
        valid[shape[0] // 3 : shape[0] // 3 + 21, shape[1] // 3 : shape[1] // 3 + 21] = False
        image[:, ~valid] = form.nodata
    dataset = gdal.GetDriverByName("MEM").Create(
        "", shape[1], shape[0], bands, gdal.GetDataTypeByName(form.type)
    )  # fmt: skip
    if grid.georeferenced:
        dataset.SetGeoTransform(grid.transform)
    if crs:
        dataset.SetProjection(crs)
    dataset.WriteArray(image)
    for number, origin in enumerate(like.bands, start=1):
        band = dataset.GetRasterBand(number)
        band.SetColorInterpretation(like.described.GetRasterBand(origin).GetColorInterpretation())
        if form.nodata is not None:
            band.SetNoDataValue(form.nodata)
    return Sample(dataset, image, valid)


def _tried(
    driver: gdal.Driver, path: Path, folder: Path, sample: Sample, form: OutputForm, like: Raster
) -> NDArray[Any]:
    """What reads back of a sample. Raises OutputError where that is not the sample."""
    try:
        found = _written(driver, path, folder, sample, form)
        fault = _misfit(found, sample) or _misplaced(found, sample) or _changed(found, sample, form)
    except RuntimeError as error:
        fault = said(error)
    if fault:
        options = f" with {' '.join(form.options)}" if form.options else ""
        raise OutputError(
            f"The format {driver.ShortName} of {path} cannot hold {len(like.bands)} bands of {form.type}{options}: "
            f"{fault}. {CODECS.get(form.given.get('COMPRESS', '').upper(), '')}{HOLDS.get(driver.ShortName, HOLDS[''])}"
        )
    return np.asarray(found.ReadAsArray()).reshape(sample.values.shape)


def _written(driver: gdal.Driver, path: Path, folder: Path, sample: Sample, form: OutputForm) -> gdal.Dataset:
    """A sample as it reads back from a file. Raises RuntimeError, also where the driver shrugs at an option."""
    place = Path(tempfile.mkdtemp(dir=folder))
    with _messages() as heard:
        try:
            copy = driver.CreateCopy(str(place / path.name), sample.dataset, False, creation_options(path, form))
            if copy is not None:  # as some drivers fail
                copy.FlushCache()
            copy = None
        except RuntimeError as error:
            heard.append((gdal.CE_Failure, said(error) or " ".join(words for _, words in heard[-1:])))
    for kind, words in reversed(heard):  # some drivers go on after failures
        if kind == gdal.CE_Failure or (SHRUG.search(words) and any(name in words.upper() for name in form.given)):
            raise RuntimeError(words.replace(f"{place}{os.sep}", "") or "GDAL does not say why")
    check_clash(path, [p.name for p in place.iterdir()], family(path))
    return gdal.Open(str(place / path.name))


@contextmanager
def _messages() -> Iterator[list[tuple[int, str]]]:
    """What GDAL says within the block, and how grave it is."""
    heard: list[tuple[int, str]] = []
    gdal.PushErrorHandler(lambda kind, number, text: heard.append((kind, text)))
    try:
        yield heard
    finally:
        gdal.PopErrorHandler()


def _misfit(found: gdal.Dataset, sample: Sample) -> str:
    """What is wrong with size, bands and their meaning, as part of a sentence."""
    wanted, made = shape_and_types(sample.dataset), shape_and_types(found)
    if made[:2] != wanted[:2]:
        return f"it makes {made[0]} x {made[1]} pixels of {wanted[0]} x {wanted[1]}"
    if made != wanted:
        return f"it makes {made[2]} bands of {' and '.join(sorted(set(made[3]))) or 'no type'} of them"
    for number in range(1, found.RasterCount + 1):
        colours = [d.GetRasterBand(number).GetColorInterpretation() for d in (found, sample.dataset)]
        if colours[0] == gdal.GCI_AlphaBand != colours[1]:
            return f"it takes band {number} for transparency"
    return ""


def _misplaced(found: gdal.Dataset, sample: Sample) -> str:
    """What is wrong with the place on the map, as part of a sentence."""
    wanted, made = np.array(sample.dataset.GetGeoTransform()), np.array(found.GetGeoTransform())
    pixel = np.abs(wanted[[1, 2, 4, 5]]).max()
    reach = np.array([1.0, found.RasterXSize, found.RasterYSize] * 2)
    if np.abs((made - wanted) * reach).max() > MISPLACED * pixel:
        return "it does not keep the georeference"
    if sample.dataset.GetProjection() and not found.GetProjection():
        return "it does not keep the reference system"
    return ""


def _changed(found: gdal.Dataset, sample: Sample, form: OutputForm) -> str:
    """What is wrong with values and gaps, as part of a sentence; the loss of a codec is nothing wrong."""
    values = found.ReadAsArray().reshape(sample.values.shape)
    share = lossy_error(values[:, sample.valid], sample.values[:, sample.valid], form)
    if share > 1.0:
        return f"it would change them by {100 * LOSSY_TOLERANCE * share:.0f} % of their mean"
    for number in range(1, found.RasterCount + 1):
        valid = found.GetRasterBand(number).GetMaskBand().ReadAsArray() != 0
        if not np.array_equal(valid, sample.valid):
            if form.nodata is None:
                return "it would take valid values for gaps"
            why = "its compression is lossy" if share else f"it does not keep the nodata value {form.nodata:g}"
            return f"{why}, which would make image of gaps"
    return ""


def lossy_error(found: NDArray[Any], values: NDArray[Any], form: OutputForm) -> float:
    """Mean error of values that were read back, as a share of what a lossy codec may do; above 1 it is no loss."""
    if np.array_equal(found, values, equal_nan=values.dtype.kind == "f"):
        return 0.0
    wanted = values.astype(np.float64)
    error = float(np.nanmean(np.abs(found.astype(np.float64) - wanted)))
    return error / (LOSSY_TOLERANCE * max(float(np.nanmean(np.abs(wanted))), 1e-12) + form.accepted_error)


def shape_and_types(dataset: gdal.Dataset) -> tuple[int, int, int, list[str]]:
    """Width, height, band count and the name of each band's type."""
    numbers = range(1, dataset.RasterCount + 1)
    types = [gdal.GetDataTypeName(dataset.GetRasterBand(n).DataType) for n in numbers]
    return dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount, types
