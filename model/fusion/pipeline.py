"""The pipeline: check, measure, plan, run, deliver. From two rasters to the sharpened one, or to a sentence why not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..geometry.grids import Window
from ..notices import Notice
from ..progress import Progress, spoken
from ..raster.delivery import check_target
from ..raster.pixel_types import NUMPY_TYPES, PixelEncoder
from ..raster.reader import Raster
from ..raster.stack import stacked
from ..raster.windows import opened_pair
from ..raster.writer import RasterWriter
from ..scene.registration import Registration
from ..staging import remove_stale_runs
from ..version import VERSION
from ..wording import format_figure
from . import run_log
from .check import CheckedPair, check_output, check_pair
from .job import FusionJob, FusionResult
from .measure import ADAPTED, MEASURING_SHARE, Measurement
from .memory import bounded_cache, default_budget, want_of_memory_said
from .remembered import measured_once

if TYPE_CHECKING:  # what needs torch is imported where it is used, so that a scene is measured while torch is loaded
    from ..network.weights import Weights
    from .plan import FusionPlan
    from .quality_estimate import QualityEstimate
    from .tiles import Target

LARGEST_CLIPPED = 0.25  # of the values; a few bright ones may be cut off, and the log says so
MAX_CLIPPED = 0.001  # of the pixels of a band in the result, beyond which it is warned of
FEWEST_STEPS = 2.0  # whole numbers over which the values of a band have to spread


def fuse(job: FusionJob, progress: Progress | None = None) -> FusionResult:
    """Sharpen MS with PAN and write the result. Raises PansharpenError; the target is then as it was before."""
    started = time.monotonic()
    notices: list[Notice] = []
    progress = _remembering(progress or Progress(), notices)
    if job.more_ms:
        job = replace(job, ms=replace(stacked((job.ms, *job.more_ms), "MS"), bands=job.ms.bands), more_ms=())
    check_target(job.output, (job.pan.gdal_name, job.ms.gdal_name, str(job.weights)))
    for stale in remove_stale_runs(job.output.parent):
        if stale.kept:
            progress.warn(run_log.previous_files_kept(stale))
        else:
            progress.explain(run_log.removed(stale))
    with want_of_memory_said(), opened_pair(job.pan, job.ms) as (pan, ms):
        pair = check_output(check_pair(pan, ms, job.data_type, job.extent), job)
        weights, measured, plan, reduced = plan_pair(pair, job, progress)
        found = estimate_quality(pair, plan, weights, measured, reduced, progress) if job.judged else None
        pair = replace(pair, window=plan.window)
        with RasterWriter(job.output, pair.grid, pair.crs, ms, plan.form, pan.sensor_model(pair.window)) as writer:
            devices = run_plan(plan, pan, ms, weights, writer, progress.after(ADAPTED if job.adapts else 0.0))
            summary, facts = run_log.quality_summary(found), provenance(plan, measured.registration, weights)
            progress.check()
            writer.finish(facts)
    seconds = time.monotonic() - started
    progress.conclude(f"{summary}Done in {spoken(seconds)}: {job.output}.")
    return FusionResult(
        output=job.output,
        device=", ".join(devices),
        ratio=plan.placement.ratio,
        shift=measured.registration.shift,
        gain=measured.registration.transfer.gain,
        weights_sha256=weights.sha256,
        seconds=seconds,
        hqnr=found.hqnr if found else None,
        ergas=found.ergas if found else None,
        bands=plan.ms.bands,
        notices=tuple(notices),
        sharpened=measured.statistics.trust > 0.0,
    )


def plan_pair(
    pair: CheckedPair, job: FusionJob, progress: Progress
) -> tuple[Weights, Measurement, FusionPlan, QualityEstimate]:
    """Measure a checked pair and decide everything, saying what and why. Raises PansharpenError."""
    loading = threading.Thread(target=_load_network)
    loading.start()
    progress.log(run_log.inputs(pair))
    _explain(run_log.rasters(pair), progress)
    progress.check()
    measured = measured_once(pair, job, progress)
    loading.join()
    from ..network.weights import load_weights
    from .adapt import adapted
    from .plan import choose_engine, make_plan
    from .quality_estimate import estimate_reduced

    weights = load_weights(job.weights)
    engine, reason = choose_engine(job, weights)
    _explain(run_log.engine(engine, weights.header.get("name", "?"), reason), progress)
    progress.log(run_log.found(measured, job))
    _explain(run_log.measurement(measured, pair, job), progress)
    refuse_clipping(pair, measured)
    for notice in run_log.notices(measured, pair, job, dict(weights.header)):
        progress.warn(notice)
    progress.report(MEASURING_SHARE)
    if job.adapts:
        weights = adapted(job, pair, weights, progress)
        engine = replace(engine, weights=str(weights.path), weights_sha256=weights.sha256)
    plan = make_plan(job, pair, measured, engine, weights)
    progress.explain(run_log.work(plan, job.memory or default_budget()))
    reduced = estimate_reduced(pair, plan, weights.network, measured.compared, progress.check)
    if reduced.network_share < 1.0:
        progress.warn(run_log.network_left_out(reduced))
        plan = replace(plan, network_share=reduced.network_share)
    return weights, measured, plan, reduced


def estimate_quality(
    pair: CheckedPair,
    plan: FusionPlan,
    weights: Weights,
    measured: Measurement,
    reduced: QualityEstimate,
    progress: Progress,
) -> QualityEstimate:
    """How good the result is on pieces of the scene, said in the log, with a warning where that is not good."""
    from .quality_estimate import estimate_full

    found = estimate_full(reduced, pair, plan, weights.network, measured.pieces, progress.check)
    _explain(run_log.quality(found), progress)
    worse = run_log.quality_notice(found)
    if worse:
        progress.warn(worse)
    return found


def refuse_clipping(pair: CheckedPair, measured: Measurement) -> None:
    """Raises OutputError where most values of a band lie beyond what the output can hold, or between whole numbers."""
    low, high = pair.form.limits
    if pair.rounds and measured.spread < FEWEST_STEPS:
        raise OutputError(
            f"MS holds fractions from {measured.least:.4g} to {measured.most:.4g}, of which whole numbers "
            f"({pair.form.type}) leave next to nothing. Leave DATA_TYPE as MS, or scale MS first, for example with "
            "gdal:translate."
        )
    share = measured.share_outside(low, high)
    if share > LARGEST_CLIPPED:
        raise OutputError(
            f"{100 * share:.0f} % of the values of a band of MS ({measured.least:.6g} to {measured.most:.6g}) lie "
            f"beyond what {pair.form.type} holds ({low:.6g} to {high:.6g}) and would be clipped. Leave DATA_TYPE as "
            f"MS, or stretch MS first: gdal_translate -ot {pair.form.type} -scale {measured.usual[0]:.6g} "
            f"{measured.usual[1]:.6g} {low + 1.0:.6g} {high:.6g}."
        )


def run_plan(
    plan: FusionPlan, pan: Raster, ms: Raster, weights: Weights, target: Target, progress: Progress
) -> list[str]:
    """Make the pixels of the plan's window; returns the devices used. Values that are clipped are warned of.

    Raises PansharpenError, also where a file of the rasters has changed since it was opened.
    """
    from ..inference.tile_fuser import TileFuser
    from .tiles import Finish, Tiling

    engine = plan.engine
    fusers = [
        TileFuser(
            weights.network, plan.statistics, device, engine.dtype, engine.steps, plan.outputs, plan.network_share
        )
        for device in engine.torch_devices
    ]
    encoder = PixelEncoder(plan.form.type, plan.form.nodata, plan.lowest, plan.offsets, plan.form.highest)
    with bounded_cache(plan.work.cache):
        finish = Finish(plan.plausible, encoder)
        Tiling(pan, ms, plan.placement, plan.window, plan.work).run(fusers, finish, target, progress)
    for raster in (pan, ms):
        raster.refuse_changes()
    if finish.clipped:
        share = max(finish.clipped.values()) / (plan.window.width * plan.window.height)
        report = progress.warn if share > MAX_CLIPPED else lambda notice: progress.explain(notice.sentence)
        report(run_log.clipped(plan, finish.clipped, share))
    return list(dict.fromkeys(str(f.device) for f in fusers))


def fuse_window(plan: FusionPlan, window: Window, progress: Progress | None = None) -> NDArray[Any]:
    """The pixels (bands, h, w) of a window of the plan, in any process that reads the plan's rasters and weights.

    A window made of whole tiles (`plan.tiles()`) has the bytes of the whole run. Raises PansharpenError.
    """
    weights = plan.engine.load()
    with want_of_memory_said(), opened_pair(plan.pan, plan.ms) as (pan, ms):
        target = ArrayTarget(len(ms.bands), window, plan.form.type)
        run_plan(replace(plan, window=window), pan, ms, weights, target, progress or Progress())
    return target.values


class ArrayTarget:
    """An array that tiles are written to."""

    def __init__(self, bands: int, window: Window, kind: str) -> None:
        self.values: NDArray[Any] = np.empty((bands, window.height, window.width), dtype=NUMPY_TYPES[kind])

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Take (bands, h, w) at a window of the output."""
        self.values[:, window.top : window.bottom, window.left : window.right] = values


def provenance(plan: FusionPlan, registration: Registration, weights: Weights) -> dict[str, str]:
    """What the output's metadata say of its making."""
    from ..network.weights import finetuned

    tuned = finetuned(weights.header)
    masked = {"OTFM_MASK": "polygons of ground that was not measured"} if plan.ms.unmeasured else {}
    return (
        ({"OTFM_FINETUNED": tuned} if tuned else {})
        | masked
        | {
            "OTFM_VERSION": VERSION,
            "OTFM_WEIGHTS_SHA256": plan.engine.weights_sha256,
            "OTFM_STEPS": str(plan.engine.steps),
            "OTFM_PRECISION": plan.engine.precision,
            "OTFM_MTF_GAIN": format_figure(registration.transfer.gain, ".4f"),
            "OTFM_TRANSFER_ROWS": _values(registration.transfer.rows),
            "OTFM_TRANSFER_COLUMNS": _values(registration.transfer.columns),
            "OTFM_SHIFT_ROWS_COLUMNS": " ".join(format_figure(s, ".3f") for s in registration.shift),
            "OTFM_RATIO": f"{plan.placement.ratio:.6g}",
            "OTFM_PAN": f"{Path(plan.pan.name).name} band {plan.pan.bands[0]}",
            "OTFM_MS": f"{Path(plan.ms.name).name} bands {' '.join(map(str, plan.ms.bands))}",
        }
    )


def _values(values: Iterable[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _load_network() -> None:
    """Import what needs torch; an error comes again where it is used."""
    with suppress(Exception):
        import_module(".adapt", __package__)


def _remembering(progress: Progress, notices: list[Notice]) -> Progress:
    """The same, with every warning kept in a list too."""

    def notice(found: Notice) -> None:
        notices.append(found)
        progress.warn(found)

    return replace(progress, notice=notice)


def _explain(sentences: Iterable[str], progress: Progress) -> None:
    for sentence in sentences:
        progress.explain(sentence)
