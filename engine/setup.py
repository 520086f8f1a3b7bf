"""What `otfm:setup` does: install, check, repair, remove."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..model.errors import EngineError
from ..model.progress import Progress
from .client import ENGINES
from .examination import Examination, host_lines
from .installation import Wanted, install, loads, remove
from .package_staging import remove_leftovers
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
    try:
        return _change(action, folder, wanted, progress)
    except OSError as error:
        raise EngineError(
            f"The folder {folder} for the packages cannot be changed ({error}). Make it writable, or use another "
            "profile, and run again."
        ) from error


def _change(action: str, folder: Path, wanted: Wanted, progress: Progress) -> Done:
    if action == "install":
        version = _version(folder, progress)
        if version:
            remove_leftovers(folder)
            where = "the folder of this plugin" if manifest(folder) else "the Python of QGIS"
            progress.log(
                f"Nothing to do: torch {version} in {where} works. To install it again, choose ACTION repair; for a "
                "report on this machine, ACTION check."
            )
            progress.report(1.0)
            return Done(version)
    if ENGINES.jobs:
        raise EngineError("The engine is at work. Wait until its job has ended, or cancel it, and run again.")
    ENGINES.shutdown()  # on Windows nothing can be replaced that an engine has loaded
    if action == "remove":
        remove(folder, progress)
        return Done()
    return Done(install(folder, wanted, progress)["torch"])


def _version(folder: Path, progress: Progress) -> str:
    """Return the version of torch that works already; empty for none."""
    try:
        return loads(folder, Progress(cancelled=progress.cancelled))
    except EngineError:
        return ""


def _check(folder: Path, progress: Progress) -> Done:
    """A report, which says also why the engine does not start."""
    lines = tuple(host_lines())
    try:
        found = ENGINES.run(Examination(folder), folder, Progress(cancelled=progress.cancelled))
    except EngineError as error:
        return Done("", (*lines, f"The engine does not work: {error}"))
    return Done(str(manifest(folder).get("torch", "")) or _version(folder, progress), (*lines, *found.lines))
