"""Fine-tuning on a user's own scenes. This module keeps the time, chooses the best weights and writes them.

`tuner` takes the steps, on Wald pairs and at full resolution; held-out blocks decide.
"""

from __future__ import annotations

import copy
import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from ..devices import choose_device
from ..errors import CancelledError, InputError, OutputError
from ..geometry.grids import RATIO_TOLERANCE
from ..inference.precision import choose_precision
from ..network.band_groups import order_by_correlation, reordering
from ..network.flow_network import FlowNetwork
from ..network.weights import Weights, load_weights, save_weights
from ..progress import Progress, format_duration
from ..quality.comparison import Figures
from ..quality.indices import INDICES
from ..raster.delivery import check_place
from ..raster.gdal_errors import gdal_exceptions
from ..raster.reader import Raster
from ..raster.stack import join_bands
from ..raster.windows import open_pair
from ..training.simulation_config import SimulationConfig
from ..version import VERSION
from ..weight_sets import bundled_files
from ..wording import format_figure, format_signed
from .evaluation import HoldoutEvaluator, mean_indices
from .holdout import TuningScene, read_scene
from .job import Evaluation, FinetuneJob, FinetuneResult, Recipe
from .report import write_report
from .tuner import Tuner

READING_SHARE, FINISHING_SHARE = 0.06, 0.04  # of the progress bar
EVALUATIONS = 5  # on the held-out blocks; more of them take time from the steps
WAY_BACK = (0.75, 0.5, 0.25)  # shares of the way from the start weights that are tried at the end
# A loss of 0.01 in HQNR at full resolution counts as much as 6 % more ERGAS.
HQNR_PRICE = 6.0
HQNR_NOISE = 0.001  # change of HQNR that does not count: it varies by that between evaluations
MIN_SECONDS = 1e-6  # of a step, also where a coarse clock has not moved; it divides
PATCH = 64  # side of patches in PAN pixels, which every crop holds
MAX_CROP = 256  # PAN pixels; larger crops take memory and time and add no variety
SHOWN = 3  # held-out blocks in the report

Pair = tuple[Raster, Raster]


def finetune(job: FinetuneJob, progress: Progress | None = None, pairs: Sequence[Pair] = ()) -> FinetuneResult:
    """Fine-tune and write the weights. Raises PansharpenError and then leaves the target unchanged.

    `pairs`, if given, are the rasters of the job's pairs, open already and MS read in PAN's reference system.
    """
    with gdal_exceptions(), torch.random.fork_rng():
        joined = (replace(p, ms=join_bands(p.ms, p.more_ms), more_ms=()) for p in job.pairs)
        job = replace(job, pairs=tuple(joined))
        inputs = [path for pair in job.pairs for path in (pair.pan.gdal_name, pair.ms.gdal_name)]
        for path in (p for p in (job.output, job.report) if p):
            check_place(path, [*inputs, str(job.start), *map(str, bundled_files())])
        if job.report and os.path.realpath(job.report) == os.path.realpath(job.output):
            raise OutputError(f"The report and weights cannot both be written to {job.output}. Choose two files.")
        if job.output.suffix.lower() != ".safetensors":
            raise OutputError(f"Weights are written as .safetensors, not as {job.output.name}. Change the extension.")
        return _Finetuning(job, progress or Progress(), pairs).run()


class _Finetuning:
    def __init__(self, job: FinetuneJob, progress: Progress, pairs: Sequence[Pair]) -> None:
        self.started = time.monotonic()
        self.job, self.progress, self.pairs = job, progress, pairs
        self.start: Weights = load_weights(job.start)
        self.device = choose_device(job.device)
        self.dtype, reason = choose_precision("auto", self.device, self.start.network)
        name = self.start.header.get("name", "?")
        progress.explain(f"Start: {name}, SHA-256 {self.start.sha256}.")
        progress.explain(f"Device: {self.device}, {str(self.dtype).removeprefix('torch.')} ({reason}).")
        self.evaluations: list[Evaluation] = []
        self.chosen = 0  # number of the best evaluation

    def run(self) -> FinetuneResult:
        job, progress = self.job, self.progress
        self.scenes = self._read()
        tuner = self._prepare(self.scenes)
        progress.report(READING_SHARE)
        check = progress.check
        self.evaluators = [HoldoutEvaluator(s, self.start.network, self.device, self.dtype, check) for s in self.scenes]
        before = self._measure_indices(self.start.network)
        progress.log(f"Held-out blocks before: {_describe_indices(before)}.")
        progress.log(SCORE)
        self.best, self.before, self.after = self.start.network, before, before
        self.evaluations.append(Evaluation(0, time.monotonic() - self.started, math.nan, before["ergas"]))
        cancelled = self._train(tuner)
        improved = self.best is not self.start.network
        if cancelled and not (job.keep and improved):
            raise CancelledError
        progress.log(f"Held-out blocks after: {_describe_indices(self.after)}." if improved else UNCHANGED)
        if job.steps is None and not cancelled:
            progress.log(self._describe_minutes(tuner.step))
        digest = self._write(tuner)
        seconds = time.monotonic() - self.started
        result = FinetuneResult(
            job.output, before, self.after, improved, tuner.step, seconds, digest, tuple(self.evaluations), self.chosen
        )
        failed = self._report(result)
        done = f"Done in {format_duration(time.monotonic() - self.started)}, {tuner.step} steps: {job.output}."
        progress.conclude(*([failed] if failed else []), done)
        return result

    def _read(self) -> list[TuningScene]:
        """Read all scenes. Raises InputError where sensors or orders of bands differ."""
        scenes: list[TuningScene] = []
        for number, pair in enumerate(self.job.pairs):
            rng = np.random.default_rng([self.job.seed, number, 9])
            opened = nullcontext(self.pairs[number]) if self.pairs else open_pair(pair.pan, pair.ms)
            with opened as (pan, ms):
                scene = read_scene(pan, ms, pair.extent, rng, self.progress.check, not self.pairs)
                numbers = ms.read_bands
            first = (scenes or [scene])[0]
            if (
                abs(scene.ratio / first.ratio - 1.0) > RATIO_TOLERANCE
                or scene.statistics.bands != first.statistics.bands
            ):
                raise InputError(
                    f"{scene.ms} has {scene.statistics.bands} bands at ratio {scene.ratio:.3g}, but {first.ms} has "
                    f"{first.statistics.bands} at {first.ratio:.3g}. Fine-tune on pairs of one sensor."
                )
            command = reordering(first.band_names, scene.band_names, numbers)
            if command:
                raise InputError(
                    f"The bands of {scene.ms} come as {', '.join(scene.band_names)}, those of {first.ms} as "
                    f"{', '.join(first.band_names)}. Tuning learns which band is which. Bring them into one order, for "
                    f"example with {command}."
                )
            scenes.append(scene)
            self.progress.report(READING_SHARE * 0.6 * (number + 1) / len(self.job.pairs))
            blocks = sum(len(w.blocks) for w in scene.windows)
            row, column = map(format_signed, scene.registration.shift)
            self.progress.log(
                f"{scene.ms}: {scene.statistics.bands} bands, ratio {scene.ratio:.4g}, MTF gain "
                f"{scene.registration.transfer.gain:.3f}, shift {row} rows, {column} columns, noise of PAN "
                f"{scene.noise:.3f} deviations; windows: {len(scene.windows)}, blocks held out: {blocks}."
            )
        return scenes

    def _prepare(self, scenes: Sequence[TuningScene]) -> Tuner:
        """Make the tuner. Raises InputError where the scenes leave too little to train on."""
        recipe = self.job.recipe
        sources = [source for number, scene in enumerate(scenes) for source in scene.sources(str(number))]
        if not sources:
            raise InputError("No window of the scenes is left to train on: too many gaps. Choose other scenes.")
        crop = min(MAX_CROP, *(min(s.ms.shape[-2:]) for s in sources))
        order = self.start.network.config.order
        if len(order) != scenes[0].statistics.bands:
            order = order_by_correlation(scenes[0].statistics)
        tuner = Tuner(
            self.start.network, order, recipe, simulation(scenes, crop, recipe), sources, PATCH, self.job.seed,
            self.device, self.dtype is torch.bfloat16,
        )  # fmt: skip
        tuner.steps = self.job.steps or 1
        return tuner

    def _train(self, tuner: Tuner) -> bool:
        """Train, and evaluate on the held-out blocks from time to time. Returns True if the user cancelled."""
        losses: list[torch.Tensor] = []
        evaluated, done = 0.0, False
        try:
            tuner.buffer.advance(0, self.progress.check)
            began = time.monotonic()
            while not done:
                self.progress.check()
                losses.append(tuner.advance())
                share, left = self._plan(tuner, began)
                self.progress.report(READING_SHARE + (1.0 - READING_SHARE - FINISHING_SHARE) * share)
                done = tuner.step >= tuner.steps
                if done or share - evaluated >= 1.0 / EVALUATIONS:
                    evaluated, loss = share, float(torch.stack(losses).mean())
                    losses.clear()
                    if not math.isfinite(loss):
                        self.progress.log(
                            f"Training diverged before step {tuner.step}; the best weights until then count."
                        )
                        return False
                    self._evaluate(tuner, loss, left)
            self._go_back(tuner)
        except CancelledError:
            return True
        return False

    def _plan(self, tuner: Tuner, began: float) -> tuple[float, float]:
        """Fit the number of steps to the minutes by the pace so far. Returns the share done and the seconds left.

        A given number of steps is counted, not timed: evaluations at the same steps give the same weights.
        """
        now = time.monotonic()
        pace = (now - began) / tuner.step
        if self.job.steps is not None:
            return tuner.step / tuner.steps, pace * (tuner.steps - tuner.step)
        left = max(self.started + 60.0 * self.job.minutes - now, 0.0)
        tuner.steps = tuner.step + int(left / max(pace, MIN_SECONDS))
        return (now - began) / max(now - began + left, MIN_SECONDS), left

    def _evaluate(self, tuner: Tuner, loss: float, left: float) -> None:
        """Evaluate the averaged weights, and keep them where they are the best so far."""
        verdict = self._consider(tuner.average, tuner.step, loss)
        self.progress.log(f"Step {tuner.step}: {verdict}; {format_duration(left)} left.")

    def _go_back(self, tuner: Tuner) -> None:
        """Evaluate weights between those before and after tuning: a part of the way may be better."""
        loss = self.evaluations[-1].loss
        for part in WAY_BACK:
            self.progress.check()
            verdict = self._consider(between(self.start.network, tuner.average, part), tuner.step, loss, part)
            self.progress.log(f"{100.0 * part:.0f} % of the way: {verdict}.")

    def _consider(self, network: FlowNetwork, step: int, loss: float, part: float = 1.0) -> str:
        """Evaluate a network and keep it where its score is the lowest yet. Returns a description."""
        indices = self._measure_indices(network)
        # Nothing is better than no error.
        share = indices["ergas"] / self.before["ergas"] if self.before["ergas"] else math.inf
        score = share + HQNR_PRICE * max(0.0, self.before["hqnr"] - indices["hqnr"] - HQNR_NOISE)
        self.evaluations.append(Evaluation(step, time.monotonic() - self.started, loss, indices["ergas"], score, part))
        if not score < self.evaluations[self.chosen].score:  # Also where it is NaN.
            return f"score {format_figure(score, '.4f')}"
        self.best, self.after, self.chosen = copy.deepcopy(network), indices, len(self.evaluations) - 1
        return f"score {format_figure(score, '.4f')}, the best so far"

    def _describe_minutes(self, steps: int) -> str:
        """Describe whether the minutes sufficed."""
        chosen, averaged = self.evaluations[self.chosen], round(1.0 / (1.0 - self.job.recipe.ema))
        if steps < averaged:  # The averaged weights have hardly left the start.
            return f"The minutes sufficed for {steps} steps only; {averaged} or more are usual. Give more minutes."
        if self.chosen and chosen.step == steps and chosen.part == 1.0:
            return "The score still fell at the end. More minutes may help."
        return "The minutes sufficed: the best weights came before the end."

    def _measure_indices(self, network: FlowNetwork) -> Figures:
        return mean_indices([e.indices(network) for e in self.evaluators])

    def _write(self, tuner: Tuner) -> str:
        """Write the best weights; on a full disk, to the temporary folder, which the error then names."""
        notes = self._make_notes(tuner)
        try:
            return save_weights(self.best, self.job.output, notes)
        except (OSError, SafetensorError) as error:
            failed = f"{self.job.output} cannot be written ({error})"
        try:
            refuge = Path(tempfile.mkdtemp(prefix="otfm-")) / self.job.output.name
            save_weights(self.best, refuge, notes)
        except (OSError, SafetensorError) as error:
            raise OutputError(f"{failed}, nor can the temporary folder ({error}). Make room and run again.") from error
        raise OutputError(
            f"{failed}. Nothing is lost: the fine-tuned weights are in {refuge}. Make room, or choose another folder, "
            "and move them there."
        )

    def _make_notes(self, tuner: Tuner) -> dict[str, Any]:
        """Return the notes for the header of the weights."""
        parent = self.start.header
        return {
            "name": f"{self.job.output.stem}, fine-tuned from {parent.get('name', '?')}",
            **{key: parent[key] for key in ("method", "licence", "credits") if key in parent},
            "plugin": VERSION,
            "started_from": {"name": parent.get("name", "?"), "sha256": self.start.sha256},
            "finetuned": {
                "scenes": [_describe_scene(s, self.job.sensor) for s in self.scenes],
                "steps": tuner.step,
                "seed": self.job.seed,
                "recipe": asdict(self.job.recipe),
                "held_out_before": self.before,
                "held_out_after": self.after,
            },
        }

    def _report(self, result: FinetuneResult) -> str:
        """Write the report, if any. Returns a warning where that fails: the weights are in place."""
        report = self.job.report
        if report is None:
            return ""
        try:
            for e in self.evaluators:
                e.check = lambda: None  # a cancelled run that keeps the weights has a report too
            crops = [
                (before, after)
                for e in self.evaluators
                for before, after in zip(e.crops(self.start.network, SHOWN), e.crops(self.best, SHOWN))
            ][:SHOWN]  # fmt: skip
            write_report(report, result, crops, self._list_settings())
        except Exception as error:  # whatever it is, the weights count
            return f"Warning: the report {report} cannot be written ({error}); the weights are."
        return ""

    def _list_settings(self) -> dict[str, object]:
        scenes = {f"scene {n}": _describe_scene(s, self.job.sensor) for n, s in enumerate(self.scenes, start=1)}
        return {
            "start": f"{self.start.header.get('name', '?')}, SHA-256 {self.start.sha256}",
            **scenes,
            "device": str(self.device),
            "seed": self.job.seed,
        }


SCORE = (
    "The score of weights is their ERGAS on the held-out blocks relative to the start, plus 0.06 for each 0.01 of HQNR "
    "that they lose. The start has 1, lower is better, and the lowest is written."
)
UNCHANGED = (
    "Nothing better than the start weights was found on the held-out blocks, both resolutions counted. The start "
    "weights are written unchanged. More minutes or more scenes of the sensor may help."
)


def simulation(scenes: Sequence[TuningScene], crop: int, recipe: Recipe) -> SimulationConfig:
    """Configure a simulation of the scenes' own sensor: their ratio, transfer functions and noise, nothing else."""
    noise = recipe.noise * float(np.mean([s.noise for s in scenes]))
    return SimulationConfig(
        crop=crop, shrunk_share=0.0, gamma=1.0, glare=0.0, built_share=0.0, ratios=(scenes[0].ratio,) * 3,
        ratio_shares=(1.0, 0.0, 0.0), transfers=tuple(s.registration.transfer for s in scenes), exact_share=1.0,
        band_jitter=recipe.gain_spread, shift=recipe.shift, band_shift=0.0, noise=noise, pan_noise=noise,
        pan_blur=0.0, stray_share=0.0, paired_share=1.0, synthetic_share=0.0, coarse_share=0.0, saturated_share=0.0,
        guides_share=0.0, sharpened_share=0.0, bright_share=0.0, haze_share=0.0, cloud_share=0.0, hole_share=0.0,
        smooth_share=0.0, low_gain_share=0.0, band_bend_share=0.0, ordered_share=recipe.ordered,
    )  # fmt: skip


@torch.no_grad()
def between(start: FlowNetwork, end: FlowNetwork, share: float) -> FlowNetwork:
    """Interpolate the weights of two networks, `share` of the way from `start` to `end`."""
    network = copy.deepcopy(end)
    for value, first in zip(network.parameters(), start.parameters()):
        value.copy_(first.to(value) + share * (value - first.to(value)))
    return network


def _describe_scene(scene: TuningScene, sensor: str) -> Mapping[str, Any]:
    return {
        "pan": scene.pan,
        "ms": scene.ms,
        "sensor": sensor or scene.sensor,
        "bands": scene.statistics.bands,
        "band_names": list(scene.band_names),
        "ratio": round(scene.ratio, 6),
        "gain": round(scene.registration.transfer.gain, 4),
    }


def _describe_indices(indices: Figures) -> str:
    return ", ".join(f"{INDICES[n].title} {format_figure(value, INDICES[n].form)}" for n, value in indices.items())
