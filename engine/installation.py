"""The actions of `otfm:setup`: install, check, repair and remove torch and what it needs in the packages' folder.

What pip installs is checked by hash, tried out, then swapped in.

pip builds nothing and runs nothing that it fetches. From an index it takes only files whose hash ships with the plugin.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from importlib.metadata import distributions
from pathlib import Path

from ..model.errors import EngineError
from ..model.progress import Progress, format_bytes
from .child_process import launches, run_child
from .client import ENGINES, Engines
from .examination import Examination, describe_host
from .packages import MANIFEST, hold_packages, manifest, remove_leftovers, rename, swap_in

LISTS = Path(__file__).resolve().parent.parent / "resources" / "packages"
BUILDS = ("auto", "cpu", "cuda")
# Bytes to fetch, and on the disk when installed; measured, docs/installing.md.
SIZES: Mapping[str, tuple[float, float]] = {"cpu": (0.21e9, 0.75e9), "cuda": (3.3e9, 5.5e9)}
DOWNLOAD_SHARE = 0.85  # of the progress bar; the rest is for trying it out
# Starts of pip's lines that are of no use to users.
NOISE = ("WARNING", "Looking in", "[notice]", "Expected ", "Got ", "Ignoring ")
ONLY_WHEELS = ("--only-binary", ":all:")  # pip would build any other file, which runs what is in it


@dataclass(frozen=True)
class RequiredFiles:
    """The wish of a user: `build` is one of `BUILDS`; `wheels` a folder of wheels instead of an index, for closed
    networks; `index` the address of a package index instead of pip's own.
    """

    build: str = "auto"
    wheels: Path | None = None
    index: str = ""


@dataclass(frozen=True)
class Done:
    """The version of torch that the engine now loads, empty for none, and the lines of a report where one was asked."""

    torch: str = ""
    report: tuple[str, ...] = ()


def set_up(action: str, folder: Path, wanted: RequiredFiles, progress: Progress) -> Done:
    """Do one action on the packages' folder. Raises PansharpenError; what was installed before is then unchanged."""
    if action == "check":
        return _check(folder, progress)
    try:
        return _change(action, folder, wanted, progress)
    except OSError as error:
        raise EngineError(
            f"The folder {folder} for the packages cannot be changed ({error}). Make it writable, or use another "
            "profile, and run again."
        ) from error


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
    return Done(str(manifest(folder).get("torch", "")) or _find_version(folder, progress), (*lines, *findings.lines))


def install(folder: Path, wanted: RequiredFiles, progress: Progress) -> dict[str, str]:
    """Install into `folder`; returns names and versions. Raises EngineError; the folder is then unchanged."""
    if wanted.wheels is not None:
        _check_wheels(wanted.wheels)
    pip = _find_pip(progress)
    build = _choose_build(wanted, pip, progress)
    _announce(folder, build, wanted, progress)
    with hold_packages(folder) as work:
        new = work / "new"
        new.mkdir()
        options = ("--progress-bar", "off", "--target", str(new), "--no-compile", *ONLY_WHEELS)
        _run_pip([*pip, "install", *options, *_list_sources(build, wanted)], work, SIZES[build], progress)
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
            raise EngineError(
                f"{folder} cannot be removed ({error}). Close other windows of QGIS and run again."
            ) from error
        try:
            shutil.rmtree(work / "removed")
        except OSError as error:
            raise EngineError(
                f"{folder} was removed, but a part of it is left in {work} ({error}). Close other windows of QGIS and "
                "run again."
            ) from error
    progress.log(f"Removed {folder}.")


def loads(folder: Path, progress: Progress) -> str:
    """Load torch with this folder in an engine; returns its version. Raises EngineError with the reason."""
    engines = Engines()
    try:
        return engines.torch_version(folder, progress)
    finally:
        engines.shutdown()


def has_nvidia() -> bool:
    """Return whether the machine seems to have an NVIDIA driver, without loading it."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32" / "nvcuda.dll").exists()
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def _check_wheels(folder: Path) -> None:
    """Check a user's folder of wheels. Raises EngineError where it has none, or one that names another address."""
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise EngineError(f"The folder {folder} holds no wheels (files *.whl). Choose the folder that has them.")
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                texts = [archive.read(name) for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        except (OSError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
            raise EngineError(f"{wheel} cannot be read ({error}). Fetch it again.") from error
        needed = [need for text in texts for need in BytesParser().parsebytes(text).get_all("Requires-Dist", [])]
        if addresses := [need for need in needed if "@" in need.partition(";")[0]]:
            raise EngineError(
                f"{wheel.name} asks for a file at an address ({addresses[0]}), which pip would fetch and run. Use "
                "another wheel."
            )


def _find_pip(progress: Progress) -> list[str]:
    """Find pip of QGIS's own Python. Raises EngineError where it has none."""
    for way in launches():
        command = [*way.command, "-m", "pip"]
        if run_child([*command, "--version"], way.environment, progress)[0] == 0:
            return command
    raise EngineError(
        f"{way.command[0]} has no pip to install with. On Debian and Ubuntu: sudo apt install python3-pip. Elsewhere "
        "reinstall QGIS with its Python. Then run again."
    )


def _choose_build(wanted: RequiredFiles, pip: Sequence[str], progress: Progress) -> str:
    """Choose the build to install, one of the keys of `SIZES`, and log the reason."""
    if wanted.wheels is not None:
        return "cuda" if wanted.build == "cuda" else "cpu"
    if wanted.build == "cuda" and not sys.platform.startswith("linux"):
        raise EngineError(
            "On this system the package index has no CUDA build of torch. Fetch the wheels of a CUDA build with "
            "pip download, as torch's own page says, and give their folder as WHEELS."
        )
    if wanted.build == "cuda" or (wanted.build == "auto" and has_nvidia() and sys.platform.startswith("linux")):
        progress.log("Build: CUDA, " + ("as asked." if wanted.build == "cuda" else "since an NVIDIA driver is there."))
        return "cuda"
    if not sys.platform.startswith("linux") or _offers_cpu_build(pip, wanted, progress):
        progress.log("Build: CPU, " + ("as asked." if wanted.build == "cpu" else "since no NVIDIA driver is there."))
        return "cpu"
    if wanted.build == "cpu":
        raise EngineError(
            "The package index that pip uses offers no CPU build of torch that this plugin knows. Give the address of "
            "torch's own index of CPU builds as INDEX (torch's page names it), or a folder of wheels as WHEELS, or "
            "choose BUILD auto, which takes the larger CUDA build; that runs without a GPU too."
        )
    progress.log("Build: CUDA, since the package index offers no CPU build for Linux; it runs without a GPU too.")
    return "cuda"


def _offers_cpu_build(pip: Sequence[str], wanted: RequiredFiles, progress: Progress) -> bool:
    """Return whether the index's torch is one of those in cpu.txt. Nothing is installed, built or run."""
    listed = (LISTS / "cpu.txt").read_text(encoding="ascii")
    versions = [line.rstrip(" \\") for line in listed.splitlines() if line.startswith("torch==")]
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.json"
        options = ("--dry-run", "--no-deps", "--ignore-installed", "--report", str(report), *ONLY_WHEELS)
        run_child([*pip, "install", *options, *_list_index_options(wanted), *versions], _make_environment(), progress)
        if not report.exists():
            return False
        offered = json.loads(report.read_text(encoding="utf-8"))["install"]
    digests = [str(each["download_info"].get("archive_info", {}).get("hash", "")) for each in offered]
    return any(digest and digest.rpartition("=")[2] in listed for digest in digests)


def _list_sources(build: str, wanted: RequiredFiles) -> list[str]:
    """List what pip installs and from where. A user's own folder of wheels is trusted, an index by hashes alone."""
    if wanted.wheels is not None:
        return ["--no-index", "--find-links", str(wanted.wheels), "torch", "safetensors"]
    return ["--no-deps", "--require-hashes", "-r", str(LISTS / f"{build}.txt"), *_list_index_options(wanted)]


def _list_index_options(wanted: RequiredFiles) -> list[str]:
    return ["--index-url", wanted.index] if wanted.index else []


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


def _make_environment() -> dict[str, str]:
    """Make pip's environment: its own settings count, those of Python and launchers do not."""
    return {**launches()[0].environment, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def _run_pip(command: Sequence[str], work: Path, sizes: tuple[float, float], progress: Progress) -> None:
    """Run pip to its end, with the bytes on the disk as progress. Raises EngineError with pip's last lines."""
    folders = {"TMPDIR": str(work), "TEMP": str(work), "TMP": str(work)}

    def show(line: str) -> bool:
        counts = not line.startswith(NOISE)
        if counts:
            progress.log(line[:200])
        return counts

    def report() -> None:
        progress.report(min(DOWNLOAD_SHARE, DOWNLOAD_SHARE * _count_bytes(work) / sum(sizes)))

    code, last = run_child(command, {**_make_environment(), **folders}, progress, show, report)
    if code and any("No space left" in line for line in last):
        raise EngineError(f"The disk of {work.parent} is full. Nothing was changed. Make room and run again.")
    if code and any("DO NOT MATCH THE HASHES" in line for line in last):
        raise EngineError(
            "The package index gave another file than the one that this plugin was made with (its hash differs). "
            "Nothing was changed. Choose another index as INDEX, or a folder of wheels as WHEELS."
        )
    if code:
        raise EngineError(
            f"pip could not install torch (exit code {code}): {' '.join(last)[-700:]} Nothing was "
            "changed. Check the connection and its proxy, or give a folder of wheels as WHEELS."
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
