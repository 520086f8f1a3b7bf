"""`otfm:setup` as users run it: packages, sources, and the state after a failure or a cancel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.engine import broken_torch, engines
from helpers.fusion import job
from helpers.package_index import TORCH, write_torch_wheels, write_wheel
from helpers.scenes import Recipe
from otfm_pansharpen.engine import installation
from otfm_pansharpen.engine.installation import LISTS, RequiredFiles
from otfm_pansharpen.engine.packages import MANIFEST, manifest
from otfm_pansharpen.model.errors import CancelledError, EngineError
from otfm_pansharpen.model.progress import Progress


@pytest.fixture
def wheels(tmp_path):
    return write_torch_wheels(tmp_path / "wheels ö")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "profile" / "packages" / "python"


@pytest.fixture
def without_torch(monkeypatch):
    """QGIS's Python as most people have it; the engine then sees the packages' folder alone."""
    monkeypatch.setattr(installation, "_find_version", lambda folder, progress: "")


def set_up(action, folder, wheels=None, progress=None, **wanted):
    return installation.set_up(action, folder, RequiredFiles(wheels=wheels, **wanted), progress or Progress())


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"}


@pytest.mark.promise(16)
def test_a_folder_of_wheels_is_installed_without_network(folder, wheels, without_torch):
    lines: list[str] = []
    shares: list[float] = []
    done = set_up("install", folder, wheels, Progress(report=shares.append, log=lines.append))
    assert done.torch == "2.13.0"
    assert manifest(folder) == {"torch": "2.13.0", "safetensors": "0.8.0"}
    assert (folder / "torch" / "__init__.py").read_text() == TORCH
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(f"from the folder {wheels}" in line and str(folder) in line and "210 MB" in line for line in lines)


def test_where_torch_works_nothing_is_done(folder):
    lines: list[str] = []
    done = set_up("install", folder, progress=Progress(log=lines.append))
    assert done.torch
    assert not folder.exists()
    assert f"Nothing to do: torch {done.torch}" in lines[-1]


def test_repair_replaces_packages_even_where_torch_works(folder, wheels):
    broken_torch(folder, "raise OSError('broken')")
    assert set_up("repair", folder, wheels).torch == "2.13.0"
    assert (folder / "torch" / "__init__.py").read_text() == TORCH


def test_what_was_installed_goes_before_an_older_torch(folder, wheels, tmp_path):
    set_up("repair", folder, wheels)
    with engines() as session:
        assert session.torch_version(folder, Progress()) == "2.13.0"
        with pytest.raises(EngineError, match="please report"):  # this torch has nothing to compute with
            session.run(job(Recipe(bands=1).write(tmp_path), tmp_path / "out.tif"), folder, Progress())


def test_numpy_and_osgeo_in_the_folder_do_not_hide_those_of_qgis(folder, wheels):
    write_wheel(wheels, "numpy", "9.9", {"numpy/__init__.py": "raise ImportError('not this one')"})
    write_wheel(
        wheels,
        "torch",
        "2.13.0",
        {
            "torch/__init__.py": TORCH,
            "numpy/__init__.py": "raise ImportError",
            "osgeo/__init__.py": "raise ImportError",
        },
    )
    assert set_up("repair", folder, wheels).torch == "2.13.0"
    assert (folder / "numpy").exists()


@pytest.mark.parametrize(
    ("torch", "words"),
    [("raise OSError('[WinError 1114] c10.dll')", "Visual C"), ("import os; os._exit(3)", "exit code 3")],
)
def test_a_torch_that_does_not_load_is_not_taken(folder, wheels, torch, words):
    broken_torch(folder, "previous = True")
    before = tree(folder)
    write_wheel(wheels, "torch", "2.13.0", {"torch/__init__.py": torch})
    with pytest.raises(EngineError, match=words):
        set_up("repair", folder, wheels)
    assert tree(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_wheel_that_is_missing_is_one_sentence(folder, wheels, without_torch):
    next(wheels.glob("safetensors*")).unlink()
    with pytest.raises(EngineError, match=r"pip could not install torch .* safetensors"):
        set_up("install", folder, wheels)
    assert not folder.exists()
    for wheel_file in wheels.iterdir():
        wheel_file.unlink()
    with pytest.raises(EngineError, match="holds no wheels"):
        set_up("install", folder, wheels)


def index(tmp_path, wheels):
    """Make a package index of files, with every name of the list."""
    for name in ("torch", "safetensors"):
        page = tmp_path / "index" / name
        page.mkdir(parents=True)
        links = "".join(f'<a href="{w.as_uri()}">{w.name}</a>' for w in wheels.glob(f"{name}-*"))
        (page / "index.html").write_text(f"<html><body>{links}</body></html>")
    return (tmp_path / "index").as_uri()


def test_index_without_cpu_build_is_reported_before_fetching(folder, wheels, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(EngineError, match="offers no CPU build"):
        set_up("repair", folder, index=index(tmp_path, wheels), build="cpu")
    assert not folder.parent.exists()


@pytest.mark.promise(9)
def test_cancel_leaves_what_was_there(folder, wheels):
    broken_torch(folder, "previous = True")
    before = tree(folder)
    logged: list[str] = []

    def cancelled():
        return any("Trying out" in line for line in logged)

    with pytest.raises(CancelledError):
        set_up("repair", folder, wheels, Progress(cancelled=cancelled, log=logged.append))
    with pytest.raises(CancelledError):
        set_up("repair", folder, wheels, Progress(cancelled=lambda: True))
    assert tree(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_disk_that_is_too_small_is_reported_before_fetching(folder, wheels, monkeypatch):
    monkeypatch.setattr(installation, "SIZES", {"cpu": (9e15, 9e15)})
    with pytest.raises(EngineError, match=r"[GT]B left, but 18,000 TB are needed"):
        set_up("repair", folder, wheels)
    assert not folder.exists()


def test_remove_leaves_nothing(folder, wheels):
    set_up("repair", folder, wheels)
    set_up("remove", folder)
    assert list(folder.parent.iterdir()) == []
    lines: list[str] = []
    set_up("remove", folder, progress=Progress(log=lines.append))
    assert "nothing to remove" in lines[-1]


@pytest.mark.slow
def test_an_installation_that_was_interrupted_is_ignored(folder, wheels, tmp_path):
    set_up("repair", folder, wheels)
    (folder / MANIFEST).unlink()
    (folder / "torch" / "__init__.py").write_text("raise ImportError('half')")
    pair = Recipe(bands=1).write(tmp_path)
    with engines() as session:
        session.run(job(pair, tmp_path / "out.tif"), folder, Progress())
    assert (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(("driver", "build"), [(True, "cuda"), (False, "cpu")])
def test_the_build_follows_the_machine(folder, wheels, monkeypatch, driver, build):
    monkeypatch.setattr(installation, "has_nvidia", lambda: driver)
    monkeypatch.setattr(installation, "_offers_cpu_build", lambda *arguments: True)
    taken = []
    monkeypatch.setattr(installation, "_announce", lambda folder, build, wanted, progress: taken.append(build))
    monkeypatch.setattr(installation, "_run_pip", lambda *arguments: taken.append(arguments[0]))
    monkeypatch.setattr(installation, "loads", lambda new, progress: "")
    with pytest.raises(KeyError):  # nothing was installed
        set_up("repair", folder)
    assert taken[0] == build
    assert str(LISTS / f"{build}.txt") in taken[1]


def test_every_listed_package_has_hashes():
    for name in ("cpu.txt", "cuda.txt"):
        entries = (LISTS / name).read_text().replace("\\\n", " ").splitlines()
        assert len(entries) > 10
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)


def test_report_lists_the_machine_and_a_correct_trial_result(tmp_path):
    done = set_up("check", tmp_path / "none")
    text = "\n".join(done.report)
    for word in ("OTFM Pansharpen", "System: ", "Python: ", "torch ", "NumPy", "GDAL", "cores", "bfloat16", "Memory: ",
                 "Disk: ", "CUDA", "Known answer: ERGAS", ": right"):  # fmt: skip
        assert word in text
    assert str(Path.home()) not in text
    assert done.torch


def test_the_report_says_why_the_engine_does_not_start(tmp_path):
    packages = broken_torch(tmp_path / "packages", "raise RuntimeError('Numpy is not available')")
    done = set_up("check", packages)
    assert done.torch == ""
    assert "The engine does not work: NumPy does not fit" in done.report[-1]
    assert json.dumps(done.report)
