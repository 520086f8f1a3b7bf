"""The algorithms as QGIS lists them."""

from __future__ import annotations

import otfm_pansharpen
import pytest
from helpers.field import RATIO, SIDE
from helpers.scenes import Recipe
from qgis.core import QgsApplication


@pytest.fixture
def algorithm(qgis_app, qgis_processing):
    registry = QgsApplication.processingRegistry()
    if registry.providerById("otfm") is None:
        plugin = otfm_pansharpen.classFactory(None)
        plugin.initProcessing()
        algorithm.plugin = plugin
    return registry.algorithmById("otfm:pansharpen").create()


@pytest.fixture
def pair(tmp_path):
    """Six bands of 16 bits, PAN twice as fine, no nodata declared."""
    return Recipe(bands=6, ratio=RATIO, height=SIDE, width=SIDE, gain=0.3).write(tmp_path)
