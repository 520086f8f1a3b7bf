"""The packages' folder while it changes: one set-up at a time, new content beside it, one rename at the end."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..model.errors import EngineError
from .packages import manifest

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FORMER = "former"  # the folder that was in place before, inside a staging folder
RENAME_SECONDS = 1.0  # Windows renames no folder with open files; a virus scanner holds them for a moment
RENAME_POLL = 0.1  # seconds between two tries
MAX_TRIES = 10  # to lock a file that others remove as they release it


@contextmanager
def hold_packages(folder: Path) -> Iterator[Path]:
    """Hold the packages' folder for a change: yield a new folder beside it, of which nothing is left afterwards.

    What set-ups that were killed have left is removed first.

    Raises:
        EngineError: The folder is a link or a file, or another set-up holds it.
    """
    _refuse_links(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_path = folder.with_name(f".{folder.name}.lock")
    lock = _lock(lock_path)
    try:
        _remove_stale(folder)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        if sys.platform == "win32":  # which removes no file that is open
            lock.close()
        with suppress(OSError):
            lock_path.unlink()
        lock.close()


def remove_leftovers(folder: Path) -> None:
    """Remove what set-ups that were killed have left beside the packages' folder, where that can be done."""
    if folder.parent.exists():
        with suppress(EngineError, OSError), hold_packages(folder):
            pass


def swap_in(new: Path, folder: Path) -> None:
    """Put a new folder in the place of the previous one. Raises EngineError; the previous one is then in place."""
    former = new.with_name(FORMER)
    try:
        if folder.exists():
            rename(folder, former)
        rename(new, folder)
    except OSError as error:
        if former.exists() and not folder.exists():
            rename(former, folder)
        raise EngineError(
            f"{folder} cannot be replaced ({error}). Close other windows of QGIS, which may use it, and run again."
        ) from error


def rename(source: Path, target: Path) -> None:
    """Rename a folder, and try again for `RENAME_SECONDS`. Raises OSError."""
    end = time.monotonic() + RENAME_SECONDS
    while True:
        try:
            source.rename(target)
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(RENAME_POLL)


def _refuse_links(folder: Path) -> None:
    """Refuse a link, also a junction or a link that leads nowhere. A link above the folder is the user's choice."""
    real = os.path.realpath(folder)
    if real != os.path.join(os.path.realpath(folder.parent), folder.name):
        raise EngineError(
            f"{folder} is a link to {real}. This plugin replaces and removes only a folder of its own: remove the "
            f"link, and run again. To keep the packages on another disk, make {folder.parent} the link."
        )
    if os.path.lexists(folder) and not folder.is_dir():
        raise EngineError(f"{folder} is not a folder. Move it away, and run again.")


def _lock(path: Path) -> IO[bytes]:
    """Lock a file until it is closed or the process ends. Raises EngineError where another process has locked it."""
    for _ in range(MAX_TRIES):
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        file = os.fdopen(os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR), "r+b")
        try:
            if sys.platform == "win32":
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.close()
            break
        except OSError:  # the disk knows no locks
            return file
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            return file
        file.close()  # whoever held it has removed it meanwhile
    raise EngineError("Another window of QGIS is setting up the engine. Wait until it has ended, and run again.")


def _remove_stale(folder: Path) -> None:
    """Remove staging folders while the lock is held: nobody works in them. A previous folder is put back first."""
    for entry in (*folder.parent.glob(f".{folder.name}-*"), *folder.parent.glob(f"{folder.name}.removed-*")):
        if not _is_own_folder(entry):
            continue
        if manifest(entry / FORMER) and _is_own_folder(entry / FORMER) and not folder.exists():
            rename(entry / FORMER, folder)
        shutil.rmtree(entry, ignore_errors=True)


def _is_own_folder(path: Path) -> bool:
    """Return whether a path is a folder of this user, and not a link to one."""
    found = os.lstat(path)
    return stat.S_ISDIR(found.st_mode) and (sys.platform == "win32" or found.st_uid == os.getuid())
