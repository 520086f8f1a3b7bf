"""Every algorithm of the toolbox has an icon, and a page that opens without network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QUrl

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def provider(algorithm):
    return QgsApplication.processingRegistry().providerById("otfm")


def test_every_algorithm_has_an_icon_that_scales(provider):
    for one in (provider, *(a for a in provider.algorithms() if a.group() != "Example models")):
        assert Path(one.svgIconPath()).read_text(encoding="utf-8").startswith("<svg")
        assert not one.icon().isNull()


def test_every_algorithm_has_a_page_of_its_own(provider):
    ours = [a for a in provider.algorithms() if a.group() != "Example models"]
    pages = {a.name(): Path(QUrl(a.helpUrl()).toLocalFile()) for a in ours}
    assert len(set(pages.values())) == len(pages)
    for name, page in pages.items():
        assert f"otfm:{name}" in page.read_text(encoding="utf-8")


def test_packages_open_the_page_as_html(provider, tmp_path, monkeypatch):
    page = tmp_path / "resources" / "help" / "assessing.html"
    page.parent.mkdir(parents=True)
    page.touch()
    monkeypatch.setattr("otfm_pansharpen.algorithms.otfm_algorithm.ROOT", tmp_path)
    assessing = QgsApplication.processingRegistry().algorithmById("otfm:assess")
    assert re.fullmatch(r"file:///\S+/resources/help/assessing\.html", assessing.helpUrl())
