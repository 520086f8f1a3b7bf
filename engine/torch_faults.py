"""One sentence with the cure for each way in which torch, or what it needs, can fail to load or to run."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from ..model.errors import is_out_of_memory

SETUP = "run Set up the engine (otfm:setup) in the Processing Toolbox"
REPAIR = "run Set up the engine (otfm:setup) in the Processing Toolbox with ACTION repair"
REPORT = "For a report on this machine run Set up the engine (otfm:setup) with ACTION check."
CPU_TOO_OLD = "The processor is too old for this torch, which needs AVX2 (made since 2013). Sharpen on another machine."
# Words of the error, in lower case, and what is wrong with which cure; the first that fits counts.
KNOWN: tuple[tuple[str, str], ...] = (
    (
        r"nvidia driver on your system is too old|driver version is insufficient",
        "The NVIDIA driver is older than the CUDA that this torch was built for. Update the driver, or choose DEVICE "
        "cpu, or take the CPU build: {repair} and BUILD cpu.",
    ),
    (
        r"winerror (4551|1260|225)|application control|blocked by group policy",
        "Windows does not let this program run: a policy (Smart App Control, AppLocker or a virus scanner) blocks it. "
        "Ask your administrator to allow the file that the message names.",
    ),
    (
        r"code signature|library load disallowed|not valid for use in process|library validation",
        "macOS refuses a library, because its signature does not fit that of QGIS. Install the current QGIS from "
        "qgis.org, then {repair}.",
    ),
    (
        r"libomp|libiomp5|omp: error #15",
        "Two copies of the library for threads (OpenMP) meet, or one is missing. Start QGIS again; if that does not "
        "help, {repair}.",
    ),
    (
        r"dll load failed while importing _(gdal|ogr|osr|gdalconst|gdal_array)\b|no module named '?osgeo",
        "The engine cannot load QGIS's own GDAL. Start QGIS by its entry in the start menu, not by its file, and "
        "reinstall QGIS if that does not help.",
    ),
    (
        r"winerror (126|1114|127)|vcruntime|msvcp140|c10\.dll|dll load failed|shm\.dll",
        "torch is installed, but Windows cannot load one of its libraries. {runtime}{repair}.",
    ),
    (
        r"no module named '?encodings|platform independent libraries",
        "QGIS's Python does not find its own library. Reinstall QGIS.",
    ),
    (
        r"compiled using numpy 1|_array_api not found|numpy\.core\.multiarray failed|multiarray failed to import|"
        r"numpy is not available|numpy\.dtype size changed|module compiled against a(bi|pi) version",
        "NumPy does not fit the packages that use it: they were built for another of its versions, mostly because a "
        "newer NumPy was installed into QGIS's Python. Put back the NumPy that QGIS came with; torch needs none of its "
        "own. Then {repair}.",
    ),
    (
        r"python version mismatch|bad magic number|undefined symbol: _?py|failed to load pytorch c extensions|"
        r"no module named 'torch\._c'|not a valid win32 application|winerror 193|wrong elf class|"
        r"incompatible architecture",
        "The torch that was found was built for another Python or another processor than QGIS has. To install the one "
        "that fits, {repair}.",
    ),
    (r"avx2|illegal instruction|unsupported cpu|cpu (does|lacks|without)", CPU_TOO_OLD),
    (
        r"libcu|libnv|libcudart|libtorch_cuda",
        "A CUDA build of torch is installed without its CUDA libraries. To install a complete one, {repair}.",
    ),
)
RUNTIME = (
    "The Microsoft Visual C++ Redistributable (x64) is missing: install the current one from Microsoft, and start QGIS "
    "again. If that does not help, "
)
RUNTIME_FILES = ("msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll")  # in Windows's folder, since version 2019
NO_MEMORY = "There is not enough memory to load torch, which needs about 600 MB. Close other programs and run again."
MISSING = (
    "OTFM Pansharpen needs the Python package {name}, which is not installed. To install it into a folder of its own "
    "(nothing else is changed), {setup}, and run again."
)
UNKNOWN = (
    "{name} is installed but cannot be loaded. To install a fresh one into a folder of its own, {repair}; for a report "
    "on this machine run the same with ACTION check."
)


def explain_fault(error: BaseException) -> str:
    """Explain an error while torch is loaded and what to do, with the error's own first line."""
    if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "safetensors", "numpy"):
        return MISSING.format(name=error.name, setup=SETUP)
    number = getattr(error, "winerror", None)  # Windows's own
    text = f"WinError {number} {error}" if number else str(error)
    lowered = text.lower()
    for words, sentence in KNOWN:
        if re.search(words, lowered):
            runtime = (
                RUNTIME if _lacks_runtime() else "Mostly a virus scanner holds it, or the files are not complete: "
            )
            return f"{sentence.format(repair=REPAIR, runtime=runtime)} ({_shorten(error)})"
    if is_out_of_memory(text):
        return f"{NO_MEMORY} ({_shorten(error)})"
    name = getattr(error, "name", None) or "torch"
    return f"{UNKNOWN.format(name=name, repair=REPAIR)} ({_shorten(error)})"


def _lacks_runtime() -> bool:
    """Return whether Windows lacks a file of the Visual C++ runtime that torch is built with."""
    folder = Path(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32")
    return sys.platform == "win32" and not all((folder / name).is_file() for name in RUNTIME_FILES)


def _shorten(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
