"""Report on this machine and a small scene with a known answer, for requests for help."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..model.progress import Progress, format_bytes
from ..model.version import VERSION

SIDE, RATIO = 256, 4  # PAN pixels of the scene, and of a pixel of its MS
MAX_ERROR = 0.6  # of interpolation's ERGAS; a right result stays below


@dataclass(frozen=True)
class Examination:
    """The job: `packages` is the packages' folder."""

    packages: Path


@dataclass(frozen=True)
class Findings:
    """Lines of text without personal paths."""

    lines: tuple[str, ...]


def examine(job: Examination, progress: Progress | None = None) -> Findings:
    """Examine the process this runs in. Raises PansharpenError where fusing fails."""
    answer = _test_known_answer(progress or Progress())
    return Findings((*_describe_software(job.packages), *_describe_machine(), *_describe_room(job.packages), answer))


def describe_host() -> list[str]:
    """Return the lines that need no torch."""
    return [
        f"OTFM Pansharpen {VERSION}",
        f"System: {platform.platform()}, {platform.machine()}",
        f"Python: {sys.version.split()[0]}",
    ]


def _describe_software(packages: Path) -> Iterator[str]:
    import numpy as np
    import safetensors
    import torch
    from osgeo import gdal

    versions = {"torch": torch, "safetensors": safetensors, "NumPy": np, "GDAL": gdal}
    yield ", ".join(f"{name} {module.__version__}" for name, module in versions.items())
    is_own = Path(torch.__file__).is_relative_to(packages)
    yield f"torch is in {'the folder of this plugin' if is_own else 'the Python of QGIS'}"


def _describe_machine() -> Iterator[str]:
    import torch

    from ..model.inference.precision import measure_bf16_share
    from ..model.network.weights import load_weights
    from ..model.options import BUNDLED

    capability = torch.backends.cpu.get_cpu_capability()
    yield f"Processor: {os.cpu_count()} cores, {capability}, {torch.get_num_threads()} threads"
    for name, path in BUNDLED.items():
        share = measure_bf16_share(load_weights(path).network)
        yield f"bfloat16 takes {share:.2f} times the time of float32 with the weights {name}"
    yield from _describe_cuda()


def _describe_room(packages: Path) -> Iterator[str]:
    """Describe memory and disk."""
    import shutil

    from ..model.fusion.plan import choose_budget

    there = next(p for p in (packages, *packages.parents) if p.exists())
    yield f"Memory: {_read_free_memory()} MB free, {choose_budget()} MB of it for tiles by default"
    yield f"Disk: {format_bytes(shutil.disk_usage(there).free)} free for the profile"


def _read_free_memory() -> int:
    """Return the MB of memory that no process uses; all of the machine's where the system does not report it."""
    from osgeo import gdal

    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return int(gdal.GetUsablePhysicalRAM()) // 2**20


def _describe_cuda() -> Iterator[str]:
    """Describe the CUDA devices, or why there are none."""
    import warnings

    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for number in range(count):
        device = torch.cuda.get_device_properties(number)
        yield f"CUDA device {number}: {device.name}, {device.total_memory / 2**30:.1f} GiB, CUDA {torch.version.cuda}"
    if not count:
        reason = f": {str(caught[0].message).splitlines()[0]}" if caught else ""
        build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
        yield f"No CUDA device; torch is {build}{reason}"


def _test_known_answer(progress: Progress) -> str:
    """Sharpen a scene made coarser from its reference, and compare."""
    import numpy as np

    from ..model.fusion.arrays import fuse_arrays
    from ..model.quality.indices import ergas

    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    field = np.sin(40 * rows) * np.cos(31 * columns) + np.sign(np.sin(23 * rows + 17 * columns**2))
    reference = np.stack([1000 + 300 * field + slope * 200 * rows for slope in (0.5, 1.0, 1.5)])
    cells = reference.reshape(3, SIDE // RATIO, RATIO, SIDE // RATIO, RATIO)
    ms = cells.mean(axis=(2, 4)).round().astype(np.uint16)
    began = time.perf_counter()
    fused = fuse_arrays(
        reference.mean(0).round().astype(np.uint16), ms, (0, 1, 0, 0, 0, -1), (0, RATIO, 0, 0, 0, -RATIO),
        progress=progress, precision="fp32", device="cpu", align=False,
    )  # fmt: skip
    took = time.perf_counter() - began
    ours, plain = (
        ergas(reference, np.asarray(i, float), RATIO) for i in (fused.values, np.kron(ms, np.ones((RATIO, RATIO))))
    )
    verdict = "right" if ours < MAX_ERROR * plain else "WRONG: please report this"
    return f"Known answer: ERGAS {ours:.2f}, {plain:.2f} without sharpening, in {took:.2f} s: {verdict}"
