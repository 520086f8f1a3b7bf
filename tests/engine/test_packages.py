"""Set-up while it changes the packages' folder: cancelled, killed, twice at once, over links, while engines run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers.engine import broken_torch
from helpers.package_index import silent_index, write_torch_wheels
from otfm_pansharpen.engine import installation
from otfm_pansharpen.engine.child_process import run_child
from otfm_pansharpen.engine.client import ENGINES
from otfm_pansharpen.engine.installation import RequiredFiles
from otfm_pansharpen.engine.packages import hold_packages, manifest
from otfm_pansharpen.model.errors import CancelledError, EngineError
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource

ROOT = Path(__file__).resolve().parents[2]
ENDS_AT_ALL = 60  # seconds, generous


@pytest.fixture
def wheels(tmp_path):
    return write_torch_wheels(tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "profile" / "packages" / "python3"


def set_up(action, folder, wheels=None, progress=None, **wanted):
    return installation.set_up(action, folder, RequiredFiles(wheels=wheels, **wanted), progress or Progress())


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"}


def children():
    """Return the children of this process, without engines that wait for jobs of other tests."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            found += [child] if "pip" in child.cmdline() else []
    return found


@pytest.mark.promise(9)
@pytest.mark.parametrize("build", ["auto", "cuda"])
def test_cancel_ends_a_set_up_whose_index_never_answers(folder, monkeypatch, build):
    """While the index is asked for its build, and while packages are fetched."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    asked = threading.Event()
    with silent_index() as address, ThreadPoolExecutor(1) as threads:
        progress = Progress(cancelled=asked.is_set)
        future = threads.submit(set_up, "repair", folder, None, progress, build=build, index=address)
        while not children() and not future.done():
            time.sleep(0.05)
        time.sleep(1)
        asked.set()
        with pytest.raises(CancelledError):
            future.result(ENDS_AT_ALL)
    assert children() == []
    assert not folder.parent.exists() or list(folder.parent.iterdir()) == []


@pytest.mark.promise(9)
def test_cancel_kills_a_program_with_its_children():
    lines: list[str] = []

    def show(line):
        lines.append(line)
        return True

    command = ["/bin/sh", "-c", "sleep 600 & echo $!; wait"]
    with pytest.raises(CancelledError):
        run_child(command, os.environ, Progress(cancelled=lambda: bool(lines)), show)
    for _ in range(100):
        if not psutil.pid_exists(int(lines[0])) or psutil.Process(int(lines[0])).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    pytest.fail("a child of the program still runs")


@pytest.mark.parametrize("action", ["repair", "remove"])
@pytest.mark.parametrize("exists", [True, False])
def test_link_instead_of_the_folder_is_refused(folder, wheels, tmp_path, action, exists):
    target = tmp_path / "elsewhere"
    if exists:
        broken_torch(target, "of = 'somebody'")
    before = tree(target)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(target)
    with pytest.raises(EngineError, match=f"is a link to {target}"):
        set_up(action, folder, wheels)
    assert tree(target) == before
    assert folder.is_symlink()
    folder.unlink()
    assert set_up("repair", folder, wheels).torch == "2.13.0"


@pytest.mark.parametrize("action", ["repair", "remove"])
def test_file_instead_of_the_folder_is_refused(folder, wheels, action):
    folder.parent.mkdir(parents=True)
    folder.write_text("mine")
    with pytest.raises(EngineError, match="is not a folder"):
        set_up(action, folder, wheels)
    assert folder.read_text() == "mine"


def test_link_above_the_folder_leads_to_another_disk(folder, wheels, tmp_path):
    (tmp_path / "disk").mkdir()
    folder.parent.parent.mkdir()
    folder.parent.symlink_to(tmp_path / "disk")
    set_up("repair", folder, wheels)
    assert manifest(tmp_path / "disk" / folder.name)["torch"] == "2.13.0"
    set_up("remove", folder)
    assert list((tmp_path / "disk").iterdir()) == []


INSTALL = """
import sys
from pathlib import Path
from otfm_pansharpen.engine import installation
from otfm_pansharpen.engine.installation import RequiredFiles
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
installation.set_up("repair", Path(sys.argv[1]), RequiredFiles(build="cuda", index=sys.argv[2]), Progress())
"""


@pytest.mark.parametrize("action", ["install", "repair", "remove"])
def test_next_set_up_removes_what_a_killed_one_left(folder, wheels, action):
    with silent_index() as address:
        command = [sys.executable, "-c", INSTALL, str(folder), address]
        with subprocess.Popen(command, env={**os.environ, "PIP_CONFIG_FILE": "/dev/null"}) as process:
            while not list(folder.parent.glob(f".{folder.name}-*/new")):
                assert process.poll() is None
                time.sleep(0.05)
            pips = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        for pip in pips:  # they would end by themselves, when they next print
            pip.kill()
    set_up(action, folder, wheels)
    assert [p.name for p in folder.parent.iterdir()] == ([folder.name] if action == "repair" else [])


def test_set_up_killed_between_its_renames_is_undone(folder, wheels):
    set_up("repair", folder, wheels)
    before = tree(folder)
    staging = folder.parent / f".{folder.name}-abc"
    staging.mkdir()
    folder.rename(staging / "previous")
    set_up("install", folder)
    assert tree(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_what_is_not_a_staging_folder_of_this_user_stays(folder, wheels, tmp_path, monkeypatch):
    other = broken_torch(tmp_path / "other", "")
    folder.parent.mkdir(parents=True)
    (folder.parent / f".{folder.name}-link").symlink_to(other)
    (folder.parent / f".{folder.name}-file").write_text("mine")
    (folder.parent / "python2").mkdir()
    (folder.parent / f".{folder.name}-foreign").mkdir()
    os.chown(folder.parent / f".{folder.name}-foreign", os.getuid() + 1, -1)
    before = sorted(folder.parent.iterdir())
    set_up("repair", folder, wheels)
    set_up("remove", folder)
    assert sorted(folder.parent.iterdir()) == before
    assert manifest(other)


def test_second_set_up_at_once_is_refused(folder, wheels):
    with hold_packages(folder):
        for action in ("repair", "remove"):
            folder.mkdir(exist_ok=True)
            with pytest.raises(EngineError, match="Another window of QGIS is setting up"):
                set_up(action, folder, wheels)
    assert set_up("repair", folder, wheels).torch == "2.13.0"


def test_set_up_waits_for_a_job_that_runs(folder, wheels):
    broken_torch(folder, "import time; time.sleep(600)")
    asked, fusion_job = (
        threading.Event(),
        FusionJob(RasterSource("pan.tif"), RasterSource("ms.tif"), folder / "out.tif"),
    )
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(ENGINES.run, fusion_job, folder, Progress(cancelled=asked.is_set))
        while not ENGINES.jobs:
            time.sleep(0.01)
        for action in ("repair", "remove"):
            with pytest.raises(EngineError, match="The engine is at work"):
                set_up(action, folder, wheels)
        asked.set()
        with pytest.raises(CancelledError):
            job.result(ENDS_AT_ALL)
    assert set_up("repair", folder, wheels).torch == "2.13.0"


def test_trial_engine_is_gone_before_the_folder_moves(folder, wheels, monkeypatch):
    alive: list[list[str]] = []
    real = installation.swap_in

    def swap_in(new, target):
        alive.extend(c.cmdline() for c in psutil.Process().children() if any("start.py" in w for w in c.cmdline()))
        real(new, target)

    ENGINES.shutdown()
    monkeypatch.setattr(installation, "swap_in", swap_in)
    set_up("repair", folder, wheels)
    assert alive == []


@pytest.mark.slow
@pytest.mark.parametrize("action", ["repair", "remove"])
def test_folder_that_is_in_use_for_a_moment_is_tried_again(folder, wheels, monkeypatch, action):
    set_up("repair", folder, wheels)
    failures = [PermissionError("in use")] * 3
    real = Path.rename

    def rename(path, target):
        if failures:
            raise failures.pop()
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    set_up(action, folder, wheels)
    assert failures == []
    assert [p.name for p in folder.parent.iterdir()] == ([folder.name] if action == "repair" else [])


@pytest.mark.slow
@pytest.mark.parametrize("action", ["repair", "remove"])
def test_folder_that_stays_in_use_is_one_sentence(folder, wheels, monkeypatch, action):
    set_up("repair", folder, wheels)
    before = tree(folder)

    def rename(path, target):
        raise PermissionError("in use")

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr("otfm_pansharpen.engine.packages.RENAME_SECONDS", 0.3)
    with pytest.raises(EngineError, match=r"in use.*Close other windows"):
        set_up(action, folder, wheels)
    assert tree(folder) == before


def test_remove_that_is_not_complete_is_not_called_removed(folder, wheels, monkeypatch):
    set_up("repair", folder, wheels)

    def rmtree(path, ignore_errors=False):
        if not ignore_errors:
            raise PermissionError("in use")

    monkeypatch.setattr("shutil.rmtree", rmtree)
    lines: list[str] = []
    with pytest.raises(EngineError, match="a part of it is left"):
        set_up("remove", folder, progress=Progress(log=lines.append))
    assert lines == []


def test_profile_that_cannot_be_written_is_one_sentence(folder, wheels):
    folder.parent.parent.write_text("a file instead of the profile")
    with pytest.raises(EngineError, match="cannot be changed"):
        set_up("repair", folder, wheels)


def test_disk_that_is_full_is_one_sentence(folder, wheels, monkeypatch):
    full = (1, ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"])
    real = run_child

    def run(command, *arguments):
        return full if "install" in command else real(command, *arguments)

    monkeypatch.setattr(installation, "run_child", run)
    with pytest.raises(EngineError, match=r"is full\. Nothing was changed"):
        set_up("repair", folder, wheels)
    assert list(folder.parent.iterdir()) == []


def test_cancel_works_while_torch_is_searched(folder):
    broken_torch(folder, "import time; time.sleep(600)")
    asked = threading.Event()
    threading.Timer(1, asked.set).start()
    with ThreadPoolExecutor(1) as threads, pytest.raises(CancelledError):
        threads.submit(set_up, "install", folder, None, Progress(cancelled=asked.is_set)).result(ENDS_AT_ALL)
