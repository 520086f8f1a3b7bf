"""A scene measured and cut into parts: its plan, kept as JSON beside the output, and what of it is done already."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from osgeo import gdal

from ..model.errors import InputError, OutputError, PansharpenError
from ..model.fusion.check import CheckedPair, check_output, check_pair
from ..model.fusion.job import FusionJob
from ..model.fusion.memory import (
    FIXED_PART,
    LARGEST_BUDGET,
    MEGABYTE,
    WorkPlan,
    pixel_bytes,
    want_of_memory_said,
)
from ..model.fusion.pipeline import judged, plan_pair, provenance
from ..model.fusion.plan import FusionPlan
from ..model.geometry.grids import Window
from ..model.network.flow_network import NetworkConfig
from ..model.product.inputs import ms_source, pan_source
from ..model.product.run import INPUTS, SETTINGS
from ..model.progress import Progress
from ..model.raster.files_behind import files_behind
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.raster.places import check_place
from ..model.raster.source import RasterSource
from ..model.raster.windows import opened_pair
from ..model.version import VERSION
from .job import COG, NO_FIGURES, Figures, Scene, Settings
from .storage import is_remote, names, read_bytes, read_text, remove, size, stamp, write_text

FORMAT = "otfm-pansharpen-fleet-1"
LARGEST_PART = 2048  # PAN pixels along its side: what the death of a worker costs
SHARE_OF_PART = 0.125  # of a worker's memory that the pixels of a part may take


@dataclass(frozen=True)
class ScenePlan:
    """What decides a scene's pixels and parts.

    part       side of a part in PAN pixels, whole tiles        provenance   what the metadata of the output say
    inputs, settings   what it was made from, by which a later run knows whether it still holds
    """

    plan: FusionPlan
    part: int
    inputs: str
    settings: str
    provenance: dict[str, str]
    figures: Figures

    def to_json(self) -> str:
        """The plan as text, which `from_json` reads back exactly."""
        values = {f: getattr(self, f) for f in ("part", "inputs", "settings", "provenance")}
        plan = json.loads(self.plan.to_json())
        return json.dumps({"format": FORMAT, **values, "figures": asdict(self.figures), "plan": plan}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> ScenePlan:
        """A plan that `to_json` wrote. Raises InputError where the text is none."""
        try:
            values = json.loads(text)
            if values.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            plan = FusionPlan.from_json(json.dumps(values.pop("plan")))
            return cls(plan=plan, figures=Figures(**values.pop("figures")), **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"This is not a plan of a scene ({error}). Delete it to plan the scene again.") from error

    @functools.cached_property
    def digest(self) -> str:
        """What names its parts: parts of another plan are not taken for its own."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def windows(self) -> list[Window]:
        """Of PAN, one a part."""
        return self.plan.window.split(self.part)

    def part_name(self, window: Window) -> str:
        """File name of a part."""
        row, column = window.top - self.plan.window.top, window.left - self.plan.window.left
        return f"{row:06d}_{column:06d}_{self.digest}.tif"

    @property
    def facts(self) -> dict[str, str]:
        """Metadata of a complete output."""
        return {**self.provenance, INPUTS: self.inputs, SETTINGS: self.settings}


@dataclass(frozen=True)
class Found:
    """A scene as its planning left it: complete already, or `missing` (numbers of) parts of `parts` to be made."""

    complete: bool
    figures: Figures = NO_FIGURES
    digest: str = ""
    parts: int = 0
    missing: tuple[int, ...] = ()
    pixels: int = 0


def plan_scene(scene: Scene, settings: Settings, memory: int | None = None) -> Found:
    """Plan a scene, or take up what an earlier run has left. `memory` is what a worker has, in MB.

    Raises PansharpenError.
    """
    with gdal_exceptions():
        inputs, decisive = inputs_of(scene), _decisive(scene, settings)
        kept = _kept(scene, inputs, decisive)
        if complete(scene, settings, inputs, decisive):
            if settings.form == COG:
                remove(scene.beside("parts"))  # that a worker left which died when all was done
            return Found(True, kept.figures if kept else NO_FIGURES)
        plan = kept or _planned(scene, settings, memory, inputs, decisive)
        if kept is None:
            write_text(scene.beside("plan.json"), plan.to_json())
    there = names(scene.beside("parts"))
    missing = tuple(i for i, w in enumerate(plan.windows) if plan.part_name(w) not in there)
    pixels = plan.plan.window.width * plan.plan.window.height
    return Found(False, plan.figures, plan.digest, len(plan.windows), missing, pixels)


@functools.lru_cache(maxsize=8)
def read_plan(path: str, digest: str) -> ScenePlan:
    """A plan that is kept at a path. Raises InputError where it is gone or has become another one."""
    text = read_text(path)
    if text is None:
        raise InputError(f"The plan {path} is gone. Run again.")
    plan = ScenePlan.from_json(text)
    if plan.digest != digest:
        raise InputError(f"The plan {path} was replaced during the run. Run each list once at a time.")
    return plan


@functools.lru_cache(maxsize=4)
def local_weights(path: str) -> str:
    """A weights file on this machine: the path itself, or a copy of one in a store. Raises InputError."""
    if not is_remote(path):
        return path
    copy = Path(tempfile.mkdtemp(prefix="otfm-weights-")) / path.rpartition("/")[2]
    copy.write_bytes(read_bytes(path))
    return str(copy)


def complete(scene: Scene, settings: Settings, inputs: str, decisive: str) -> bool:
    """Whether the output is there and was made from the same files with the same settings."""
    if size(scene.output) is None:
        return False
    if settings.form != COG:
        held = json.loads(read_text(scene.output) or "{}").get("properties", {})
        return bool(held.get(INPUTS) == inputs and held.get(SETTINGS) == decisive)
    try:
        dataset = gdal.Open(scene.output)
        return bool(dataset.GetMetadataItem(INPUTS) == inputs and dataset.GetMetadataItem(SETTINGS) == decisive)
    except RuntimeError:
        return False


def _kept(scene: Scene, inputs: str, decisive: str) -> ScenePlan | None:
    """The plan of an earlier run, where it still holds."""
    text = read_text(scene.beside("plan.json"))
    try:
        plan = ScenePlan.from_json(text) if text else None
    except InputError:
        return None
    return plan if plan and (plan.inputs, plan.settings) == (inputs, decisive) else None


def _planned(scene: Scene, settings: Settings, memory: int | None, inputs: str, decisive: str) -> ScenePlan:
    pan, ms = sources(scene, settings)
    if not is_remote(scene.output):
        Path(scene.output).parent.mkdir(parents=True, exist_ok=True)
        check_place(Path(scene.output), [s.path for s in (pan, ms) if len(s.path) < 4096])
    with want_of_memory_said(), opened_pair(pan, ms) as (sharp, colours), tempfile.TemporaryDirectory() as folder:
        job = fusion_job(scene, settings, pan, ms, Path(folder))
        pair = check_output(check_pair(sharp, colours, job.data_type, None), job)
        weights, measured, plan, reduced = plan_pair(pair, job, Progress())
        quality = judged(pair, plan, weights, measured, reduced, Progress())
    registration = measured.registration
    figures = Figures(
        plan.placement.ratio, *registration.shift, registration.transfer.gain,
        quality.full.hqnr if quality.full else None, quality.reduced.ergas if quality.reduced else None,
    )  # fmt: skip
    _refuse_small_worker(plan, weights.network.config, memory)
    side = part_side(plan, pair, memory)
    return ScenePlan(plan, side, inputs, decisive, provenance(plan, registration, weights), figures)


def sources(scene: Scene, settings: Settings) -> tuple[RasterSource, RasterSource]:
    """PAN and MS of a scene. Call within `gdal_exceptions`. Raises InputError."""
    if scene.product is None:
        return RasterSource(scene.pan), RasterSource(scene.ms)
    facts = {"PRODUCT": scene.product.title, "SENSOR": scene.sensor, "ACQUISITION_DATE": scene.date}
    return pan_source(scene.product), ms_source(scene.product, settings.bands, {k: v for k, v in facts.items() if v})


def fusion_job(scene: Scene, settings: Settings, pan: RasterSource, ms: RasterSource, folder: Path) -> FusionJob:
    """What one machine would be asked for. Tiles are those of its usual memory, whatever a worker has."""
    ending = "cog.tif" if settings.creation_options else "tif"  # a plain GeoTIFF needs no trial
    return FusionJob(
        pan=pan,
        ms=ms,
        output=(folder if is_remote(scene.output) else Path(scene.output).parent) / f"trial.{ending}",
        weights=Path(local_weights(settings.weights_for(scene))),
        device="cpu",
        precision=settings.precision,
        tile=settings.tile,
        memory=LARGEST_BUDGET,
        align=settings.align,
        data_type=settings.data_type,
        creation_options=settings.creation_options,
    )


def work_of_a_task(plan: FusionPlan, tiles: int) -> WorkPlan:
    """So many tiles at once, each on one thread: Dask runs as many tasks as a worker has threads."""
    return WorkPlan(plan.work.side, tiles, 1, plan.work.cache)


def part_side(plan: FusionPlan, pair: CheckedPair, memory: int | None) -> int:
    """Whole tiles along the side of a part, whose pixels take a small share of a worker's memory (MB)."""
    pixel = len(pair.ms.bands) * gdal.GetDataTypeSize(gdal.GetDataTypeByName(plan.form.type)) // 8
    room = math.inf if memory is None else math.sqrt(SHARE_OF_PART * memory * MEGABYTE / pixel)
    return max(int(min(room, LARGEST_PART)) // plan.work.side, 1) * plan.work.side


def _refuse_small_worker(plan: FusionPlan, config: NetworkConfig, memory: int | None) -> None:
    """Raises PansharpenError where a worker's memory (MB) does not hold a tile."""
    around = plan.work.side + 2 * config.halo * plan.engine.steps
    needed = FIXED_PART + pixel_bytes(config, plan.engine.dtype, len(plan.ms.bands)) * around**2 // MEGABYTE
    if memory is not None and memory < needed:
        raise PansharpenError(
            f"A worker has {memory} MB for each of its threads, but a tile of {plan.work.side} pixels takes {needed} "
            "MB. Start workers with fewer threads or more memory, or give a smaller --tile."
        )


def inputs_of(scene: Scene) -> str:
    """Name, size and time of every file that the scene is read from."""
    files = scene.product.files if scene.product else (scene.pan, scene.ms)
    behind = [f for file in files for f in (sorted(files_behind(file) | {file}) if os.path.isfile(file) else [file])]
    return "; ".join(stamp(f) for f in dict.fromkeys(behind))


def _decisive(scene: Scene, settings: Settings) -> str:
    """Settings that decide the bytes."""
    path = local_weights(settings.weights_for(scene))
    if not os.path.isfile(path):
        raise OutputError(f"The weights {path} are not on this worker. Put them where all workers see them.")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return f"{VERSION}; " + "; ".join(f"{k} {v}" for k, v in asdict(replace(settings, weights=digest)).items())
