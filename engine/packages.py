"""The packages' folder: torch and what it needs, in a place of their own, complete or ignored."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

MANIFEST = "otfm-packages.json"  # written last: a folder without it is incomplete
NEVER = {"numpy", "osgeo"}  # GDAL's bindings and the NumPy they were built for belong together


def packages_folder(profile: Path) -> Path:
    """Where a user's profile keeps the packages for the running version of Python."""
    return profile / "otfm_pansharpen" / "packages" / "python{}.{}".format(*sys.version_info)


def manifest(folder: Path) -> dict[str, str]:
    """Names and versions of what is installed; empty where the folder is absent or incomplete."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): str(version) for name, version in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def has_torch(own: Path) -> bool:
    """Whether an engine will find torch: in `own`, or where this process could import it."""
    return bool(manifest(own)) or PathFinder.find_spec("torch") is not None


def find_packages(own: Path, path: Sequence[str]) -> None:
    """Let this process import torch from `own`, where that is complete, else from the first of `path` that has it.

    Neither hides anything of QGIS's Python: both stand last on the path. But torch and what lies beside it go before
    other copies all the same, since torch needs newer companions than a distribution may have.
    """
    added = [entry for entry in path if entry not in sys.path]
    sys.path += added
    if manifest(own):
        sys.path.append(str(own))
        added.insert(0, str(own))
    for folder in added:
        if (Path(folder) / "torch").is_dir():
            sys.meta_path.insert(0, _Beside(folder))
            return


class _Beside(MetaPathFinder):
    """Finds what a folder has there, whatever else is on the path."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names = {entry.name.split(".")[0] for entry in Path(folder).iterdir()} - NEVER

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or fullname not in self.names:
            return None
        return PathFinder.find_spec(fullname, [self.folder])
