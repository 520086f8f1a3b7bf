"""What a fleet on Dask gives and costs, on synthetic pairs: kills, one large pair, an object store, the scheduler.

    python benchmarks/fleet.py FOLDER kills [--scenes 200]      three workers killed, the client killed and restarted
    python benchmarks/fleet.py FOLDER large [--size 8192 --rounds 2]       two workers beside one process of two threads
    python benchmarks/fleet.py FOLDER store [--size 8192]       the same from and to an S3-compatible server on loopback
    python benchmarks/fleet.py FOLDER scheduler [--scenes 10000]    fusing stubbed: memory and time of the scheduler

Each prints its figures as JSON lines. Single runs, which others are compared with, are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import logging
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).resolve().parent)]


WORKERS, BANDS, SMALL = 2, 4, 256
KILLS = 3
SIMULATED_PARTS = 1
STEP = 1000  # scenes between two looks at the memory
MOST_SECONDS = 3000


def say(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of the command and the workers: the package under its name, one thread in each library."""
    (folder / "package").mkdir(parents=True, exist_ok=True)
    link = folder / "package" / "otfm_pansharpen"
    if not link.exists():
        link.symlink_to(ROOT)
    path = f"{folder / 'package'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {**os.environ, "PYTHONPATH": path, "OMP_WAIT_POLICY": "passive", **more}


def fleet(folder: Path, *words: str, **more: str) -> subprocess.Popen[bytes]:
    """The command, started."""
    command = [sys.executable, "-m", "otfm_pansharpen.fleet", *words]
    return subprocess.Popen(command, env=environment(folder, **more))


def digest(path: str) -> str:
    """Of the pixels, row of blocks by row of blocks."""
    from osgeo import gdal

    gdal.UseExceptions()
    raster, found = gdal.Open(path), hashlib.sha256()
    for top in range(0, raster.RasterYSize, 512):
        found.update(raster.ReadAsArray(0, top, raster.RasterXSize, min(512, raster.RasterYSize - top)).tobytes())
    return found.hexdigest()


def single(pan: Path, ms: Path, output: Path) -> float:
    """One run of the pipeline in this process, kept; seconds."""
    from otfm_pansharpen.model.fusion.job import FusionJob
    from otfm_pansharpen.model.fusion.pipeline import fuse
    from otfm_pansharpen.model.raster.source import RasterSource

    started = time.monotonic()
    fuse(FusionJob(RasterSource(str(pan)), RasterSource(str(ms)), output, precision="fp32", device="cpu"))
    return time.monotonic() - started


@contextmanager
def timed(into: dict[str, Any], name: str) -> Iterator[None]:
    """Wall seconds, and CPU seconds of the processes that ended meanwhile, which a busy machine changes less."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    into[name] = {"wall": round(time.monotonic() - started, 1), "cpu": round(cpu, 1)}


def small_pairs(folder: Path, count: int) -> Path:
    """The list of `count` pairs of SMALL PAN pixels, made once."""
    from helpers.scenes import Recipe

    table = folder / "pairs.csv"
    lines = [["name", "pan", "ms"]]
    for number in range(count):
        place = folder / "pairs" / f"{number:04d}"
        if not (place / "ms.tif").exists():
            place.mkdir(parents=True, exist_ok=True)
            Recipe(height=SMALL, width=SMALL, seed=number, shift=(0.3, -0.2)).write(place)
        lines.append([f"scene{number:04d}", str(place / "pan.tif"), str(place / "ms.tif")])
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return table


def kills(folder: Path, count: int) -> None:
    """Workers and the client are killed at random moments; outputs are compared with single runs."""
    from distributed import LocalCluster

    table, output = small_pairs(folder, count), folder / "killed"
    os.environ.update(environment(folder))
    sys.path.insert(0, str(folder / "package"))
    rng, started = random.Random(count), time.monotonic()
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, memory_limit="3GB", dashboard_address=None) as cluster:
        words = (str(table), str(output), "--scheduler", cluster.scheduler_address)
        client = fleet(folder, *words)
        outputs: Callable[[], int] = lambda: len(list(output.glob("*.cog.tif")))  # noqa: E731
        moments = sorted((rng.randrange(count // 10, 9 * count // 10), i) for i in range(KILLS + 1))
        restart = rng.randrange(KILLS + 1)
        for moment, number in moments:
            while outputs() < moment and time.monotonic() - started < MOST_SECONDS:
                time.sleep(0.05)
            time.sleep(rng.random() * 3.0)
            if number == restart:
                client.send_signal(signal.SIGKILL)
                client.wait()
                say(killed="client", outputs=outputs(), seconds=round(time.monotonic() - started, 1))
                client = fleet(folder, *words)
            else:
                pid = rng.choice(list(cluster.workers.values())).process.pid
                os.kill(pid, signal.SIGKILL)
                say(killed=f"worker {pid}", outputs=outputs(), seconds=round(time.monotonic() - started, 1))
        code = client.wait()
    wall = time.monotonic() - started
    rows = json.loads((output / "fleet.json").read_text())
    expected = {f"scene{n:04d}_sharp.{e}" for n in range(count) for e in ("cog.tif", "plan.json")}
    left = sorted({p.name for p in output.iterdir()} - expected - {"fleet.csv", "fleet.json"})
    equal = 0
    (folder / "single").mkdir(exist_ok=True)
    for number in range(count):
        place, own = folder / "pairs" / f"{number:04d}", folder / "single" / f"{number:04d}.tif"
        if not own.exists():
            single(place / "pan.tif", place / "ms.tif", own)
        equal += digest(str(own)) == digest(str(output / f"scene{number:04d}_sharp.cog.tif"))
    say(
        mode="kills", exit=code, scenes=count, equal=equal, left_over=left, seconds=round(wall, 1),
        statuses=Counter(r["status"] for r in rows), reused_parts=sum(r["reused"] for r in rows),
        mean_seconds={k: round(float(np.mean([r[f"{k}_seconds"] for r in rows if r["parts"]])), 3)
                      for k in ("plan", "part", "join")},
    )  # fmt: skip


def large(folder: Path, size: int, rounds: int) -> None:
    """One pair: the command with two workers, its start and end included, beside one process with two threads."""
    from speed import make_pair

    pan, ms = make_pair(folder, size, BANDS)
    table = folder / f"large_{size}.csv"
    table.write_text(f"name,pan,ms\nlarge,{pan},{ms}\n")
    code = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(2); import fleet\n"
        "print(fleet.single(*map(Path, sys.argv[1:])))"
    )
    for number in range(rounds):
        own, output = folder / f"large_{size}_one.cog.tif", folder / f"large_{size}_{number}"
        own.unlink(missing_ok=True)
        shutil.rmtree(output, ignore_errors=True)  # else it would be complete already
        found: dict[str, Any] = {}
        with timed(found, "one process"):
            subprocess.run(
                [sys.executable, "-c", code, str(pan), str(ms), str(own)], check=True, stdout=subprocess.DEVNULL,
                env={**environment(folder), "PYTHONPATH": f"{Path(__file__).parent}:{os.environ['PYTHONPATH']}"},
            )  # fmt: skip
        with timed(found, "command"):
            fleet(folder, str(table), str(output), "--workers", str(WORKERS), "--memory", "4GB").wait()
        row = json.loads((output / "fleet.json").read_text())[0]
        steps = {k: row[k] for k in ("plan_seconds", "part_seconds", "join_seconds", "parts", "bytes")}
        same = digest(str(own)) == digest(str(output / "large_sharp.cog.tif"))
        say(mode="large", size=size, equal=same, **found, **steps)


@contextmanager
def server(folder: Path) -> Iterator[Any]:
    """An S3-compatible server on loopback with a bucket; GDAL's variables point to it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # which else names every request
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    os.environ.update(
        AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret", AWS_S3_ENDPOINT=f"{host}:{port}", AWS_HTTPS="NO",
        AWS_VIRTUAL_HOSTING="FALSE", AWS_REGION="us-east-1",
    )  # fmt: skip
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="archive")
    yield client
    running.stop()


def store(folder: Path, size: int) -> None:
    """The large pair from and to a store."""
    from speed import make_pair

    pan, ms = make_pair(folder, size, BANDS)
    own = folder / f"large_{size}_one.cog.tif"
    if not own.exists():
        single(pan, ms, own)
    with server(folder) as client:
        for file in (pan, ms):
            client.upload_file(str(file), "archive", f"in/{file.name}")
        table = folder / f"store_{size}.csv"
        table.write_text(f"name,pan,ms\nlarge,/vsis3/archive/in/{pan.name},/vsis3/archive/in/{ms.name}\n")
        found: dict[str, Any] = {}
        with timed(found, "command"):
            code = fleet(folder, str(table), "/vsis3/archive/out", "--workers", str(WORKERS), "--memory", "4GB").wait()
        held = {o["Key"]: o["Size"] for o in client.list_objects_v2(Bucket="archive")["Contents"]}
        uploads = client.list_multipart_uploads(Bucket="archive").get("Uploads", [])
        client.download_file("archive", "out/large_sharp.cog.tif", str(folder / "stored.tif"))
        rows = json.loads(client.get_object(Bucket="archive", Key="out/fleet.json")["Body"].read())
        same = digest(str(own)) == digest(str(folder / "stored.tif"))
        say(
            mode="store",
            exit=code,
            equal=same,
            **found,
            objects=held,
            unfinished=len(uploads),
            row=rows[0],
        )


def stub_plan(scene: Any, settings: Any) -> Any:
    from otfm_pansharpen.fleet.job import Figures
    from otfm_pansharpen.fleet.scene_plan import Found
    from otfm_pansharpen.fleet.tasks import Done

    found = Found(
        False, Figures(4.0, 0.1, 0.1, 0.3, 0.9, 1.0), "0" * 16, SIMULATED_PARTS, (*range(SIMULATED_PARTS),), 1
    )
    return Done(found, 0.0, "0")


def stub_part(scene: Any, settings: Any, digest: str, number: int) -> Any:
    from otfm_pansharpen.fleet.tasks import Done

    return Done(1, 0.0, "0")


def stub_join(scene: Any, settings: Any, digest: str) -> Any:
    from otfm_pansharpen.fleet.parts import Joined
    from otfm_pansharpen.fleet.tasks import Done

    return Done(Joined(1), 0.0, "0")


def scheduler(folder: Path, count: int) -> None:
    """Simulated scenes through the real client and a scheduler of its own process."""
    import psutil
    from distributed import Client
    from otfm_pansharpen.fleet import run
    from otfm_pansharpen.fleet.job import Row, Scene, Settings

    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    own = environment(folder)
    started = [
        subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard",
                          "--scheduler-file", str(file)], env=own, stderr=subprocess.DEVNULL),
        *(subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file),
                            "--nthreads", "1", "--no-dashboard", "--memory-limit", "2GB",
                            "--local-directory", str(folder)], env=own, stderr=subprocess.DEVNULL)
          for _ in range(WORKERS)),
    ]  # fmt: skip
    for name, stub in (("plan_task", stub_plan), ("part_task", stub_part), ("join_task", stub_join)):
        setattr(run, name, stub)
    sizes = {"scheduler": psutil.Process(started[0].pid), "client": psutil.Process()}
    rows: list[Row] = []
    begun = time.monotonic()

    def hear(row: Row) -> None:
        rows.append(row)
        if len(rows) % STEP == 0 or len(rows) == 100:
            memory = {f"{k}_mb": round(p.memory_info().rss / 2**20, 1) for k, p in sizes.items()}
            cpu = {f"{k}_cpu": round(sum(p.cpu_times()[:2]), 1) for k, p in sizes.items()}
            say(scenes=len(rows), seconds=round(time.monotonic() - begun, 1), **memory, **cpu)

    try:
        with Client(scheduler_file=str(file)) as client:
            scenes = (
                Scene(f"LC08_L1TP_{n:06d}_20200701_02_T1", f"/out/{n}_sharp.cog.tif", "a", "b") for n in range(count)
            )
            run.sharpen_fleet(client, scenes, Settings(), hear)
            tasks = count * (SIMULATED_PARTS + 2)
            seconds = time.monotonic() - begun
            say(mode="scheduler", scenes=count, tasks=tasks, ms_per_task=round(1000 * seconds / tasks, 2))
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
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.mode == "kills":
        kills(folder, arguments.scenes or 200)
    elif arguments.mode == "scheduler":
        scheduler(folder, arguments.scenes or 10_000)
    elif arguments.mode == "large":
        large(folder, arguments.size, arguments.rounds)
    else:
        store(folder, arguments.size)


if __name__ == "__main__":
    main()
