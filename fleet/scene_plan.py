"""A scene measured and cut into parts, and what of it is finished already."""

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
from ..model.fusion.pipeline import estimate_quality, plan_pair, provenance
from ..model.fusion.plan import FusionPlan
from ..model.geometry.grids import Window
from ..model.network.flow_network import NetworkConfig
from ..model.network.weights import LARGEST_FILE
from ..model.product.inputs import ms_source, pan_source
from ..model.product.run import INPUTS, SETTINGS
from ..model.progress import Progress
from ..model.raster.delivered import confined
from ..model.raster.files_behind import files_behind
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.raster.places import check_place
from ..model.raster.source import RasterSource
from ..model.raster.windows import opened_pair
from ..model.version import VERSION
from .job import COG, NO_FIGURES, Figures, Scene, Settings
from .part_files import PartForm, list_parts, remove_parts
from .scene_state import read_state, state_path, verify_outputs, write_state
from .storage import DamagedFileError, is_remote, make_own_folder, make_way, read_bytes, size, stamp

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
        return json.dumps(
            {**values, "figures": asdict(self.figures), "plan": json.loads(self.plan.to_json())}, indent=1
        )

    @classmethod
    def from_json(cls, text: str) -> ScenePlan:
        """A plan that `to_json` wrote."""
        values = json.loads(text)
        plan = FusionPlan.from_json(json.dumps(values.pop("plan")))
        return cls(plan=plan, figures=Figures(**values.pop("figures")), **values)

    @functools.cached_property
    def digest(self) -> str:
        """What names its parts: parts of another plan are not taken for its own."""
        return _digest(self.to_json())

    @property
    def windows(self) -> list[Window]:
        """Of PAN, one a part."""
        return self.plan.window.split(self.part)

    @property
    def part_forms(self) -> list[PartForm]:
        """What each part has to be."""
        return [PartForm(self._stem(w), w, len(self.plan.outputs), self.plan.form.type) for w in self.windows]

    def _stem(self, window: Window) -> str:
        row, column = window.top - self.plan.window.top, window.left - self.plan.window.left
        return f"{row:06d}_{column:06d}_{self.digest}"

    @property
    def facts(self) -> dict[str, str]:
        """Metadata of a complete output."""
        return {**self.provenance, INPUTS: self.inputs, SETTINGS: self.settings}


@dataclass(frozen=True)
class Found:
    """A scene as its planning left it: complete already, or `missing` (numbers of) parts of `parts` to be made.

    notices   what was found damaged, and is made again
    """

    complete: bool
    figures: Figures = NO_FIGURES
    digest: str = ""
    parts: int = 0
    missing: tuple[int, ...] = ()
    pixels: int = 0
    notices: tuple[str, ...] = ()


def plan_scene(scene: Scene, settings: Settings, memory: int | None = None) -> Found:
    """Plan a scene that is not complete. `memory` is what a worker has, in MB. Raises PansharpenError.

    Nothing of an earlier plan is believed, because whoever can write there could have written it: the same scene has
    the same plan, so the parts of an earlier run still carry its digest.
    """
    with gdal_exceptions():
        inputs, decisive = inputs_of(scene), _decisive(scene, settings)
        notices = []
        try:
            figures = _finished_figures(scene, inputs, decisive)
            if figures is not None:
                if settings.form == COG:
                    remove_parts(scene.beside("parts"))  # of a worker that died when all was done
                return Found(True, figures)
        except DamagedFileError as error:
            notices.append(f"{error}; it is made again.")
        if not is_remote(scene.output):
            make_way(scene.output)
        plan = _planned(scene, settings, memory, inputs, decisive)
        if not is_remote(scene.output):
            make_own_folder(scene.beside("parts"))
        write_state(scene, plan.to_json(), {})
    there = list_parts(scene.beside("parts"))
    missing = tuple(i for i, f in enumerate(plan.part_forms) if f.stem not in there)
    pixels = plan.plan.window.width * plan.plan.window.height
    return Found(False, plan.figures, plan.digest, len(plan.windows), missing, pixels, tuple(notices))


def _finished_figures(scene: Scene, inputs: str, decisive: str) -> Figures | None:
    """Figures of a complete scene, all of whose files were verified; None where it is not complete.

    Raises DamagedFileError where its state or a finished file is damaged.
    """
    state = read_state(state_path(scene))
    if state is None:
        if size(scene.output) is not None:
            raise DamagedFileError(f"{scene.output} is there, but not {state_path(scene)}")
        return None
    values = json.loads(state.plan)
    try:
        same = (values["inputs"], values["settings"]) == (inputs, decisive)
        figures = Figures(**{name: None if v is None else float(v) for name, v in values["figures"].items()})
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DamagedFileError(f"{state_path(scene)} is not the state of a scene ({error})") from error
    return figures if same and verify_outputs(scene, state) else None


@functools.lru_cache(maxsize=8)
def read_plan(path: str, digest: str) -> ScenePlan:
    """The plan of a scene that is in work. Raises InputError where it is gone or has become another one."""
    try:
        state = read_state(path)
    except DamagedFileError as error:
        raise InputError(f"{error}. Run again.") from error
    if state is None:
        raise InputError(f"The plan {path} is gone. Run again.")
    if _digest(state.plan) != digest:  # which also guards against plans that somebody made up
        raise InputError(f"The plan {path} was replaced during the run. Run each list once at a time.")
    return ScenePlan.from_json(state.plan)


def _digest(plan: str) -> str:
    return hashlib.sha256(plan.encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=4)
def local_weights(path: str) -> str:
    """A weights file on this machine: the path itself, or a copy of one in a store. Raises InputError."""
    if not is_remote(path):
        return path
    copy = Path(tempfile.mkdtemp(prefix="otfm-weights-")) / path.rpartition("/")[2]
    copy.write_bytes(read_bytes(path, LARGEST_FILE))
    return str(copy)


def _planned(scene: Scene, settings: Settings, memory: int | None, inputs: str, decisive: str) -> ScenePlan:
    pan, ms = sources(scene, settings)
    if not is_remote(scene.output):
        check_place(Path(scene.output), [s.path for s in (pan, ms) if len(s.path) < 4096])
    with want_of_memory_said(), opened_pair(pan, ms) as (sharp, colours), tempfile.TemporaryDirectory() as folder:
        job = fusion_job(scene, settings, pan, ms, Path(folder))
        pair = check_output(check_pair(sharp, colours, job.data_type, None), job)
        weights, measured, plan, reduced = plan_pair(pair, job, Progress())
        quality = estimate_quality(pair, plan, weights, measured, reduced, Progress())
    registration = measured.registration
    figures = Figures(
        plan.placement.ratio, *registration.shift, registration.transfer.gain,
        quality.hqnr, quality.ergas,
    )  # fmt: skip
    _refuse_small_worker(plan, weights.network.config, memory)
    side = part_side(plan, pair, memory)
    return ScenePlan(plan, side, inputs, decisive, provenance(plan, registration, weights), figures)


def sources(scene: Scene, settings: Settings) -> tuple[RasterSource, RasterSource]:
    """PAN and MS of a scene. Call within `gdal_exceptions`. Raises InputError."""
    if scene.product is None:
        return RasterSource(scene.pan), RasterSource(scene.ms)
    facts = {"PRODUCT": scene.product.title, "SENSOR": scene.sensor, "ACQUISITION_DATE": scene.date}
    with confined():
        pan = pan_source(scene.product)
        return pan, ms_source(scene.product, settings.bands, {k: v for k, v in facts.items() if v})


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
    if scene.product:  # whose files read no others
        return "; ".join(stamp(f) for f in scene.product.files)
    files = (scene.pan, scene.ms)
    behind = [f for file in files for f in (sorted(files_behind(file) | {file}) if os.path.isfile(file) else [file])]
    return "; ".join(stamp(f) for f in dict.fromkeys(behind))


def _decisive(scene: Scene, settings: Settings) -> str:
    """Settings that decide the bytes."""
    path = local_weights(settings.weights_for(scene))
    if not os.path.isfile(path):
        raise OutputError(f"The weights {path} are not on this worker. Put them where all workers see them.")
    digest = hashlib.sha256(read_bytes(path, LARGEST_FILE)).hexdigest()
    return f"{VERSION}; " + "; ".join(f"{k} {v}" for k, v in asdict(replace(settings, weights=digest)).items())
