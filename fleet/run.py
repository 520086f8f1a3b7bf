"""The way of all scenes through Dask: few tasks at a time, in the order of the list, until every scene has its row."""

from __future__ import annotations

import itertools
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed

from ..model.errors import PansharpenError
from ..model.product.run import COMPLETE, FAILED, SHARPENED
from ..model.version import VERSION
from .job import Row, Scene, Settings
from .tasks import Done, examined, join_task, part_task, plan_task

TASKS_AHEAD = 3  # for each thread of the workers: enough to keep them busy, few for the scheduler to hold
FEWEST_TASKS = 8
RETRIES = 2  # of a task whose error may pass
ROUNDS = 3  # of making parts that are missing when they are to be joined
LOOK = 5.0  # seconds between two looks at how many workers there are
PATIENCE = 120.0  # seconds for the first worker

Hear = Callable[[Row], None]


@dataclass
class _Work:
    """A scene in work: its row so far, and how many of its parts are not made yet."""

    scene: Scene
    row: Row
    digest: str = ""
    waiting: int = 0
    rounds: int = 0
    failed: bool = False


@dataclass(frozen=True)
class _Task:
    """A step of a scene that can be handed to Dask."""

    work: _Work
    kind: str
    function: Callable[..., Done]
    arguments: tuple[Any, ...] = field(default=())


def sharpen_fleet(client: Client, scenes: Iterable[Scene], settings: Settings, hear: Hear = lambda row: None) -> int:
    """Sharpen all scenes; `hear` gets a row for each, as it ends. Returns how many there were.

    Raises PansharpenError where no worker comes or one has another version.
    """
    check_workers(client, settings)
    return _Fleet(client, scenes, settings, hear).run()


def check_workers(client: Client, settings: Settings) -> None:
    """Wait for a worker. Raises PansharpenError where none comes, or one lacks this version, or all lack a GPU."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise PansharpenError(
            f"No worker has come to the scheduler in {PATIENCE:.0f} seconds. Start workers and run again."
        ) from error
    try:
        found = client.run(examined)
    except Exception as error:
        raise PansharpenError(
            f"A worker cannot load the plugin ({type(error).__name__}: {error}). Install otfm_pansharpen, torch, "
            "safetensors and GDAL's bindings where the workers run, and put them on their PYTHONPATH."
        ) from error
    others = {worker: version for worker, (version, _) in found.items() if version != VERSION}
    if others:
        worker, other = next(iter(others.items()))
        raise PansharpenError(
            f"The worker {worker} has version {other} of the plugin, but this is {VERSION}. Install one version."
        )
    if settings.options.device == "cuda" and not any(gpu for _, gpu in found.values()):
        raise PansharpenError(
            f"None of the {len(found)} workers has the resource GPU. Start those that have one with "
            '--resources "GPU=1", or give --device cpu.'
        )


class _Fleet:
    def __init__(self, client: Client, scenes: Iterable[Scene], settings: Settings, hear: Hear) -> None:
        self.client, self.settings, self.hear = client, settings, hear
        self.coming: Iterator[Scene] = iter(scenes)
        self.ready: deque[_Task] = deque()
        self.running: dict[Future, _Task] = {}
        self.token = uuid.uuid4().hex[:8]  # no two runs share tasks
        self.serial = itertools.count()
        self.ended = 0
        self.looked = -LOOK

    def run(self) -> int:
        """Until no task is left. A future is let go of as soon as its small result is here."""
        finished = as_completed(with_results=True, raise_errors=False, loop=self.client.loop)
        finished.update(self._started())
        for future, result in finished:
            task = self.running.pop(future)
            self._hear_of(task, _done(future, result))
            future.release()
            finished.update(self._started())
        return self.ended

    def _started(self) -> list[Future]:
        """Hand over as many tasks as there is room for: of scenes in work first, then of the next ones."""
        started = []
        room = self._room() - len(self.running)
        while room > 0:
            if not self.ready:
                scene = next(self.coming, None)
                if scene is None:
                    break
                work = _Work(scene, Row(scene.name, output=scene.output))
                self.ready.append(_Task(work, "plan", plan_task))
            future = self._submitted(self.ready.popleft())
            started.append(future)
            room -= 1
        return started

    def _submitted(self, task: _Task) -> Future:
        """Hand over a task. Dask groups keys by what stands before the number, and keeps every group for ever."""
        scene = task.work.scene
        on_gpu = self.settings.options.device == "cuda" and task.kind == "part"
        future = self.client.submit(
            task.function, scene, self.settings, *task.arguments,
            key=f"{task.kind}-{next(self.serial)}-{scene.name}-{self.token}",
            retries=RETRIES, resources={"GPU": 1} if on_gpu else None, pure=False,
        )  # fmt: skip
        self.running[future] = task
        return future

    def _room(self) -> int:
        """How many tasks may be with the scheduler at once."""
        if time.monotonic() - self.looked > LOOK:
            self.looked, self.threads = time.monotonic(), sum(self.client.nthreads().values())
        return max(TASKS_AHEAD * self.threads, FEWEST_TASKS)

    def _hear_of(self, task: _Task, done: Done) -> None:
        work = task.work
        work.row = work.row.by(done.worker) if done.worker else work.row
        if task.kind == "part":
            work.waiting -= 1
            work.row = replace(work.row, part_seconds=work.row.part_seconds + done.seconds)
        if done.sentence and not work.failed:
            work.failed = True
            self.ready = deque(t for t in self.ready if t.work is not work)
            work.waiting = sum(t.work is work for t in self.running.values())
            work.row = replace(work.row, status=FAILED, sentence=done.sentence)
        if work.failed:
            if work.waiting == 0 or task.kind != "part":
                self._end(work)
        elif task.kind == "plan":
            self._planned(work, done)
        elif task.kind == "join":
            self._joined(work, done)
        elif work.waiting == 0:
            self._join(work)

    def _planned(self, work: _Work, done: Done) -> None:
        found = done.value
        work.row = replace(
            work.row, metrics=found.metrics, plan_seconds=done.seconds, pixels=found.pixels, parts=found.parts,
            reused=found.parts - len(found.missing), sentence=" ".join(found.notices),
        )  # fmt: skip
        if found.complete:
            work.row = replace(work.row, status=COMPLETE)
            self._end(work)
            return
        work.digest = found.digest
        self._make(work, found.missing)

    def _joined(self, work: _Work, done: Done) -> None:
        work.row = replace(work.row, join_seconds=work.row.join_seconds + done.seconds)
        if not done.value.missing:
            work.row = replace(work.row, status=SHARPENED, bytes=done.value.bytes)
            self._end(work)
            return
        work.rounds += 1
        if work.rounds > ROUNDS:
            sentence = (
                f"{len(done.value.missing)} parts were removed or damaged {work.rounds} times before they were joined. "
                "Check the disk, see that nothing else works in the output folder, and run again."
            )
            work.row = replace(work.row, status=FAILED, sentence=sentence)
            self._end(work)
            return
        work.row = replace(
            work.row, reused=max(work.row.reused - len(done.value.missing), 0),
            sentence=" ".join((*filter(None, [work.row.sentence]), *done.value.notices)),
        )  # fmt: skip
        self._make(work, done.value.missing)

    def _make(self, work: _Work, missing: tuple[int, ...]) -> None:
        work.waiting = len(missing)
        self.ready.extend(_Task(work, "part", part_task, (work.digest, n)) for n in missing)
        if not missing:
            self._join(work)

    def _join(self, work: _Work) -> None:
        self.ready.appendleft(_Task(work, "join", join_task, (work.digest,)))

    def _end(self, work: _Work) -> None:
        self.ended += 1
        self.hear(work.row)


def _done(future: Future, result: Any) -> Done:
    """A task's result, or what went wrong as a sentence."""
    if future.status == "finished":
        return result
    error = result[1] if isinstance(result, tuple) else result
    if isinstance(error, KilledWorker):
        sentence = (
            "The workers that made it died, one after the other. They may have too little memory: start workers with "
            "more, or give a smaller --tile."
        )
    else:
        sentence = str(error) if isinstance(error, PansharpenError) else f"{type(error).__name__}: {error}"
    return Done(None, 0.0, "", sentence if future.status != "cancelled" else "The scheduler gave the task up.")
