"""The files of a folder or an archive, found without regard to capitals. Archives are read as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from osgeo import gdal

from ..errors import InputError
from ..raster.gdal_errors import said

DEEPEST = 6  # folders below the one that is looked through
MOST_FILES = 50_000
LARGEST_TEXT = 8 * 2**20  # bytes of a metadata file that are read
ARCHIVES = {".tar": "/vsitar/", ".tgz": "/vsitar/", ".tar.gz": "/vsitar/", ".zip": "/vsizip/"}
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".filepart", ".tmp")  # of downloads


@dataclass(frozen=True)
class Listing:
    """Files (relative, with /) under `root`, which GDAL opens; `archives` are those among them that are archives."""

    root: str
    files: tuple[str, ...]
    archives: tuple[str, ...] = ()

    def path(self, file: str) -> str:
        """What GDAL opens a file by."""
        return f"{self.root}/{file}"

    def beside(self, file: str, name: str) -> str | None:
        """The file of this name in the folder of `file`, whatever its capitals; None where there is none."""
        wanted = (PurePosixPath(file).parent / name.replace("\\", "/")).as_posix().lower()
        return next((f for f in self.files if f.lower() == wanted), None)

    def text(self, file: str) -> str:
        """A metadata file's text. Raises InputError where it cannot be read."""
        try:
            handle = gdal.VSIFOpenL(self.path(file), "rb")
            try:
                return bytes(gdal.VSIFReadL(1, LARGEST_TEXT, handle)).decode("utf-8", errors="replace")
            finally:
                gdal.VSIFCloseL(handle)
        except (RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"{self.path(file)} cannot be read: {said(error)}. Get the product again.") from error

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Files that a download has not finished."""
        return tuple(f for f in self.files if f.lower().endswith(UNFINISHED))


def kind_of_archive(name: str) -> str | None:
    """The prefix by which GDAL opens an archive; None for what is none by its name."""
    return next((prefix for ending, prefix in ARCHIVES.items() if name.lower().endswith(ending)), None)


def of_folder(folder: str, check: Callable[[], None]) -> Listing:
    """Files of a folder and those below it, less hidden ones. Raises InputError; `check` may raise to stop."""
    root, files = Path(folder), []
    for here, folders, names in os.walk(root):
        check()
        depth = len(Path(here).relative_to(root).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and depth < DEEPEST)
        files += [(Path(here) / n).relative_to(root).as_posix() for n in sorted(names) if not n.startswith(".")]
        if len(files) > MOST_FILES:
            raise InputError(
                f"{folder} holds more than {MOST_FILES:,} files. Choose the folder of one product, or of a few."
            )
    return Listing(folder.rstrip("/\\") or folder, tuple(files), tuple(f for f in files if kind_of_archive(f)))


def of_archive(path: str, check: Callable[[], None]) -> Listing:
    """Files of an archive, of which nothing is extracted; names that lead out of it are left out. Raises InputError."""
    check()
    root = f"{kind_of_archive(path)}{path}"
    try:
        names = gdal.ReadDirRecursive(root)
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read as an archive: {said(error)}. Download it again.") from error
    files = tuple(sorted(_within(names or ())))
    if not files:
        raise InputError(f"{path} holds no files, or is damaged or not complete. Download it again.")
    if len(files) > MOST_FILES:
        raise InputError(f"{path} holds more than {MOST_FILES:,} files. Take the products out of it first.")
    return Listing(root, files, tuple(f for f in files if kind_of_archive(f)))


def _within(names: list[str] | tuple[str, ...]) -> Iterator[str]:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        hidden = any(p.startswith(".") for p in parts)
        if not name.endswith("/") and not name.startswith("/") and ":" not in name and not hidden:
            yield name
