"""The parts of a scene: made one by one, anywhere, and joined to one raster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from osgeo import gdal

from ..model.errors import InputError
from ..model.fusion.memory import TILES_OF_A_GPU, want_of_memory_said
from ..model.fusion.pipeline import run_plan
from ..model.fusion.plan import FusionPlan
from ..model.geometry.grids import Window
from ..model.progress import Progress
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.raster.windows import opened_pair
from ..model.raster.writer import RasterWriter
from ..model.staging import remove_stale_runs
from .catalogue import write_catalogue
from .job import COG, Scene, Settings
from .scene_plan import ScenePlan, inputs_of, local_weights, read_plan, work_of_a_task
from .storage import child, finished, is_remote, names, remove, size

KEPT_OPTIONS = ("COMPRESS=LZW",)  # of parts that stay; those that are joined are gone soon
JOINING_THREADS = "NUM_THREADS=2"  # compress: the last scene's other workers are idle


@dataclass(frozen=True)
class Joined:
    """Bytes of a finished output, or the numbers of parts that have to be made (again) first."""

    bytes: int = 0
    missing: tuple[int, ...] = ()


def make_part(scene: Scene, settings: Settings, digest: str, number: int) -> int:
    """Fuse a part and write it under its name, complete; returns its bytes. Raises PansharpenError."""
    made = read_plan(scene.beside("plan.json"), digest)
    window, plan = made.windows[number], _here(made.plan, scene, settings)
    path = child(scene.beside("parts"), made.part_name(window))
    options = () if settings.form == COG else (settings.creation_options or KEPT_OPTIONS)
    form = replace(plan.form, options=options, overviews=False)
    with (
        want_of_memory_said(),
        opened_pair(plan.pan, plan.ms) as (pan, ms),
        finished(path) as local,
        RasterWriter(local, pan.grid.cropped(window), pan.crs or ms.crs, ms, form) as writer,
    ):
        run_plan(replace(plan, window=window), pan, ms, plan.engine.load(), writer, Progress())
        writer.finish(made.provenance)
    return size(path) or 0


def join_parts(scene: Scene, settings: Settings, digest: str) -> Joined:
    """Make the output of all parts, or say which are missing. Raises PansharpenError."""
    made = read_plan(scene.beside("plan.json"), digest)
    folder, windows = scene.beside("parts"), made.windows
    there = names(folder)
    missing = tuple(i for i, w in enumerate(windows) if made.part_name(w) not in there)
    if missing:
        return Joined(missing=missing)
    _refuse_mixtures(scene, made)
    if settings.form == COG:
        _write(made, scene, settings)
        remove(folder)
    else:
        write_catalogue(made, scene)
        own = {made.part_name(w) for w in windows}
        for left in names(folder) - own:
            gdal.Unlink(child(folder, left))
        if not is_remote(folder):
            remove_stale_runs(Path(folder))
    return Joined(size(scene.output) or 0)


def _refuse_mixtures(scene: Scene, made: ScenePlan) -> None:
    """Raises InputError where a file has changed since the scene was planned: parts may be of both states."""
    with gdal_exceptions():
        before, now = made.inputs.split("; "), inputs_of(scene).split("; ")
    if before != now:
        changed = ", ".join(stamp for stamp in now if stamp not in before) or "a file that is gone"
        raise InputError(
            f"The files of this scene have changed since it was planned ({changed}), so its parts may be a mixture; "
            "nothing is written. Run again when nobody changes them."
        )


def _here(plan: FusionPlan, scene: Scene, settings: Settings) -> FusionPlan:
    """The plan for this machine: its own copy of the weights, its device, one thread."""
    engine = replace(plan.engine, weights=local_weights(settings.weights_for(scene)))
    if settings.device == "cuda":
        engine = replace(engine, devices=("cuda:0",))
    return replace(plan, engine=engine, work=work_of_a_task(plan, TILES_OF_A_GPU if settings.device == "cuda" else 1))


def _write(made: ScenePlan, scene: Scene, settings: Settings) -> None:
    plan, folder = made.plan, scene.beside("parts")
    with gdal_exceptions(), opened_pair(plan.pan, plan.ms) as (pan, ms), finished(scene.output) as local:
        grid, form = pan.grid.cropped(plan.window), replace(plan.form, options=settings.creation_options)
        if "NUM_THREADS" not in form.given:
            form = replace(form, options=(*form.options, JOINING_THREADS))
        model = pan.sensor_model(plan.window)
        with RasterWriter(local, grid, pan.crs or ms.crs, ms, form, model) as writer:
            for window in made.windows:
                part = gdal.Open(child(folder, made.part_name(window)))
                values = part.ReadAsArray().reshape(-1, window.height, window.width)
                left, top = window.left - plan.window.left, window.top - plan.window.top
                writer.write(Window(left, top, window.width, window.height), values)
            writer.finish(made.facts)
