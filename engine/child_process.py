"""Child processes: QGIS's own interpreter without what QGIS's launchers set, and programs that end with a cancel.

Such programs are polled, and killed with their own children within a second.
"""

from __future__ import annotations

import os
import signal
import subprocess  # the command comes from this plugin, never from a shell  # nosec B404
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..model.errors import EngineError
from ..model.progress import Progress

START = Path(__file__).resolve().parent / "start.py"
# Made for QGIS itself, they break another process of the same interpreter or lead it to other libraries.
LAUNCHER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "__PYVENV_LAUNCHER__")
ISOLATED = ("-I", "-X", "utf8")  # no variables of Python, no folder of the user, no current folder
POLL = 0.1  # seconds between two looks at whether the user has cancelled
MAX_LINE_BYTES = 10_000  # a longer line of output counts as several
LAST_LINES = 12  # that are kept for a sentence about a failure
LAST_WAIT = 1.0  # seconds for the last lines of a program that has ended
NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # of a console, on Windows


@dataclass(frozen=True)
class Launch:
    """Start of an interpreter: its command up to the script, and all environment variables."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def launches() -> list[Launch]:
    """Return the ways to start the engine, best first. Raises EngineError where no interpreter is found.

    The second of each interpreter is for installations whose Python finds itself, or whose GDAL finds its libraries,
    only by what the launcher of QGIS set.
    """
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("PYTHON") and name not in LAUNCHER_VARIABLES
    }
    clean.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin starve each other on a busy machine
    kept = {name: os.environ[name] for name in LAUNCHER_VARIABLES if name in os.environ}
    as_launched = {**clean, **kept, "PYTHONHOME": sys.prefix}
    return [
        launch
        for python in map(str, find_pythons())
        for launch in (Launch((python, *ISOLATED), clean), Launch((python, "-s", "-X", "utf8"), as_launched))
    ]


def find_pythons() -> list[Path]:
    """Find interpreters that may be the one QGIS embeds, likeliest first. Raises EngineError without one."""
    candidates = list(dict.fromkeys(_list_candidates()))
    pythons = [path for path in candidates if path.is_file() and os.access(path, os.X_OK)]
    if not pythons:
        version = ".".join(map(str, sys.version_info[:2]))
        raise EngineError(
            f"No Python {version} was found next to QGIS to run the engine on (looked for "
            f"{', '.join(map(str, candidates))}). Reinstall QGIS with its Python."
        )
    return pythons


def _list_candidates() -> Iterator[Path]:
    """List paths. In the desktop `sys.executable` is QGIS itself, or another Python by PYTHONEXECUTABLE."""
    prefix, executable = Path(sys.exec_prefix), Path(sys.executable or "")
    version = ".".join(map(str, sys.version_info[:2]))
    if sys.platform == "win32":
        yield from (prefix / "python.exe", prefix / "python3.exe")
    elif sys.platform == "darwin":  # the bundles of QGIS differ in where they keep it; from 3.44 on next to QGIS itself
        folders = (executable.parent, executable.parent / "bin", prefix / "bin")
        yield from (folder / name for folder in folders for name in ("python", f"python{version}", "python3"))
    else:
        yield prefix / "bin" / f"python{version}"
    if executable.stem.lower().startswith("python"):
        yield executable


def run_child(
    command: Sequence[str],
    environment: Mapping[str, str],
    progress: Progress,
    show: Callable[[str], bool] = lambda line: True,
    poll: Callable[[], None] = lambda: None,
) -> tuple[int, list[str]]:
    """Run a program to its end.

    Args:
        command: The program by its whole path, and its arguments.
        environment: All of its environment variables.
        progress: Asked every `POLL` seconds whether to go on.
        show: Receives each line of output, from another thread; returns whether the line counts for the user.
        poll: Called every `POLL` seconds.

    Returns:
        The exit code, and the last lines that count.

    Raises:
        CancelledError: The user cancelled. The program and its children are gone then.
    """
    process = subprocess.Popen(  # QGIS's own interpreter  # nosec B603
        list(command), env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, creationflags=NO_WINDOW, start_new_session=True,
        cwd=START.parent,  # Python imports modules from the current folder, which may be that of a project
    )  # fmt: skip
    lines: deque[str] = deque(maxlen=LAST_LINES)
    reader = threading.Thread(target=_collect_lines, args=(process.stdout, lines, show), daemon=True)
    reader.start()
    try:
        while process.returncode is None:
            progress.check()
            poll()
            try:
                process.wait(POLL)
            except subprocess.TimeoutExpired:
                continue
    except BaseException:
        _kill_tree(process)
        raise
    reader.join(LAST_WAIT)
    return process.returncode, list(lines)


def _collect_lines(stream: IO[bytes], lines: deque[str], show: Callable[[str], bool]) -> None:
    with stream:
        for line in iter(lambda: stream.readline(MAX_LINE_BYTES), b""):
            text = line.decode("utf-8", "replace").strip()
            if text and show(text):
                lines.append(text)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that has not been waited for, so that its number is still its own, and all that it started."""
    if process.returncode is None and sys.platform == "win32":
        taskkill = Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32" / "taskkill.exe"
        tree = [str(taskkill), "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(tree, capture_output=True, check=False, creationflags=NO_WINDOW)  # of Windows  # nosec B603
    elif process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
