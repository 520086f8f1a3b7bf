"""A job through the engine: the same raster, and whatever happens to either process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.engine import broken_torch, engines
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.engine.child_process import Launch
from otfm_pansharpen.engine.client import Engines, make_greeting
from otfm_pansharpen.engine.connection import Engine
from otfm_pansharpen.model.errors import CancelledError, EngineError, InputError
from otfm_pansharpen.model.notices import Notice
from otfm_pansharpen.model.progress import Progress

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shared():
    """Yield engines that stay warm from test to test."""
    with engines() as session:
        yield session


class Recorder:
    """A progress that records its calls, and cancels or acts once a share has passed."""

    def __init__(self, at=2.0, act=lambda: None):
        self.shares: list[float] = []
        self.lines: list[str] = []
        self.notices: list[Notice] = []
        self.at, self.act, self.stop = at, act, False
        self.progress = Progress(self.report, lambda: self.stop, self.lines.append, self.notices.append)

    def report(self, share):
        self.shares.append(share)
        if share >= self.at:
            self.at = 2.0
            self.act()

    def cancel(self):
        self.stop = True


def pids(engines):
    return [engine.process.pid for _, engine in engines.warm]


def gone(pid):
    """Return whether a process has ended, waiting for it a while."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_engine_gives_the_result_and_messages_of_the_pipeline(shared, nothing, tmp_path):
    pair = Recipe(bands=3, shift=(0.6, -0.4)).write(tmp_path)
    local_pixels, local_result = run(pair, tmp_path, "here.tif")
    recorder = Recorder()
    result = shared.run(job(pair, tmp_path / "there.tif"), nothing, recorder.progress)
    assert np.array_equal(load_image(tmp_path / "there.tif"), local_pixels)
    assert (result.metrics, result.bands) == (local_result.metrics, local_result.bands)
    assert result.output == tmp_path / "there.tif"
    assert recorder.shares == sorted(recorder.shares)
    assert recorder.shares[-1] == 1.0
    assert any(line.startswith("Measured shift") for line in recorder.lines)


def test_warnings_arrive_as_data(shared, nothing, tmp_path):
    pair = Recipe(bands=3).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :, :14] = 0
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8))
    recorder = Recorder()
    result = shared.run(job(pair, tmp_path / "there.tif"), nothing, recorder.progress)
    assert recorder.notices
    assert [n.code for n in recorder.notices] == [n.code for n in result.notices]


def test_the_next_job_finds_a_warm_engine(shared, nothing, tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    shared.run(job(pair, tmp_path / "one.tif"), nothing, Progress())
    first = pids(shared)
    shared.run(job(pair, tmp_path / "two.tif"), nothing, Progress())
    assert pids(shared) == first


def test_a_prepared_engine_does_the_next_job(nothing, tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    with engines() as session:
        for _ in range(3):  # dialogs that are opened one after another
            session.prepare(nothing)
        recorder = Recorder()
        session.run(job(pair, tmp_path / "one.tif"), nothing, recorder.progress)
        assert len(pids(session)) == 1
        assert not any("Starting the engine" in line for line in recorder.lines)


def test_a_prepared_engine_that_is_broken_is_the_jobs_fault(tmp_path):
    packages = broken_torch(tmp_path / "packages", "raise ImportError('DLL load failed while importing _C')")
    with engines() as session:
        session.prepare(packages)
        with pytest.raises(EngineError, match="Windows cannot load one of its libraries"):
            session.run(job(Recipe(bands=1).write(tmp_path), tmp_path / "out.tif"), packages, Progress())


@pytest.mark.parametrize("end", ["shutdown", "cancel"])
def test_waiting_for_a_prepared_engine_ends(tmp_path, end):
    packages = broken_torch(tmp_path / "packages", "import time; time.sleep(600)")
    with engines() as session:
        session.prepare(packages)
        recorder = Recorder()
        threading.Timer(0.5, session.shutdown if end == "shutdown" else recorder.cancel).start()
        if end == "cancel":
            with pytest.raises(CancelledError):
                session.run(job(Recipe(bands=1).write(tmp_path), tmp_path / "o.tif"), packages, recorder.progress)
            session.shutdown()
        session.starting.join(10)
        assert not session.starting.is_alive()


@pytest.mark.slow
@pytest.mark.promise(24)
def test_a_warm_engine_that_has_died_meanwhile_is_replaced(shared, nothing, tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    shared.run(job(pair, tmp_path / "one.tif"), nothing, Progress())
    for pid in pids(shared):
        os.kill(pid, signal.SIGKILL)
    shared.run(job(pair, tmp_path / "two.tif"), nothing, Progress())
    assert load_image(tmp_path / "two.tif").shape == pair.reference[:1].shape


def test_errors_keep_their_class_and_the_engine_lives_on(shared, nothing, tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    shared.run(job(pair, tmp_path / "one.tif"), nothing, Progress())
    first = pids(shared)
    pair.pan, pair.ms = pair.ms, pair.pan
    with pytest.raises(InputError, match="swapped"):
        shared.run(job(pair, tmp_path / "two.tif"), nothing, Progress())
    assert pids(shared) == first


@pytest.mark.promise(9)
@pytest.mark.parametrize("at", [0.01, 0.3, 0.9])
def test_cancel_leaves_nothing(shared, nothing, tmp_path, at):
    pair = Recipe(height=640, width=640).write(tmp_path)
    before = sorted(tmp_path.iterdir())
    recorder = Recorder(at)
    recorder.act = recorder.cancel
    with pytest.raises(CancelledError):
        shared.run(job(pair, tmp_path / "out.tif", tile=64), nothing, recorder.progress)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.promise(9)
def test_engine_that_ignores_a_cancel_is_ended(nothing, tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    before = sorted(tmp_path.iterdir())
    with engines() as session:
        session.run(job(pair, tmp_path / "warm.tif"), nothing, Progress())
        (tmp_path / "warm.tif").unlink()
        pid = pids(session)[0]
        recorder = Recorder(0.3)

        def stop():
            os.kill(pid, signal.SIGSTOP)
            recorder.cancel()

        recorder.act = stop
        with pytest.raises(CancelledError):
            session.run(job(pair, tmp_path / "out.tif", tile=64), nothing, recorder.progress)
        assert gone(pid)
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.promise(24)
@pytest.mark.parametrize(
    ("how", "words"), [(signal.SIGKILL, "out of memory: lower MEMORY"), (signal.SIGSEGV, "DEVICE cpu")]
)
def test_an_engine_that_dies_is_one_sentence_and_leaves_nothing(nothing, tmp_path, how, words):
    pair = Recipe(height=640, width=640).write(tmp_path)
    (tmp_path / "out.tif").write_bytes(b"old")
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    with engines() as session:
        session.run(job(pair, tmp_path / "warm.tif"), nothing, Progress())
        (tmp_path / "warm.tif").unlink()
        pid = pids(session)[0]
        with pytest.raises(EngineError, match=re.escape(words)):
            recorder = Recorder(0.3, lambda: os.kill(pid, how))
            session.run(job(pair, tmp_path / "out.tif", tile=64), nothing, recorder.progress)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


PARENT = """
import sys
from pathlib import Path
from otfm_pansharpen.engine.client import Engines
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.notices import Notice
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
options = FusionOptions(tile=64, device="cpu")
job = FusionJob(RasterSource(sys.argv[1]), RasterSource(sys.argv[2]), Path(sys.argv[3]), options)
session = Engines()
session.run(job, Path("none"), Progress())
print(session.warm[0][1].process.pid, flush=True)
session.run(job, Path("none"), Progress(report=lambda share: print(share, flush=True)))
"""


@pytest.mark.slow
@pytest.mark.promise(10)
def test_the_engine_ends_with_qgis_and_leaves_nothing(tmp_path):
    """SIGKILL of the process that gave the job, in the middle of it."""
    pair = Recipe(height=1024, width=1024).write(tmp_path)
    arguments = [str(p) for p in (pair.pan, pair.ms, tmp_path / "out.tif")]
    with subprocess.Popen([sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        old = (tmp_path / "out.tif").read_bytes()
        for line in parent.stdout:
            if float(line) > 0.2:
                parent.kill()
                break
    assert gone(pid)
    assert (tmp_path / "out.tif").read_bytes() == old
    assert temporaries(tmp_path) == []


STARTER = """
import sys
from pathlib import Path
from otfm_pansharpen.engine.client import make_greeting
from otfm_pansharpen.engine.connection import Engine
from otfm_pansharpen.engine.child_process import launches
engine = Engine(launches()[0], make_greeting(Path(sys.argv[1])))
print(engine.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.promise(10)
def test_an_engine_that_is_stuck_ends_with_qgis(tmp_path):
    stuck = f"open({str(tmp_path / 'loading')!r}, 'w'); import time; time.sleep(600)"
    command = [sys.executable, "-c", STARTER, str(broken_torch(tmp_path / "packages", stuck))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        while not (tmp_path / "loading").exists():
            time.sleep(0.05)
        parent.kill()
    assert gone(pid)


@pytest.mark.slow
@pytest.mark.promise(22)
def test_two_at_once_do_not_disturb_each_other(nothing, tmp_path):
    """A damaged tile in one of them; GDAL's switches in this process stay unchanged."""
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    good, bad = (Recipe(height=640, width=640).write(tmp_path / name) for name in ("good", "bad"))
    gdal.Translate(str(bad.ms), str(good.ms), creationOptions=["COMPRESS=DEFLATE"])
    data = bytearray(bad.ms.read_bytes())
    packed = gdal.Open(str(bad.ms))
    start = int(packed.GetRasterBand(1).GetMetadataItem("BLOCK_OFFSET_0_1", "TIFF"))
    packed = None
    data[start : start + 400] = b"\xff" * 400
    bad.ms.write_bytes(data)
    switched = gdal.GetUseExceptions()
    local_pixels, _ = run(good, tmp_path, "here.tif")
    with engines() as session, ThreadPoolExecutor(2) as threads:
        first = threads.submit(session.run, job(good, tmp_path / "good.tif"), nothing, Progress())
        second = threads.submit(session.run, job(bad, tmp_path / "bad.tif"), nothing, Progress())
        with pytest.raises(InputError, match="damaged"):
            second.result()
        first.result()
    assert np.array_equal(load_image(tmp_path / "good.tif"), local_pixels)
    assert not (tmp_path / "bad.tif").exists()
    assert gdal.GetUseExceptions() == switched


def test_files_that_qgis_holds_open_are_not_held_by_the_engine(shared, nothing, tmp_path):
    held = tmp_path / "held"
    with held.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        with engines() as session:
            session.run(job(Recipe(bands=1).write(tmp_path), tmp_path / "out.tif"), nothing, Progress())
            links = [os.readlink(link) for link in Path(f"/proc/{pids(session)[0]}/fd").iterdir() if link.exists()]
    assert str(held) not in links
    assert links


def test_cancel_while_the_engine_starts(tmp_path):
    packages = broken_torch(tmp_path / "packages", "import time; time.sleep(600)")
    pair = Recipe(bands=1).write(tmp_path)
    recorder = Recorder()
    threading.Timer(0.5, recorder.cancel).start()
    with engines() as session, pytest.raises(CancelledError):
        session.run(job(pair, tmp_path / "out.tif"), packages, recorder.progress)
    assert not (tmp_path / "out.tif").exists()


def test_what_libraries_print_does_not_disturb_the_conversation(tmp_path):
    code = "print('hello from a library', flush=True); raise ImportError('DLL load failed while importing _C')"
    packages = broken_torch(tmp_path / "packages", code)
    with engines() as session, pytest.raises(EngineError, match="Windows cannot load one of its libraries"):
        session.run(job(Recipe(bands=1).write(tmp_path), tmp_path / "out.tif"), packages, Progress())


def test_fault_of_our_own_is_logged_with_its_traceback(nothing, tmp_path):
    """A job whose number of steps is a text."""
    pair = Recipe(bands=1).write(tmp_path)
    recorder = Recorder()
    with engines() as session, pytest.raises(EngineError, match="please report it"):
        session.run(job(pair, tmp_path / "out.tif", steps="many"), nothing, recorder.progress)
    assert any("Traceback" in line for line in recorder.lines)


def test_engines_that_wait_end_when_they_are_let_go(nothing, tmp_path):
    session = Engines()
    session.run(job(Recipe(bands=1).write(tmp_path), tmp_path / "out.tif"), nothing, Progress())
    pid = pids(session)[0]
    session.shutdown(wait=False)
    assert gone(pid)


def test_a_program_that_cannot_be_an_engine(nothing):
    engine = Engine(Launch(("/bin/false",), {}), make_greeting(nothing))
    with pytest.raises(EngineError, match="exit code 1"):
        engine.wait_ready(Progress())
