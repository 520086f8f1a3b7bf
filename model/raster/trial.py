"""Whether a format can hold the result: tried out on a small one before any work."""

from __future__ import annotations

from pathlib import Path

from osgeo import gdal

from ..errors import OutputError
from .creation import check_options, creation_options
from .formats import OutputForm, driver_for
from .reader import said
from .staging import staging

TRIAL_SIDE = 256  # pixels


def check_format(path: Path, bands: int, form: OutputForm) -> None:
    """Refuse a format that cannot hold so many bands of this type, by a small trial. Raises OutputError."""
    driver = driver_for(path)
    check_options(driver, form.options)
    if driver.ShortName == "GTiff":
        return
    trial = gdal.GetDriverByName("MEM").Create("", TRIAL_SIDE, TRIAL_SIDE, bands, gdal.GetDataTypeByName(form.type))
    with staging(path) as folder:
        try:
            copy = driver.CreateCopy(str(folder / path.name), trial, False, creation_options(path, form))
            copy.FlushCache()
            copy = None
            holds = shape_and_types(gdal.Open(str(folder / path.name))) == shape_and_types(trial)
            reason = "it would change them"
        except RuntimeError as error:
            copy, holds, reason = None, False, said(error)
    if not holds:
        raise OutputError(
            f"The format {driver.ShortName} of {path} cannot hold {bands} bands of {form.type}: {reason}. "
            "Choose fewer bands or another data type, or use .tif."
        )


def shape_and_types(dataset: gdal.Dataset) -> tuple[int, int, int, list[str]]:
    """Width, height, band count and the name of each band's type."""
    numbers = range(1, dataset.RasterCount + 1)
    types = [gdal.GetDataTypeName(dataset.GetRasterBand(n).DataType) for n in numbers]
    return dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount, types
