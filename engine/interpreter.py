"""Which Python the engine runs on, and where: QGIS's own interpreter, without what QGIS's launchers set."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..model.errors import EngineError

START = Path(__file__).resolve().parent / "start.py"
# Made for QGIS itself, they break another process of the same interpreter or lead it to other libraries.
LAUNCHER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "__PYVENV_LAUNCHER__")
ISOLATED = ("-I", "-X", "utf8")  # no variables of Python, no folder of the user, no current folder


@dataclass(frozen=True)
class Launch:
    """How an interpreter is started: its command up to the script, and all environment variables."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def launches() -> list[Launch]:
    """The ways to try, best first. Raises EngineError where no interpreter is found.

    The second of each interpreter is for installations whose Python finds itself, or whose GDAL finds its libraries,
    only by what the launcher of QGIS set.
    """
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("PYTHON") and name not in LAUNCHER_VARIABLES
    }
    clean.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin starve each other on a busy machine
    kept = {name: os.environ[name] for name in LAUNCHER_VARIABLES if name in os.environ}
    as_launched = {**clean, **kept, "PYTHONHOME": sys.prefix}
    return [
        launch
        for python in map(str, find_pythons())
        for launch in (Launch((python, *ISOLATED), clean), Launch((python, "-s", "-X", "utf8"), as_launched))
    ]


def find_pythons() -> list[Path]:
    """Interpreters that may be the one QGIS embeds, likeliest first. Raises EngineError where there is none."""
    looked = list(dict.fromkeys(_candidates()))
    found = [path for path in looked if path.is_file() and os.access(path, os.X_OK)]
    if not found:
        version = ".".join(map(str, sys.version_info[:2]))
        raise EngineError(
            f"No Python {version} was found beside QGIS to run the engine on (looked for "
            f"{', '.join(map(str, looked))}). Reinstall QGIS with its Python."
        )
    return found


def _candidates() -> Iterator[Path]:
    """In the desktop `sys.executable` is QGIS itself, and PYTHONEXECUTABLE may have it name another Python."""
    prefix, executable = Path(sys.exec_prefix), Path(sys.executable or "")
    version = ".".join(map(str, sys.version_info[:2]))
    if sys.platform == "win32":
        yield prefix / "python.exe"
    else:
        yield prefix / "bin" / f"python{version}"
        if sys.platform == "darwin":  # the bundles of QGIS differ in where they keep it
            for folder in (prefix / "bin", executable.parent / "bin", executable.parent):
                yield from (folder / f"python{version}", folder / "python3")
    if executable.stem.lower().startswith("python"):
        yield executable
