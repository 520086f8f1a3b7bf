"""Files that a job has written, by their state before and after, for messages to the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILES, FOLDERS = ("output", "weights_out", "report"), ("folder", "maps")  # fields of jobs
MAX_NAMED = 5

State = tuple[int, int, int]  # inode, time, bytes


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
