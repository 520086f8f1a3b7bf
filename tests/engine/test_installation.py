"""`otfm:setup` as users run it: packages, sources, and the state after a failure or a cancel."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from helpers.engine import broken_torch, engines
from helpers.fusion import job
from helpers.package_index import TORCH, index_of, serve, write_torch_wheels, write_wheel
from helpers.scenes import Recipe
from otfm_pansharpen.engine import installation
from otfm_pansharpen.engine.installation import LISTS, RequiredFiles
from otfm_pansharpen.engine.packages import MANIFEST, manifest
from otfm_pansharpen.engine.torch_builds import SIZES, list_wheels
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
    assert any(f"Nothing to do: torch {done.torch}" in line for line in lines)
    assert re.fullmatch(rf"Ready: torch {re.escape(done.torch)} on .+, (bfloat16|float32)\.", lines[-1])


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
    [
        ("raise OSError('[WinError 1114] c10.dll')", "cannot load one of its libraries"),
        ("import os; os._exit(3)", "exit code 3"),
    ],
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


@pytest.fixture
def cpu_index(wheels, tmp_path, monkeypatch):
    """Serve torch, and safetensors at another index, whose hashes are listed; yields the paths that were asked for."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setattr(installation, "LISTS", tmp_path)
    monkeypatch.setattr("otfm_pansharpen.engine.torch_builds.has_nvidia", lambda: False)
    asked: list[str] = []
    files = {wheel.name: wheel.read_bytes() for wheel in wheels.iterdir()}
    for name, kept in (("torch-cpu.txt", "torch"), ("cpu.txt", "safetensors")):
        (wheel,) = (file for file in files if file.startswith(kept))
        digest = hashlib.sha256(files[wheel]).hexdigest()
        (tmp_path / name).write_text(f"{kept}=={wheel.split('-')[1]} --hash=sha256:{digest}\n")

    def answer(index):
        served = index_of({name: data for name, data in files.items() if (name[:5] == "torch") == (index == "cpu")})

        def record(path):
            asked.append(f"{index} {path}")
            return served(path)

        return record

    with serve(answer("cpu")) as cpu, serve(answer("usual")) as usual:
        monkeypatch.setattr(installation, "CPU_INDEX", cpu)
        monkeypatch.setenv("PIP_INDEX_URL", usual)
        yield asked


def test_the_cpu_build_comes_from_its_own_index(folder, cpu_index):
    lines: list[str] = []
    assert set_up("repair", folder, progress=Progress(log=lines.append)).torch == "2.13.0"
    assert manifest(folder) == {"torch": "2.13.0", "safetensors": "0.8.0"}
    assert [path for path in cpu_index if "/torch" in path and path.startswith("usual")] == []
    assert "Build: CPU, since no NVIDIA driver is there." in lines


def test_a_cpu_index_out_of_reach_names_the_sizes(folder, cpu_index, monkeypatch):
    monkeypatch.setattr(installation, "CPU_INDEX", "http://127.0.0.1:9/cpu")
    with pytest.raises(EngineError, match=r"cannot be fetched from http.*BUILD cuda.*3\.3 GB to fetch.*5\.5 GB when"):
        set_up("repair", folder)
    assert cpu_index == []  # nothing large was fetched from elsewhere instead
    assert not folder.exists()


def test_the_proxy_of_qgis_reaches_pip(folder, wheels, monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "packages.test")
    asked: list[str] = []
    with serve(asked.append) as address, pytest.raises(EngineError, match="Check the connection"):
        set_up(
            "repair", folder, build="cuda", index="http://packages.test/simple", proxy=address.removesuffix("/simple")
        )
    assert any(path.startswith("http://packages.test/simple/") for path in asked)


def test_certificates_of_qgis_reach_pip(folder, wheels, monkeypatch):
    monkeypatch.delenv("PIP_CERT", raising=False)
    found = []
    monkeypatch.setattr(
        installation, "_run_pip", lambda pip, *others: found.append(Path(pip.environment["PIP_CERT"]).read_text())
    )
    with pytest.raises(KeyError):  # nothing was installed
        set_up("repair", folder, wheels, certificates="-----BEGIN CERTIFICATE-----")
    assert found == ["-----BEGIN CERTIFICATE-----"]


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
    monkeypatch.setattr("otfm_pansharpen.engine.torch_builds.has_nvidia", lambda: driver)
    taken = []
    monkeypatch.setattr(installation, "_announce", lambda folder, build, wanted, progress: taken.append(build))
    monkeypatch.setattr(installation, "_run_pip", lambda pip, *others: taken.append(pip.command))
    monkeypatch.setattr(installation, "loads", lambda new, progress: "")
    with pytest.raises(KeyError):  # nothing was installed
        set_up("repair", folder)
    assert taken[0] == build
    assert str(LISTS / ("cuda.txt" if driver else "torch-cpu.txt")) in taken[1]
    assert ("http://127.0.0.1:9/cpu" in taken[1]) == (not driver)


def test_every_listed_package_has_hashes():
    versions = set()
    for name in ("torch-cpu.txt", "cpu.txt", "cuda.txt"):
        entries = (LISTS / name).read_text().replace("\\\n", " ").splitlines()
        assert len(entries) > (0 if name == "torch-cpu.txt" else 10)
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
        versions |= {entry.split()[0] for entry in entries if entry.startswith("torch==")}
    assert {v.removesuffix("+cpu") for v in versions} == {f"torch=={w.version}" for b in SIZES for w in list_wheels(b)}


def test_the_page_lists_the_machines_that_are_supported():
    page = (LISTS.parents[1] / "docs" / "installing.md").read_text(encoding="utf-8")
    for build in SIZES:
        for wheels in list_wheels(build):
            assert f"| {build.upper()} | {wheels.machine} | {wheels.python_range} | {wheels.version} |" in page


def test_set_up_needs_no_option_of_a_newer_pip(folder, wheels, monkeypatch):
    """pip 22.0, of Ubuntu 22.04, has neither --dry-run nor --report."""
    options: list[str] = []
    real = installation.run_child

    def run(command, *others):
        options.extend(word for word in command if word.startswith("--"))
        return real(command, *others)

    monkeypatch.setattr(installation, "run_child", run)
    set_up("repair", folder, wheels)
    known = {"--progress-bar", "--target", "--no-compile", "--only-binary", "--no-index", "--find-links"}
    assert set(options) <= known


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
