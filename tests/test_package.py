"""The zip holds what ships and nothing else, and passes what the plugin repository checks."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 25 * 2**20  # bytes
REQUIRED = ("name", "description", "version", "qgisMinimumVersion", "author", "email", "about", "tracker", "repository")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    file = tmp_path_factory.mktemp("zip") / "otfm_pansharpen.zip"
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout to package from")
    subprocess.run(["bash", str(ROOT / "scripts" / "package.sh"), str(file)], check=True, capture_output=True)
    return file


@pytest.mark.promise(21)
def test_one_folder_of_what_ships(package):
    with zipfile.ZipFile(package) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/")]
    inside = {n.removeprefix("otfm_pansharpen/") for n in names}
    assert package.stat().st_size < LARGEST
    assert all(n.startswith("otfm_pansharpen/") for n in names)
    assert {"metadata.txt", "LICENSE", "__init__.py", "README.md", "resources/weights/fast.safetensors"} <= inside
    assert not [n for n in inside if any(part.startswith(".") or part == "__MACOSX" for part in n.split("/"))]
    assert not [n for n in inside if n.startswith(("tests", "benchmarks", "scripts")) or n.endswith((".so", ".pyc"))]


@pytest.mark.promise(21)
def test_metadata_are_complete(package):
    with zipfile.ZipFile(package) as archive:
        text = archive.read("otfm_pansharpen/metadata.txt").decode("utf-8")
    assert "%" not in text
    metadata = configparser.ConfigParser()
    metadata.read_string(text)
    assert [k for k in REQUIRED if not metadata["general"].get(k)] == []


@pytest.mark.promise(21)
def test_bandit_finds_nothing(package, tmp_path):
    """Without a floor of severity or confidence, as the plugin repository runs it."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "-m", "bandit", "-q", "-r", str(tmp_path / "otfm_pansharpen")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_same_commit_gives_the_same_bytes(package, tmp_path):
    again = tmp_path / "again.zip"
    subprocess.run(["bash", str(ROOT / "scripts" / "package.sh"), str(again)], check=True, capture_output=True)
    assert again.read_bytes() == package.read_bytes()
