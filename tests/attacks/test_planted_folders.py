"""Hidden folders, journals, links and records that somebody planted: a run changes its own output and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.fusion import job, temporaries
from helpers.scenes import Recipe
from osgeo import gdal
from otfm_pansharpen.model.files import whole_file
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.network.weights import hash_path
from otfm_pansharpen.model.notices import Notice
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.run_records import Move, RunRecord, state_folder
from otfm_pansharpen.model.staging import PREVIOUS, remove_stale_runs, staging

NOBODY = 65534
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def private_state(tmp_path, monkeypatch):
    """Return a state folder of this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "otfm_pansharpen"


def snapshot(folder):
    """Return everything below a folder: links unfollowed, files with their content, folders."""
    paths = sorted(folder.rglob("*"))
    return {
        str(p.relative_to(folder)): os.readlink(p) if p.is_symlink() else p.read_bytes() if p.is_file() else None
        for p in paths
    }


def plant_journal(out, names, source="made", previous=("config",)):
    """Plant a folder as earlier versions left it: a free lock, and a journal that names files to move."""
    part = out / ".x.part"
    for folder in (".former", "made", "home"):  # the last so that made/../home is a place to move to
        (part / folder).mkdir(parents=True)
    (part / ".otfm.lock").write_bytes(b"")
    (part / "made" / "x.tif").write_bytes(b"not in place yet")
    for name in previous:
        (part / ".former" / name).write_bytes(b"planted")
    (part / ".delivery").write_text(json.dumps([source, names]))
    return part


def plant_outside(out, home):
    plant_journal(out, [f"../{home.name}/keys", "x.tif"])


def plant_absolute(out, home):
    plant_journal(out, ["keys", "x.tif"], str(home))


def plant_links(out, home):
    part = plant_journal(out, ["keys", "x.tif"])
    shutil.rmtree(part / ".former")
    (part / ".former").symlink_to(home)
    (part / "more").symlink_to(home)
    (out / ".y.part").symlink_to(home)
    (home / ".otfm.lock").write_bytes(b"")


def plant_overwriting(out, home):
    (out / "report.doc").write_bytes(b"of the user")
    plant_journal(out, ["x.tif"], previous=["report.doc"])


def plant_video(out, home):
    (out / ".video.mp4.part").write_bytes(b"half a film")
    (out / ".music-abc.part").mkdir()
    (out / ".music-abc.part" / ".otfm.lock").write_bytes(b"")
    (out / ".music-abc.part" / PREVIOUS).mkdir()
    (out / ".music-abc.part" / PREVIOUS / "song").write_bytes(b"half a song")


@pytest.mark.promise(26)
@pytest.mark.parametrize("plant", [plant_outside, plant_absolute, plant_links, plant_overwriting, plant_video])
def test_planted_folder_changes_nothing_else(tmp_path, plant):
    pair = Recipe(bands=1).write(tmp_path)
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    (home / "keys").write_bytes(b"secret")
    plant(out, home)
    before = snapshot(tmp_path)
    fuse(job(pair, out / "fused.tif"))
    after = snapshot(tmp_path)
    assert after.pop("out/fused.tif")
    assert after == before


@pytest.mark.promise(26)
@pytest.mark.skipif(sys.platform == "win32", reason="links take rights on Windows")
def test_whole_file_writes_through_no_planted_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    target = tmp_path / "out" / "report.html"
    target.parent.mkdir()
    target.symlink_to(victim)
    for number in (os.getpid(), os.getppid()):
        target.with_name(f".report.html.{number}.part").symlink_to(victim)
    with whole_file(target) as draft:
        draft.write_bytes(b"report")
    assert victim.read_bytes() == b"mine"
    assert target.read_bytes() == b"report"
    assert not target.is_symlink()
    assert len(temporaries(target.parent)) == 2  # the planted ones


def identity(path):
    return path.lstat().st_dev, path.lstat().st_ino


def left_by_a_kill(target, moves=lambda left: None):
    """Make the folder of a run whose process has ended without clearing up: its record is there, and unlocked.

    `moves` gives what the record says of a delivery, as source, place and the file to identify.
    """
    with staging(target) as made:
        copy = shutil.copytree(made.folder, target.parent / "aside")
        assert made.record is not None
        assert made.record.facts is not None
        facts = made.record.facts
    copy.rename(made.folder)
    (made.folder / "draft.tif").write_bytes(b"half")
    record = RunRecord.create(made.folder)
    recorded = tuple(Move(s, p, identity(f)) for s, p, f in moves(made.folder) or ())
    record.write(replace(facts, identity=identity(made.folder), moves=recorded))
    record.close(remove=False)
    return made.folder


def test_stale_run_with_its_record_is_removed(tmp_path, private_state):
    left = left_by_a_kill(tmp_path / "a.tif")
    assert [s.folder for s in remove_stale_runs(tmp_path)] == [left]
    assert not left.exists()
    assert list(private_state.iterdir()) == []


def swap_for_link(left, home):
    shutil.rmtree(left)
    left.symlink_to(home)


def swap_for_folder(left, home):
    home.rename(left.with_name("new"))  # a new inode under the recorded name
    shutil.rmtree(left)
    left.with_name("new").rename(left)
    home.mkdir()


def link_inside(left, home):
    (left / "link").symlink_to(home)


def give_away(left, home):
    os.chown(left, NOBODY, NOBODY)


@pytest.mark.promise(26)
@pytest.mark.parametrize(
    ("swap", "goes"),
    [
        (swap_for_link, False),
        (swap_for_folder, False),
        (link_inside, True),
        pytest.param(give_away, False, marks=pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")),
    ],
)
def test_record_of_another_folder_removes_nothing(tmp_path, private_state, swap, goes):
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    (home / "keys").write_bytes(b"secret")
    left = left_by_a_kill(out / "a.tif")
    swap(left, home)
    remove_stale_runs(out)
    kept = left if swap is swap_for_folder else home
    assert (kept / "keys").read_bytes() == b"secret"
    assert os.path.lexists(left) is not goes


@pytest.mark.promise(26)
def test_moves_that_leave_the_folder_are_not_made(tmp_path, private_state):
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    (home / "keys").write_bytes(b"secret")

    def moves(left):
        (left / "a.tif").write_bytes(b"new")
        return [
            (out / "keys", home / "keys", home / "keys"),
            (left / "a.tif", out / "a.tif", left / "a.tif"),
        ]

    left = left_by_a_kill(out / "a.tif", moves)
    remove_stale_runs(out)
    assert not left.exists()
    assert [p.name for p in out.iterdir()] == []
    assert (home / "keys").read_bytes() == b"secret"


@pytest.mark.promise(26)
@pytest.mark.skipif(sys.platform == "win32", reason="rights and links of POSIX")
@pytest.mark.parametrize("fault", ["link", "writable", "foreign"])
def test_state_folder_that_others_can_write_is_refused(tmp_path, private_state, fault):
    real = tmp_path / "real"
    real.mkdir()
    private_state.parent.mkdir()
    if fault == "link":
        private_state.symlink_to(real)
    else:
        private_state.mkdir()
        private_state.chmod(0o777 if fault == "writable" else 0o700)
        if fault == "foreign":
            if not IS_ROOT:
                pytest.skip("only root gives files away")
            os.chown(private_state, NOBODY, NOBODY)
    with pytest.raises(PermissionError, match="not a folder of this user alone"):
        state_folder()
    pair = Recipe(bands=1).write(tmp_path)
    fuse(job(pair, tmp_path / "o.tif"))  # a run needs no record
    assert list(real.iterdir()) == []
    assert remove_stale_runs(tmp_path) == []


def test_state_folder_is_private(private_state):
    assert state_folder() == private_state
    assert sys.platform == "win32" or private_state.stat().st_mode & 0o777 == 0o700


AS_SOMEBODY = """
import os
import sys
import time
from pathlib import Path
from osgeo import gdal
from otfm_pansharpen.model.fusion.python_api import sharpen_arrays
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
pan, ms, target, weights = map(Path, sys.argv[1:5])
options = {"weights": weights, "device": "cpu", "precision": "fp32"}
user = int(sys.argv[5])
if user != os.getuid():  # all that is imported is imported before: the checkout may be closed to other users
    sharpen_arrays(gdal.Open(str(pan)).ReadAsArray(), gdal.Open(str(ms)).ReadAsArray()[None], **options)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def report(share):
    print(share, flush=True)
    time.sleep(60.0 if share > 0.1 and "wait" in sys.argv else 0.0)


job = FusionJob(RasterSource(str(pan)), RasterSource(str(ms)), target, FusionOptions(**options))
fuse(job, Progress(report=report))
"""


@pytest.fixture
def shared_folder():
    """Make a folder that two users reach, each with a home of his own: (out, {user: environment})."""
    shared = Path(tempfile.mkdtemp())
    shared.chmod(0o755)
    homes = {}
    for user in (0, NOBODY):
        home = shared / f"home{user}"
        home.mkdir(mode=0o700)
        os.chown(home, user, user)
        homes[user] = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    (shared / "out").mkdir()
    (shared / "out").chmod(0o777)
    yield shared / "out", homes
    shutil.rmtree(shared)


def arguments_of(user, pair, target, *wait):
    """Command line after AS_SOMEBODY; the weights lie where every user reads them."""
    weights = target.parent.parent / "fast.safetensors"
    for file in (BUNDLED["fast"], hash_path(BUNDLED["fast"])):
        shutil.copyfile(file, weights.parent / file.name)
    return [*map(str, (pair.pan, pair.ms, target, weights, user)), *wait]


def start(user, homes, pair, target, *wait):
    """Start a run; with "wait", it stops for a minute once it writes."""
    command = [sys.executable, "-c", AS_SOMEBODY, *arguments_of(user, pair, target, *wait)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=homes[user])


@pytest.mark.slow
@pytest.mark.promise(26)
@pytest.mark.skipif(not IS_ROOT, reason="only root can be two users")
@pytest.mark.parametrize(("victim", "runner"), [(0, NOBODY), (NOBODY, 0)])
def test_run_of_one_user_touches_nothing_of_another(shared_folder, victim, runner):
    """One user has a killed run and plants a record, while the other runs into the same folder."""
    out, homes = shared_folder
    pair = Recipe(bands=1).write(out.parent)
    with start(victim, homes, pair, out / "killed.tif", "wait") as killed:
        assert killed.stdout
        while float(killed.stdout.readline()) < 0.1:
            pass
        killed.send_signal(signal.SIGKILL)
    assert len(temporaries(out)) == 1
    plant_outside(out, out.parent / f"home{runner}")
    (out.parent / f"home{runner}" / "keys").write_bytes(b"secret")
    before = snapshot(out.parent)
    with start(runner, homes, pair, out / "fused.tif") as run:
        run.communicate()
    assert run.returncode == 0
    after = {k: v for k, v in snapshot(out.parent).items() if not k.endswith("precision.json")}
    added = set(after) - set(before)
    assert added <= {"out/fused.tif", f"home{runner}/otfm_pansharpen"}
    assert {k: v for k, v in after.items() if k not in added} == before


KILLED = """
import os, signal
real = os.replace
def replace(source, place):
    if str(place).endswith("fused.dat") and ".part" not in str(place):
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, place)
os.replace = replace
"""


@pytest.mark.promise(10)
def test_previous_files_whose_names_are_taken_are_named(tmp_path, private_state):
    """Killed while a raster of several files is replaced, and somebody has put another one there since."""
    pair = Recipe(bands=1).write(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    gdal.Translate(str(out / "fused.dat"), str(pair.ms), format="ENVI")
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    arguments = arguments_of(os.getuid(), pair, out / "fused.dat")
    program = AS_SOMEBODY.replace("job =", KILLED + "job =")
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (out / "fused.dat").exists()
    (out / "fused.dat").write_bytes(b"of somebody")
    notices: list[Notice] = []
    fuse(job(pair, out / "other.tif"), Progress(notice=notices.append))
    (notice,) = [n for n in notices if n.code == "previous_files_kept"]
    (left,) = temporaries(out)
    assert notice.code == "previous_files_kept"
    assert str(out / left / PREVIOUS) in notice.sentence
    assert (out / "fused.dat").read_bytes() == b"of somebody"
    assert (out / left / PREVIOUS / "fused.dat").read_bytes() == before["fused.dat"]
    assert (out / "fused.hdr").read_bytes() == before["fused.hdr"]
    (out / "fused.dat").unlink()
    fuse(job(pair, out / "other.tif"))
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != "other.tif"} == before


@pytest.mark.promise(26)
def test_exchanged_previous_file_is_not_put_back(tmp_path, private_state):
    """After a kill, somebody who may write to the folder has put another file under the recorded name."""

    def moves(left):
        (left / PREVIOUS).mkdir()
        (left / "a.dat").write_bytes(b"new")
        held = left / PREVIOUS / "a.dat"
        held.write_bytes(b"previous")
        return [(tmp_path / "a.dat", held, held), (left / "a.dat", tmp_path / "a.dat", left / "a.dat")]

    left = left_by_a_kill(tmp_path / "a.dat", moves)
    (tmp_path / "keys").write_bytes(b"planted")
    (tmp_path / "keys").replace(left / PREVIOUS / "a.dat")
    (stale,) = remove_stale_runs(tmp_path)
    assert stale.kept == ("a.dat",)
    assert not (tmp_path / "a.dat").exists()
