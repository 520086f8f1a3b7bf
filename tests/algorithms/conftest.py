"""The algorithms as QGIS lists them."""

from __future__ import annotations

from unittest.mock import MagicMock

import otfm_pansharpen
import pytest
import translations
from helpers.field import RATIO, SIDE
from helpers.scenes import Recipe
from otfm_pansharpen.algorithms import translation
from qgis.core import QgsApplication, QgsProject
from qgis.gui import QgsBrowserGuiModel


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


@pytest.fixture
def opened(algorithm, monkeypatch, tmp_path):
    """Opens the dialog of an algorithm, with an active layer; gives its widgets by name."""
    from processing.gui import ParametersPanel
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    profile = str(tmp_path / "profile")
    monkeypatch.setattr("otfm_pansharpen.algorithms.bridge.QgsApplication.qgisSettingsDirPath", lambda: profile)

    def dialog(name, active=None):
        iface = MagicMock()
        iface.browserModel.return_value, iface.mapCanvas.return_value = QgsBrowserGuiModel(), None
        iface.activeLayer.return_value = active
        monkeypatch.setattr(ParametersPanel, "iface", iface)
        monkeypatch.setattr("qgis.utils.iface", iface)
        registry = QgsApplication.processingRegistry()
        dialog.dialogs.append(AlgorithmDialog(registry.algorithmById(f"otfm:{name}").create(), False))
        return dialog.dialogs[-1].mainWidget().wrappers

    dialog.dialogs = []
    yield dialog
    for each in dialog.dialogs:
        each.close()
    QgsProject.instance().clear()


@pytest.fixture
def translated(monkeypatch, tmp_path):
    """Makes the plugin speak a language."""
    monkeypatch.setattr(translation, "_current", [*translation._current])
    translators = []

    def speak(language):
        (tmp_path / "i18n").mkdir()
        translations.build(tmp_path / "i18n")
        monkeypatch.setattr(translation.QgsApplication, "locale", lambda: language)
        translators.append(translation.install(tmp_path / "i18n"))

    yield speak
    for translator in filter(None, translators):
        QgsApplication.removeTranslator(translator)
