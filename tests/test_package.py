"""The zip holds what ships and nothing else, and passes what the plugin repository checks."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import pytest
from helpers.scenes import Recipe

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "otfm_pansharpen"
MAX_BYTES = 25_000_000  # The limit of the plugin repository.
REQUIRED = ("name", "description", "version", "qgisMinimumVersion", "author", "email", "about", "tracker", "repository")
FLAGS = ("experimental", "deprecated", "server", "supportsQt6", "hasProcessingProvider")
BINARIES = (".exe", ".dll", ".so", ".dylib", ".bat", ".sh", ".ps1", ".cmd", ".pyc")
NOT_SHIPPED = {
    "tests",
    "benchmarks",
    "fleet",
    "scripts",
    "pyproject.toml",
    "CONTRIBUTING.md",
    "__pycache__",
    "__MACOSX",
}


def pack(file: Path) -> Path:
    """Make the zip of the last commit, as a maintainer makes it before the addresses are known."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout to package from")
    command = ["bash", str(ROOT / "scripts" / "package.sh"), "--draft", str(file)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHON": sys.executable})
    return file


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("zip") / "otfm_pansharpen.zip")


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(unpacked):
    """Read metadata.txt as the plugin repository does: keys keep their case, and a percent sign is an error."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(unpacked / FOLDER / "metadata.txt", encoding="utf-8")
    return dict(parser.items("general"))


@pytest.mark.promise(21)
def test_one_folder_of_what_ships(package):
    with zipfile.ZipFile(package) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    names = [e.filename for e in entries]
    inside = {n.removeprefix(f"{FOLDER}/") for n in names}
    assert package.stat().st_size <= MAX_BYTES
    assert all(n.startswith(f"{FOLDER}/") and ".." not in n for n in names)
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True)
    rooms = {n for n in tracked.stdout.split() if n.startswith(("algorithms/", "desktop/", "engine/", "model/"))}
    assert rooms <= inside
    shipped = {"metadata.txt", "LICENSE", "__init__.py", "README.md", "resources/reports/page.html"}
    assert shipped | {"resources/weights/fast.safetensors"} <= inside
    assert not [n for n in inside if any(part.startswith(".") or part in NOT_SHIPPED for part in n.split("/"))]
    assert not [n for n in inside if n.lower().endswith(BINARIES)]
    assert not [e.filename for e in entries if e.external_attr >> 16 & 0o111]  # nothing is executable


@pytest.mark.promise(21)
def test_metadata_are_complete(metadata, unpacked):
    assert [k for k in REQUIRED if not metadata.get(k, "").strip()] == []
    assert re.fullmatch(r"[^/]+", metadata["author"])
    assert re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", metadata["email"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["version"])
    for key in ("homepage", "tracker", "repository"):
        address = urlparse(metadata[key])
        assert address.scheme == "https"
        assert address.netloc
    assert {metadata[f] for f in FLAGS} <= {"True", "False", "yes"}
    assert (unpacked / FOLDER / metadata["icon"]).is_file()


@pytest.mark.promise(21)
def test_metadata_list_the_changes(metadata):
    """In plain words: QGIS shows them without Markdown."""
    changes = metadata["changelog"]
    assert re.match(rf"{re.escape(metadata['version'])} - \d{{4}}-\d\d-\d\d\nAdded:\n\* ", changes)
    assert "\nAdded:\n* otfm:pansharpen with two bundled sets of weights" in changes
    assert not re.search(r"[`%]|\]\(", changes)


@pytest.mark.promise(21)
def test_qt6_builds_of_qgis_take_it(metadata):
    """QGIS 3.40 and 3.44 built on Qt6 refuse a plugin that does not say so."""
    assert metadata["supportsQt6"] == "True"


@pytest.mark.promise(21)
def test_bandit_finds_nothing(unpacked):
    """Without a floor of severity or confidence."""
    pytest.importorskip("bandit")
    command = [sys.executable, "-m", "bandit", "-q", "-r", str(unpacked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.promise(21)
def test_no_secrets_are_found(unpacked):
    pytest.importorskip("detect_secrets")
    command = [sys.executable, "-m", "detect_secrets", "scan", "--all-files", "."]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["results"] == {}


@pytest.mark.promise(21)
def test_flake8_finds_nothing(unpacked):
    """E203 apart, which the formatter's spaces in slices break."""
    pytest.importorskip("flake8")
    command = [
        sys.executable,
        "-m",
        "flake8",
        "--isolated",
        "--max-line-length=120",
        "--extend-ignore=E203",
        str(unpacked),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_same_commit_gives_the_same_bytes(package, tmp_path):
    assert pack(tmp_path / "again.zip").read_bytes() == package.read_bytes()


@pytest.mark.promise(21)
@pytest.mark.parametrize("field", ["homepage", "tracker", "repository", "email"])
def test_placeholders_are_not_packed_unless_as_a_draft(field, tmp_path):
    addresses = dict.fromkeys(("homepage", "tracker", "repository", "email"), "https://gis.test") | {
        field: "https://example.org/x"
    }
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "metadata.txt").write_text("[general]\n" + "".join(f"{k}={v}\n" for k, v in addresses.items()))
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## 1.0.0\n\n* One.\n")
    file = tmp_path / "plugin.zip"
    script = [sys.executable, str(ROOT / "scripts" / "zip_plugin.py")]
    parameters = [str(folder), str(tmp_path / "CHANGELOG.md"), "1700000000", str(file)]
    done = subprocess.run([*script, *parameters], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"example.org in {field}:" in done.stderr
    assert not file.exists()
    subprocess.run([*script, "--draft", *parameters], capture_output=True, check=True)
    assert file.exists()


def make_previous_version(package: Path, file: Path) -> Path:
    """Make the zip of an older release: another version, and a file that the newer one no longer has."""
    with zipfile.ZipFile(package) as archive, zipfile.ZipFile(file, "w") as older:
        for name in archive.namelist():
            content = archive.read(name)
            if name == f"{FOLDER}/metadata.txt":
                content = re.sub(rb"(?m)^version=.*$", b"version=0.0.1", content)
            older.writestr(name, content)
        older.writestr(f"{FOLDER}/forgotten.py", "")
    return file


@pytest.mark.promise(21)
def test_installer_of_qgis_installs_upgrades_and_uninstalls(package, metadata, tmp_path):
    pair = Recipe(bands=3, ratio=2, height=64, width=64, gain=0.3).write(tmp_path)
    output = tmp_path / "sharp.tif"
    script = Path(__file__).resolve().parent / "helpers" / "installing.py"
    files = [make_previous_version(package, tmp_path / "previous.zip"), package, pair.pan, pair.ms, output]
    command = [sys.executable, str(script), str(tmp_path / "profile"), *map(str, files)]
    environment = {k: v for k, v in os.environ.items() if k != "QGIS_CUSTOM_CONFIG_PATH"}  # it goes before PROFILE
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    states = json.loads(done.stdout.splitlines()[-1])
    installed, upgraded, uninstalled = (states[step] for step in ("installed", "upgraded", "uninstalled"))
    assert installed["active"]
    assert installed["version"] == "0.0.1"
    assert "forgotten.py" in installed["files"]
    assert upgraded["active"]
    assert upgraded["pansharpen"] == 1
    assert upgraded["version"] == metadata["version"]
    assert "forgotten.py" not in upgraded["files"]
    assert (upgraded["setting"], upgraded["weights"]) == ("cpu", True)
    assert states["used"]
    assert output.exists()
    assert uninstalled["files"] == []
    assert uninstalled["pansharpen"] == 0
    assert uninstalled["enabled"] is None
    assert uninstalled["weights"]
