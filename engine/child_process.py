"""Programs that end within a second when the user cancels: they are polled, and killed with their own children."""

from __future__ import annotations

import os
import signal
import subprocess  # the command comes from this plugin, never from a shell  # nosec B404
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from ..model.progress import Progress

POLL = 0.1  # seconds between two looks at whether the user has cancelled
MAX_LINE_BYTES = 10_000  # a longer line of output counts as several
LAST_LINES = 12  # that are kept for a sentence about a failure
LAST_WAIT = 1.0  # seconds for the last lines of a program that has ended
NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # of a console, on Windows


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
    )  # fmt: skip
    lines: deque[str] = deque(maxlen=LAST_LINES)
    reader = threading.Thread(target=_read, args=(process.stdout, lines, show), daemon=True)
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


def _read(stream: IO[bytes], lines: deque[str], show: Callable[[str], bool]) -> None:
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
