"""`otfm:assess` inside QGIS and from the command line's side: parameters, outputs, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe, save
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterDefinition,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtGui import QColor


@pytest.fixture
def assess(algorithm):
    return QgsApplication.processingRegistry().algorithmById("otfm:assess").create()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return Recipe(bands=4, ratio=4).write(tmp_path_factory.mktemp("pair"))


def test_every_parameter_has_help_and_sensible_defaults(assess):
    definitions = {p.name(): p for p in assess.parameterDefinitions()}
    assert all(len(p.help()) > 20 for p in definitions.values())
    needed = [n for n, p in definitions.items() if not p.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional]
    assert [n for n in needed if definitions[n].defaultValue() is None] == ["PAN", "MS", "FUSED", "REPORT"]


def test_the_report_is_one_output_that_qgis_shows(algorithm):
    logged = []

    def collect(text, tag, level):
        logged.append(text)

    log = QgsApplication.messageLog()
    log.messageReceived[str, str, Qgis.MessageLevel].connect(collect)
    fresh = QgsApplication.processingRegistry().algorithmById("otfm:assess").create()
    log.messageReceived[str, str, Qgis.MessageLevel].disconnect(collect)
    assert not [text for text in logged if "Duplicate" in text]
    assert fresh.outputDefinition("REPORT").type() == "outputHtml"


def test_results_viewer_names_the_assessed_layer(assess, pair, tmp_path):
    """QGIS's dialog checks the values, runs a copy of the algorithm, and lists the report by its own output."""
    layer = QgsRasterLayer(str(save(tmp_path / "f.tif", pair.reference)), "Rome, sharpened")
    QgsProject.instance().addMapLayer(layer)
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [layer.id()], "REPORT": str(tmp_path / "r.html")}
    assert assess.checkParameterValues(parameters, context) == (True, "")
    assert assess.outputDefinition("REPORT").description() == "Assessment of Rome, sharpened"
    assert assess.create().outputDefinition("REPORT").description() == "Report"


@pytest.mark.promise(18)
def test_layers_in_verdict_and_report_out(assess, pair, tmp_path):
    shifted = save(tmp_path / "shifted.tif", np.roll(pair.reference, 3, 2))
    layers = [
        QgsRasterLayer(str(save(tmp_path / "true.tif", pair.reference)), "true"),
        QgsRasterLayer(str(shifted), "s"),
    ]
    QgsProject.instance().addMapLayers(layers)
    context, feedback = QgsProcessingContext(), Listener()
    context.setProject(QgsProject.instance())
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [layer.id() for layer in layers]}
    report, maps = tmp_path / "report.html", tmp_path / "maps"
    results, passed = assess.run({**parameters, "REPORT": str(report), "MAPS": str(maps)}, context, feedback, {}, False)
    assert passed, feedback.lines
    assert results["FAULTS"] == ""
    assert 0.8 < results["HQNR"] <= 1.0
    assert results["HQNR"] == pytest.approx((1 - results["D_LAMBDA"]) * (1 - results["D_S"]))
    assert "Its detail lies" in results["VERDICT"]
    assert any("It can be used unchanged." in line for line in feedback.lines)
    assert [line.split()[0] for line in feedback.lines if "has HQNR" in line] == ["true", "s"]
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [Path(p).name for p in results["MAP_LAYERS"]] == ["true_blocks.tif", "shifted_blocks.tif"]
    assert sorted(context.layersToLoadOnCompletion()) == sorted(results["MAP_LAYERS"])


def test_block_maps_are_drawn_from_bad_to_good_with_a_legend(assess, pair, tmp_path):
    spoiled = pair.reference.copy()
    spoiled[:, :64, :64] = spoiled[:, :64, :64][:, ::-1]
    context = QgsProcessingContext()
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [str(save(tmp_path / "f.tif", spoiled))]}
    parameters |= {"REPORT": str(tmp_path / "r.html"), "MAPS": str(tmp_path / "maps")}
    results, passed = assess.run(parameters, context, Listener(), {}, False)
    assert passed
    layer = QgsRasterLayer(results["MAP_LAYERS"][0], "map")
    details = context.layerToLoadOnCompletionDetails(results["MAP_LAYERS"][0])
    assert details.name == "f: quality"
    details.postProcessor().postProcessLayer(layer, context, Listener())
    assert [label for label, _ in layer.renderer().legendSymbologyItems()][::3] == ["0.5 or less: bad", "1: perfect"]
    drawn = layer.renderer().block(1, layer.extent(), layer.width(), layer.height())
    assert drawn.color(0, 0) == 0xFFD73027
    blue, red = (getattr(QColor(drawn.color(layer.height() - 1, layer.width() - 1)), c)() for c in ("blue", "red"))
    assert blue > red


def test_a_temporary_file_is_called_by_its_layer_or_by_number(assess, pair, tmp_path):
    (tmp_path / "other").mkdir()
    files = [save(folder / "OUTPUT.tif", pair.reference) for folder in (tmp_path, tmp_path / "other")]
    layer = QgsRasterLayer(str(files[0]), "Rome / sharpened (best)")
    QgsProject.instance().addMapLayer(layer)
    context, feedback = QgsProcessingContext(), Listener()
    context.setProject(QgsProject.instance())
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [layer.id(), str(files[1])]}
    report, maps = tmp_path / "r.html", tmp_path / "maps"
    results, passed = assess.run({**parameters, "REPORT": str(report), "MAPS": str(maps)}, context, feedback, {}, False)
    assert passed, feedback.lines
    assert results["VERDICT"].startswith("Rome / sharpened (best) has HQNR")
    names = [context.layerToLoadOnCompletionDetails(path).name for path in results["MAP_LAYERS"]]
    assert names == ["Rome / sharpened (best): quality", "result 2: quality"]
    assert "OUTPUT" not in report.read_text(encoding="utf-8").replace("OUTPUT.tif", "")


@pytest.mark.promise(2)
def test_ms_is_not_a_result(assess, pair, tmp_path):
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [str(pair.ms)], "REPORT": str(tmp_path / "r.html")}
    with pytest.raises(QgsProcessingException, match="times as large as those of PAN: it is not a sharpened raster"):
        assess.run(parameters, QgsProcessingContext(), Listener(), {}, False)
    assert not (tmp_path / "r.html").exists()


@pytest.mark.promise(16)
def test_the_dialog_opens_without_torch(assess, algorithm, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.engine.packages.has_torch", lambda folder: False)
    assert assess.canExecute() == (True, "")
    assert not algorithm.canExecute()[0]
