"""The child process: greeted once, it does one job after another until it is not needed any more."""

from __future__ import annotations

import faulthandler
import importlib
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..model.errors import CancelledError, PansharpenError
from ..model.progress import Progress
from .messages import JOBS, TO_ENGINE, read_messages, to_line
from .packages import find_packages
from .torch_faults import explain_fault

IDLE = 300.0  # seconds without a job, after which an engine ends
LAST_WORDS = 3.0  # seconds for a running job to clear up once QGIS has ended
WITHOUT_TORCH = ("AssessJob",)  # jobs that are done as far as they can be where torch is absent or broken
PREPARED = ("model.fusion.pipeline", "model.fusion.tiles", "model.fusion.quality_estimate")  # modules of most jobs


class Line:
    """Both directions of the connection to QGIS; messages may be sent from any thread."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self.source, self.sink = source, sink
        self.lock = threading.Lock()
        self.jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self.working = threading.Event()
        self.held: list[dict[str, Any]] | None = []  # what the first job sends before torch is loaded

    def send(self, **message: Any) -> None:
        """Send one message; where QGIS does not listen any more, the job ends soon by itself."""
        with self.lock:
            if self.held is None:
                self._write(message)
            else:
                self.held.append(message)

    def begin(self, **message: Any) -> None:
        """Send the first message of all, and what was held back for it."""
        with self.lock:
            for each in (message, *(self.held or ())):
                self._write(each)
            self.held = None

    def _write(self, message: dict[str, Any]) -> None:
        try:
            self.sink.write(to_line(message))
            self.sink.flush()
        except OSError:
            self.cancelled.set()

    def listen(self) -> None:
        """Receive what QGIS sends until it ends, and end with it. What is not a message ends the engine at once."""
        try:
            for message in read_messages(self.source, TO_ENGINE):
                if "cancel" in message:
                    self.cancelled.set()
                else:
                    self.cancelled.clear()
                    self.jobs.put(message)
        except Exception as error:  # without this thread no job would be received, and QGIS would wait for ever
            self.begin(crash=f"the engine received {error}", details=traceback.format_exc())
            os._exit(1)
        self.cancelled.set()
        self.jobs.put(None)
        if self.working.is_set():  # a job, or loading torch, that ignores a cancel must not outlive QGIS
            threading.Event().wait(LAST_WORDS)
            os._exit(1)


def main() -> None:
    """Greet, load torch, and work until the connection is closed or no job has come for `IDLE` seconds.

    The job of the greeting begins while torch is loaded: measuring a scene does not need it.
    """
    line = _connect()
    try:
        greeting = next(read_messages(line.source, TO_ENGINE), None)
    except ValueError as error:  # its job cannot be read
        line.begin(crash=f"the engine received {error}", details=traceback.format_exc())
        return
    if greeting is None:  # QGIS has ended
        return
    if tuple(greeting["python"]) != tuple(sys.version_info[:2]):
        line.begin(other_python=".".join(map(str, sys.version_info[:3])))
        return
    line.working.set()
    threading.Thread(target=line.listen, daemon=True).start()
    find_packages(Path(greeting["packages"]), greeting["path"])
    loading = threading.Thread(target=_load, args=(line, greeting["job"]))
    loading.start()
    if sys.platform == "win32":  # wants torch's libraries loaded before GDAL's
        loading.join()
    try:
        _configure_gdal(greeting)
    except Exception as error:
        _give_up(line, error)
    if greeting["job"] is not None:
        _run_job(greeting["job"], line)
    loading.join()
    if greeting["job"] is None:  # the first job then finds most of what it imports
        with suppress(Exception):  # which the job reports
            for name in PREPARED:
                importlib.import_module(f"{__package__.rpartition('.')[0]}.{name}")
    line.working.clear()
    while (message := _receive(line)) is not None:
        line.working.set()
        _run_job(message["job"], line)
        line.working.clear()
    os._exit(0)  # tearing torch down takes longer than ending


def _load(line: Line, job: Any) -> None:
    """Load torch and send its version; without it an engine ends, unless its first job is of some use all the same."""
    try:
        version = load_torch()
    except Exception as error:  # a broken torch raises anything
        if type(job).__name__ not in WITHOUT_TORCH:
            _give_up(line, error)
        version = ""
    line.begin(ready=True, torch=version)


def load_torch() -> str:
    """Load what every job needs; returns the version of torch."""
    modules = [importlib.import_module(name) for name in ("torch", "safetensors.torch", "numpy", "osgeo.gdal_array")]
    modules[0].from_numpy(modules[2].zeros(1))  # fails where numpy and torch do not fit
    return str(modules[0].__version__)


def _give_up(line: Line, error: Exception) -> NoReturn:
    """Send why this engine does not work, and end it."""
    is_missing = isinstance(error, ModuleNotFoundError) and error.name == "torch"
    details = "" if is_missing else "".join(traceback.format_exception(type(error), error, error.__traceback__))
    line.begin(fault=explain_fault(error), details=details)
    os._exit(1)


def _receive(line: Line) -> dict[str, Any] | None:
    try:
        return line.jobs.get(timeout=IDLE)
    except queue.Empty:
        return None


def _run_job(job: Any, line: Line) -> None:
    """Do one job and send its result, or why there is none."""
    line.send(started=True)
    progress = Progress(
        report=lambda share: line.send(share=share),
        cancelled=line.cancelled.is_set,
        log=lambda sentence: line.send(log=sentence),
        notice=lambda notice: line.send(notice=notice),
        detail=lambda sentence: line.send(detail=sentence),
    )
    _, module, function = JOBS[type(job)]
    try:
        runner = getattr(importlib.import_module(f"{__package__.rpartition('.')[0]}.{module}"), function)
        line.send(result=runner(job, progress))
    except CancelledError:
        line.send(cancelled=True)
    except PansharpenError as error:
        line.send(error=str(error), kind=type(error).__name__)
    except Exception as error:  # whatever a job raises, QGIS has to receive it
        line.send(crash=f"{type(error).__name__}: {error}", details=traceback.format_exc())


def _connect() -> Line:
    """Reserve standard input and output for messages: what libraries print goes to the errors."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    faulthandler.enable()  # a crash writes its place to the errors
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches QGIS, which then cancels
    return Line(source, sink)


def _configure_gdal(greeting: Mapping[str, Any]) -> None:
    """Let GDAL and PROJ find their files, and reach the network, as in QGIS's process."""
    from osgeo import gdal, osr

    for name, value in greeting["gdal"].items():
        gdal.SetConfigOption(name, value)
    if greeting["proj"]:
        osr.SetPROJSearchPaths(list(greeting["proj"]))
