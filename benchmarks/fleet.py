"""Results and costs of a fleet on Dask, on synthetic pairs: kills, one large pair, an object store, the scheduler.

    python benchmarks/fleet.py FOLDER kills [--scenes 200]      three workers killed, the client killed and restarted
    python benchmarks/fleet.py FOLDER large [--size 8192]       two workers against one process of two threads
    python benchmarks/fleet.py FOLDER store [--size 8192]       the same from and to an S3-compatible server on loopback
    python benchmarks/fleet.py FOLDER scheduler [--scenes 10000]    fusing stubbed: memory and time of the scheduler

Each prints its figures as JSON lines. Single runs, the standard of comparison, are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

WORKERS, BANDS, SMALL = 2, 4, 256
KILLS = 3
STEP = 1000  # scenes between two measurements of memory
MAX_SECONDS = 3000
SINGLE = """
import sys, torch
from pathlib import Path
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource
torch.set_num_threads(2)
pan, ms, output = sys.argv[1:]
fuse(FusionJob(RasterSource(pan), RasterSource(ms), Path(output), FusionOptions(precision="fp32", device="cpu")))
"""


def say(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)


def fleet(*words: str | Path) -> subprocess.Popen[bytes]:
    """Start the command."""
    return subprocess.Popen([sys.executable, "-m", "otfm_pansharpen.fleet", *map(str, words)])


def digest(path: str | Path) -> str:
    """Compute the SHA-256 of the pixels, row of blocks by row of blocks."""
    from osgeo import gdal

    gdal.UseExceptions()
    raster, hashed = gdal.Open(str(path)), hashlib.sha256()
    for top in range(0, raster.RasterYSize, 512):
        hashed.update(raster.ReadAsArray(0, top, raster.RasterXSize, min(512, raster.RasterYSize - top)).tobytes())
    return hashed.hexdigest()


def single(pan: Path, ms: Path, output: Path) -> Path:
    """Run the pipeline in a process of two threads, unless its result was kept."""
    if not output.exists():
        subprocess.run([sys.executable, "-c", SINGLE, str(pan), str(ms), str(output)], check=True)
    return output


@contextmanager
def timed(into: dict[str, Any], name: str) -> Iterator[None]:
    """Measure wall seconds, and CPU seconds of ended processes, which a busy machine changes less."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    into[name] = {"wall": round(time.monotonic() - started, 1), "cpu": round(cpu, 1)}


def small_pairs(folder: Path, count: int) -> Path:
    """Write `count` pairs of SMALL PAN pixels once. Returns the path of their list."""
    from otfm_pansharpen.tests.helpers.scenes import Recipe

    lines = ["name,pan,ms"]
    for number in range(count):
        pair = folder / "pairs" / f"{number:04d}"
        if not (pair / "ms.tif").exists():
            pair.mkdir(parents=True, exist_ok=True)
            Recipe(height=SMALL, width=SMALL, seed=number, shift=(0.3, -0.2)).write(pair)
        lines.append(f"scene{number:04d},pairs/{number:04d}/pan.tif,pairs/{number:04d}/ms.tif")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "pairs.csv"


def kills(folder: Path, count: int) -> None:
    """Kill workers and the client at random moments, and compare outputs with single runs."""
    from distributed import LocalCluster

    table, output = small_pairs(folder, count), folder / "killed"
    rng, started = random.Random(count), time.monotonic()
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, memory_limit="3GB", dashboard_address=None) as cluster:
        words = (table, output, "--scheduler", cluster.scheduler_address)
        client = fleet(*words)
        restart = rng.randrange(KILLS + 1)
        for number, moment in enumerate(sorted(rng.randrange(count // 10, 9 * count // 10) for _ in range(KILLS + 1))):
            while len(list(output.glob("*.cog.tif"))) < moment and time.monotonic() - started < MAX_SECONDS:
                time.sleep(0.05)
            time.sleep(rng.random() * 3.0)
            victim = client.pid if number == restart else rng.choice(list(cluster.workers.values())).process.pid
            os.kill(victim, signal.SIGKILL)
            say(killed=victim, client=number == restart, outputs=moment, seconds=round(time.monotonic() - started, 1))
            if number == restart:
                client.wait()
                client = fleet(*words)
        code = client.wait()
    wall = time.monotonic() - started
    rows = json.loads((output / "fleet.json").read_text())
    expected = {f"scene{n:04d}_sharp.{e}" for n in range(count) for e in ("cog.tif", "plan.json")}
    left = sorted({p.name for p in output.iterdir()} - expected - {"fleet.csv", "fleet.json"})
    equal = 0
    (folder / "single").mkdir(exist_ok=True)
    for number in range(count):
        pair = folder / "pairs" / f"{number:04d}"
        alone = single(pair / "pan.tif", pair / "ms.tif", folder / "single" / f"{number:04d}.tif")
        equal += digest(alone) == digest(output / f"scene{number:04d}_sharp.cog.tif")
    say(
        mode="kills", exit=code, scenes=count, equal=equal, left_over=left, seconds=round(wall, 1),
        statuses=Counter(r["status"] for r in rows), reused_parts=sum(r["reused"] for r in rows),
        mean_seconds={k: round(float(np.mean([r[f"{k}_seconds"] for r in rows if r["parts"]])), 3)
                      for k in ("plan", "part", "join")},
    )  # fmt: skip


def large(folder: Path, size: int, stored: bool) -> None:
    """Compare the command with two workers, start and end included, with one process of two threads, on one pair."""
    from speed import make_pair

    pan, ms = make_pair(folder, size, BANDS)
    alone, table, output = folder / f"large_{size}_one.cog.tif", folder / "one.csv", folder / f"large_{time.time_ns()}"
    seconds: dict[str, Any] = {}
    alone.unlink(missing_ok=True)
    with timed(seconds, "one process"):
        single(pan, ms, alone)
    with server([pan, ms]) if stored else nullcontext() as s3:
        places = [f"/vsis3/archive/{p.name}" for p in (pan, ms, output)] if s3 else [pan, ms, output]
        table.write_text(f"name,pan,ms\nlarge,{places[0]},{places[1]}\n")
        with timed(seconds, "command"):
            fleet(table, places[2], "--workers", str(WORKERS), "--memory", "4GB").wait()
        if s3:
            output.mkdir()
            held = [o["Key"] for o in s3.list_objects_v2(Bucket="archive")["Contents"]]
            say(objects=held, unfinished=len(s3.list_multipart_uploads(Bucket="archive").get("Uploads", [])))
            for name in ("large_sharp.cog.tif", "fleet.json"):
                s3.download_file("archive", f"{output.name}/{name}", str(output / name))
    (row,) = json.loads((output / "fleet.json").read_text())
    say(size=size, equal=digest(alone) == digest(output / "large_sharp.cog.tif"), **seconds, row=row)


@contextmanager
def server(files: Sequence[Path]) -> Iterator[Any]:
    """Run an S3-compatible server on loopback with a bucket that holds files; GDAL's variables point to it."""
    import boto3
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    os.environ.update(
        AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret", AWS_S3_ENDPOINT=f"{host}:{port}", AWS_HTTPS="NO",
        AWS_VIRTUAL_HOSTING="FALSE", AWS_REGION="us-east-1",
    )  # fmt: skip
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="archive")
    for file in files:
        client.upload_file(str(file), "archive", file.name)
    yield client
    running.stop()


def stub(step: str, scene: Any, settings: Any, *arguments: Any) -> Any:
    """Do nothing, in the place of a step of one part per scene."""
    from otfm_pansharpen.fleet.scene import StepResult

    return StepResult((0,), digest="0" * 16, parts=1) if step == "plan" else StepResult(bytes=1)


def scheduler(folder: Path, count: int) -> None:
    """Send simulated scenes through the real client and a scheduler in another process."""
    import psutil
    from distributed import Client
    from otfm_pansharpen.fleet import run
    from otfm_pansharpen.fleet.job import FleetScene, Settings
    from otfm_pansharpen.fleet.table import Row

    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    words = ("--scheduler-file", str(file), "--no-dashboard")
    worker = ("dask_worker", *words, "--nthreads", "1", "--memory-limit", "2GB", "--local-directory", str(folder))
    commands = [("dask_scheduler", "--port", "0", *words), *[worker] * WORKERS]
    started = [subprocess.Popen([sys.executable, "-m", f"distributed.cli.{c[0]}", *c[1:]]) for c in commands]
    setattr(run, "run_step", stub)  # noqa: B010 - mypy knows another type
    sizes = {"scheduler": psutil.Process(started[0].pid), "client": psutil.Process()}
    counts, begun = Counter[str](), time.monotonic()

    def finish(row: Row) -> None:
        counts[row.status] += 1
        done = sum(counts.values())
        if done % STEP == 0 or done == 100:
            memory = {f"{k}_mb": round(p.memory_info().rss / 2**20, 1) for k, p in sizes.items()}
            cpu = {f"{k}_cpu": round(sum(p.cpu_times()[:2]), 1) for k, p in sizes.items()}
            say(scenes=done, seconds=round(time.monotonic() - begun, 1), **memory, **cpu)

    try:
        with Client(scheduler_file=str(file)) as client:
            name = "LC08_L1TP_{:06d}_20200701_02_T1"
            scenes = (FleetScene(name.format(n), f"/out/{n}_sharp.cog.tif", "a", "b") for n in range(count))
            run.sharpen_fleet(client, scenes, Settings(), finish)
            seconds = time.monotonic() - begun
            say(mode="scheduler", statuses=counts, tasks=3 * count, ms_per_task=round(1000 * seconds / (3 * count), 2))
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("mode", choices=("kills", "large", "store", "scheduler"))
    parser.add_argument("--scenes", type=int)
    parser.add_argument("--size", type=int, default=8192)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if arguments.mode == "kills":
        kills(folder, arguments.scenes or 200)
    elif arguments.mode == "scheduler":
        scheduler(folder, arguments.scenes or 10_000)
    else:
        large(folder, arguments.size, stored=arguments.mode == "store")


if __name__ == "__main__":
    main()
