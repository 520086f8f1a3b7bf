"""The Python that the engine starts with, and the settings of QGIS that reach it."""

from __future__ import annotations

import os
import sys

import pytest
from helpers.engine import engines
from helpers.fusion import job
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from otfm_pansharpen.engine import child_process
from otfm_pansharpen.engine.child_process import Launch, launches
from otfm_pansharpen.engine.client import make_greeting
from otfm_pansharpen.model.errors import EngineError
from otfm_pansharpen.model.progress import Progress


def bad_modules(folder, monkeypatch):
    for name in ("json.py", "numpy.py", "queue.py"):
        (folder / name).write_text("raise ImportError('not this one')")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])


def bad_pythons(folder, monkeypatch):
    for name in ("python", "python3", f"python3.{sys.version_info.minor}"):
        (folder / name).write_text("#!/bin/sh\nexit 3\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(folder / "python3"))


def bad_libraries(folder, monkeypatch):
    for name in ("libgomp.so.1", "libstdc++.so.6", "libz.so.1"):
        (folder / name).write_bytes(b"no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))


def no_streams(folder, monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)


def qgis_itself(folder, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/qgis")


def variable(name, value=None):
    return lambda folder, monkeypatch: monkeypatch.setenv(name, value or str(folder))


@pytest.mark.promise(24)
@pytest.mark.parametrize(
    "trap",
    [
        *(bad_modules, bad_pythons, bad_libraries, no_streams, qgis_itself, variable("PYTHONHOME")),
        *(variable("PYTHONEXECUTABLE"), variable("PYTHONSTARTUP"), variable("LC_ALL", "de_DE.UTF-8")),
        *(variable("LC_NUMERIC", "de_DE.UTF-8"), variable("LC_ALL", "C")),
    ],
)
def test_what_launchers_and_users_set_does_not_reach_the_engine(nothing, tmp_path, monkeypatch, trap):
    folder, other = tmp_path / "Größe, 大 1", tmp_path / "trap"
    folder.mkdir()
    other.mkdir()
    pair = Recipe(bands=1).write(folder)
    trap(other, monkeypatch)
    with engines() as session:
        session.run(job(pair, folder / "schärfer.tif"), nothing, Progress())
    assert load_image(folder / "schärfer.tif").shape == pair.reference[:1].shape


def test_without_a_python_next_to_qgis_the_error_names_the_paths(nothing, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/usr/bin/qgis")
    with pytest.raises(EngineError, match=f"looked for {tmp_path}/bin/python3"):
        child_process.launches()


def test_an_interpreter_of_another_version_is_passed_over(nothing, tmp_path, monkeypatch):
    other = tmp_path / "python3"
    other.write_text('#!/bin/sh\nread line\necho \'{"other_python": "3.1.0"}\'\n')
    other.chmod(0o755)
    real = launches()
    monkeypatch.setattr("otfm_pansharpen.engine.client.launches", lambda: [Launch((str(other),), os.environ), *real])
    pair = Recipe(bands=1).write(tmp_path)
    with engines() as session:
        session.run(job(pair, tmp_path / "out.tif"), nothing, Progress())
    assert (tmp_path / "out.tif").exists()


def test_settings_of_gdal_reach_the_engine(nothing, monkeypatch):
    before = gdal.GetConfigOption("GDAL_HTTP_PROXY")
    gdal.SetConfigOption("GDAL_HTTP_PROXY", "proxy:3128")
    try:
        assert make_greeting(nothing)["gdal"]["GDAL_HTTP_PROXY"] == "proxy:3128"
    finally:
        gdal.SetConfigOption("GDAL_HTTP_PROXY", before)


def test_modules_in_the_current_folder_are_not_imported(tmp_path, monkeypatch):
    (tmp_path / "pip.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    for way in launches():
        code, _ = child_process.run_child([*way.command, "-c", "import pip"], way.environment, Progress())
        assert code != 7
