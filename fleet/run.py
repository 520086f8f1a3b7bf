"""Schedule of all scenes in Dask: few tasks at a time, in the order of the list, until every scene has its row."""

from __future__ import annotations

import ctypes
import itertools
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from distributed import Client, Future, KilledWorker, Worker, as_completed, get_worker
from osgeo import gdal

from ..model.errors import PansharpenError
from ..model.fusion.plan import MEGABYTE
from ..model.product.run import COMPLETE, FAILED, SHARPENED
from ..model.raster.source_files import TRACES
from ..model.version import VERSION
from .job import FleetScene, Settings
from .scene import StepResult, join_parts, make_part, plan_scene
from .storage import is_remote
from .table import Row

TASKS_AHEAD = 3  # for each thread of the workers: enough to keep them busy, few for the scheduler to hold
MIN_TASKS = 8
RETRIES = 2  # of a task whose error may pass
ROUNDS = 3  # of making parts that are missing when they are to be joined
LOOK = 5.0  # seconds between two looks at how many workers there are
PATIENCE = 120.0  # seconds for the first worker
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt
KEPT = 32 * MEGABYTE  # the largest buffer that glibc reuses
GDAL_OPTIONS = {  # where they are not set: a busy store answers later, a dead one does not
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
}

Task = tuple[Any, ...]  # a step's name, and what it takes besides scene and settings
Way = Generator[list[Task], list[StepResult], Row]


def run_step(step: str, scene: FleetScene, settings: Settings, *arguments: Any) -> StepResult:
    """Run a step on a worker of Dask.

    Permanent errors are returned as sentences; others, and all of stores, are raised, so that Dask retries.
    """
    started, worker = time.monotonic(), get_worker()
    prepare_worker()
    try:
        if step == "plan":
            limit = worker.memory_manager.memory_limit
            memory = int(limit / MEGABYTE / worker.state.nthreads) if limit else None
            result = plan_scene(scene, settings, memory)
        else:
            result = (make_part if step == "part" else join_parts)(scene, settings, *arguments)
    except PansharpenError as error:
        if any(is_remote(p) for p in (scene.pan, scene.ms, scene.output)):
            raise
        result = StepResult(error=str(error))
    return replace(result, seconds=time.monotonic() - started, worker=str(worker.name))


def prepare_worker() -> None:
    """Have GDAL wait and try again on networks, and the C library reuse buffers, for the life of this process.

    Dask has the C library of its workers give all memory back, which doubles the time of a part.
    """
    for name, value in GDAL_OPTIONS.items():
        if gdal.GetConfigOption(name) is None:
            gdal.SetConfigOption(name, value)
    gdal.SetConfigOption(TRACES, "NO")
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library than glibc
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(MMAP_THRESHOLD, KEPT)
            mallopt(TRIM_THRESHOLD, 2 * KEPT)


def check_workers(client: Client, settings: Settings) -> None:
    """Wait for a worker. Raises PansharpenError where none comes, or one lacks this version, or all lack a GPU."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise PansharpenError(
            f"No worker has come to the scheduler in {PATIENCE:.0f} seconds. Start workers and run again."
        ) from error
    try:
        workers = client.run(_examine)
    except Exception as error:
        raise PansharpenError(
            f"A worker cannot load the plugin ({type(error).__name__}: {error}). Install it with its part fleet, and "
            "GDAL's bindings, where the workers run."
        ) from error
    others = {worker: version for worker, (version, _) in workers.items() if version != VERSION}
    if others:
        worker, other = next(iter(others.items()))
        raise PansharpenError(
            f"The worker {worker} has version {other} of the plugin, but this is {VERSION}. Install one version."
        )
    if settings.options.device == "cuda" and not any(gpu for _, gpu in workers.values()):
        raise PansharpenError(
            f"None of the {len(workers)} workers has the resource GPU. Start those that have one with "
            '--resources "GPU=1", or give --device cpu.'
        )


def _examine(dask_worker: Worker) -> tuple[str, bool]:
    """Return the plugin's version on this worker, and whether it was started with the resource GPU."""
    return VERSION, "GPU" in dask_worker.state.total_resources


@dataclass(eq=False)
class _Work:
    """A scene in work: its way, its tasks that are not handed over yet, and the results of the others."""

    scene: FleetScene
    way: Way
    waiting: deque[Task]
    running: int = 0
    results: list[StepResult] = field(default_factory=list)


def sharpen_fleet(
    client: Client, scenes: Iterable[FleetScene], settings: Settings, finish: Callable[[Row], None] = lambda row: None
) -> None:
    """Sharpen all scenes; `finish` gets a row for each, as it ends.

    Raises PansharpenError where no worker comes or one has another version.
    """
    check_workers(client, settings)
    coming = (_Work(scene, way, deque(next(way))) for scene in scenes for way in [sharpen_scene(scene)])
    ready: deque[_Work] = deque()  # scenes in work with waiting tasks, which go before new scenes
    running: dict[Future, _Work] = {}
    finished = as_completed(with_results=True, raise_errors=False, loop=client.loop)
    token, serial, looked = uuid.uuid4().hex[:8], itertools.count(), -LOOK
    while True:
        if time.monotonic() - looked > LOOK:
            looked, threads = time.monotonic(), sum(client.nthreads().values())
        while len(running) < max(TASKS_AHEAD * threads, MIN_TASKS):
            work = ready[0] if ready else next(coming, None)
            if work is None:
                break
            step, *arguments = work.waiting.popleft()
            # Dask groups keys by what stands before the number, and keeps every group for ever.
            key = f"{step}-{next(serial)}-{work.scene.name}-{token}"
            future = client.submit(
                run_step, step, work.scene, settings, *arguments, key=key, retries=RETRIES, pure=False,
                resources={"GPU": 1} if settings.options.device == "cuda" and step == "part" else None,
            )  # fmt: skip
            running[future] = work
            work.running += 1
            if ready and not work.waiting:
                ready.popleft()
            finished.add(future)
        if not running:
            return
        future, result = next(finished)
        work = running.pop(future)
        work.running -= 1
        work.results.append(_read_result(future, result))
        future.release()  # its small result is here
        if work.results[-1].error and work.waiting:
            work.waiting.clear()
            ready.remove(work)
        if work.running or work.waiting:
            continue
        results, work.results = work.results, []
        try:
            work.waiting.extend(work.way.send(results))
            (ready.appendleft if work.waiting[0][0] == "join" else ready.append)(work)
        except StopIteration as end:
            finish(end.value)


def sharpen_scene(scene: FleetScene) -> Way:
    """Sharpen one scene: yield tasks that may run in parallel, receive their results, and return its row."""
    row = Row(scene.name, output=scene.output)

    def note(results: Sequence[StepResult], step: str) -> Row:
        seconds = {f"{step}_seconds": getattr(row, f"{step}_seconds") + sum(r.seconds for r in results)}
        workers = tuple(dict.fromkeys([*row.workers, *(r.worker for r in results if r.worker)]))
        sentence = " ".join(filter(None, [row.sentence, *(n for r in results for n in r.notices)]))
        errors = [r.error for r in results if r.error]
        failed = {"status": FAILED, "sentence": errors[0]} if errors else {}
        return replace(row, **{**seconds, "workers": workers, "sentence": sentence, **failed})

    (plan,) = yield [("plan",)]
    row = note([plan], "plan")
    row = replace(row, metrics=plan.metrics, pixels=plan.pixels, parts=plan.parts)
    if row.status == FAILED or plan.complete:
        return replace(row, status=row.status or COMPLETE)
    missing = plan.missing
    row = replace(row, reused=plan.parts - len(missing))
    for _ in range(ROUNDS + 1):
        if missing:
            row = note((yield [("part", plan.digest, number) for number in missing]), "part")
            if row.status == FAILED:
                return row
        (joined,) = yield [("join", plan.digest)]
        row, missing = note([joined], "join"), joined.missing
        if row.status == FAILED or not missing:
            return replace(row, status=row.status or SHARPENED, bytes=joined.bytes)
        row = replace(row, reused=max(row.reused - len(missing), 0))
    sentence = (
        f"{len(missing)} parts were removed or damaged {ROUNDS + 1} times before they were joined. Check the disk, see "
        "that nothing else works in the output folder, and run again."
    )
    return replace(row, status=FAILED, sentence=sentence)


def _read_result(future: Future, result: Any) -> StepResult:
    """Return a task's result, or one with its error as a sentence."""
    if future.status == "finished":
        return result
    error = result[1] if isinstance(result, tuple) else result
    if future.status == "cancelled":
        return StepResult(error="The scheduler gave the task up.")
    if isinstance(error, KilledWorker):
        return StepResult(
            error="The workers that made it died, one after the other. They may have too little memory: start workers "
            "with more, or give a smaller --tile."
        )
    return StepResult(error=str(error) if isinstance(error, PansharpenError) else f"{type(error).__name__}: {error}")
