"""A scene measured and cut into parts: everything that decides its pixels."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PureWindowsPath
from posixpath import basename
from typing import Any

import numpy as np
from osgeo import gdal

from ..model.codec import Codec
from ..model.errors import OutputError, PansharpenError, translate_memory_errors
from ..model.fusion.check import CheckedPair, check_output, check_pair
from ..model.fusion.job import FusionJob, SceneMetrics
from ..model.fusion.pipeline import estimate_quality, make_scene_metrics, plan_pair, provenance
from ..model.fusion.plan import MEGABYTE, PLAN_CLASSES, TILES_OF_A_GPU, FusionPlan, WorkPlan, estimate_pixel_bytes
from ..model.geometry.grids import Window
from ..model.network.flow_network import NetworkConfig
from ..model.network.weights import MAX_FILE_BYTES, compute_file_sha256
from ..model.options import BUNDLED, FIXED_PART, MAX_BUDGET
from ..model.product.inputs import choose_product_bands, ms_sources, pan_source
from ..model.product.run import INPUTS, SETTINGS
from ..model.progress import Progress
from ..model.raster.delivery import check_place
from ..model.raster.source import RasterSource
from ..model.raster.source_files import confined, files_behind
from ..model.raster.windows import open_pair
from ..model.version import VERSION
from .job import FleetScene, Settings
from .storage import is_remote, read_bytes, stamp

MAX_PART = 2048  # PAN pixels along the side of a part: the work that is lost where a worker dies
SHARE_OF_PART = 0.125  # of a worker's memory that the pixels of a part may take
DIGEST_DIGITS = 16  # of the SHA-256 of a plan, in the names of its parts
MAX_GROWTH = 2  # compressed over plain size, which no codec reaches
MAX_HEADER_BYTES = 2**24  # metadata and directories of a part


@dataclass(frozen=True)
class ScenePart:
    """A part as planned: the start of its file's name, its window of PAN, number of bands and GDAL's type."""

    stem: str
    window: Window
    bands: int
    type: str

    @property
    def identity(self) -> dict[str, str]:
        """Metadata of its file."""
        return {"OTFM_PART": self.stem}

    @property
    def max_bytes(self) -> int:
        """Upper limit of the size of its file."""
        pixel = self.bands * gdal.GetDataTypeSize(gdal.GetDataTypeByName(self.type)) // 8
        return MAX_GROWTH * self.window.width * self.window.height * pixel + MAX_HEADER_BYTES

    def fits(self, dataset: gdal.Dataset) -> bool:
        """Return whether a file is this part, and not another one."""
        type_name = gdal.GetDataTypeName(dataset.GetRasterBand(1).DataType)
        actual = (dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount, type_name)
        expected = (self.window.width, self.window.height, self.bands, self.type)
        return actual == expected and self.identity.items() <= dataset.GetMetadata().items()


@dataclass(frozen=True)
class VerifiedPart:
    """A part with the bytes that were written; `values` (bands, h, w) where they were asked for."""

    path: str
    size: int
    sha256: str
    clipped: Mapping[str, int]
    values: np.ndarray | None = None


@dataclass(frozen=True)
class ScenePlan:
    """The plan of a scene, which decides its pixels and parts."""

    plan: FusionPlan
    part: int  # side of a part in PAN pixels, whole tiles
    inputs: str  # files that it was made from
    settings: str  # and settings, by which a later run knows whether it still holds
    provenance: Mapping[str, str]  # metadata of the output
    metrics: SceneMetrics

    def to_values(self) -> dict[str, Any]:
        """Write the plan as values for JSON, which `from_values` reads back exactly."""
        return dict(json.loads(CODEC.to_json(self)))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> ScenePlan:
        """Read a plan from its values. Raises ValueError for other values."""
        plan = CODEC.from_json(json.dumps(values))
        if not isinstance(plan, cls):
            raise ValueError("it holds no plan")
        return plan

    @property
    def digest(self) -> str:
        """Digest in the names of its parts: parts of another plan are not taken for its own."""
        return compute_digest(self.to_values())[:DIGEST_DIGITS]

    @property
    def parts(self) -> list[ScenePart]:
        """The parts, row by row."""
        whole, digest, bands = self.plan.window, self.digest, len(self.plan.outputs)
        return [
            ScenePart(f"{w.top - whole.top:06d}_{w.left - whole.left:06d}_{digest}", w, bands, self.plan.form.type)
            for w in whole.split(self.part)
        ]

    @property
    def facts(self) -> dict[str, str]:
        """Metadata of a complete output."""
        return {**self.provenance, INPUTS: self.inputs, SETTINGS: self.settings}


CODEC = Codec(*PLAN_CLASSES, ScenePlan, SceneMetrics)


def compute_digest(values: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of values for JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def measure_scene(scene: FleetScene, settings: Settings, memory: int | None, inputs: str, decisive: str) -> ScenePlan:
    """Measure and plan a scene for workers of so much memory (MB). Raises PansharpenError."""
    pair_sources = sources(scene, settings)
    if not is_remote(scene.output):
        check_place(Path(scene.output), [s.path for s in pair_sources if s.path])
    with translate_memory_errors(), open_pair(*pair_sources) as (pan, ms), tempfile.TemporaryDirectory() as folder:
        job = fusion_job(scene, settings, *pair_sources, Path(folder))
        pair = check_output(check_pair(pan, ms, job), job)
        weights, measured, plan, reduced = plan_pair(pair, job, Progress())
        quality = estimate_quality(pair, plan, weights, measured, reduced, Progress())
    _refuse_small_worker(plan, weights.network.config, memory)
    facts, metrics = provenance(plan, measured, weights), make_scene_metrics(plan, measured, quality)
    return ScenePlan(plan, part_side(plan, pair, memory), inputs, decisive, facts, metrics)


def sources(scene: FleetScene, settings: Settings) -> tuple[RasterSource, RasterSource]:
    """Return PAN and MS of a scene. Call within `gdal_exceptions`. Raises InputError."""
    if scene.product is None:
        return RasterSource(scene.pan), RasterSource(scene.ms)
    facts = {"PRODUCT": scene.product.title, "SENSOR": scene.sensor, "ACQUISITION_DATE": scene.date}
    with confined():
        pan, bands = pan_source(scene.product), choose_product_bands(scene.product, settings.bands)
        (ms,), _ = ms_sources(scene.product, bands, {k: v for k, v in facts.items() if v})
        return pan, ms


def fusion_job(scene: FleetScene, settings: Settings, pan: RasterSource, ms: RasterSource, folder: Path) -> FusionJob:
    """Make the job that one machine would do. Tiles are those of its usual memory, whatever a worker has."""
    ending = "cog.tif" if settings.options.creation_options else "tif"  # a plain GeoTIFF needs no trial
    output = (folder if is_remote(scene.output) else Path(scene.output).parent) / f"trial.{ending}"
    weights = Path(fetch_weights(settings.weights_for(scene)))
    return FusionJob(pan, ms, output, replace(settings.options, weights=weights, device="cpu", memory=MAX_BUDGET))


def plan_here(plan: FusionPlan, scene: FleetScene, settings: Settings) -> FusionPlan:
    """Adapt the plan to this machine: its copy of the weights, its device, one thread per tile beneath Dask."""
    weights = fetch_weights(settings.weights_for(scene))
    if settings.weights in BUNDLED:  # the plan may have chosen those of the sensor, on any system
        weights = str(Path(weights).with_name(PureWindowsPath(plan.engine.weights).name))
    engine = replace(plan.engine, weights=weights)
    tiles = 1
    if settings.options.device == "cuda":
        engine, tiles = replace(engine, devices=("cuda:0",)), TILES_OF_A_GPU
    return replace(plan, engine=engine, work=WorkPlan(plan.work.side, tiles, 1, plan.work.cache))


def part_side(plan: FusionPlan, pair: CheckedPair, memory: int | None) -> int:
    """Choose the side of a part: whole tiles, whose pixels take a small share of a worker's memory (MB)."""
    pixel = len(pair.ms.bands) * gdal.GetDataTypeSize(gdal.GetDataTypeByName(plan.form.type)) // 8
    room = math.inf if memory is None else math.sqrt(SHARE_OF_PART * memory * MEGABYTE / pixel)
    return max(int(min(room, MAX_PART)) // plan.work.side, 1) * plan.work.side


def _refuse_small_worker(plan: FusionPlan, config: NetworkConfig, memory: int | None) -> None:
    """Raise PansharpenError where a worker's memory (MB) does not hold a tile."""
    around = plan.work.side + 2 * config.halo * plan.engine.steps
    needed = FIXED_PART + estimate_pixel_bytes(config, plan.engine.dtype, len(plan.ms.bands)) * around**2 // MEGABYTE
    if memory is not None and memory < needed:
        raise PansharpenError(
            f"A worker has {memory} MB for each of its threads, but a tile of {plan.work.side} pixels takes {needed} "
            "MB. Start workers with fewer threads or more memory, or give a smaller --tile."
        )


def describe_inputs(scene: FleetScene) -> str:
    """Return name, size and time of every file that the scene is read from."""
    if scene.product:  # whose files read no others
        return "; ".join(stamp(f) for f in scene.product.files)
    files = (scene.pan, scene.ms)
    behind = [f for file in files for f in (sorted(files_behind(file) | {file}) if os.path.isfile(file) else [file])]
    return "; ".join(stamp(f) for f in dict.fromkeys(behind))


def collect_settings(scene: FleetScene, settings: Settings) -> str:
    """Return the settings that decide the bytes."""
    path = fetch_weights(settings.weights_for(scene))
    if not os.path.isfile(path):
        raise OutputError(f"The weights {path} are not on this worker. Put them where all workers see them.")
    more = {"weights": compute_file_sha256(Path(path)), "bands": settings.bands, "form": settings.form}
    decisive = {**asdict(settings.options), **more}
    return f"{VERSION}; " + "; ".join(f"{k} {v}" for k, v in decisive.items())


def fetch_weights(path: str) -> str:
    """Return a weights file on this machine: the path itself, or a copy of one in a store. Raises InputError."""
    return str(Path(_copy_weights(path, stamp(path)).name) / basename(path)) if is_remote(path) else path


@functools.cache
def _copy_weights(path: str, stamp: str) -> tempfile.TemporaryDirectory[str]:
    """Copy weights to a folder, removed when this process ends; another stamp is another copy."""
    folder = tempfile.TemporaryDirectory(prefix="otfm-weights-")
    (Path(folder.name) / basename(path)).write_bytes(read_bytes(path, MAX_FILE_BYTES))
    return folder
