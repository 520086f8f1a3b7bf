"""The actions of `otfm:setup`: install, check, repair and remove torch and what it needs in the packages' folder.

What pip installs is checked by hash, tried out, then swapped in.

pip builds nothing and runs nothing that it fetches. From an index it takes only files whose hash ships with the plugin.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from email.parser import BytesParser
from importlib.metadata import distributions
from pathlib import Path

from ..model.errors import EngineError
from ..model.progress import Progress, format_bytes
from .child_process import Launch, launches, run_child
from .client import ENGINES, Engines
from .examination import Examination, describe_host
from .packages import (
    MANIFEST,
    MAX_NAME_LENGTH,
    describe_holders,
    hold_packages,
    manifest,
    refuse_long_paths,
    remove_leftovers,
    rename,
    swap_in,
)
from .torch_builds import CPU_INDEX, LISTS, SIZES, choose_build, describe_alternative
from .torch_faults import REPORT, explain_fault

DOWNLOAD_SHARE = 0.85  # of the progress bar; the rest is for trying it out
# Starts of pip's lines that are of no use to users.
NOISE = ("WARNING", "Looking in", "[notice]", "Expected ", "Got ", "Ignoring ")
ONLY_WHEELS = ("--only-binary", ":all:")  # pip would build any other file, which runs what is in it
IMPATIENT = ("--timeout", "10", "--retries", "1")  # seconds; so an index that cannot be reached is soon known
OFFLINE = re.compile(r"connect|timed out|timeout|proxy|ssl|certificate|resolve|no matching distribution", re.IGNORECASE)


@dataclass(frozen=True)
class RequiredFiles:
    """The wish of a user.

    `build` is one of `BUILDS`; `wheels` a folder of wheels instead of an index, for closed networks; `index` the
    address of a package index instead of pip's own. `proxy` is an address, with its user and password, and
    `certificates` a text in PEM format with all that are trusted; both only where QGIS has its own.
    """

    build: str = "auto"
    wheels: Path | None = None
    index: str = ""
    proxy: str = ""
    certificates: str = ""


@dataclass(frozen=True)
class Done:
    """The version of torch that the engine now loads, empty for none, and the lines of a report where one was asked.

    `ready` names torch, device and number type; empty where the engine does not work.
    """

    torch: str = ""
    report: tuple[str, ...] = ()
    ready: str = ""


def set_up(action: str, folder: Path, wanted: RequiredFiles, progress: Progress) -> Done:
    """Do one action on the packages' folder. Raises PansharpenError; what was installed before is then unchanged."""
    if action == "check":
        return _check(folder, progress)
    try:
        done = _change(action, folder, wanted, progress)
    except OSError as error:
        raise EngineError(
            f"The folder {folder} for the packages cannot be changed ({error}). Make it writable, or use another "
            "profile, and run again."
        ) from error
    if done.torch:
        with suppress(EngineError):
            found = ENGINES.run(Examination(folder, brief=True), folder, Progress(cancelled=progress.cancelled))
            progress.log(f"Ready: {found.ready}.")
            done = replace(done, ready=found.ready)
    return done


def _change(action: str, folder: Path, wanted: RequiredFiles, progress: Progress) -> Done:
    if action == "install":
        version = _find_version(folder, progress)
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


def _find_version(folder: Path, progress: Progress) -> str:
    """Return the version of torch that works already; empty for none."""
    try:
        return loads(folder, Progress(cancelled=progress.cancelled))
    except EngineError:
        return ""


def _check(folder: Path, progress: Progress) -> Done:
    """Return a report, with the reason where the engine does not start."""
    lines = tuple(describe_host())
    try:
        findings = ENGINES.run(Examination(folder), folder, Progress(cancelled=progress.cancelled))
    except EngineError as error:
        return Done("", (*lines, f"The engine does not work: {error}"))
    version = str(manifest(folder).get("torch", "")) or _find_version(folder, progress)
    return Done(version, (*lines, *findings.lines), findings.ready)


def install(folder: Path, wanted: RequiredFiles, progress: Progress) -> dict[str, str]:
    """Install into `folder`; returns names and versions. Raises EngineError; the folder is then unchanged."""
    if wanted.wheels is not None:
        name_length = _check_wheels(wanted.wheels)
        build = "cuda" if wanted.build == "cuda" else "cpu"
    else:
        name_length = MAX_NAME_LENGTH
        build = choose_build(wanted.build, progress)
    refuse_long_paths(folder, name_length)
    pip = _find_pip(progress)
    _announce(folder, build, wanted, progress)
    with hold_packages(folder) as work:
        new = work / "new"
        new.mkdir()
        options = ("--progress-bar", "off", "--target", str(new), "--no-compile", *ONLY_WHEELS)
        environment = _make_environment(pip, wanted, work)
        for sources in _list_sources(build, wanted):
            _run_pip(Launch((*pip.command, "install", *options, *sources), environment), work, SIZES[build], progress)
        versions = {str(d.metadata["Name"]): d.version for d in distributions(path=[str(new)])}
        (new / MANIFEST).write_text(json.dumps(versions, indent=1), encoding="utf-8")
        progress.log("Trying out what was installed.")
        progress.log(f"torch {loads(new, progress)} loads.")
        swap_in(new, folder)
    progress.report(1.0)
    progress.log(f"Installed into {folder}: {', '.join(f'{n} {v}' for n, v in sorted(versions.items()))}.")
    return versions


def remove(folder: Path, progress: Progress) -> None:
    """Remove the packages' folder. Raises EngineError where that cannot be done, or not completely."""
    if not os.path.lexists(folder):
        remove_leftovers(folder)
        progress.log(f"There is nothing to remove: {folder} does not exist.")
        return
    with hold_packages(folder) as work:
        try:
            rename(folder, work / "removed")
        except OSError as error:
            raise EngineError(f"{folder} cannot be removed ({error}). {describe_holders(folder)}") from error
        try:
            shutil.rmtree(work / "removed")
        except OSError as error:
            raise EngineError(
                f"{folder} was removed, but a part of it is left in {work} ({error}). {describe_holders(work)}"
            ) from error
    progress.log(f"Removed {folder}.")


def loads(folder: Path, progress: Progress) -> str:
    """Load torch with this folder in an engine; returns its version. Raises EngineError with the reason."""
    engines = Engines()
    try:
        return engines.torch_version(folder, progress)
    finally:
        engines.shutdown()


def _check_wheels(folder: Path) -> int:
    """Check a user's folder of wheels, and return the characters of the longest name in them.

    Raises EngineError where the folder has none, or one that names another address.
    """
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise EngineError(f"The folder {folder} holds no wheels (files *.whl). Choose the folder that has them.")
    longest = 0
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                names = archive.namelist()
                texts = [archive.read(name) for name in names if name.endswith(".dist-info/METADATA")]
        except (OSError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
            raise EngineError(f"{wheel} cannot be read ({error}). Fetch it again.") from error
        needed = [need for text in texts for need in BytesParser().parsebytes(text).get_all("Requires-Dist", [])]
        if addresses := [need for need in needed if "@" in need.partition(";")[0]]:
            raise EngineError(
                f"{wheel.name} asks for a file at an address ({addresses[0]}), which pip would fetch and run. Use "
                "another wheel."
            )
        longest = max(longest, *map(len, names))
    return longest


def _find_pip(progress: Progress) -> Launch:
    """Find pip of QGIS's own Python, with the environment in which it runs. Raises EngineError where it has none."""
    check = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    reasons = []
    for way in launches():
        try:
            code, last = run_child([*way.command, "-c", check], way.environment, progress)
        except OSError as error:  # the system lets no such program run
            code, last = 1, [explain_fault(error)]
        if code == 0:
            return Launch((*way.command, "-m", "pip"), way.environment)
        reasons += last[-1:]
    raise EngineError(
        f"{way.command[0]} has no pip to install with ({'; '.join(dict.fromkeys(reasons))}). On Debian and Ubuntu: "
        "sudo apt install python3-pip. Elsewhere reinstall QGIS with its Python. Then run again."
    )


def _list_sources(build: str, wanted: RequiredFiles) -> list[list[str]]:
    """List what pip installs and from where, run by run.

    A user's own folder of wheels is trusted, an index by hashes alone. The CPU build for Linux comes first, because
    only its index may be out of reach.
    """
    if wanted.wheels is not None:
        return [["--no-index", "--find-links", os.path.abspath(wanted.wheels), "torch", "safetensors"]]
    index = ["--index-url", wanted.index] if wanted.index else []
    lists = [[f"{build}.txt", *index]]
    if build == "cpu" and sys.platform.startswith("linux"):
        both = [*index, "--extra-index-url", CPU_INDEX] if index else ["--index-url", CPU_INDEX]
        lists.insert(0, ["torch-cpu.txt", *both, *IMPATIENT])
    return [["--no-deps", "--require-hashes", "-r", str(LISTS / name), *options] for name, *options in lists]


def _announce(folder: Path, build: str, wanted: RequiredFiles, progress: Progress) -> None:
    """Log what is fetched, how large it is, and where it goes. Raises EngineError where the disk is too small."""
    fetched, installed = SIZES[build]
    source = f"the folder {wanted.wheels}" if wanted.wheels else wanted.index or "the package index that pip uses"
    progress.log(
        f"torch, safetensors and what they need are fetched from {source}: about {format_bytes(fetched)}, "
        f"{format_bytes(installed)} when installed. They go into {folder}, which belongs to this plugin alone; nothing "
        "else is changed."
    )
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < fetched + installed:
        raise EngineError(
            f"The disk of {there} has {format_bytes(free)} left, but {format_bytes(fetched + installed)} are needed "
            "to install torch. Make room and run again."
        )


def _make_environment(pip: Launch, wanted: RequiredFiles, work: Path) -> dict[str, str]:
    """Make pip's environment: its own settings go before those of QGIS; those of Python and launchers do not count."""
    environment = {**pip.environment, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    environment.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work)))
    if wanted.proxy and not any(name.upper().endswith("_PROXY") for name in environment):
        environment.update(HTTP_PROXY=wanted.proxy, HTTPS_PROXY=wanted.proxy)
    if wanted.certificates:
        trusted = work / "certificates.pem"
        trusted.write_text(wanted.certificates, encoding="ascii")
        environment.setdefault("PIP_CERT", str(trusted))
    return environment


def _run_pip(pip: Launch, work: Path, sizes: tuple[float, float], progress: Progress) -> None:
    """Run pip to its end, with the bytes on the disk as progress. Raises EngineError with pip's last lines."""

    def show(line: str) -> bool:
        counts = not line.startswith(NOISE)
        if counts:
            progress.explain(line[:200])
        return counts

    highest = 0.0  # pip removes files in between

    def report() -> None:
        nonlocal highest
        highest = max(highest, min(DOWNLOAD_SHARE, DOWNLOAD_SHARE * _count_bytes(work) / sum(sizes)))
        progress.report(highest)

    code, last = run_child(pip.command, pip.environment, progress, show, report)
    if code and any("No space left" in line for line in last):
        raise EngineError(f"The disk of {work.parent} is full. Nothing was changed. Make room and run again.")
    if code and any("DO NOT MATCH THE HASHES" in line for line in last):
        raise EngineError(
            "The package index gave another file than the one that this plugin was made with (its hash differs). "
            "Nothing was changed. Choose another index as INDEX, or a folder of wheels as WHEELS."
        )
    if code:
        printed = " ".join(last)[-700:]
        if CPU_INDEX in pip.command and OFFLINE.search(printed):
            raise EngineError(describe_alternative(last[-1]))
        cure = "Check the connection and its proxy, or give a folder of wheels as WHEELS."
        raise EngineError(
            f"pip could not install torch (exit code {code}): {printed} Nothing was changed. "
            f"{cure if OFFLINE.search(printed) else REPORT}"
        )


def _count_bytes(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:  # moved meanwhile
                continue
    return total
