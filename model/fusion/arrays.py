"""Sharpening for Python programs that hold their rasters in memory: arrays in, array out, no files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, translate_memory_errors
from ..geometry.grids import NO_GEOREFERENCE, Extent, GeoTransform
from ..progress import Progress
from ..raster.gdal_errors import gdal_exceptions
from ..raster.reader import in_memory
from ..raster.source import RasterSource
from .check import check_pair
from .job import FusionJob, FusionOptions
from .pipeline import ArrayTarget, estimate_quality, plan_pair
from .tiles import run_plan


@dataclass(frozen=True)
class FusedArray:
    """The result: values (bands, H, W) in the type of MS, their geotransform, the nodata value, HQNR of pieces."""

    values: NDArray[Any]
    transform: GeoTransform
    nodata: float | None
    hqnr: float | None


def fuse_arrays(
    pan: NDArray[Any],
    ms: NDArray[Any],
    pan_transform: GeoTransform = NO_GEOREFERENCE,
    ms_transform: GeoTransform = NO_GEOREFERENCE,
    nodata: float | None = None,
    progress: Progress | None = None,
    extent: Extent | None = None,
    **options: Any,
) -> FusedArray:
    """Sharpen `ms` (bands, h, w) with `pan` (H, W), both placed by GDAL geotransforms in one reference system.

    `nodata` marks gaps in both; `options` are fields of `FusionOptions` (weights, device, precision, steps, gain,
    align, memory, tile, data_type). Raises PansharpenError with a sentence, TypeError for another option.
    """
    if pan.ndim != 2 or ms.ndim != 3:
        raise InputError(f"PAN has to be (H, W) and MS (bands, h, w), not {pan.shape} and {ms.shape}.")
    marked = () if nodata is None else (float(nodata),)
    sources = (RasterSource("the PAN array", nodata=marked), RasterSource("the MS array", nodata=marked))
    job = FusionJob(*sources, Path(), FusionOptions(**options), extent)
    with (
        translate_memory_errors(),
        gdal_exceptions(),
        in_memory(job.pan, "PAN", pan[None], pan_transform) as pan_raster,
        in_memory(job.ms, "MS", np.asarray(ms), ms_transform) as ms_raster,
    ):
        ms_raster.place_on(pan_raster)
        pair = check_pair(pan_raster, ms_raster, job)
        progress = progress or Progress()
        weights, measured, plan, reduced = plan_pair(pair, job, progress)
        quality = estimate_quality(pair, plan, weights, measured, reduced, progress)
        target = ArrayTarget(len(ms_raster.bands), plan.window, plan.form.type)
        run_plan(plan, pan_raster, ms_raster, weights, target, progress)
        return FusedArray(target.values, pair.pan.grid.cropped(plan.window).transform, plan.form.nodata, quality.hqnr)
