"""The folder beside an output in which it is made: held by a lock while its run lives, and gone with the run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import OutputError
from .delivery import put_back

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ENDING = ".part"
LOCK = ".otfm.lock"
TRIES = 10
ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # what ends a plain process


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A folder beside `target` to make it in, of which nothing is left, also where the process is terminated."""
    with _unwinding():
        folder, lock = _held_folder(target)
        try:
            yield folder
        finally:
            _discard(folder, lock)


def remove_dead(folder: Path) -> list[Path]:
    """Remove what runs that were killed have left in a folder; what they were just replacing is put back first.

    Returns what was removed. Folders of runs that live are locked and stay.
    """
    removed = []
    for part in sorted(folder.glob(f".*{ENDING}")):
        try:
            lock = (part / LOCK).open("r+b")
        except OSError:  # no folder of a run, or somebody else's
            continue
        try:
            _lock(lock)
        except OSError:
            lock.close()
            continue
        if _discard(part, lock):
            removed.append(part)
    return removed


def _held_folder(target: Path) -> tuple[Path, IO[bytes]]:
    for _ in range(TRIES):
        folder = Path(tempfile.mkdtemp(prefix=f".{target.stem[:40]}-", suffix=ENDING, dir=target.parent))
        lock = (folder / LOCK).open("w+b")
        try:
            _lock(lock)
            taken = not (folder / LOCK).exists()
        except (BlockingIOError, PermissionError):
            taken = True
        except OSError:  # the disk knows no locks: nobody can take this one, and the folder counts as living
            taken = False
        if not taken:
            return folder, lock
        lock.close()  # another run has taken the folder for a dead one before it was locked
    raise OutputError(f"No folder can be held in {target.parent}. Choose another one for the output.")


def _lock(file: IO[bytes]) -> None:
    """Lock an open file until it is closed or the process ends, however that happens.

    Raises BlockingIOError or PermissionError where it is locked already, OSError where the disk knows no locks.
    """
    if sys.platform == "win32":
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _discard(folder: Path, lock: IO[bytes]) -> bool:
    """Remove a run's folder, but not what a delivery out of it could not put back; whether it is gone."""
    try:
        put_back(folder)
    except OSError:
        lock.close()
        return False
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()
    shutil.rmtree(folder, ignore_errors=True)  # Windows removes no file that is open
    return not folder.exists()


class _EndedError(BaseException):
    """A signal that ends the process has come; the number is its argument."""


@contextmanager
def _unwinding() -> Iterator[None]:
    """Has signals that end the process unwind the block first, as an interrupt does.

    Only in the main thread, and only those that nobody else handles; afterwards they are as they were.
    """
    main = threading.current_thread() is threading.main_thread()
    taken = [s for s in ENDS if main and signal.getsignal(s) is signal.SIG_DFL]

    def unwind(number: int, frame: Any) -> None:
        raise _EndedError(number)

    for number in taken:
        signal.signal(number, unwind)
    ended = None
    try:
        yield
    except _EndedError as error:
        ended = error.args[0]
        raise
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        if ended is not None:
            os.kill(os.getpid(), ended)
