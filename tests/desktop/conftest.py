"""QGIS's main window with the plugin in it."""

from __future__ import annotations

from weakref import WeakSet

import otfm_pansharpen
import pytest
from helpers.qgis import Desktop
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QDialog


@pytest.fixture
def desktop(qgis_app, qgis_processing, monkeypatch):
    """Make a main window with the plugin in it, and the dialogs that were asked for."""
    import processing

    registry = QgsApplication.processingRegistry()
    if registry.providerById("otfm") is not None:
        registry.removeProvider("otfm")
    desktop = Desktop()
    desktop.opened, desktop.alive = [], WeakSet()

    class Dialog(QDialog):
        algorithmFinished = pyqtSignal(bool, dict)  # noqa: N815 - QGIS's name

        def __init__(self, name):
            super().__init__()
            self.name = name
            desktop.alive.add(self)

        def show(self):
            desktop.opened.append(self.name)

    monkeypatch.setattr(processing, "createAlgorithmDialog", Dialog)
    desktop.plugin = otfm_pansharpen.classFactory(desktop)
    desktop.plugin.initGui()
    yield desktop
    desktop.plugin.unload()
