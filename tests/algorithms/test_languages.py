"""Texts in QGIS in German."""

from __future__ import annotations

import re
from unittest.mock import MagicMock

import pytest
import translations
from helpers.qgis import Listener, run
from helpers.qt_files import read_translations
from helpers.scenes import Recipe
from otfm_pansharpen.algorithms import translation
from otfm_pansharpen.desktop.options_page import OptionsPage
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterDefinition,
    QgsSettings,
)
from qgis.gui import QgsBrowserGuiModel
from qgis.PyQt.QtWidgets import QLabel


def labels(name):
    """Return labels and log texts by their names."""
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"otfm:{name}")
    hidden = QgsProcessingParameterDefinition.Flag.FlagHidden
    shown = [p for p in algorithm.parameterDefinitions() if not p.flags() & hidden]
    return {
        **{p.name(): p.description() for p in shown},
        **{f"help of {p.name()}": p.help() for p in shown},
        **{f"output {o.name()}": o.description() for o in algorithm.outputDefinitions()},
        "about": algorithm.shortDescription(),
        "help": algorithm.shortHelpString(),
    }


@pytest.fixture
def german(algorithm, tmp_path, monkeypatch):
    """Makes QGIS German; returns what was English before."""
    monkeypatch.setattr(translation, "_current", [*translation._current])
    names = [a.name() for a in QgsApplication.processingRegistry().providerById("otfm").algorithms() if not a.group()]
    before = {name: labels(name) for name in names}
    translations.build(tmp_path)
    settings = QgsSettings()
    settings.setValue("locale/overrideFlag", True)
    settings.setValue("locale/userLocale", "de_AT")
    translator = translation.install(tmp_path)
    yield before
    if translator is not None:
        QgsApplication.removeTranslator(translator)
    settings.remove("locale/overrideFlag")
    settings.remove("locale/userLocale")


def test_qt_finds_every_text(german):
    expected = read_translations(translations.FOLDER / "otfm_de.ts")
    assert {text: translation.tr(text) for text in expected} == expected
    assert translation.tr("no text of the plugin") == "no text of the plugin"


def test_no_label_and_no_help_stays_english(german):
    assert len(german) >= 7
    same = [(name, key) for name, texts in german.items() for key, text in labels(name).items() if text == texts[key]]
    assert same == []


def test_the_dialog_and_the_options_are_german(german, monkeypatch):
    from processing.gui import ParametersPanel
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    iface = MagicMock()
    iface.browserModel.return_value = QgsBrowserGuiModel()
    iface.mapCanvas.return_value = iface.activeLayer.return_value = None
    monkeypatch.setattr(ParametersPanel, "iface", iface)
    dialog = AlgorithmDialog(QgsApplication.processingRegistry().createAlgorithmById("otfm:pansharpen"), False)
    shown = {label.text().split(" [")[0] for label in dialog.findChildren(QLabel)}
    assert {"Panchromatisches Raster", "Multispektrales Raster", "Qualität", "Geschärftes Raster"} <= shown
    assert dialog.mainWidget().wrappers["QUALITY"].widget.itemText(0) == "Schnell (Sekunden)"
    dialog.close()
    page = OptionsPage()
    assert {"Gerät", "Speicher"} <= {label.text() for label in page.findChildren(QLabel)}


def test_the_log_of_a_run_is_german(german, algorithm, tmp_path):
    feedback = Listener()
    assert run(algorithm, Recipe(shift=(0.0, 1.0)).write(tmp_path), tmp_path / "o.tif", feedback)[1]
    inputs, measured, answer, heading = feedback.lines[:4]
    assert inputs == "PAN pan.tif (240 x 192 Pixel) und MS ms.tif (4 bands, 60 x 48 Pixel, UInt16), Verhältnis 4."
    assert re.fullmatch(
        r"MS ist um \S+ Zeilen und \S+ Spalten \(PAN-Pixel\) gegenüber PAN versetzt, was korrigiert wird; "
        r"im feinsten Detail behält es \d+ % des Kontrasts \(gemessen\)\.",
        measured,
    )
    assert re.search(
        r"^4-fach vergröbert .*, \d+ % (weniger|mehr) als der beste Wert aus .* klassischen Verfahren\. Fertig nach "
        r"[\d.]+ s: .*o\.tif\.$",
        answer,
    )
    assert heading == "Einzelheiten"
    assert any(line.startswith("Mittelwert (Abweichung) von PAN ") for line in feedback.lines)


def test_a_refusal_is_german(german, algorithm, tmp_path):
    pair = Recipe().write(tmp_path)
    parameters = {"PAN": str(pair.ms), "MS": str(pair.pan), "OUTPUT": str(tmp_path / "o.tif")}
    assert algorithm.prepare(parameters, QgsProcessingContext(), Listener())
    with pytest.raises(QgsProcessingException) as error:
        algorithm.runPrepared(parameters, QgsProcessingContext(), Listener())
    assert re.fullmatch(
        r"PAN und MS scheinen vertauscht: PAN-Pixel sind \d+, MS-Pixel \d+ Karteneinheiten breit\. "
        r"PAN ist das Raster mit den kleineren Pixeln\.",
        str(error.value),
    )


def test_the_report_for_a_request_for_help_is_english(german, algorithm, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.algorithms.setup.own_packages", lambda: tmp_path / "packages")
    feedback = Listener()
    setup = algorithm.provider().algorithm("setup").create()
    results, passed = setup.run({"ACTION": "check"}, QgsProcessingContext(), feedback, {}, False)
    assert passed
    assert re.search(r"\nSystem: .*\nPython: .*\n.*\ntorch is in the Python of QGIS\n", results["REPORT"])
    assert results["REPORT"] in feedback.lines


def test_a_language_without_a_translation_is_english(algorithm, tmp_path):
    assert translation.install(tmp_path) is None
