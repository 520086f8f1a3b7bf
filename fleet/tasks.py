"""What Dask runs on a worker: the steps of a scene, timed, with the worker's name, errors as sentences."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Worker, get_worker
from osgeo import gdal

from ..model.errors import PansharpenError
from ..model.fusion.memory import MEGABYTE
from ..model.raster.source_files import TRACES
from ..model.version import VERSION
from .job import Scene, Settings
from .parts import join_parts, make_part
from .scene_plan import plan_scene
from .storage import be_patient, is_remote

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt
KEPT = 32 * MEGABYTE  # the largest buffer that glibc reuses


@dataclass(frozen=True)
class Done:
    """What a task gave, or a sentence why it gave nothing; how long it took and on which worker."""

    value: Any
    seconds: float
    worker: str
    sentence: str = ""


def plan_task(scene: Scene, settings: Settings) -> Done:
    """Measure and plan a scene."""
    return _done(scene, lambda: plan_scene(scene, settings, _memory()))


def part_task(scene: Scene, settings: Settings, digest: str, number: int) -> Done:
    """Make one part."""
    return _done(scene, lambda: make_part(scene, settings, digest, number))


def join_task(scene: Scene, settings: Settings, digest: str) -> Done:
    """Join the parts."""
    return _done(scene, lambda: join_parts(scene, settings, digest))


def examined(dask_worker: Worker) -> tuple[str, bool]:
    """The plugin's version on this worker, and whether it was started with the resource GPU."""
    return VERSION, "GPU" in dask_worker.state.total_resources


def _done(scene: Scene, call: Callable[[], Any]) -> Done:
    """Errors that would come again are sentences; others, and all of stores, are raised, so that Dask tries again."""
    started, worker = time.monotonic(), get_worker()
    be_patient()
    keep_memory()
    gdal.SetConfigOption(TRACES, "NO")
    value, sentence = None, ""
    try:
        value = call()
    except PansharpenError as error:
        if any(is_remote(p) for p in (scene.pan, scene.ms, scene.output)):
            raise
        sentence = str(error)
    return Done(value, time.monotonic() - started, str(worker.name), sentence)


def keep_memory() -> None:
    """Have the C library reuse buffers: Dask's workers start with it told to give all back, which doubles the time."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library than glibc
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(MMAP_THRESHOLD, KEPT)
            mallopt(TRIM_THRESHOLD, 2 * KEPT)


def _memory() -> int | None:
    """MB that each thread of this worker has; None without a limit."""
    worker = get_worker()
    limit = worker.memory_manager.memory_limit
    return int(limit / MEGABYTE / worker.state.nthreads) if limit else None
