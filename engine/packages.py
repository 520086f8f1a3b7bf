"""The packages' folder: torch and what it needs, in a place of their own, complete or ignored, also while it changes.

One set-up changes it at a time: new content is made next to it, and one rename at the end puts it in place.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess  # Windows's own PowerShell, to name who holds a folder  # nosec B404
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import IO

from ..model.errors import EngineError
from ..model.files import read_small_file
from ..model.run_records import is_own_folder, lock_file

MANIFEST = "otfm-packages.json"  # written last: a folder without it is incomplete
MAX_MANIFEST_BYTES = 2**16  # a dozen packages take 500
NEVER = {"numpy", "osgeo"}  # GDAL's bindings and the NumPy they were built for belong together
PREVIOUS = "previous"  # the folder that was in place before, inside a staging folder
RENAME_SECONDS = 10.0  # Windows renames no folder with open files; a virus scanner holds them for seconds
RENAME_POLL = 0.1  # seconds between two tries
MAX_TRIES = 10  # to lock a file that others remove as they release it
MAX_PATH = 259  # characters that Windows opens without long paths
MAX_NAME_LENGTH = 126  # of a file in the wheels that are listed for Windows; measured on torch 2.15.0
PIP_FOLDERS = r"-12345678\pip-target-12345678\lib\python" + "\\"  # what a set-up adds to the folder's name meanwhile
CLOSE = "Close other windows of QGIS, which may use it, and run again."
HOLDERS_SECONDS = 20.0  # for PowerShell, which starts slowly on a busy machine
# Names and numbers of the processes that have loaded a library from a folder.
HOLDERS = (
    "Get-Process | Where-Object { $_.Modules.FileName -match ('^' + [regex]::Escape($env:OTFM_FOLDER)) } | "
    "ForEach-Object { '{0} ({1})' -f $_.ProcessName, $_.Id }"
)


def packages_folder(profile: Path) -> Path:
    """Return the folder that keeps the packages for this version of Python.

    It is in a user's profile, but on Windows in a short folder of the user, since torch has long names. There a link
    is followed here, so that it can make the path shorter.
    """
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return Path(os.path.realpath(Path(os.environ["LOCALAPPDATA"], "otfm"))) / "{}{}".format(*sys.version_info)
    return profile / "otfm_pansharpen" / "packages" / "python{}.{}".format(*sys.version_info)


def refuse_long_paths(folder: Path, name_length: int) -> None:
    """Raise EngineError where Windows could not open files with such names while they are installed into `folder`."""
    longest = len(str(folder.with_name(f".{folder.name}{PIP_FOLDERS}"))) + name_length
    if sys.platform == "win32" and longest > MAX_PATH and not _has_long_paths():
        raise EngineError(
            f"The folder {folder} is {longest - MAX_PATH} characters too long: torch's files would have paths of "
            f"{longest} characters, and this Windows opens {MAX_PATH}. Run these two commands in a command prompt, and "
            f'run again: mkdir C:\\otfm, and mklink /J "{folder.parent}" C:\\otfm'
        )


def _has_long_paths() -> bool:
    """Return whether Windows is set to open longer paths; QGIS's Python then does."""
    if sys.platform != "win32":
        return True
    import winreg

    with (
        suppress(OSError),
        winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key,
    ):
        return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    return False


def describe_holders(folder: Path) -> str:
    """Name the processes that use a folder, which Windows then neither renames nor removes, and what to do."""
    held = ""
    if sys.platform == "win32":
        system = Path(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "WindowsPowerShell", "v1.0")
        command = [str(system / "powershell.exe"), "-NoProfile", "-NonInteractive", "-Command", HOLDERS]
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(  # of Windows  # nosec B603
                command, env={**os.environ, "OTFM_FOLDER": str(folder)}, capture_output=True, text=True, check=False,
                errors="replace", timeout=HOLDERS_SECONDS, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
            held = ", ".join(done.stdout.split("\n")).strip(", ")
    return f"It is used by {held}. Close that, and run again." if held else CLOSE


def manifest(folder: Path) -> dict[str, str]:
    """Return names and versions of what is installed; empty where the folder is absent or incomplete."""
    try:
        versions = json.loads(read_small_file(folder / MANIFEST, MAX_MANIFEST_BYTES))
        return {str(name): str(version) for name, version in versions.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def has_torch(folder: Path) -> bool:
    """Return whether an engine will find torch: in `folder`, or where this process could import it."""
    return bool(manifest(folder)) or PathFinder.find_spec("torch") is not None


def find_packages(packages: Path, path: Sequence[str]) -> None:
    """Let this process import torch from `packages`, where that is complete, else from the first of `path` that has it.

    Neither hides anything of QGIS's Python: both stand last on the path. But torch and its companions go before
    other copies all the same, since torch needs newer companions than a distribution may have.
    """
    added = [entry for entry in path if entry not in sys.path]
    sys.path += added
    if manifest(packages):
        sys.path.append(str(packages))
        added.insert(0, str(packages))
    for folder in added:
        if (Path(folder) / "torch").is_dir():
            sys.meta_path.insert(0, _FolderFinder(folder))
            return


class _FolderFinder(MetaPathFinder):
    """A finder of the modules of a folder, whatever else is on the path."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names = {entry.name.split(".")[0] for entry in Path(folder).iterdir()} - NEVER

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or fullname not in self.names:
            return None
        return PathFinder.find_spec(fullname, [self.folder])


@contextmanager
def hold_packages(folder: Path) -> Iterator[Path]:
    """Hold the packages' folder for a change: yield a new folder next to it, which is removed afterwards.

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
    """Remove what set-ups that were killed have left next to the packages' folder, where that can be done."""
    if folder.parent.exists():
        with suppress(EngineError, OSError), hold_packages(folder):
            pass


def swap_in(new: Path, folder: Path) -> None:
    """Replace the previous folder by a new one. Raises EngineError; the previous one is then in place."""
    previous = new.with_name(PREVIOUS)
    try:
        if folder.exists():
            rename(folder, previous)
        rename(new, folder)
    except OSError as error:
        if previous.exists() and not folder.exists():
            rename(previous, folder)
        raise EngineError(f"{folder} cannot be replaced ({error}). {describe_holders(folder)}") from error


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
            lock_file(file, wait=False)
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
    """Remove staging folders while the lock is held, so no set-up uses them. A previous folder is put back first."""
    for entry in folder.parent.glob(f".{folder.name}-*"):
        if not is_own_folder(entry):
            continue
        if manifest(entry / PREVIOUS) and is_own_folder(entry / PREVIOUS) and not folder.exists():
            rename(entry / PREVIOUS, folder)
        shutil.rmtree(entry, ignore_errors=True)
