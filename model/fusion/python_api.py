"""The functions for Python programs, importable from the top of the package: `sharpen` and `sharpen_arrays`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, translate_memory_errors
from ..geometry.grids import NO_GEOREFERENCE, Extent, GeoTransform
from ..options import BUNDLED, DEFAULT_SET, TUNED, TUNED_FROM
from ..progress import Progress
from ..raster.gdal_errors import gdal_exceptions
from ..raster.reader import in_memory
from ..raster.source import RasterSource
from .check import check_pair
from .job import FusionJob, FusionOptions, FusionResult
from .pipeline import ArrayTarget, estimate_quality, fuse, plan_pair

MINUTES = 3.0  # of tuning

RasterLike = Union[str, Path, RasterSource]


@dataclass(frozen=True)
class FusedArray:
    """The result: values (bands, H, W) in the type of MS, their geotransform, the nodata value, HQNR of pieces."""

    values: NDArray[Any]
    transform: GeoTransform
    nodata: float | None
    hqnr: float | None


def sharpen(
    pan: RasterLike,
    ms: RasterLike | Sequence[RasterLike],
    output: str | Path,
    quality: str | Path = DEFAULT_SET,
    progress: Progress | None = None,
    extent: Extent | None = None,
    **options: Any,
) -> FusionResult:
    """Sharpen raster files, as `otfm:pansharpen` does.

    Args:
        pan, ms: Paths of anything that GDAL opens, or `RasterSource` with bands and nodata values. `ms` may be several
            rasters of one band.
        output: The file to write; its extension chooses the format. It is replaced once the result is complete.
        quality: fast, best, tuned (on the scene, for MINUTES or `adapt` minutes), or a weights file.
        progress: Receives progress and log, and may cancel.
        extent: (x min, y min, x max, y max) in PAN's reference system; None for all that both cover.
        options: Fields of `FusionOptions`, such as device, memory, data_type.

    Raises:
        PansharpenError: with a message for the user; `output` is then unchanged.
        TypeError: for another option.
    """
    mss = [_make_source(each) for each in ([ms] if isinstance(ms, (str, Path, RasterSource)) else ms)]
    if not mss:
        raise InputError("MS is an empty list. Give at least one raster.")
    job = FusionJob(_make_source(pan), mss[0], Path(output), _make_options(quality, options), extent, tuple(mss[1:]))
    return fuse(job, progress)


def _make_source(raster: RasterLike) -> RasterSource:
    return raster if isinstance(raster, RasterSource) else RasterSource(str(raster))


def _make_options(quality: str | Path, options: dict[str, Any]) -> FusionOptions:
    if quality == TUNED:
        quality, options = TUNED_FROM, {"adapt": MINUTES, **options}
    return FusionOptions(**{"weights": BUNDLED.get(str(quality), Path(quality)), **options})


def sharpen_arrays(
    pan: NDArray[Any],
    ms: NDArray[Any],
    pan_transform: GeoTransform = NO_GEOREFERENCE,
    ms_transform: GeoTransform = NO_GEOREFERENCE,
    nodata: float | None = None,
    progress: Progress | None = None,
    extent: Extent | None = None,
    quality: str | Path = DEFAULT_SET,
    **options: Any,
) -> FusedArray:
    """Sharpen `ms` (bands, h, w) with `pan` (H, W), both placed by GDAL geotransforms in one reference system.

    `nodata` marks gaps in both. The other arguments and the errors are those of `sharpen`.
    """
    from .tiles import run_plan

    if pan.ndim != 2 or ms.ndim != 3:
        raise InputError(f"PAN has to be (H, W) and MS (bands, h, w), not {pan.shape} and {ms.shape}.")
    marked = () if nodata is None else (float(nodata),)
    sources = (RasterSource("the PAN array", nodata=marked), RasterSource("the MS array", nodata=marked))
    job = FusionJob(*sources, Path(), _make_options(quality, options), extent)
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
        estimate = estimate_quality(pair, plan, weights, measured, reduced, progress)
        target = ArrayTarget(len(ms_raster.bands), plan.window, plan.form.type)
        run_plan(plan, pan_raster, ms_raster, weights, target, progress)
        return FusedArray(target.values, pair.pan.grid.cropped(plan.window).transform, plan.form.nodata, estimate.hqnr)
