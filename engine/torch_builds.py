"""The builds of torch: the systems, processors and Pythons that each fits, and the choice of a build."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..model.errors import EngineError
from ..model.progress import Progress, format_bytes

LISTS = Path(__file__).resolve().parent.parent / "resources" / "packages"
BUILDS = ("auto", "cpu", "cuda")
# Bytes to fetch, and on the disk when installed; measured, docs/installing.md.
SIZES: Mapping[str, tuple[float, float]] = {"cpu": (0.21e9, 0.75e9), "cuda": (3.3e9, 5.5e9)}
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # the usual index has only CUDA builds for Linux
DEBIAN = "On Debian 13 the system's own torch is enough: sudo apt install python3-torch python3-safetensors."


@dataclass(frozen=True)
class Wheels:
    """The wheels of one version of torch for one system and processor; `oldest` is the system's first version."""

    build: str
    version: str
    system: str
    oldest: int
    processor: str
    pythons: tuple[str, ...]

    @property
    def machine(self) -> str:
        """Return system and processor in words."""
        return f"{self.system} {self.oldest or ''} {self.processor}".replace("  ", " ")

    @property
    def python_range(self) -> str:
        """Return the versions of Python in words."""
        return " to ".join(dict.fromkeys((self.pythons[0], self.pythons[-1])))


def list_wheels(build: str) -> list[Wheels]:
    """List the wheels of torch in the lists of packages, for one of the keys of `SIZES`."""
    lines = (LISTS / "wheels.txt").read_text(encoding="ascii").splitlines()
    return [Wheels(w[0], w[1], w[2], int(w[3]), w[4], tuple(w[5:])) for w in map(str.split, lines) if w[0] == build]


def has_nvidia() -> bool:
    """Return whether the machine seems to have an NVIDIA driver, without loading it."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32" / "nvcuda.dll").exists()
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def choose_build(wanted: str, progress: Progress) -> str:
    """Choose the build for one of `BUILDS`, and log why. Raises EngineError where it is not made for this machine."""
    is_linux = sys.platform.startswith("linux")
    if wanted == "cuda" and not is_linux:
        raise EngineError(
            "On this system the package index has no CUDA build of torch. Fetch the wheels of a CUDA build with "
            "pip download, as torch's own page says, and give their folder as WHEELS."
        )
    build = "cuda" if wanted == "cuda" or (wanted == "auto" and is_linux and has_nvidia()) else "cpu"
    _refuse_unsupported(build)
    reason = "since an NVIDIA driver is there" if build == "cuda" else "since no NVIDIA driver is there"
    progress.log(f"Build: {build.upper()}, {reason if wanted == 'auto' else 'as asked'}.")
    return build


def _refuse_unsupported(build: str) -> None:
    """Raise EngineError where the lists have no torch for this Python, system and processor."""
    python = "{}.{}".format(*sys.version_info)
    system, version, processor = _find_machine()
    wheels = list_wheels(build)
    same = [w for w in wheels if (w.system, w.processor) == (system, processor) and w.oldest <= version]
    if any(python in w.pythons for w in same):
        return
    if same:
        cure = f"Use a QGIS with Python {', '.join(w.python_range for w in same)}"
    else:
        cure = f"It is made for {', '.join(dict.fromkeys(w.machine for w in wheels))}. Use such a machine"
    machine = " ".join(filter(None, (system, str(version or ""), processor)))
    raise EngineError(
        f"torch is not made for Python {python} on {machine}. {cure}, or give a folder of "
        f"wheels as WHEELS. {DEBIAN + ' ' if system == 'Linux' else ''}Assessing rasters works without torch."
    )


def _find_machine() -> tuple[str, int, str]:
    """Return the system, its version on macOS, and the processor that this Python is made for."""
    if sys.platform == "win32":  # which runs Pythons for x86-64 on ARM too
        return "Windows", 0, sysconfig.get_platform().partition("-")[2].replace("amd64", "x86_64")
    if sys.platform == "darwin":
        return "macOS", int(platform.mac_ver()[0].partition(".")[0]), platform.machine()
    return "Linux", 0, platform.machine()


def describe_alternative(reason: str) -> str:
    """Say what to do where the index of CPU builds cannot be used, with the sizes of what would be fetched instead."""
    fetched, installed = map(format_bytes, SIZES["cuda"])
    return (
        f"The CPU build of torch cannot be fetched from {CPU_INDEX} ({reason}). Nothing was changed. Check the "
        "connection and its proxy, give a mirror that has the file as INDEX, or a folder of wheels as WHEELS. "
        f"{DEBIAN} Or choose BUILD cuda, which runs without a GPU too: {fetched} to fetch from the usual package "
        f"index, {installed} when installed."
    )
