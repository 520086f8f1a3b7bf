"""Speed and memory of whole runs, files in, file out, with gdal_pansharpen's and OTB's, on synthetic uint16 pairs.

    python benchmarks/speed.py FOLDER [--sizes 4096 8192 16384] [--bands 4 8] [--repeats 3] [--weights FILE ...]
                               [--precisions bf16 fp32] [--cores N]
    python benchmarks/speed.py FOLDER --preview

Pairs (tiled GeoTIFF, ratio 4, --sizes PAN pixels along a side, textured ground whose PAN is a mixture of the bands) are
made in FOLDER and kept. Where QGIS_PLUGINPATH leads to the plugin and it is enabled, qgis_process runs as for a user,
too; its CPU and memory are those of QGIS alone. The programs run in turn, each as a process of its own, so that a busy
machine is as busy for all of them. The table has medians of wall time, Mpx of PAN per second, CPU time and peak memory,
the share of each peer's wall and CPU time, and the CPU seconds of our stages over all threads. A pair of 256 pixels
shows the cost of starting.

--preview prints instead the seconds of the first and the median of later previews of 1500 x 1000 PAN pixels, in an
engine as QGIS starts it, for each bundled set. The very first starts the engine and measures the scene.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from arguments import find_weights, make_parser

START = 256  # PAN pixels along a side of the pair that shows the cost of starting
RATIO = 4
ROWS = 1024  # PAN rows that are made at once
PIXEL, LEFT, TOP = 0.5, 5e5, 5e6  # of PAN: metres of a pixel, and the corner


@dataclass(frozen=True)
class Cost:
    """The cost of a run: seconds, CPU seconds, MB."""

    wall: float
    cpu: float
    peak: float


def make_pair(folder: Path, size: int, bands: int) -> tuple[Path, Path]:
    """Make files of a pair of `size` PAN pixels along a side, once; PAN is the bands' mean, with noise."""
    from osgeo import gdal, osr

    gdal.UseExceptions()
    pan_path, ms_path = (folder / f"{name}_{size}_{bands}.tif" for name in ("ground_pan", "ground_ms"))
    if ms_path.exists():
        return pan_path, ms_path
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32633)

    def create(path: Path, side: int, count: int, pixel: float) -> gdal.Dataset:
        made = gdal.GetDriverByName("GTiff").Create(str(path), side, side, count, gdal.GDT_UInt16, ["TILED=YES"])
        made.SetGeoTransform((LEFT, pixel, 0, TOP, 0, -pixel))
        made.SetProjection(crs.ExportToWkt())
        return made

    rng = np.random.default_rng(size)
    layers = [(s, rng.standard_normal((-(-size // s), -(-size // s)), dtype=np.float32)) for s in (2, 8, 32, 128)]
    shares = rng.uniform(0.5, 1.5, (bands, len(layers)))  # of each layer in each band
    pan, ms = create(pan_path, size, 1, PIXEL), create(ms_path, size // RATIO, bands, RATIO * PIXEL)
    for top in range(0, size, ROWS):
        rows = min(ROWS, size - top)
        fields = [30.0 * s**0.4 * x[np.arange(top, top + rows) // s].repeat(s, 1)[:, :size] for s, x in layers]
        fine = sum(share * layer for share, layer in zip(shares.mean(0), fields))
        noise = 4.0 * rng.standard_normal((rows, size), dtype=np.float32)
        pan.GetRasterBand(1).WriteArray(np.clip(900 + fine + noise, 1, 5000).astype(np.uint16), 0, top)
        means = [x.reshape(rows // RATIO, RATIO, size // RATIO, RATIO).mean((1, 3)) for x in fields]
        for band in range(bands):
            ground = 600 + 60 * band + sum(share * layer for share, layer in zip(shares[band], means))
            noise = 4.0 * rng.standard_normal(ground.shape, dtype=np.float32)
            ms.GetRasterBand(band + 1).WriteArray(np.clip(ground + noise, 1, 5000).astype(np.uint16), 0, top // RATIO)
    return pan_path, ms_path


def ours(pan: Path, ms: Path, output: Path, weights: str, precision: str) -> list[str]:
    """Return the command of a run of the plugin."""
    return [sys.executable, __file__, "--run", str(pan), str(ms), str(output), weights, precision]


def by_qgis(pan: Path, ms: Path, output: Path) -> dict[str, list[str]]:
    """Return the command of a user's script, where QGIS is installed and finds the plugin."""
    program = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
    command = [str(program), "run", "otfm:pansharpen", "--", f"PAN={pan}", f"MS={ms}", f"OUTPUT={output}"]
    return {"qgis_process": command} if program and "QGIS_PLUGINPATH" in os.environ else {}


def peers(*files: Path) -> dict[str, list[str]]:
    """Return the commands of the other programs that are installed, for PAN, MS and output."""
    pan, ms, output = map(str, files)
    otb = ["otbcli_BundleToPerfectSensor", "-inp", pan, "-inxs", ms, "-out", output, "uint16", "-method", "rcs"]
    commands = {
        "gdal_pansharpen": ["gdal_pansharpen.py", "-q", "-threads", "ALL_CPUS", pan, ms, output],
        "OTB RCS": otb,
    }
    return {name: command for name, command in commands.items() if shutil.which(command[0])}


def run(command: Sequence[str]) -> tuple[Cost, str]:
    """Run a program. Returns its cost and its output."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    return Cost(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), text


def compare(commands: dict[str, list[str]], output: Path, repeats: int) -> tuple[dict[str, Cost], dict[str, float]]:
    """Measure median costs of all programs, run alternately, and median CPU seconds of the stages of the first."""
    costs, stages = defaultdict(list), defaultdict(list)
    for _ in range(repeats):
        for number, (name, command) in enumerate(commands.items()):
            output.unlink(missing_ok=True)
            cost, text = run(command)
            costs[name].append(cost)
            if number == 0:
                for stage, seconds in json.loads(text.splitlines()[-1]).items():
                    stages[stage].append(seconds)
    output.unlink(missing_ok=True)
    middle = {n: Cost(*(median(getattr(c, k) for c in cs) for k in ("wall", "cpu", "peak"))) for n, cs in costs.items()}
    return middle, {stage: median(seconds) for stage, seconds in stages.items()}


def print_table(title: str, pixels: float, costs: dict[str, Cost], stages: dict[str, float], own: int) -> None:
    """Print a line per program; the first `own` of `costs` are ours and are compared with the others."""
    print(f"\n{title}")
    print(f"{'':24s}{'wall s':>8s}{'Mpx/s':>8s}{'CPU s':>8s}{'MB':>7s}   wall (CPU) over that of")
    others = list(costs.items())[own:]
    for number, (name, cost) in enumerate(costs.items()):
        shares = [f"{o} {cost.wall / c.wall:.2f} ({cost.cpu / c.cpu:.2f})" for o, c in others if number < own]
        speed = pixels / cost.wall / 1e6
        print(f"{name:24s}{cost.wall:8.2f}{speed:8.1f}{cost.cpu:8.2f}{cost.peak:7.0f}   {', '.join(shares)}")
    print("stages, CPU s: " + ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages.items()))


@contextmanager
def stages_timed() -> Iterator[dict[str, float]]:
    """Measure CPU seconds of each stage of our pipeline within the block, over all threads."""
    from otfm_pansharpen.model.fusion import pipeline, tiles
    from otfm_pansharpen.model.inference import euler
    from otfm_pansharpen.model.inference.depth_first import DepthFirst
    from otfm_pansharpen.model.raster.pixel_types import PixelEncoder
    from otfm_pansharpen.model.raster.writer import RasterWriter

    spent: dict[str, float] = defaultdict(float)

    def timed(owner: Any, name: str, stage: str, clock: Callable[[], float] = time.thread_time) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(real)
        def measured(*arguments: Any, **named: Any) -> Any:
            before = clock()
            try:
                return real(*arguments, **named)
            finally:
                spent[stage] += clock() - before

        setattr(owner, name, measured)

    timed(pipeline, "check_pair", "check")
    timed(pipeline, "cached_measurement", "measure", time.process_time)  # nothing else runs then
    timed(tiles, "read_around", "read")
    timed(tiles, "condition", "blur and normalise")
    timed(euler.EulerState, "depart", "interpolate and modulate")
    timed(DepthFirst, "through", "network")
    timed(euler.EulerState, "_step", "add to state")
    timed(PixelEncoder, "encode", "round and clip")
    timed(RasterWriter, "write", "write")
    timed(RasterWriter, "finish", "flush and verify")
    yield spent


def run_ours(pan: str, ms: str, output: str, weights: str, precision: str) -> None:
    """Run ours once, and print the CPU seconds of its stages as JSON."""
    before = time.thread_time()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the engine sets it
    from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
    from otfm_pansharpen.model.fusion.pipeline import fuse
    from otfm_pansharpen.model.raster.source import RasterSource

    loaded = time.thread_time() - before
    with stages_timed() as spent:
        sources = RasterSource(pan), RasterSource(ms)
        fuse(FusionJob(*sources, Path(output), FusionOptions(find_weights(weights), precision=precision)))
    print(json.dumps({"import": loaded, **spent}))


def measure_previews(folder: Path, size: int, bands: int, repeats: int) -> None:
    """Print the table of previews."""
    from otfm_pansharpen.engine.client import ENGINES
    from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
    from otfm_pansharpen.model.options import BUNDLED
    from otfm_pansharpen.model.progress import Progress
    from otfm_pansharpen.model.raster.source import RasterSource

    pan, ms = (RasterSource(str(p)) for p in make_pair(folder, size, bands))
    print("weights    first  then (s)")
    for name, weights in BUNDLED.items():
        seconds = []
        for number in range(repeats + 1):
            left, top = LEFT + 100.0 * number, TOP - 100.0 * number
            extent = (left, top - 1000 * PIXEL, left + 1500 * PIXEL, top)
            job = FusionJob(pan, ms, folder / "result.tif", FusionOptions(weights, estimate_quality=False), extent)
            started = time.monotonic()
            ENGINES.run(job, folder / "packages", Progress())
            seconds.append(time.monotonic() - started)
        print(f"{name:8} {seconds[0]:7.1f} {median(seconds[1:]):6.1f}")


def main() -> None:
    """Time all programs and print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[4096, 8192, 16384])
    parser.add_argument("--bands", type=int, nargs="*", default=[4, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--weights", nargs="*", default=["fast", "best"], help="bundled sets or files")
    parser.add_argument("--precisions", nargs="*", default=["auto", "fp32"])
    parser.add_argument("--cores", type=int, help="use no more than so many, the other programs likewise")
    parser.add_argument("--preview", action="store_true", help="measure previews of a pair of 8192 pixels instead")
    chosen = parser.parse_args()
    if chosen.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.cores])
    chosen.folder.mkdir(parents=True, exist_ok=True)
    output = chosen.folder / "result.tif"
    if chosen.preview:
        measure_previews(chosen.folder, 8192, chosen.bands[0], chosen.repeats)
        return
    for size in (START, *chosen.sizes):
        for bands in chosen.bands:
            pan, ms = make_pair(chosen.folder, size, bands)
            commands = {
                f"{Path(w).stem} {p}": ours(pan, ms, output, w, p) for w in chosen.weights for p in chosen.precisions
            }
            commands.update(by_qgis(pan, ms, output))
            count = len(commands)
            costs, stages = compare({**commands, **peers(pan, ms, output)}, output, chosen.repeats)
            print_table(f"PAN {size} x {size}, {bands} bands", size * size, costs, stages, count)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_ours(*sys.argv[2:7])
    else:
        main()
