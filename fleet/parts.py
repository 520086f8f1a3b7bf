"""The parts of a scene: made one by one, anywhere, and joined to one raster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..model.errors import InputError, translate_memory_errors
from ..model.fusion.plan import TILES_OF_A_GPU, FusionPlan
from ..model.fusion.tiles import run_plan
from ..model.geometry.grids import Window
from ..model.progress import Progress
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.raster.windows import opened_pair
from ..model.raster.writer import RasterWriter
from ..model.staging import remove_stale_runs
from .catalogue import CatalogueFile, write_catalogue
from .job import COG, Scene, Settings
from .part_files import IDENTITY, VerifiedPart, list_parts, remove_parts, use_part
from .scene_plan import ScenePlan, inputs_of, local_weights, read_plan, work_of_a_task
from .scene_state import state_path, write_state
from .storage import child, fingerprint, finished, is_remote, size

KEPT_OPTIONS = ("COMPRESS=LZW",)  # of parts that stay; those that are joined are gone soon
JOINING_THREADS = "NUM_THREADS=2"  # compress: the last scene's other workers are idle


@dataclass(frozen=True)
class Joined:
    """Bytes of a finished output, or the numbers of parts that have to be made (again) first, with notices why."""

    bytes: int = 0
    missing: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()


class _DamagedPartsError(Exception):
    """Parts, by the numbers in its argument, are not what was written."""


def make_part(scene: Scene, settings: Settings, digest: str, number: int) -> None:
    """Fuse a part and write it, complete, under a name with its checksum. Raises PansharpenError."""
    made = read_plan(state_path(scene), digest)
    part, plan = made.part_forms[number], _here(made.plan, scene, settings)
    options = () if settings.form == COG else (settings.options.creation_options or KEPT_OPTIONS)
    form = replace(plan.form, options=options, overviews=False)
    with (
        translate_memory_errors(),
        opened_pair(plan.pan, plan.ms) as (pan, ms),
        finished(child(scene.beside("parts"), f"{part.stem}.tif"), part.name_file) as local,
        RasterWriter(local, pan.grid.cropped(part.window), pan.crs or ms.crs, ms, form) as writer,
    ):
        run_plan(replace(plan, window=part.window), pan, ms, plan.engine.load(), writer, Progress())
        writer.finish({**made.provenance, IDENTITY: part.stem})


def join_parts(scene: Scene, settings: Settings, digest: str) -> Joined:
    """Make the output of all parts, or say which are missing or damaged. Raises PansharpenError."""
    made = read_plan(state_path(scene), digest)
    folder = scene.beside("parts")
    there = list_parts(folder)
    missing = tuple(i for i, f in enumerate(made.part_forms) if f.stem not in there)
    if missing:
        return Joined(missing=missing)
    _refuse_mixtures(scene, made)
    try:
        outputs = (_join if settings.form == COG else _list_in_catalogue)(made, scene, settings, there)
    except _DamagedPartsError as error:
        damaged = error.args[0]
        notice = f"{len(damaged)} of {len(made.windows)} parts were damaged, so they are made again."
        return Joined(missing=damaged, notices=(notice,))
    write_state(scene, made.to_json(), outputs)
    if settings.form == COG:
        remove_parts(folder)
    elif not is_remote(folder):
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
    if settings.options.device == "cuda":
        engine = replace(engine, devices=("cuda:0",))
    return replace(
        plan, engine=engine, work=work_of_a_task(plan, TILES_OF_A_GPU if settings.options.device == "cuda" else 1)
    )


def _join(made: ScenePlan, scene: Scene, settings: Settings, there: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Write the COG; returns its fingerprint by its name. Each part is read once, and verified as it is read."""
    plan, damaged = made.plan, []
    with gdal_exceptions(), opened_pair(plan.pan, plan.ms) as (pan, ms), finished(scene.output) as local:
        grid, form = pan.grid.cropped(plan.window), replace(plan.form, options=settings.options.creation_options)
        if "NUM_THREADS" not in form.given:
            form = replace(form, options=(*form.options, JOINING_THREADS))
        model = pan.sensor_model(plan.window)
        with RasterWriter(local, grid, pan.crs or ms.crs, ms, form, model) as writer:
            for number, part in enumerate(made.part_forms):
                values = use_part(scene.beside("parts"), there[part.stem], part, VerifiedPart.read)
                if values is None:
                    damaged.append(number)
                elif not damaged:
                    window = part.window
                    left, top = window.left - plan.window.left, window.top - plan.window.top
                    writer.write(Window(left, top, window.width, window.height), values)
            if damaged:
                raise _DamagedPartsError(tuple(damaged))
            writer.finish(made.facts)
    return {scene.output.rpartition("/")[2]: fingerprint(scene.output)}


def _list_in_catalogue(
    made: ScenePlan, scene: Scene, settings: Settings, there: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Write VRT and STAC item; returns the fingerprints of all files by their paths within the output folder."""
    folder = scene.beside("parts")
    with gdal_exceptions():
        parts = [
            use_part(folder, there[f.stem], f, lambda part: CatalogueFile(part.path, part.size, part.sha256))
            for f in made.part_forms
        ]
    damaged = tuple(number for number, part in enumerate(parts) if part is None)
    if damaged:
        raise _DamagedPartsError(damaged)
    listed = [part for part in parts if part is not None]
    remove_parts(folder, {p.path.rpartition("/")[2] for p in listed})  # a sidecar would change what the VRT says
    write_catalogue(made, scene, listed)
    outputs = {path.rpartition("/")[2]: fingerprint(path) for path in (scene.beside("vrt"), scene.output)}
    inside = folder.rpartition("/")[2]
    return outputs | {f"{inside}/{p.path.rpartition('/')[2]}": fingerprint(p.path, p.sha256) for p in listed}
