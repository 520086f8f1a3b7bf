"""The page in QGIS's options, and that what is set there acts."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import processing
import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe
from qgis.core import QgsApplication, QgsProcessingContext, QgsProject, QgsRasterLayer, QgsSettings
from qgis.gui import QgsBrowserGuiModel
from qgis.PyQt.QtWidgets import QLabel, QPushButton


@pytest.fixture
def page(desktop):
    """Open the page as the options do; its settings are removed afterwards."""
    QgsSettings().remove("otfm")
    yield desktop.pages[0].createWidget(None)
    QgsSettings().remove("otfm")


def defaults(name):
    algorithm = created(name)
    return {p.name(): p.defaultValue() for p in algorithm.parameterDefinitions()}


def created(name):
    return QgsApplication.processingRegistry().createAlgorithmById(f"otfm:{name}")


def test_what_is_set_is_the_default_of_every_algorithm(page, desktop):
    page.device.setCurrentText("cpu")
    page.quality.setCurrentText("best")
    page.memory.setValue(300)
    page.apply()
    for name in ("pansharpen", "product"):
        values = defaults(name)
        assert (values["DEVICE"], values["QUALITY"], int(values["MEMORY"])) == ("cpu", "best", 300)
    tuning = defaults("finetune")
    assert (tuning["DEVICE"], tuning["START"]) == ("cpu", "best")
    again = desktop.pages[0].createWidget(None)
    assert (again.quality.currentText(), again.memory.value()) == ("best", 300)


def test_untouched_the_page_changes_nothing(page):
    before = defaults("pansharpen")
    assert before["MEMORY"] is None
    page.apply()
    assert defaults("pansharpen") == before


def test_words_that_no_parameter_knows_are_passed_over(page):
    for key in ("device", "quality"):
        QgsSettings().setValue(f"otfm/{key}", "quantum")
    values = defaults("pansharpen")
    assert (values["DEVICE"], values["QUALITY"]) == ("auto", "fast")


def test_run_uses_the_settings_unless_a_parameter_overrides(page, tmp_path):
    page.memory.setValue(300)
    page.apply()
    pair = Recipe(bands=3).write(tmp_path)
    rasters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "out.tif")}
    for more, words in (({}, "in 300 MB"), ({"MEMORY": 256}, "in 256 MB")):
        listener = Listener()
        parameters: dict[str, object] = {**rasters, **more}
        assert created("pansharpen").run(parameters, QgsProcessingContext(), listener, {}, False)[1]
        assert words in "\n".join(listener.lines)


def test_the_dialog_of_tuning_offers_a_file_in_the_folder(page, tmp_path, monkeypatch):
    from processing.gui import ParametersPanel
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    page.weights.setFilePath(str(tmp_path))
    page.apply()
    iface = MagicMock()
    iface.browserModel.return_value = QgsBrowserGuiModel()
    iface.mapCanvas.return_value = iface.activeLayer.return_value = None
    monkeypatch.setattr(ParametersPanel, "iface", iface)
    dialog = AlgorithmDialog(created("finetune"), False)
    offered = dialog.mainWidget().wrappers["OUTPUT"].parameterValue()
    dialog.close()
    assert Path(offered).parent == tmp_path
    assert offered.endswith(".safetensors")


def test_results_go_where_the_options_say(page, tmp_path):
    page.output.setFilePath(str(tmp_path))
    page.pattern.setText("sharp {ms}.tif")
    page.apply()
    pair = Recipe(bands=3).write(tmp_path)
    QgsProject.instance().addMapLayers([QgsRasterLayer(str(f), n) for f, n in ((pair.pan, "pan"), (pair.ms, "a/b: c"))])
    proposed = []
    for _ in range(2):
        algorithm = created("pansharpen")
        proposed.append(algorithm.parameterDefinition("OUTPUT").guiDefaultValueOverride())
        Path(proposed[-1]).touch()
    assert proposed == [str(tmp_path / "sharp a_b_ c.tif"), str(tmp_path / "sharp a_b_ c_2.tif")]
    QgsProject.instance().clear()


def test_the_page_shows_the_engine_and_opens_its_set_up(desktop, page, monkeypatch):
    QgsSettings().setValue("otfm/ready", "torch 9.9 on CPU, bfloat16")
    again = desktop.pages[0].createWidget(None)
    assert any("torch 9.9 on CPU, bfloat16. Packages: " in label.text() for label in again.findChildren(QLabel))
    opened = MagicMock()
    monkeypatch.setattr(processing, "createAlgorithmDialog", opened)
    for button in again.findChildren(QPushButton):
        if button.text() in ("Check", "Repair", "Remove"):
            button.click()
    actions = [call.args for call in opened.call_args_list]
    assert actions == [("otfm:setup", {"ACTION": action}) for action in ("check", "repair", "remove")]
    monkeypatch.setattr("otfm_pansharpen.desktop.options_page.has_torch", lambda folder: False)
    bare = desktop.pages[0].createWidget(None)
    assert any("not set up" in label.text() for label in bare.findChildren(QLabel))
