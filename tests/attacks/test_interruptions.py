"""Killed or interrupted at any moment: the output is absent, or the old one, or complete."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.fusion import job, temporaries
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from otfm_pansharpen.model.errors import OutputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress

RUN = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with it ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup with this one
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource
options = FusionOptions(tile=64, device="cpu")
job = FusionJob(RasterSource(sys.argv[1]), RasterSource(sys.argv[2]), Path(sys.argv[3]), options)
fuse(job, Progress(report=lambda share: print(share, flush=True)))
"""


def interrupted(pair, target, after, how):
    """Exit status of a run that is sent a signal once its progress has passed `after`."""
    arguments = [str(p) for p in (pair.pan, pair.ms, target)]
    with subprocess.Popen([sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if float(line) >= after:
                process.send_signal(how)
                break
        process.communicate()
    return process.returncode


@pytest.mark.promise(10)
@pytest.mark.parametrize("after", [0.02, 0.5, 0.97])
def test_killed(tmp_path, after):
    pair = Recipe(height=640, width=640).write(tmp_path)
    target = tmp_path / "out" / "fused.tif"
    target.parent.mkdir()
    assert interrupted(pair, target, after, signal.SIGKILL) == -signal.SIGKILL
    assert not target.exists()
    assert not list(target.parent.glob("*.tif"))


@pytest.mark.promise(10)
def test_killed_over_an_old_output(tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    target = tmp_path / "old.tif"
    target.write_bytes(b"old")
    interrupted(pair, target, 0.5, signal.SIGKILL)
    assert target.read_bytes() == b"old"


@pytest.mark.slow
def test_what_a_killed_run_left_does_not_disturb_the_next(tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    target = tmp_path / "out.tif"
    interrupted(pair, target, 0.5, signal.SIGKILL)
    assert interrupted(pair, target, 2.0, signal.SIGKILL) == 0
    assert load_image(target).shape == (4, 640, 640)


@pytest.mark.promise(11)
def test_a_draft_that_is_spoiled_on_the_disk_is_not_delivered(tmp_path):
    """As by a failing disk: what was written before reads back as zeros."""
    pair = Recipe(height=640, width=640).write(tmp_path)
    target = tmp_path / "out" / "fused.tif"
    target.parent.mkdir()

    def spoil(share: float) -> None:
        if share > 0.95:
            for draft in target.parent.glob(".*/*.tif"):
                with draft.open("r+b") as file:
                    file.seek(4096)
                    file.write(bytes(draft.stat().st_size - 4096))

    with pytest.raises(OutputError, match="does not read back"):
        fuse(job(pair, target, tile=256), Progress(report=spoil))
    assert list(target.parent.iterdir()) == []


@pytest.mark.promise(10)
@pytest.mark.parametrize("after", [0.02, 0.5])
def test_interrupted_from_the_keyboard(tmp_path, after):
    pair = Recipe(height=640, width=640).write(tmp_path)
    target = tmp_path / "out" / "fused.tif"
    target.parent.mkdir()
    assert interrupted(pair, target, after, signal.SIGINT) != 0
    assert list(target.parent.iterdir()) == []


@pytest.mark.promise(9)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_terminated_it_leaves_nothing_and_ends_as_any_program(tmp_path, how):
    pair = Recipe(height=640, width=640).write(tmp_path)
    target = tmp_path / "out" / "fused.tif"
    target.parent.mkdir()
    target.write_bytes(b"old")
    assert interrupted(pair, target, 0.5, how) == -how
    assert [(p.name, p.read_bytes()) for p in target.parent.iterdir()] == [("fused.tif", b"old")]


@pytest.mark.promise(22)
@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, lambda *_: None])
def test_handlers_of_signals_are_as_before(tmp_path, handler):
    """During the run too where they are somebody's own; afterwards in any case, whichever way it ended."""
    pair = Recipe(height=320, width=320).write(tmp_path)
    before = signal.signal(signal.SIGTERM, handler)
    during: list[object] = []
    try:
        watch = Progress(report=lambda share: during.append(signal.getsignal(signal.SIGTERM)))
        fuse(job(pair, tmp_path / "out.tif"), watch)
        assert signal.getsignal(signal.SIGTERM) is handler
        assert all(h is handler for h in during) == (handler is not signal.SIG_DFL)
        with pytest.raises(OutputError):
            fuse(job(pair, tmp_path / "out.bmp"))
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_signals_are_left_alone(tmp_path):
    pair = Recipe(height=320, width=320).write(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(fuse, job(pair, tmp_path / "out.tif")).result()
    assert load_image(tmp_path / "out.tif").shape == (4, 320, 320)


@pytest.mark.slow
@pytest.mark.promise(9)
def test_next_run_in_the_folder_removes_files_of_a_killed_run(tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    interrupted(pair, folder / "first.tif", 0.5, signal.SIGKILL)
    (left,) = temporaries(folder)
    (folder / ".somebody.part").mkdir()
    lines: list[str] = []
    fuse(job(pair, folder / "second.tif"), Progress(log=lines.append))
    assert sorted(p.name for p in folder.iterdir()) == [".somebody.part", "second.tif"]
    assert any(left in line and "killed" in line for line in lines)


@pytest.mark.slow
@pytest.mark.promise(9)
def test_parallel_runs_in_a_folder_leave_each_other_alone(tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = [str(p) for p in (pair.pan, pair.ms, folder / "slow.tif")]
    with subprocess.Popen([sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, text=True) as slow:
        assert slow.stdout
        while float(slow.stdout.readline()) < 0.3:
            pass
        slow.send_signal(signal.SIGSTOP)
        try:
            during = temporaries(folder)
            fuse(job(pair, folder / "quick.tif"))
            after = temporaries(folder)
        finally:
            slow.send_signal(signal.SIGCONT)  # else a failure would wait for it for ever
        slow.communicate()
    assert after == during
    assert len(during) == 1
    assert slow.returncode == 0
    assert sorted(p.name for p in folder.iterdir()) == ["quick.tif", "slow.tif"]


KILLED_WHILE_DELIVERING = """
import os, signal
real, calls = os.replace, iter(range(100))
def replace(source, place):
    if next(calls) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, place)
os.replace = replace
"""


@pytest.mark.promise(10)
@pytest.mark.parametrize("step", range(4))
def test_next_run_restores_sidecars_after_a_kill_between_them(tmp_path, step):
    pair = Recipe(height=320, width=320).write(tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    gdal.Translate(str(folder / "fused.dat"), str(pair.ms), format="ENVI")
    (folder / "fused.dat.ovr").write_bytes(b"of the previous")
    before = {p: p.read_bytes() for p in folder.iterdir()}
    assert len(before) == 4
    program = RUN.replace("job =", KILLED_WHILE_DELIVERING + "job =")
    arguments = [str(p) for p in (pair.pan, pair.ms, folder / "fused.dat", step)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    fuse(job(pair, folder / "other.tif"))
    (folder / "other.tif").unlink()
    assert {p: p.read_bytes() for p in folder.iterdir()} == before
