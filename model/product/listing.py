"""The files of a folder or an archive, found without regard to capitals. Archives are read without unpacking."""

from __future__ import annotations

import functools
import os
import re
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
ARCHIVES = {
    **dict.fromkeys((".tar", ".tgz", ".tar.gz"), "/vsitar/"),
    **{".zip": "/vsizip/", ".7z": "/vsi7z/", ".rar": "/vsirar/"},  # The last two need GDAL 3.7 with libarchive.
}
CLOSED = (*ARCHIVES, ".tbz2", ".tbz", ".txz", ".tzst", ".gz", ".bz2", ".xz", ".zst", ".z")  # GDAL may not.
# Words in names of files, and names of folders, that belong to a product but are not bands of it.
AUXILIARY = (
    r"(?:browse|thumb(?:nail)?s?|preview|ql|quicklook|(?:gap_?)?masks?|msk|gm|clouds?|snow|quality|b?qa|"
    r"qi|psh|psm|pansharp\w*|udm\d?|aux|angles?|azimuth|zenith|[sv][az]a|footprint|roi|dem|dsm|dtm|overviews?|ovr|"
    r"[fb]wd)"
)
AUXILIARY_FILE = re.compile(rf"(?:^|[_\-. ]){AUXILIARY}(?:[_\-. ]|$)", re.IGNORECASE)
# Some of these words are in names of places, too: alone, they are of a product.
AUXILIARY_FOLDER = re.compile(
    rf"^{AUXILIARY}$|(?:^|[_\-. ])(?!snow|cloud|roi|gm|dem){AUXILIARY}(?:[_\-. ]|$)", re.IGNORECASE
)
DATED = re.compile(r"\d{6}")  # In names that one image alone has, unlike IMAGERY.TIF.
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".filepart", ".tmp")  # Endings of downloads.


@dataclass(frozen=True)
class Listing:
    """Files (relative, with /) under `root`, which GDAL opens.

    check     may raise to stop; readers call it from time to time
    archives  those files that are archives      closed   archives that GDAL does not read in place
    outside   links that lead out of the folder, which are not among the files
    """

    root: str
    files: tuple[str, ...]
    check: Callable[[], None]
    archives: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    def path(self, file: str) -> str:
        """Return the name by which GDAL opens a file."""
        return f"{self.root}/{file}"

    def find_next_to(self, file: str, name: str) -> str | None:
        """Return the file of this name in the folder of `file`, whatever its capitals; None if it is missing.

        Of images, the only one with it inside a longer name is found too (tools add "clip"), or in another folder if
        its digits tell it from images of other scenes.
        """
        wanted = PurePosixPath(file).parent / name.replace("\\", "/")
        exact = self._by_lower_case.get(wanted.as_posix().lower())
        if exact or not name.lower().endswith(IMAGES):
            return exact
        inside = rf"(?<![a-z0-9]){re.escape(wanted.stem.lower())}(?![a-z0-9])[^/]*$"
        similar = [f for f in self.images if wanted.stem.lower() in f.lower()]
        longer = [f for f in similar if PurePosixPath(f).parent == wanted.parent and re.search(inside, f.lower())]
        elsewhere = [f for f in similar if f"/{f}".lower().endswith(f"/{wanted.name.lower()}") and DATED.search(name)]
        return next((some[0] for some in (longer, elsewhere) if len(some) == 1), None)

    @functools.cached_property
    def images(self) -> tuple[str, ...]:
        """Images that may be bands: no masks, previews or angles."""
        return tuple(f for f in self.files if f.lower().endswith(IMAGES) and not is_auxiliary(f))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Images that are masks, previews or angles by their names."""
        return tuple(f for f in self.files if f.lower().endswith(IMAGES) and is_auxiliary(f))

    @functools.cached_property
    def _by_lower_case(self) -> Mapping[str, str]:
        return {f.lower(): f for f in reversed(self.files)}

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Files that a download has not finished."""
        return tuple(f for f in self.files if f.lower().endswith(UNFINISHED))


def is_auxiliary(file: str) -> bool:
    """Tell by the name that a file is a mask, a preview, an angle or another file that is not a band."""
    path = PurePosixPath(file)
    return bool(AUXILIARY_FILE.search(path.stem)) or any(map(AUXILIARY_FOLDER.search, path.parent.parts))


def find_archive_prefix(name: str) -> str | None:
    """Return the prefix by which GDAL opens an archive; None for other names and where this GDAL does not."""
    prefix = next((prefix for ending, prefix in ARCHIVES.items() if name.lower().endswith(ending)), None)
    return prefix if prefix in gdal.GetFileSystemsPrefixes() else None


def is_closed(name: str) -> bool:
    """Tell whether a file is compressed in a way that this GDAL does not read in place."""
    return name.lower().endswith(CLOSED) and find_archive_prefix(name) is None


def archive_stem(file: str) -> str:
    """Return the name of an archive without its endings; empty for a single compressed file."""
    match = re.match(r"(.+)\.(?:tar\.\w+|t[bx]z2?|tzst|7z|rar)$", PurePosixPath(file).name, re.IGNORECASE)
    return match[1] if match else ""


def describe_closed(path: str) -> str:
    """Say what to do with a file that is compressed in such a way."""
    return (
        f"{path} cannot be read without unpacking by GDAL {gdal.__version__}. Unpack it, for example with 7-Zip or "
        "tar, and choose its folder."
    )


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
            if find_name_fault(name) or not os.path.isfile(path):  # pipes and devices may block for ever
                continue
            leads_out = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real_root)
            (outside if leads_out else files).append(path.relative_to(root).as_posix())
        if len(files) > MAX_FILES:
            raise InputError(
                f"{folder} holds more than {MAX_FILES:,} files. Choose the folder of one product, or of a few."
            )
    archives, closed = (tuple(filter(matches, files)) for matches in (find_archive_prefix, is_closed))
    return Listing(folder.rstrip("/\\") or folder, tuple(files), check, archives, closed, tuple(outside))


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
    return Listing(root, files, check, *(tuple(filter(matches, files)) for matches in (find_archive_prefix, is_closed)))


def _filter_names(names: list[str] | tuple[str, ...]) -> Iterator[str]:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        hidden = any(p.startswith(".") for p in parts)
        is_unsafe = name.startswith("/") or ":" in name or find_name_fault(name)
        if not name.endswith("/") and not hidden and not is_unsafe:
            yield name
