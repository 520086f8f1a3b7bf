"""Steps of a scene: plan it, make its parts anywhere, join them. Files in its folder are verified before use."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import basename, dirname, join
from typing import Any

from osgeo import gdal

from ..model.errors import InputError, translate_memory_errors
from ..model.fusion.job import SceneMetrics
from ..model.fusion.tiles import run_plan
from ..model.geometry.grids import Window
from ..model.notices import Notice
from ..model.progress import Progress
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.raster.windows import open_pair
from ..model.raster.writer import RasterWriter
from ..model.staging import remove_stale_runs
from . import storage
from .catalogue import write_catalogue
from .job import COG, FleetScene, Settings
from .scene_plan import (
    DIGEST_DIGITS,
    ScenePart,
    ScenePlan,
    VerifiedPart,
    collect_settings,
    compute_digest,
    describe_inputs,
    measure_scene,
    plan_here,
)
from .storage import DamagedFileError, is_remote

FORMAT = "otfm-pansharpen-fleet-2"  # of a state: plan and fingerprints of finished files, under a checksum
MAX_STATE_BYTES = 16 * 2**20  # 100,000 parts have a state of this size
PART_NAME = re.compile(r"(\d{6,}_\d{6,}_[0-9a-f]{16})_([0-9a-f]{16})\.tif")  # stem and checksum
OWN_ENTRY = re.compile(r"\.?\d{6,}_\d{6,}_[0-9a-f]{16}.*")  # parts, their sidecars, and what a killed worker leaves
CLIPPED = "OTFM_CLIPPED"  # metadata of a part: how many values of each band were clipped, where they are many
KEPT_OPTIONS = ("COMPRESS=LZW",)  # of parts that stay; those that are joined are gone soon
JOINING_THREADS = "NUM_THREADS=2"  # compress: the last scene's other workers are idle


@dataclass(frozen=True)
class StepResult:
    """Result of a step of a scene."""

    missing: tuple[int, ...] = ()  # numbers of the parts that have to be made (again) first
    notices: tuple[str, ...] = ()  # what was damaged or clipped
    complete: bool = False
    digest: str = ""
    metrics: SceneMetrics | None = None
    parts: int = 0
    pixels: int = 0
    bytes: int = 0
    seconds: float = 0.0
    worker: str = ""
    error: str = ""  # why the step failed


def plan_scene(scene: FleetScene, settings: Settings, memory: int | None = None) -> StepResult:
    """Plan a scene that is not complete. `memory` is what a worker has, in MB. Raises PansharpenError.

    An earlier plan is not used, because whoever can write there could have written it. The same scene has the same
    plan, so the parts of an earlier run still carry its digest.
    """
    with gdal_exceptions():
        inputs, decisive = describe_inputs(scene), collect_settings(scene, settings)
        notices = []
        try:
            metrics = _read_finished_metrics(scene, settings, inputs, decisive)
            if metrics is not None:
                if settings.form == COG:
                    remove_parts(scene.name_sidecar("parts"))  # of a worker that died when all was done
                return StepResult(complete=True, metrics=metrics)
        except DamagedFileError as error:
            notices.append(f"{error}; it is made again.")
        storage.make_way(scene.output)
        plan = measure_scene(scene, settings, memory, inputs, decisive)
        storage.make_way(scene.name_sidecar("parts"), folder=True)
        write_state(scene, plan, {})
    there, window = list_parts(scene.name_sidecar("parts")), plan.plan.window
    missing = tuple(i for i, part in enumerate(plan.parts) if part.stem not in there)
    return StepResult(
        missing, tuple(notices), False, plan.digest, plan.metrics, len(plan.parts), window.width * window.height
    )


def make_part(scene: FleetScene, settings: Settings, digest: str, number: int) -> StepResult:
    """Fuse a part and write it, complete, under a name with its checksum. Raises PansharpenError."""
    made = read_plan(scene.name_sidecar("plan.json"), digest)
    part, plan = made.parts[number], plan_here(made.plan, scene, settings)
    options = () if settings.form == COG else (settings.options.creation_options or KEPT_OPTIONS)
    form = replace(plan.form, options=options, overviews=False)
    clipped: list[Notice] = []
    with (
        translate_memory_errors(),
        open_pair(plan.pan, plan.ms) as (pan, ms),
        storage.finished(join(scene.name_sidecar("parts"), f"{part.stem}.tif"), by_content=True) as local,
        RasterWriter(
            local, pan.make_output_grid(part.window), pan.crs or ms.crs, ms, form, pan.sensor_model(part.window)
        ) as writer,
    ):
        progress = Progress(notice=lambda n: clipped.append(n) if n.code == "result_clipped" else None)
        run_plan(replace(plan, window=part.window), pan, ms, plan.engine.load(), writer, progress)
        counts = {CLIPPED: json.dumps(dict(clipped[0].numbers))} if clipped else {}
        writer.finish({**made.provenance, **counts, **part.identity})
    return StepResult()


def join_parts(scene: FleetScene, settings: Settings, digest: str) -> StepResult:
    """Make the output of all parts, or say which are missing or damaged. Raises PansharpenError."""
    made = read_plan(scene.name_sidecar("plan.json"), digest)
    folder, parts = scene.name_sidecar("parts"), made.parts
    there = list_parts(folder)
    missing = tuple(i for i, part in enumerate(parts) if part.stem not in there)
    if missing:
        return StepResult(missing)
    with gdal_exceptions():
        _refuse_mixtures(scene, made)
        verified = (verify_part(folder, there[p.stem], p, read=settings.form == COG) for p in parts)
        contents = _write_cog(made, scene, settings, verified) if settings.form == COG else list(verified)
    listed = [part for part in contents if part]
    if len(listed) < len(parts):
        damaged = tuple(i for i, part in enumerate(contents) if part is None)
        notice = f"{len(damaged)} of {len(parts)} parts were damaged, so they are made again."
        return StepResult(damaged, (notice,))
    if settings.form != COG:
        remove_parts(folder, {basename(p.path) for p in listed})  # a sidecar would change what the VRT says
        write_catalogue(made, scene, listed)
    write_state(scene, made, _collect_fingerprints(scene, settings))
    if settings.form == COG:
        remove_parts(folder)
    elif not is_remote(folder):
        remove_stale_runs(Path(folder))
    return StepResult(notices=_describe_clipping(listed), bytes=(storage.find(scene.output) or (0, ""))[0])


def _describe_clipping(parts: Sequence[VerifiedPart]) -> tuple[str, ...]:
    """Describe in one warning for all parts how many values were beyond the range of the output."""
    clipped = [part.clipped for part in parts if part.clipped]
    counts = sum((Counter(one) for one in clipped), Counter[str]())
    words = ", ".join(f"{count} of {band.replace('_', ' ')}" for band, count in counts.items())
    sentence = (
        f"Values of the result beyond what the output holds were clipped in {len(clipped)} of {len(parts)} parts: "
        f"{words}. Leave such pixels out before computing ratios of bands."
    )
    return (sentence,) if clipped else ()


def _refuse_mixtures(scene: FleetScene, made: ScenePlan) -> None:
    """Raise InputError where a file has changed since the scene was planned: parts may be of both states."""
    before, now = made.inputs.split("; "), describe_inputs(scene).split("; ")
    if before != now:
        changed = ", ".join(stamp for stamp in now if stamp not in before) or "a file that is gone"
        raise InputError(
            f"The files of this scene have changed since it was planned ({changed}), so its parts may be a mixture; "
            "nothing is written. Run again once they do not change any more."
        )


def _write_cog(
    made: ScenePlan, scene: FleetScene, settings: Settings, verified: Iterable[VerifiedPart | None]
) -> list[VerifiedPart | None]:
    """Write the COG where all parts are whole. Each is read once; returns all without their values."""
    plan, contents, whole = made.plan, [], True
    with open_pair(plan.pan, plan.ms) as (pan, ms), storage.finished(scene.output) as local:
        grid, form = pan.make_output_grid(plan.window), replace(plan.form, options=settings.options.creation_options)
        if "NUM_THREADS" not in form.given:
            form = replace(form, options=(*form.options, JOINING_THREADS))
        model = pan.sensor_model(plan.window)
        with RasterWriter(local, grid, pan.crs or ms.crs, ms, form, model) as writer:
            for part, content in zip(made.parts, verified):
                whole = whole and content is not None
                if whole and content and content.values is not None:
                    window = part.window
                    left, top = window.left - plan.window.left, window.top - plan.window.top
                    writer.write(Window(left, top, window.width, window.height), content.values)
                contents.append(content and replace(content, values=None))
            if whole:
                writer.finish(made.facts)
    return contents


def list_parts(folder: str) -> dict[str, list[str]]:
    """List the names of the parts in a folder by their stems, without reading them."""
    names: dict[str, list[str]] = defaultdict(list)
    for name in sorted(storage.list_names(folder)):
        match = PART_NAME.fullmatch(name)
        if match:
            names[match[1]].append(name)
    return names


def verify_part(folder: str, candidates: Sequence[str], part: ScenePart, read: bool) -> VerifiedPart | None:
    """Return the first of some files that is the part, `read` or not, else None. Those that are not are removed.

    Call within `gdal_exceptions`. Raises InputError where a store does not answer.
    """
    for name in candidates:
        try:
            return _read_part(join(folder, name), part, read)
        except DamagedFileError:
            storage.remove_file(join(folder, name))
    return None


def _read_part(path: str, part: ScenePart, read: bool) -> VerifiedPart:
    """Read a part into memory, so that the verified bytes are used. Raises DamagedFileError."""
    content = storage.read_bytes(path, part.max_bytes)
    sha256 = hashlib.sha256(content).hexdigest()
    match = PART_NAME.fullmatch(basename(path))
    if match is None or match[2] != sha256[: storage.CHECKSUM_DIGITS]:
        raise DamagedFileError(f"{path} has another checksum than its name")
    copy = f"/vsimem/{uuid.uuid4().hex}.tif"
    gdal.FileFromMemBuffer(copy, content)
    dataset = None
    try:
        dataset = gdal.OpenEx(copy, gdal.OF_RASTER, allowed_drivers=["GTiff"])
        if not part.fits(dataset):
            raise DamagedFileError(f"{path} is another part")
        values = dataset.ReadAsArray(band_list=list(range(1, part.bands + 1))) if read else None
        counts = json.loads(dataset.GetMetadataItem(CLIPPED) or "{}")
        return VerifiedPart(path, len(content), sha256, {k: int(v) for k, v in counts.items()}, values)
    except (RuntimeError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedFileError(f"{path} cannot be read ({error})") from error
    finally:
        dataset = None
        gdal.Unlink(copy)


def remove_parts(folder: str, keep: Collection[str] = ()) -> None:
    """Remove parts, except those to keep, and what killed workers left of them; then the folder, if it is empty."""
    local = not is_remote(folder)
    if local and (os.path.islink(folder) or not os.path.isdir(folder)):
        return
    for name in os.listdir(folder) if local else storage.list_names(folder):
        path = join(folder, name)
        if name in keep or not OWN_ENTRY.fullmatch(name):
            continue
        if local and os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            storage.remove_file(path)
    if local:
        with suppress(OSError):
            os.rmdir(folder)


def write_state(scene: FleetScene, plan: ScenePlan, outputs: Mapping[str, str]) -> None:
    """Write the plan, and the fingerprints of finished files by name. Raises OutputError."""
    body = {"plan": plan.to_values(), "outputs": dict(outputs)}
    state = {"format": FORMAT, "sha256": compute_digest(body), **body}
    storage.write_text(scene.name_sidecar("plan.json"), json.dumps(state, indent=1))


def read_state(path: str) -> dict[str, Any] | None:
    """Read `plan` and `outputs` of a state; None where it is absent.

    Raises DamagedFileError where it is not as it was written, InputError where a store does not answer.
    """
    if storage.find(path) is None and not os.path.lexists(path):
        return None
    try:
        values = json.loads(storage.read_bytes(path, MAX_STATE_BYTES).decode("utf-8"))
        if values.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        if values.pop("sha256") != compute_digest(values):
            raise ValueError("its checksum does not match")
        return {"plan": values["plan"], "outputs": dict(values["outputs"])}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedFileError(f"{path} is not the state of a scene ({error})") from error


@functools.lru_cache(maxsize=8)
def read_plan(path: str, digest: str) -> ScenePlan:
    """Read the plan of a scene that is in work. Raises InputError where it is gone or was replaced."""
    try:
        state = read_state(path)
    except DamagedFileError as error:
        raise InputError(f"{error}. Run again.") from error
    if state is None:
        raise InputError(f"The plan {path} is gone. Run again.")
    if compute_digest(state["plan"])[:DIGEST_DIGITS] != digest:  # which also guards against plans that somebody made up
        raise InputError("The plan of the scene was replaced during the run. Run each list once at a time.")
    return ScenePlan.from_values(state["plan"])


def _read_finished_metrics(scene: FleetScene, settings: Settings, inputs: str, decisive: str) -> SceneMetrics | None:
    """Read the metrics of a complete scene, all of whose files were verified; None where it is not complete.

    Raises DamagedFileError where its state or a finished file is damaged.
    """
    path = scene.name_sidecar("plan.json")
    state = read_state(path)
    if state is None:
        if storage.find(scene.output) is not None:
            raise DamagedFileError(f"{scene.output} is there, but not {path}")
        return None
    try:
        plan = ScenePlan.from_values(state["plan"])
    except ValueError as error:
        raise DamagedFileError(f"{path} is not the state of a scene ({error})") from error
    if (plan.inputs, plan.settings) != (inputs, decisive) or not state["outputs"]:
        return None
    now = _collect_fingerprints(scene, settings)
    changed = sorted(name for name in {*now, *state["outputs"]} if now.get(name) != state["outputs"].get(name))
    if changed:
        raise DamagedFileError(f"{join(dirname(scene.output), changed[0])} has changed since it was finished")
    return plan.metrics


def _collect_fingerprints(scene: FleetScene, settings: Settings) -> dict[str, str]:
    """Return the fingerprints of the finished files by name. Raises as `fingerprint`."""
    files = [scene.output]
    if settings.form != COG:
        folder = scene.name_sidecar("parts")
        parts = [join(folder, name) for names in list_parts(folder).values() for name in names]
        files += [scene.name_sidecar("vrt"), *parts]
    return {basename(file): storage.fingerprint(file) for file in files}
