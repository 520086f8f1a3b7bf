"""Fine-tuning on a user's own scenes: Wald pairs made from them, full-resolution terms, held-out blocks that decide.

The steps are those of `training`; here are the recipe, the clock, the choice of the best weights, and their writing.
"""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from ..devices import choose_device, choose_precision
from ..errors import CancelledError, InputError, OutputError
from ..fusion.pipeline import VERSION
from ..geometry.grids import RATIO_TOLERANCE
from ..network.flow_network import FlowNetwork
from ..network.weights import BUNDLED, DEFAULT_SET, Weights, load_weights, save_weights
from ..progress import Caller
from ..raster.reader import RasterSource, gdal_exceptions
from ..raster.writer import check_place
from ..training.adaptation import AdaptationConfig
from ..training.simulation import SimulationConfig
from ..training.trainer import Run, TrainingConfig
from .evaluation import Figures, Judge, mean_figures
from .holdout import Scene, read_scene

READING_SHARE = 0.06  # of the progress bar
FINISHING_SHARE = 0.04
CHECKS = 20  # how often the held-out blocks are looked at
PATIENCE = 8  # looks without a better result, after which training ends
HQNR_PRICE = 3.0  # a loss of 0.01 in HQNR at full resolution counts as much as 3 % more ERGAS
PATCHES = (96, 64)  # sides of patches in PAN pixels; the largest that fits a scene well is taken
LARGEST_CROP = 256


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune; found by measurement, docs/finetuning.md, and saved with the weights.

    rate, floor      learning rate at which it begins and ends, along a cosine
    gain_spread      how far, relatively, simulated MTF gains lie from the measured one
    noise            share of the scene's own PAN noise that simulated pairs get
    """

    rate: float = 2e-3
    floor: float = 1e-5
    batch: int = 8
    pool: int = 16
    renewal: int = 2
    warmup: int = 20
    ema: float = 0.99
    flow_share: float = 0.1
    gain_spread: float = 0.05
    noise: float = 0.5
    shift: float = 0.05
    adapt: AdaptationConfig = field(
        default_factory=lambda: AdaptationConfig(every=4, spectral=1.0, spatial=0.0, nearness=0.0, scenes=8, side=192)
    )


@dataclass(frozen=True)
class TuningPair:
    """A scene; `extent` is (x least, y least, x most, y most) in PAN's system, None for all that both cover."""

    pan: RasterSource
    ms: RasterSource
    extent: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class FinetuneJob:
    """What to do, with pairs of one sensor. `steps`, where given, count in place of `minutes`."""

    pairs: tuple[TuningPair, ...]
    output: Path
    start: Path = BUNDLED[DEFAULT_SET]
    minutes: float = 3.0
    steps: int | None = None
    device: str = "auto"
    seed: int = 1
    keep: bool = True
    report: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Look:
    """What one look at the held-out blocks found: after how many steps and seconds, mean loss since the last, ERGAS."""

    step: int
    seconds: float
    loss: float
    ergas: float


@dataclass(frozen=True)
class FinetuneResult:
    """What was done. `improved` is False where the start weights were the best and were written unchanged."""

    output: Path
    before: Figures
    after: Figures
    improved: bool
    steps: int
    seconds: float
    weights_sha256: str
    looks: tuple[Look, ...]


def finetune(job: FinetuneJob, caller: Caller | None = None) -> FinetuneResult:
    """Fine-tune and write the weights. Raises PansharpenError; the target is then as it was before."""
    with gdal_exceptions(), torch.random.fork_rng():
        inputs = [path for pair in job.pairs for path in (pair.pan.path, pair.ms.path)]
        for path in (p for p in (job.output, job.report) if p):
            check_place(path, [*inputs, *map(str, BUNDLED.values())])
        if job.output.suffix.lower() != ".safetensors":
            raise OutputError(f"Weights are written as .safetensors, not as {job.output.name}. Change the extension.")
        if job.report:
            from .report import refuse_without_matplotlib

            refuse_without_matplotlib()
        return _Finetuning(job, caller or Caller()).run()


class _Finetuning:
    def __init__(self, job: FinetuneJob, caller: Caller) -> None:
        self.started = time.monotonic()
        self.job, self.caller = job, caller
        self.start: Weights = load_weights(job.start)
        self.device = choose_device(job.device)
        self.dtype, reason = choose_precision("auto", self.device)
        name = self.start.header.get("name", "?")
        caller.log(f"Start: {name}, SHA-256 {self.start.sha256}.")
        caller.log(f"Device: {self.device}, {str(self.dtype).removeprefix('torch.')} ({reason}).")
        self.looks: list[Look] = []

    def run(self) -> FinetuneResult:
        job, caller = self.job, self.caller
        self.scenes = self._read()
        run = self._prepare(self.scenes)
        caller.progress(READING_SHARE)
        check = caller.check
        self.judges = [Judge(s, self.start.network, self.device, self.dtype, check) for s in self.scenes]
        before = self._judged(self.start.network)
        caller.log(f"Held-out blocks before: {_described(before)}.")
        self.best, self.before, self.after, self.demerit = self.start.network, before, before, 1.0
        self.looks.append(Look(0, time.monotonic() - self.started, math.nan, before.ergas))
        cancelled = self._train(run)
        improved = self.best is not self.start.network
        if cancelled and not (job.keep and improved):
            raise CancelledError
        caller.log(f"Held-out blocks after: {_described(self.after)}." if improved else UNCHANGED)
        digest = self._write(run)
        seconds = time.monotonic() - self.started
        result = FinetuneResult(job.output, before, self.after, improved, run.step, seconds, digest, tuple(self.looks))
        if job.report:
            self._report(result)
        caller.progress(1.0)
        caller.log(f"Done in {time.monotonic() - self.started:.0f} s, {run.step} steps: {job.output}.")
        return result

    def _read(self) -> list[Scene]:
        """All scenes. Raises InputError where they are not of one kind."""
        scenes: list[Scene] = []
        for number, pair in enumerate(self.job.pairs):
            rng = np.random.default_rng([self.job.seed, number, 9])
            pan = pair.pan if pair.pan.bands else replace(pair.pan, bands=(1,))
            scene = read_scene(pan, pair.ms, pair.extent, rng, self.caller.check)
            first = (scenes or [scene])[0]
            if (
                abs(scene.ratio / first.ratio - 1.0) > RATIO_TOLERANCE
                or scene.statistics.bands != first.statistics.bands
            ):
                raise InputError(
                    f"{scene.ms} has {scene.statistics.bands} bands at ratio {scene.ratio:.3g}, but {first.ms} has "
                    f"{first.statistics.bands} at {first.ratio:.3g}. Fine-tune on pairs of one sensor."
                )
            scenes.append(scene)
            self.caller.progress(READING_SHARE * 0.6 * (number + 1) / len(self.job.pairs))
            blocks = sum(len(p.blocks) for p in scene.pieces)
            row, column = scene.relation.shift
            self.caller.log(
                f"{scene.ms}: {scene.statistics.bands} bands, ratio {scene.ratio:.4g}, MTF gain "
                f"{scene.relation.gain:.3f}, shift {row:+.2f} rows, {column:+.2f} columns, noise of PAN "
                f"{scene.noise:.3f} deviations; {len(scene.pieces)} windows, {blocks} blocks held out."
            )
        return scenes

    def _prepare(self, scenes: Sequence[Scene]) -> Run:
        """The training run. Raises InputError where the scenes leave too little to train on."""
        recipe = self.job.recipe
        sources = [source for number, scene in enumerate(scenes) for source in scene.sources(str(number))]
        if not sources:
            raise InputError("No window of the scenes is left to train on: too many gaps. Choose other scenes.")
        crop = min(LARGEST_CROP, *(min(s.ms.shape[-2:]) for s in sources))
        fitting = [p for p in PATCHES if p <= 0.7 * crop]
        side = min(recipe.adapt.side, *(min(s.pair.pan.shape) for s in sources if s.pair))
        config = TrainingConfig(
            regression=0, transport=0, adaptation=self.job.steps or 1, rates=(recipe.rate,) * 3,
            floors=(recipe.floor,) * 3, batch=recipe.batch, patch=fitting[0], pool=recipe.pool, renewal=recipe.renewal,
            warmup=recipe.warmup, ema=recipe.ema, flow_share=recipe.flow_share, seed=self.job.seed,
            half_precision=self.dtype is torch.bfloat16, adapt=replace(recipe.adapt, side=side),
        )  # fmt: skip
        run = Run(self.start.network.config, simulation(scenes, crop, recipe), config, sources, self.device)
        run.start_from(self.start.network)
        return run

    def _train(self, run: Run) -> bool:
        """Train and look at the held-out blocks from time to time; returns whether the user cancelled."""
        losses: list[torch.Tensor] = []
        looked, done = 0.0, False
        try:
            run.pool.advance(0, self.caller.check)
            began = time.monotonic()
            while not done:
                self.caller.check()
                losses.append(run.advance())
                share, left = self._plan(run, began)
                self.caller.progress(READING_SHARE + (1.0 - READING_SHARE - FINISHING_SHARE) * share)
                done = run.step >= run.config.steps
                if done or share - looked >= 1.0 / CHECKS:
                    looked, loss = share, float(torch.stack(losses).mean())
                    losses.clear()
                    if not math.isfinite(loss):
                        self.caller.log(f"Training diverged before step {run.step}; the best weights until then count.")
                        return False
                    self._look(run, loss, left)
                    done = done or self._in_vain()
        except CancelledError:
            return True
        return False

    def _plan(self, run: Run, began: float) -> tuple[float, float]:
        """Fit the number of steps to the minutes by the pace so far; returns the share done and the seconds left.

        Steps that were asked for are counted, not timed: the same looks at the same steps give the same weights.
        """
        now = time.monotonic()
        pace = (now - began) / run.step
        if self.job.steps is not None:
            return run.step / run.config.steps, pace * (run.config.steps - run.step)
        left = max(self.started + 60.0 * self.job.minutes - now, 0.0)
        run.config = replace(run.config, adaptation=run.step + int(left / pace))
        return (now - began) / (now - began + left), left

    def _look(self, run: Run, loss: float, left: float) -> None:
        """Judge the averaged weights and keep them where they are the best so far: ERGAS, and what HQNR loses."""
        found = float(np.mean([j.ergas(run.average) for j in self.judges]))
        self.looks.append(Look(run.step, time.monotonic() - self.started, loss, found))
        verdict = ""
        share = found / self.before.ergas
        if share < self.demerit:
            figures = self._judged(run.average)
            demerit = share + HQNR_PRICE * max(0.0, self.before.hqnr - figures.hqnr)
            verdict = f", but HQNR falls to {figures.hqnr:.4f}"
            if demerit < self.demerit:
                self.best, self.after, self.demerit = copy.deepcopy(run.average), figures, demerit
                verdict = ", the best so far"
        self.caller.log(
            f"Step {run.step}: loss {loss:.4f}, ERGAS of the held-out blocks {found:.4f}{verdict}; "
            f"{_spoken(left)} left."
        )

    def _judged(self, network: FlowNetwork) -> Figures:
        return mean_figures([j.figures(network) for j in self.judges])

    def _in_vain(self) -> bool:
        """Whether the last looks brought nothing better."""
        return len(self.looks) > PATIENCE and min(self.looks, key=lambda k: k.ergas) not in self.looks[-PATIENCE:]

    def _write(self, run: Run) -> str:
        """Write the best weights; on a full disk, to the temporary folder, which the error then names."""
        notes = self._notes(run)
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

    def _notes(self, run: Run) -> dict[str, Any]:
        """What the header of the weights says."""
        parent = self.start.header
        return {
            "name": f"{self.job.output.stem}, fine-tuned from {parent.get('name', '?')}",
            **{key: parent[key] for key in ("method", "licence", "credits") if key in parent},
            "plugin": VERSION,
            "started_from": {"name": parent.get("name", "?"), "sha256": self.start.sha256},
            "finetuned": {
                "scenes": [_scene_notes(s) for s in self.scenes],
                "steps": run.step,
                "seed": self.job.seed,
                "recipe": asdict(self.job.recipe),
                "held_out_before": asdict(self.before),
                "held_out_after": asdict(self.after),
            },
        }

    def _report(self, result: FinetuneResult) -> None:
        """Write the report; where that fails the weights are written already, so it is said and no more."""
        from .report import write_report

        report = self.job.report
        if report is None:
            return
        count = 3
        crops = [
            (before, after)
            for j in self.judges for before, after in zip(j.crops(self.start.network, count), j.crops(self.best, count))
        ][:count]  # fmt: skip
        settings = {**self._settings(), **{f"recipe: {k}": v for k, v in asdict(self.job.recipe).items()}}
        try:
            write_report(report, result, crops, settings)
        except OSError as error:
            self.caller.log(f"Warning: the report {report} cannot be written ({error}); the weights are.")

    def _settings(self) -> dict[str, object]:
        scenes = {f"scene {n}": ", ".join(f"{k} {v}" for k, v in _scene_notes(s).items())
                  for n, s in enumerate(self.scenes, start=1)}  # fmt: skip
        return {
            "start": f"{self.start.header.get('name', '?')}, SHA-256 {self.start.sha256}",
            **scenes,
            "device": str(self.device),
            "seed": self.job.seed,
        }


UNCHANGED = (
    "Nothing better than the start weights was found on the held-out blocks, both resolutions counted: the start "
    "weights are written as they are. More minutes or more scenes of the sensor may help."
)


def simulation(scenes: Sequence[Scene], crop: int, recipe: Recipe) -> SimulationConfig:
    """The scenes' own sensor: their ratio, gain and noise, and nothing that they do not show."""
    gains = [s.relation.gain for s in scenes]
    spread = math.exp(recipe.gain_spread)
    return SimulationConfig(
        crop=crop, shrunk_share=0.0, gamma=1.0, glare=0.0, built_share=0.0, ratios=(scenes[0].ratio,) * 3,
        ratio_shares=(1.0, 0.0, 0.0), gain=(min(gains) / spread, min(max(gains) * spread, 0.7)), band_jitter=0.03,
        gain_error=0.02, shift=recipe.shift, noise=recipe.noise * float(np.mean([s.noise for s in scenes])),
        pan_blur=0.0, stray_share=0.0, paired_share=1.0, synthetic_share=0.0, coarse_share=0.0, saturated_share=0.0,
        haze_share=0.0, cloud_share=0.0, hole_share=0.0,
    )  # fmt: skip


def _scene_notes(scene: Scene) -> Mapping[str, Any]:
    return {
        "pan": scene.pan,
        "ms": scene.ms,
        "sensor": scene.sensor,
        "bands": scene.statistics.bands,
        "band_names": list(scene.band_names),
        "ratio": round(scene.ratio, 6),
        "gain": round(scene.relation.gain, 4),
    }


def _described(figures: Figures) -> str:
    return (
        f"ERGAS {figures.ergas:.4f}, SAM {figures.sam:.3f} degrees, Q2n {figures.q2n:.4f}; "
        f"HQNR at full resolution {figures.hqnr:.4f}"
    )


def _spoken(seconds: float) -> str:
    return f"{seconds / 60.0:.1f} minutes" if seconds >= 90.0 else f"{seconds:.0f} seconds"
