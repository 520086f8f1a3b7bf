"""Killed or interrupted at any moment: the output is absent, or the old one, or complete."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, load_image
from otfm_pansharpen.model.errors import OutputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
RUN = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with it ignored
sys.path.insert(0, sys.argv[1])
from _package import load
load()
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource
job = FusionJob(RasterSource(sys.argv[2]), RasterSource(sys.argv[3]), Path(sys.argv[4]), tile=64, device="cpu")
fuse(job, Progress(report=lambda share: print(share, flush=True)))
"""


def interrupted(pair, target, after, how):
    """Exit status of a run that is sent a signal once its progress has passed `after`."""
    arguments = [str(p) for p in (SCRIPTS, pair.pan, pair.ms, target)]
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
