"""The project as a whole: which rooms need what, one version number, promises that are written down."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import promises
import pytest
import tomllib
from helpers.promises import PROMISES
from otfm_pansharpen.model.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(p for p in (ROOT / "model").rglob("*.py") if p.name != "__init__.py")
WITHOUT_GDAL = ("geometry", "scene", "quality", "network", "inference", "training")


def imported(names: list[str], absent: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Import modules of model/ in a fresh Python where some packages cannot be imported."""
    code = (
        "import sys, importlib\n"
        f"sys.modules.update(dict.fromkeys({absent!r}))\n"
        f"for name in {names!r}: importlib.import_module('otfm_pansharpen.model.' + name)\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "model").with_suffix("").parts)


def test_no_module_needs_qgis():
    done = imported([dotted(p) for p in MODULES], ("qgis",))
    assert done.returncode == 0, done.stderr


def test_networks_run_and_train_without_gdal():
    names = [dotted(p) for p in MODULES if p.relative_to(ROOT / "model").parts[0] in WITHOUT_GDAL]
    assert len(names) > 20
    done = imported(names, ("qgis", "osgeo"))
    assert done.returncode == 0, done.stderr


def test_jobs_and_options_need_no_torch():
    """QGIS's own process makes jobs and hears progress; it is not to load torch for that."""
    names = ["options", "version", "progress", "notices", "errors", "fusion.job", "finetuning.job"]
    done = imported(names, ("torch", "safetensors", "qgis"))
    assert done.returncode == 0, done.stderr


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_there_is_one_version():
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    changelog = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert changelog is not None
    assert citation is not None
    assert metadata["general"]["version"] == VERSION == changelog[1] == citation[1]


def test_what_pip_installs_is_all_that_a_worker_needs():
    """A room that is missing in pyproject.toml would be missing on machines without QGIS only."""
    rooms = {".".join(p.parent.relative_to(ROOT).parts) for f in ("model", "fleet") for p in (ROOT / f).rglob("*.py")}
    named = {n.partition(".")[2] for n in project()["tool"]["setuptools"]["packages"]}
    assert named == rooms | {""}


def test_the_page_of_promises_is_up_to_date():
    text = promises.PAGE.read_text(encoding="utf-8")
    assert text == promises.page(text), "run python scripts/promises.py"


@pytest.mark.parametrize("number", PROMISES)
def test_every_promise_has_a_test(number):
    marked = re.compile(rf"pytest\.mark\.promise\({number}\)")
    assert any(marked.search(p.read_text(encoding="utf-8")) for p in (ROOT / "tests").rglob("test_*.py"))
