"""The files of a folder or an archive, found without regard to capitals. Archives are read without unpacking."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from osgeo import gdal

from ..errors import InputError
from ..files import find_name_fault
from ..raster.gdal_errors import quote_messages

# Levels of subfolders, and files in all: products have less, and a whole disk must not be scanned.
MAX_DEPTH = 6
MAX_FILES = 50_000
IMAGES = (".tif", ".tiff", ".jp2", ".j2k", ".ntf", ".nitf")
ARCHIVES = {".tar": "/vsitar/", ".tgz": "/vsitar/", ".tar.gz": "/vsitar/", ".zip": "/vsizip/"}
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".filepart", ".tmp")  # Endings of downloads.


@dataclass(frozen=True)
class Listing:
    """Files (relative, with /) under `root`, which GDAL opens.

    check     may raise to stop; readers call it from time to time
    archives  those files that are archives
    outside   links that lead out of the folder, which are not among the files
    """

    root: str
    files: tuple[str, ...]
    check: Callable[[], None]
    archives: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    def path(self, file: str) -> str:
        """Return the name by which GDAL opens a file."""
        return f"{self.root}/{file}"

    def find_next_to(self, file: str, name: str) -> str | None:
        """Return the file of this name in the folder of `file`, whatever its capitals; None if it is missing."""
        return self._by_lower_case.get((PurePosixPath(file).parent / name.replace("\\", "/")).as_posix().lower())

    @functools.cached_property
    def _by_lower_case(self) -> Mapping[str, str]:
        return {f.lower(): f for f in reversed(self.files)}

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Files that a download has not finished."""
        return tuple(f for f in self.files if f.lower().endswith(UNFINISHED))


def find_archive_prefix(name: str) -> str | None:
    """Return the prefix by which GDAL opens an archive; None for other names."""
    return next((prefix for ending, prefix in ARCHIVES.items() if name.lower().endswith(ending)), None)


def of_folder(folder: str, check: Callable[[], None]) -> Listing:
    """List the regular files of a folder and those below it.

    Hidden files, names with control characters, and links that lead out of the folder are left out. Raises
    InputError; `check` may raise to stop.
    """
    root = Path(folder)
    files: list[str] = []
    outside: list[str] = []
    real_root = os.path.realpath(root)
    for parent, folders, names in os.walk(root):
        check()
        depth = len(Path(parent).relative_to(root).parts)
        folders[:] = sorted(f for f in folders if not (f.startswith(".") or find_name_fault(f)) and depth < MAX_DEPTH)
        for name in sorted(n for n in names if not n.startswith(".")):
            path = Path(parent) / name
            if find_name_fault(name) or not _is_regular(path):
                continue
            leads_out = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real_root)
            (outside if leads_out else files).append(path.relative_to(root).as_posix())
        if len(files) > MAX_FILES:
            raise InputError(
                f"{folder} holds more than {MAX_FILES:,} files. Choose the folder of one product, or of a few."
            )
    archives = tuple(f for f in files if find_archive_prefix(f))
    return Listing(folder.rstrip("/\\") or folder, tuple(files), check, archives, tuple(outside))


def _is_regular(path: Path) -> bool:
    """Check that a path is a regular file: pipes and devices may block for ever."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def of_archive(path: str, check: Callable[[], None]) -> Listing:
    """List the files of an archive without extracting it. Names that lead out of it are left out. Raises InputError."""
    check()
    root = f"{find_archive_prefix(path)}{path}"
    try:
        names = gdal.ReadDirRecursive(root)
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read as an archive: {quote_messages(error)}. Download it again.") from error
    files = tuple(sorted(_filter_names(names or ())))
    if not files:
        raise InputError(f"{path} holds no files, or is damaged or not complete. Download it again.")
    if len(files) > MAX_FILES:
        raise InputError(f"{path} holds more than {MAX_FILES:,} files. Take the products out of it first.")
    return Listing(root, files, check, tuple(f for f in files if find_archive_prefix(f)))


def _filter_names(names: list[str] | tuple[str, ...]) -> Iterator[str]:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        hidden = any(p.startswith(".") for p in parts)
        is_unsafe = name.startswith("/") or ":" in name or find_name_fault(name)
        if not name.endswith("/") and not hidden and not is_unsafe:
            yield name
