"""A child process, as QGIS's side sees it: messages to it and from it, its end, and the reasons of that."""

from __future__ import annotations

import queue
import signal
import subprocess  # the engine is another process  # nosec B404
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import IO, Any

from ..model import errors
from ..model.errors import CancelledError, EngineError, PansharpenError, is_out_of_memory
from ..model.progress import Progress
from .child_process import NO_WINDOW, START, Launch
from .messages import FROM_ENGINE, JOBS, read_messages, to_line
from .torch_faults import CPU_TOO_OLD, SETUP

POLL = 0.05  # seconds between two looks at whether the user has cancelled
PATIENCE = 0.8  # seconds from a cancel until the engine is ended
KEEPING_PATIENCE = 30.0  # seconds, where the job keeps its result on cancel: it still evaluates and writes
LAST_LINES = 40  # of what an engine printed, for the log where it dies
MAX_PRINTED_BYTES = 10_000  # of one line; a longer one counts as several
LAST_WAIT = 2.0  # seconds for an engine to end as Python ends
SHORT_WAIT = 0.8  # seconds from the end of an engine's output until the engine has ended, also on a busy machine
KILLED = (-int(getattr(signal, "SIGKILL", 9)), 1)  # exit codes of what is killed here, the second on Windows
OTHERS_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")  # with these, somebody else ends a process
ILLEGAL = (-int(getattr(signal, "SIGILL", 4)), 0xC000001D)  # exit codes of a processor that lacks an instruction
# Errors that come back by their names; a cancelled job has a message of its own.
ERRORS: Mapping[str, type[PansharpenError]] = {
    name: error_class
    for name, error_class in vars(errors).items()
    if isinstance(error_class, type) and issubclass(error_class, PansharpenError) and error_class is not CancelledError
}


class Engine:
    """A child process that does one job after another."""

    def __init__(self, launch: Launch, greeting: Mapping[str, Any]) -> None:
        """Start it; `wait_ready` says whether it works. Raises OSError where there is no such program."""
        self.process = subprocess.Popen(  # QGIS's own interpreter and our own file  # nosec B603
            [*launch.command, str(START)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(launch.environment),
            creationflags=NO_WINDOW,
        )
        self.program = launch.command[0]
        self.messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.printed: deque[str] = deque(maxlen=LAST_LINES)
        self.began = False
        self.greeted = greeting["job"] is not None  # with its first job, which is under way while torch is loaded
        self.torch = ""  # its version; empty where it cannot be loaded and the job may do without
        self.fault = ""  # what the engine sent that is not a message
        self.threads = [
            threading.Thread(target=target, args=(stream,), daemon=True)
            for target, stream in ((self._listen, self.process.stdout), (self._keep_printed, self.process.stderr))
        ]
        for thread in self.threads:
            thread.start()
        self._send(greeting)

    @property
    def alive(self) -> bool:
        """True while it can take a job."""
        return self.process.poll() is None

    def wait_ready(self, progress: Progress) -> None:
        """Wait until torch is loaded, or known to be absent where the first job may do without.

        Raises EngineError with the cure, CancelledError.
        """
        while True:
            progress.check()
            message = self._receive()
            if message is None:
                continue
            if "ready" in message:
                self.torch = message["torch"]
                return
            if "fault" in message:
                if message["details"]:
                    progress.explain(message["details"])
                raise EngineError(message["fault"])
            if "crash" in message:
                _pass_on(message, progress)
            if "other_python" in message:
                raise EngineError(f"{self.program} is Python {message['other_python']}, not that of QGIS.")
            raise EngineError(_describe_fault(f"it sent {[*message]} before it was ready"))

    def run(self, job: Any, progress: Progress) -> Any:
        """Have one job done; returns its result. Raises PansharpenError; a job that is cancelled ends in `PATIENCE`."""
        self.began = False
        if not self.greeted:  # otherwise the job has begun, and what it printed counts
            self.printed.clear()
            self._send({"job": job})
        self.greeted = False
        patience = KEEPING_PATIENCE if getattr(job, "keep", False) else PATIENCE
        asked = None
        while True:
            message = self._receive()
            if message is not None and "result" in message:
                if type(message["result"]) is not JOBS[type(job)][0]:
                    raise EngineError(_describe_fault(f"it sent the result of another job than {type(job).__name__}"))
                return message["result"]
            if message is not None:
                self.began = True
                _pass_on(message, progress)
            if asked is None and progress.cancelled():
                asked = time.monotonic()
                self._send({"cancel": True})
            if asked is not None and time.monotonic() - asked > patience:
                self.end()
                raise CancelledError

    def end(self) -> None:
        """End the process at once, and see it gone."""
        self.process.kill()
        self.process.wait()
        self.close()
        for thread in self.threads:  # Python crashes where one still listens as it ends
            thread.join(LAST_WAIT)

    def close(self) -> None:
        """Let it end by itself, as soon as it reads that it is not needed."""
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except OSError:  # it has ended already
                return

    def shutdown(self) -> None:
        """Let it end, and wait until it and the threads that listen to it are gone; one that does not end is killed."""
        self.close()
        self.threads[0].join(LAST_WAIT)
        if self.alive:
            self.end()
        self.threads[1].join(LAST_WAIT)

    def _send(self, message: Mapping[str, Any]) -> None:
        if self.process.stdin:
            try:
                self.process.stdin.write(to_line(message))
                self.process.stdin.flush()
            except OSError:  # it has ended; the next message says how
                return

    def _receive(self) -> dict[str, Any] | None:
        """Return the next message, None where none comes in `POLL`. Raises EngineError where the engine has ended."""
        try:
            message = self.messages.get(timeout=POLL)
        except queue.Empty:
            return None
        if message is None:
            self.messages.put(None)
            raise EngineError(self._describe_end())
        return message

    def _describe_end(self) -> str:
        """Describe why it ended, by its last message and the exit code."""
        code = self.process.wait()
        if self.fault:
            return _describe_fault(self.fault)
        self.threads[1].join(SHORT_WAIT)  # its last words may still be on the way
        if code in ILLEGAL:
            return CPU_TOO_OLD
        name = signal.Signals(-code).name if -code in {*signal.Signals} else ""
        how = f"signal {name}" if name else f"exit code {code}"
        if name == "SIGKILL" or any(map(is_out_of_memory, self.printed)):
            return (
                f"The engine was ended ({how}), most likely because it ran out of memory: lower MEMORY, close other "
                "programs, and run again."
            )
        if name in OTHERS_SIGNALS:
            return f"The engine was ended by another program or by the system ({how}). Run again."
        printed = f" It printed last: {self.printed[-1]}" if self.printed else ""
        return (
            f"The engine ended by itself ({how}), most likely by a fault in torch, GDAL or a driver. Choose DEVICE "
            f"cpu, or {SETUP} with ACTION check for a report.{printed}"
        )

    def _listen(self, stream: IO[bytes]) -> None:
        """Receive messages until the engine has ended. Whatever happens, None comes last: somebody waits for it."""
        try:
            with stream:
                for message in read_messages(stream, FROM_ENGINE):
                    self.messages.put(message)
            self.process.wait(SHORT_WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            if self.process.wait() in KILLED:  # otherwise it was just ending
                self.fault = "it closed its output, but went on running"
        except Exception as error:
            self.fault = f"it sent {error}"
        finally:
            self.process.kill()
            self.process.wait()
            self.messages.put(None)

    def _keep_printed(self, stream: IO[bytes]) -> None:
        with stream:
            for line in iter(lambda: stream.readline(MAX_PRINTED_BYTES), b""):
                self.printed.append(line.decode("utf-8", "replace").rstrip())


def _describe_fault(fault: str) -> str:
    return f"The engine was ended, because {fault}. Run again. If that fails, {SETUP} with ACTION check for a report."


def _pass_on(message: Mapping[str, Any], progress: Progress) -> None:
    """Pass a job's message on to the user. Raises what ended the job."""
    if "share" in message:
        progress.report(message["share"])
    elif "log" in message:
        progress.log(message["log"])
    elif "detail" in message:
        progress.explain(message["detail"])
    elif "notice" in message:
        progress.warn(message["notice"])
    elif "cancelled" in message:
        raise CancelledError
    elif "error" in message:
        raise ERRORS.get(message["kind"], PansharpenError)(message["error"])
    elif "crash" in message:
        progress.explain(message["details"])
        raise EngineError(
            f"An unexpected error ended the run ({message['crash']}). This is a fault of the plugin: please report it "
            "with the log."
        )
    elif "started" not in message:
        raise EngineError(_describe_fault(f"it sent {[*message]} during a job"))
