"""The algorithms as QGIS lists them."""

from __future__ import annotations

import otfm_pansharpen
import pytest
from qgis.core import QgsApplication


@pytest.fixture
def algorithm(qgis_app, qgis_processing):
    registry = QgsApplication.processingRegistry()
    if registry.providerById("otfm") is None:
        plugin = otfm_pansharpen.classFactory(None)
        plugin.initProcessing()
        algorithm.plugin = plugin
    return registry.algorithmById("otfm:pansharpen").create()
