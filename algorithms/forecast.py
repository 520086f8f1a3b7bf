"""Forecast of a run for the dialog: size of the result, time, memory, and room on the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from osgeo import gdal
from qgis.core import QgsProcessingUtils, QgsRasterLayer, QgsRectangle, QgsSettings

from ..model.options import FIXED_PART, MAX_BUDGET, SHARE_OF_MACHINE
from ..model.progress import format_bytes, format_duration
from .pair_of_layers import Bounds, find_shared_extent
from .settings import setting
from .translation import tr

SPEED = "otfm/speed/"  # Setting by quality: seconds per million values of a result on this machine.
MIN_VALUES = 1.0  # Millions; smaller runs measure the start of the engine.
DATA_SIZES = {"Byte": 1, "Int8": 1, "UInt16": 2, "Int16": 2, "Float64": 8}  # Bytes; the others have 4.


def remember_speed(quality: str, values: float, seconds: float) -> None:
    """Keep the speed of a run of `values` millions."""
    if values >= MIN_VALUES:
        QgsSettings().setValue(SPEED + quality, seconds / values)


def count_pixels(pan: QgsRasterLayer, ms: QgsRasterLayer, bounds: Bounds) -> tuple[int, int]:
    """Return width and height of the result in pixels of PAN; zeros where nothing is shared."""
    shared = find_shared_extent(pan, ms) or pan.extent()
    if bounds:
        shared = shared.intersect(QgsRectangle(*bounds))
    if shared.isEmpty():
        return 0, 0
    return round(shared.width() / pan.rasterUnitsPerPixelX()), round(shared.height() / pan.rasterUnitsPerPixelY())


def describe_run(
    pan: QgsRasterLayer,
    ms: Sequence[QgsRasterLayer],
    bounds: Bounds,
    bands: int,
    quality: str,
    data_type: str,
    memory: int,
    output: str,
) -> tuple[str, bool]:
    """Describe the result and the run in a line, and tell whether the disk has room. `memory` is 0 for automatic."""
    width, height = count_pixels(pan, ms[0], bounds)
    bands = bands or (len(ms) if len(ms) > 1 else ms[0].bandCount())
    value_size = DATA_SIZES.get(data_type, 4) if data_type else ms[0].dataProvider().dataTypeSize(1)
    size = width * height * bands * value_size
    folder = Path(output).parent if Path(output).is_absolute() else Path(QgsProcessingUtils.tempFolder())
    there = next((p for p in (folder, *folder.parents) if p.exists()), Path(tempfile.gettempdir()))
    free = shutil.disk_usage(there).free
    machine = gdal.GetUsablePhysicalRAM() / 2**20
    needed = (memory or min(MAX_BUDGET, SHARE_OF_MACHINE * machine)) + FIXED_PART
    text = tr("{width} x {height} x {bands}: {size} of {free} free, {memory:.1f} GB of memory").format(
        width=width, height=height, bands=bands, size=format_bytes(size), free=format_bytes(free), memory=needed / 1024
    )
    speed = setting(SPEED + quality)  # None before the first run.
    time = (
        tr(", about {time}").format(time=format_duration(float(speed) * width * height * bands / 1e6)) if speed else ""
    )
    return text + time, size < free and needed < machine
