"""QGIS's side: start engines, give them jobs, and keep them warm for the next job."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..model.errors import CancelledError, EngineError, PansharpenError
from ..model.progress import Progress
from ..model.staging import remove_stale_runs
from .child_process import Launch, launches
from .connection import LAST_WAIT, POLL, Engine
from .torch_faults import explain_fault

MAX_WARM = 2  # engines that wait for jobs
FILES, FOLDERS = ("output", "weights_out", "report"), ("folder", "maps")  # fields of jobs
MAX_NAMED = 5
State = tuple[int, int, int]  # inode, time, bytes


class Engines:
    """The engines of a session: each does one job at a time, and a few stay warm."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.warm: list[tuple[str, Engine]] = []
        self.closing: list[Engine] = []  # that were asked to end, and may still hold their libraries
        self.working: Launch | None = None
        self.jobs = 0  # that are being done
        self.starting: threading.Thread | None = None  # an engine before there is a job
        self.stopping = threading.Event()

    def prepare(self, packages: Path) -> None:
        """Start an engine for the next job in the background, where none waits or works. The job reports faults."""
        with self.lock:
            if self.warm or self.jobs or (self.starting and self.starting.is_alive()):
                return
            self.stopping.clear()
            self.starting = threading.Thread(target=self._prepare, args=(packages,), daemon=True)
            self.starting.start()

    def _prepare(self, packages: Path) -> None:
        with suppress(PansharpenError, OSError):
            self.torch_version(packages, Progress(cancelled=self.stopping.is_set))

    def run(self, job: Any, packages: Path, progress: Progress) -> Any:
        """Have a job done in an engine that imports from `packages` too. Raises PansharpenError.

        Leftovers of an engine that dies are removed.
        """
        with self.lock:
            self.jobs += 1
        try:
            return self._run(job, packages, progress)
        finally:
            with self.lock:
                self.jobs -= 1

    def _run(self, job: Any, packages: Path, progress: Progress) -> Any:
        while self.starting and self.starting.is_alive():
            progress.check()
            self.starting.join(POLL)
        engine, before = self._take_warm(packages), read_states(job)
        if engine is not None:
            try:
                return self._run_in(engine, job, before, packages, progress)
            except EngineError:
                if engine.began:  # otherwise it ended as it was handed the job
                    raise
        try:
            engine = self._start(packages, progress, job)
        except EngineError as error:  # its job, which it got with the greeting, may have begun
            raise EngineError(f"{error} {describe_written(job, before)}") from error
        return self._run_in(engine, job, before, packages, progress)

    def _run_in(self, engine: Engine, job: Any, before: Any, packages: Path, progress: Progress) -> Any:
        try:
            result = engine.run(job, progress)
        except BaseException as error:
            if isinstance(error, PansharpenError) and not isinstance(error, EngineError) and engine.alive:
                self._keep(engine, packages)
            else:
                _end(engine, job)
            if isinstance(error, CancelledError):
                raise CancelledError(describe_written(job, before)) from None
            if isinstance(error, EngineError):
                raise EngineError(f"{error} {describe_written(job, before)}") from error
            raise
        self._keep(engine, packages)
        return result

    def torch_version(self, packages: Path, progress: Progress) -> str:
        """Return the version of torch that an engine loads with `packages`. Raises EngineError where none starts."""
        engine = self._start(packages, progress)
        self._keep(engine, packages)
        return engine.torch

    def shutdown(self, wait: bool = True) -> None:
        """Let all engines go that wait for jobs, and wait until they and those that were let go before are gone.

        Python crashes where threads still listen as it ends, and Windows moves no folder that an engine has loaded.
        """
        self.stopping.set()
        if self.starting and wait:
            self.starting.join(LAST_WAIT)
        with self.lock:
            idle = [*self.closing, *(engine for _, engine in self.warm)]
            self.warm, self.closing = [], []
        for engine in idle:
            (engine.shutdown if wait else engine.close)()

    def _take_warm(self, packages: Path) -> Engine | None:
        with self.lock:
            for entry in self.warm[:]:
                self.warm.remove(entry)
                if entry[0] == str(packages) and entry[1].alive:
                    return entry[1]
                self._close(entry[1])
        return None

    def _keep(self, engine: Engine, packages: Path) -> None:
        with self.lock:
            if len(self.warm) < MAX_WARM and engine.torch:  # one without torch is of no use to other jobs
                self.warm.append((str(packages), engine))
                return
            self._close(engine)

    def _close(self, engine: Engine) -> None:
        """Let an engine end by itself; the lock is held."""
        engine.close()
        self.closing = [*(e for e in self.closing if e.alive), engine]

    def _start(self, packages: Path, progress: Progress, job: Any = None) -> Engine:
        """Start an engine on `job` by the first way that works, which is tried first from then on."""
        progress.explain("Starting the engine: torch is loaded in a process of its own.")
        ways = [self.working] if self.working else launches()
        greeting = make_greeting(packages, job)
        failed: list[EngineError] = []
        for way in ways:
            try:
                engine = Engine(way, greeting)
            except OSError as error:  # the system does not let it run
                failed.append(EngineError(explain_fault(error)))
                continue
            try:
                engine.wait_ready(progress)
            except EngineError as error:
                failed.append(error)
                _end(engine, job)
                continue
            except BaseException:
                _end(engine, job)
                raise
            self.working = way
            loaded = f"torch {engine.torch}" if engine.torch else "torch cannot be loaded"
            progress.explain(f"Engine: {loaded}, {way.command[0]}.")
            return engine
        raise failed[0]


def _end(engine: Engine, job: Any) -> None:
    """End an engine, and remove what it leaves next to the output of its job."""
    engine.end()
    for folder in _find_output_folders(job):
        remove_stale_runs(folder)


def make_greeting(packages: Path, job: Any = None) -> dict[str, Any]:
    """Return the first message to an engine: this process's Python, path, settings of GDAL and PROJ, and a job."""
    from osgeo import gdal, osr

    names = ("GDAL_DATA", "GDAL_HTTP_PROXY", "GDAL_HTTP_PROXYUSERPWD", "GDAL_PROXY_AUTH", "GDAL_CACHEMAX")
    settings = gdal.GetConfigOptions() if hasattr(gdal, "GetConfigOptions") else {}
    settings.update({name: value for name in names if (value := gdal.GetConfigOption(name)) is not None})
    return {
        "python": sys.version_info[:2],
        "path": [entry for entry in sys.path if entry and Path(entry).exists()],
        "packages": str(packages),
        "gdal": settings,
        "proj": osr.GetPROJSearchPaths(),
        "job": job,
    }


def _find_output_folders(job: Any) -> list[Path]:
    """Return the folders in which a job makes its output."""
    output, folder = getattr(job, "output", None), getattr(job, "folder", None)
    return [output.parent] if output else [folder] if folder else []


def read_states(job: Any) -> dict[Path, State]:
    """Read the state of each file that a job may write and that is there."""
    states = {}
    for path in _list_outputs(job):
        try:
            status = path.lstat()
        except (OSError, ValueError):  # no file has a NUL in its name
            continue
        states[path] = status.st_ino, status.st_mtime_ns, status.st_size
    return states


def describe_written(job: Any, before: Mapping[Path, State]) -> str:
    """Name the files written since in one sentence; each is complete."""
    written = [str(path) for path, state in read_states(job).items() if before.get(path) != state]
    if not written:
        return "No file was written."
    more = f" and {len(written) - MAX_NAMED} more" if len(written) > MAX_NAMED else ""
    return f"Complete and in place: {', '.join(written[:MAX_NAMED])}{more}."


def _list_outputs(job: Any) -> Iterator[Path]:
    yield from (path for name in FILES if (path := getattr(job, name, None)))
    for folder in (path for name in FOLDERS if (path := getattr(job, name, None))):
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if not path.name.startswith("."))


ENGINES = Engines()
atexit.register(ENGINES.shutdown)
