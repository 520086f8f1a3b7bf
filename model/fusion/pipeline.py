"""The pipeline: check, measure, plan, run, deliver."""

from __future__ import annotations

import tempfile
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

from ..errors import InputError, OutputError, translate_memory_errors
from ..finetuning.job import FinetuneJob, TuningPair
from ..geometry.grids import Window
from ..notices import Notice, make_notice
from ..progress import Progress, format_duration
from ..raster.delivery import check_target
from ..raster.pixel_types import NUMPY_TYPES
from ..raster.source_files import list_sensor_names
from ..raster.stack import stack_sources
from ..raster.windows import open_pair
from ..raster.writer import RasterWriter
from ..scene.registration import Registration
from ..staging import remove_stale_runs
from ..version import VERSION
from ..weight_sets import choose_weights
from ..wording import format_figure
from . import run_log
from .check import CheckedPair, check_output, check_pair
from .job import FusionJob, FusionResult, SceneMetrics
from .measure import ADAPTED, MEASURING_SHARE, Measurement, cached_measurement

if TYPE_CHECKING:  # what needs torch is imported where it is used, so that a scene is measured while torch is loaded
    from ..network.weights import Weights
    from .plan import FusionPlan
    from .quality_estimate import QualityEstimate

MAX_CLIPPED = 0.25  # share of the values of MS; a few bright ones may be clipped, with a warning
MIN_STEPS = 2.0  # whole numbers over which the values of a band have to spread
TUNED_NAME = "tuned.safetensors"


def fuse(job: FusionJob, progress: Progress | None = None) -> FusionResult:
    """Sharpen MS with PAN and write the result. Raises PansharpenError; the target is then unchanged."""
    started = time.monotonic()
    notices: list[Notice] = []
    progress = _collect_warnings(progress or Progress(), notices)
    if job.more_ms:
        job = replace(job, ms=replace(stack_sources((job.ms, *job.more_ms), "MS"), bands=job.ms.bands), more_ms=())
    check_target(job.output, (job.pan.gdal_name, job.ms.gdal_name, str(job.options.weights)))
    run_log.report_stale_runs(remove_stale_runs(job.output.parent), progress)
    with translate_memory_errors(), open_pair(job.pan, job.ms) as (pan, ms):
        pair = check_output(check_pair(pan, ms, job), job)
        weights, measured, plan, reduced = plan_pair(pair, job, progress)
        quality = (
            estimate_quality(pair, plan, weights, measured, reduced, progress) if job.options.estimate_quality else None
        )
        grid, model = pan.grid.cropped(plan.window), pan.sensor_model(plan.window)
        with RasterWriter(job.output, grid, pair.crs, ms, plan.form, model) as writer:
            from .tiles import run_plan

            left = progress.after(ADAPTED if job.options.adapts else 0.0)
            devices = run_plan(plan, pan, ms, weights, writer, left)
            summary, facts = run_log.summarise_quality(quality), provenance(plan, measured.registration, weights)
            progress.check()
            writer.finish(facts)
    seconds = time.monotonic() - started
    progress.conclude(f"{summary}Done in {format_duration(seconds)}: {job.output}.")
    return FusionResult(
        output=job.output,
        device=", ".join(devices),
        metrics=make_scene_metrics(plan, measured, quality),
        weights_sha256=weights.sha256,
        seconds=seconds,
        bands=plan.ms.bands,
        notices=tuple(notices),
        sharpened=measured.statistics.trust > 0.0,
    )


def plan_pair(
    pair: CheckedPair, job: FusionJob, progress: Progress
) -> tuple[Weights, Measurement, FusionPlan, QualityEstimate]:
    """Measure a checked pair and decide everything, reporting what and why. Raises PansharpenError."""
    loading = threading.Thread(target=_load_network)
    loading.start()
    run_log.report_inputs(pair, progress)
    progress.check()
    measured = cached_measurement(pair, job, progress)
    loading.join()
    from ..network.weights import load_weights
    from .plan import choose_budget, choose_engine, make_plan
    from .quality_estimate import estimate_reduced

    options, names = job.options, list_sensor_names(pair.ms.dataset, [pair.ms.source.name, *pair.ms.files])
    path, why = choose_weights(options.weights, options.weights_for, names, pair.placement.ratio)
    weights = load_weights(path)
    engine, reason = choose_engine(job, weights)
    run_log.report_engine(engine, weights, why, reason, progress)
    run_log.report_measurement(measured, pair, job, progress)
    refuse_clipping(pair, measured)
    run_log.warn_of_scene(measured, pair, job, weights, progress)
    progress.report(MEASURING_SHARE)
    if job.options.adapts:
        weights = tune_on_scene(job, pair, weights, progress)
        engine = replace(engine, weights=str(weights.path), weights_sha256=weights.sha256)
    plan = make_plan(job, pair, measured, engine, weights)
    run_log.report_work(plan, job.options.memory or choose_budget(), progress)
    reduced = estimate_reduced(pair, plan, weights.network, measured.compared, progress.check)
    if reduced.network_share < 1.0:
        run_log.warn_network_left_out(reduced, progress)
        plan = replace(plan, network_share=reduced.network_share)
    return weights, measured, plan, reduced


def tune_on_scene(job: FusionJob, pair: CheckedPair, weights: Weights, progress: Progress) -> Weights:
    """Tune weights on the whole scene, as its statistics are those of the whole, so that parts of it fit together.

    They are kept where `job.weights_out` says. Where nothing better is found, `weights` themselves
    are returned, with a warning where the scene cannot be tuned on. Raises PansharpenError.
    """
    from ..finetuning.finetune import finetune
    from ..network.weights import load_weights

    options = job.options
    with tempfile.TemporaryDirectory(prefix="otfm-") as folder:
        tuning = FinetuneJob(
            pairs=(TuningPair(job.pan, job.ms),), output=job.weights_out or Path(folder) / TUNED_NAME,
            start=weights.path, minutes=options.adapt, steps=options.adapt_steps, device=options.device,
            seed=options.seed, keep=False,
        )  # fmt: skip

        def report(share: float) -> None:
            progress.report(MEASURING_SHARE + (ADAPTED - MEASURING_SHARE) * share)

        def explain(line: str) -> None:
            if folder not in line:  # which no longer exists when the log is read
                progress.explain(line)

        run_log.report_tuning(job, progress)
        try:
            tuned = finetune(tuning, replace(progress, report=report, log=explain), [(pair.pan, pair.ms)])
        except InputError as error:
            progress.warn(make_notice("not_tuned", {}, error=error))
            return weights
        run_log.report_tuned(tuned, progress)
        return load_weights(tuned.output) if tuned.improved else weights


def estimate_quality(
    pair: CheckedPair,
    plan: FusionPlan,
    weights: Weights,
    measured: Measurement,
    reduced: QualityEstimate,
    progress: Progress,
) -> QualityEstimate:
    """Estimate the quality of the result on pieces of the scene; report it, with a warning where it is not good."""
    from .quality_estimate import estimate_full

    estimate = estimate_full(reduced, pair, plan, weights.network, measured.pieces, progress.check)
    run_log.report_quality(estimate, progress)
    return estimate


def make_scene_metrics(plan: FusionPlan, measured: Measurement, quality: QualityEstimate | None) -> SceneMetrics:
    """Put together the measurements of a scene."""
    registration = measured.registration
    return SceneMetrics(
        ratio=plan.placement.ratio,
        shift=registration.shift,
        gain=registration.transfer.gain,
        hqnr=quality.hqnr if quality else None,
        ergas=quality.ergas if quality else None,
    )


def refuse_clipping(pair: CheckedPair, measured: Measurement) -> None:
    """Raise OutputError where most values of a band lie beyond the range of the output, or between whole numbers."""
    low, high = pair.form.limits
    if pair.rounds and measured.spread < MIN_STEPS:
        raise OutputError(
            f"MS holds fractions from {measured.least:.4g} to {measured.most:.4g}, and as whole "
            f"numbers ({pair.form.type}) nearly all of it is lost. Leave DATA_TYPE as MS, or scale MS first, for "
            "example with gdal:translate."
        )
    share = measured.estimate_share_outside(low, high)
    if share > MAX_CLIPPED:
        raise OutputError(
            f"{100 * share:.0f} % of the values of a band of MS ({measured.least:.6g} to {measured.most:.6g}) lie "
            f"beyond what {pair.form.type} holds ({low:.6g} to {high:.6g}) and would be clipped. Leave DATA_TYPE as "
            f"MS, or stretch MS first: gdal_translate -ot {pair.form.type} -scale {measured.usual[0]:.6g} "
            f"{measured.usual[1]:.6g} {low + 1.0:.6g} {high:.6g}."
        )


def fuse_window(plan: FusionPlan, window: Window, progress: Progress | None = None) -> NDArray[Any]:
    """Fuse a window of the plan to (bands, h, w), in any process that reads the plan's rasters and weights.

    A window made of whole tiles (`plan.tiles()`) has the bytes of the whole run. Raises PansharpenError.
    """
    from .tiles import run_plan

    weights = plan.engine.load()
    with translate_memory_errors(), open_pair(plan.pan, plan.ms) as (pan, ms):
        target = ArrayTarget(len(ms.bands), window, plan.form.type)
        run_plan(replace(plan, window=window), pan, ms, weights, target, progress or Progress())
    return target.values


class ArrayTarget:
    """An array that tiles are written to."""

    def __init__(self, bands: int, window: Window, type_name: str) -> None:
        self.values: NDArray[Any] = np.empty((bands, window.height, window.width), dtype=NUMPY_TYPES[type_name])

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Take (bands, h, w) at a window of the output."""
        self.values[:, window.top : window.bottom, window.left : window.right] = values


def provenance(plan: FusionPlan, registration: Registration, weights: Weights) -> dict[str, str]:
    """Return the metadata of the output that record its origin."""
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
            "OTFM_TRANSFER_ROWS": _format_values(registration.transfer.rows),
            "OTFM_TRANSFER_COLUMNS": _format_values(registration.transfer.columns),
            "OTFM_SHIFT_ROWS_COLUMNS": " ".join(format_figure(s, ".3f") for s in registration.shift),
            "OTFM_RATIO": f"{plan.placement.ratio:.6g}",
            "OTFM_PAN": f"{Path(plan.pan.name).name} band {plan.pan.bands[0]}",
            "OTFM_MS": f"{Path(plan.ms.name).name} bands {' '.join(map(str, plan.ms.bands))}",
        }
    )


def _format_values(values: Iterable[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _load_network() -> None:
    """Import what needs torch; an error comes again where it is used."""
    with suppress(Exception):
        import_module(".quality_estimate", __package__)


def _collect_warnings(progress: Progress, notices: list[Notice]) -> Progress:
    """Return the progress with every warning kept in a list too."""

    def collect(notice: Notice) -> None:
        notices.append(notice)
        progress.warn(notice)

    return replace(progress, notice=collect)
