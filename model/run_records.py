"""Records of living runs in a private folder of the user: a later run recognises a stale folder by nothing else."""

from __future__ import annotations

import os
import platform
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .codec import Codec

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ENDING = ".run"
MAX_BYTES = 2**20  # of a record: it names a few files

Identity = tuple[int, int]  # device and inode


@dataclass(frozen=True)
class Move:
    """A file on its way between the output's folder and the run's, from `source` to `place`."""

    source: Path
    place: Path
    identity: Identity


@dataclass(frozen=True)
class RunFacts:
    """A run: its host, its folder with the real path of the parent and the identity, the moves of its delivery."""

    host: str
    parent: str
    folder: Path
    identity: Identity
    moves: tuple[Move, ...] = ()


CODEC = Codec(RunFacts, Move)


def state_folder() -> Path:
    """Return the private folder in which this user's programs keep their state, and create it where it is absent.

    Raises OSError where it cannot be created, is a link, belongs to another user, or others may write to it.
    """
    folder = _find_state_home() / "otfm_pansharpen"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    if not is_own_folder(folder) or (sys.platform != "win32" and folder.lstat().st_mode & 0o022):
        raise PermissionError(f"{folder} is not a folder of this user alone")
    return folder


def is_own_folder(path: Path) -> bool:
    """Return whether a path is a real folder, not a link, that this user owns. Raises OSError where it is absent."""
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and (sys.platform == "win32" or status.st_uid == os.geteuid())


def identify(path: Path) -> Identity:
    """Return device and inode of a file or folder; of a link, its own. Raises OSError."""
    status = path.lstat()
    return status.st_dev, status.st_ino


class RunRecord:
    """A locked file that names the folder of a run, and is removed with it."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self.file = path, file
        self.facts: RunFacts | None = None

    @classmethod
    def create(cls, folder: Path) -> RunRecord:
        """Record that this process works in a folder. Raises OSError where the state folder is not usable."""
        number, path = tempfile.mkstemp(suffix=ENDING, dir=state_folder())
        record = cls(Path(path), os.fdopen(number, "r+b"))
        try:
            lock_file(record.file, wait=True)
            parent = os.path.realpath(folder.parent)
            record.write(RunFacts(platform.node(), parent, folder, identify(folder)))
        except BaseException:
            record.close(remove=True)
            raise
        return record

    def write(self, facts: RunFacts) -> None:
        """Append facts as a line of JSON, so that a kill while it is written leaves the earlier lines whole."""
        self.facts = facts
        self.file.write(CODEC.to_json(facts).encode() + b"\n")
        self.file.flush()

    def read(self) -> None:
        """Read the facts of the last line that is complete."""
        for line in self.file.read(MAX_BYTES).splitlines(keepends=True):
            with suppress(ValueError):
                facts = CODEC.from_json(line.decode()) if line.endswith(b"\n") else None
                self.facts = facts if isinstance(facts, RunFacts) else self.facts

    def close(self, remove: bool) -> None:
        """Unlock the record, and remove it where its folder is gone."""
        self.file.close()
        if remove:
            with suppress(OSError):
                self.path.unlink()


def lock_stale_records(folder: Path) -> Iterator[RunRecord]:
    """Lock one after another the records of runs on this machine in `folder` whose process has ended.

    The caller closes each of them. Where the state folder is not usable there are none.
    """
    try:
        paths = sorted(state_folder().glob(f"*{ENDING}"))
    except OSError:
        return
    for path in paths:
        try:
            record = RunRecord(path, path.open("r+b"))
        except OSError:  # its run has just removed it
            continue
        try:
            lock_file(record.file, wait=False)
            record.read()
        except OSError:  # its run lives
            record.close(remove=False)
            continue
        facts = record.facts
        if facts and (facts.host, facts.parent) == (platform.node(), os.path.realpath(folder)):
            yield record
        else:
            record.close(remove=False)


def _find_state_home() -> Path:
    """Find the folder in which this system's programs keep their state. Raises OSError where the user has no home."""
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_STATE_HOME")
    usual = {"win32": "AppData/Local", "darwin": "Library/Application Support"}.get(sys.platform, ".local/state")
    for folder in (Path(os.environ.get(variable, "")), Path(os.path.expanduser("~")) / usual):
        if folder.is_absolute():
            return folder
    raise FileNotFoundError("This user has no home folder")


def lock_file(file: IO[bytes], wait: bool) -> None:
    """Lock an open file until it is closed or the process ends, however that happens.

    Raises OSError where another process holds it and we do not wait, or where the disk knows no locks.
    """
    if sys.platform == "win32":
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
