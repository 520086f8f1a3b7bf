"""What `otfm:setup` does: install, check, repair, remove."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..model.errors import EngineError
from ..model.progress import Progress
from .client import ENGINES
from .examination import Examination, host_lines
from .installation import Wanted, install, loads, remove
from .packages import manifest


@dataclass(frozen=True)
class Done:
    """The version of torch that the engine now loads, empty for none, and the lines of a report where one was asked."""

    torch: str = ""
    report: tuple[str, ...] = ()


def set_up(action: str, folder: Path, wanted: Wanted, progress: Progress) -> Done:
    """Do one action on the packages' folder. Raises PansharpenError; what was installed before is then as it was."""
    if action == "check":
        return _check(folder, progress)
    ENGINES.close()  # on Windows nothing can be replaced that an engine has loaded
    if action == "remove":
        remove(folder, progress)
        return Done()
    if action == "install":
        version = _version(folder)
        if version:
            where = "the folder of this plugin" if manifest(folder) else "the Python of QGIS"
            progress.log(
                f"Nothing to do: torch {version} in {where} works. To install it anew, choose ACTION repair; for a "
                "report on this machine, ACTION check."
            )
            progress.report(1.0)
            return Done(version)
    return Done(install(folder, wanted, progress)["torch"])


def _version(folder: Path) -> str:
    """The version of torch that works already; empty for none."""
    try:
        return loads(folder, Progress())
    except EngineError:
        return ""


def _check(folder: Path, progress: Progress) -> Done:
    """A report, which says also why the engine does not start."""
    lines = tuple(host_lines())
    try:
        found = ENGINES.run(Examination(folder), folder, Progress(cancelled=progress.cancelled))
    except EngineError as error:
        return Done("", (*lines, f"The engine does not work: {error}"))
    return Done(str(manifest(folder).get("torch", "")) or _version(folder), (*lines, *found.lines))
