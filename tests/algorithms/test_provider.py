"""Every algorithm of the toolbox: its icon, its page that opens without network, and what its errors keep."""

from __future__ import annotations

import gc
import re
import weakref
from pathlib import Path

import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe
from qgis.core import QgsApplication, QgsProcessingContext, QgsRasterLayer
from qgis.PyQt.QtCore import QUrl

ROOT = Path(__file__).resolve().parents[2]
FILES = (".tif", ".html", ".safetensors")


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


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("pansharpen", {"FORM": "printing", "MS_BANDS": [4], "OUTPUT": "o.tif"}),  # refused on the main thread
        ("pansharpen", {"OUTPUT": "pan.tif"}),  # refused by the engine: it is an input
        ("finetune", {"EXTENT": "1,2,3,4 [EPSG:no]", "OUTPUT": "w.safetensors"}),
        ("assess", {"FUSED": "absent.tif", "REPORT": "r.html"}),
        ("assess", {"FUSED": "ms.tif", "REPORT": "pan.tif"}),
    ],
)
def test_layers_of_a_refused_run_are_freed(algorithm, tmp_path, name, parameters):
    """QGIS keeps errors for ever. A layer in them keeps its file open, and crashes a script of PyQGIS as it ends."""
    pair = Recipe(bands=4).write(tmp_path)
    layers = [QgsRasterLayer(str(file), "harbour") for file in (pair.pan, pair.ms)]
    given = {k: str(tmp_path / v) if str(v).endswith(FILES) else v for k, v in parameters.items()}
    made, alive = algorithm.provider().algorithm(name).create(), [weakref.ref(layer) for layer in layers]
    assert not made.run(dict(given, PAN=layers[:1], MS=layers[1:]), QgsProcessingContext(), Listener())[1]
    del layers, made
    gc.collect()
    assert [layer() for layer in alive] == [None, None]
