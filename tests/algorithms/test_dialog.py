"""The dialog before Run: chosen layers, offered qualities, reported faults."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import save_weights
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingModelAlgorithm,
    QgsProject,
    QgsRasterLayer,
)
from qgis.gui import QgsBrowserGuiModel, QgsProcessingModelerParameterWidget

FINE, COARSE = (5e5, 2.0, 0.0, 4e6, 0.0, -2.0), (5e5, 8.0, 0.0, 4e6, 0.0, -8.0)


@pytest.fixture
def opened(algorithm, monkeypatch, tmp_path):
    """Opens the dialog of an algorithm, with an active layer; gives its widgets by name."""
    from processing.gui import ParametersPanel
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    dialogs = []
    profile = str(tmp_path / "profile")
    monkeypatch.setattr("otfm_pansharpen.algorithms.bridge.QgsApplication.qgisSettingsDirPath", lambda: profile)

    def dialog(name, active=None):
        iface = MagicMock()
        iface.browserModel.return_value, iface.mapCanvas.return_value = QgsBrowserGuiModel(), None
        iface.activeLayer.return_value = active
        monkeypatch.setattr(ParametersPanel, "iface", iface)
        registry = QgsApplication.processingRegistry()
        dialogs.append(AlgorithmDialog(registry.algorithmById(f"otfm:{name}").create(), False))
        return dialogs[-1].mainWidget().wrappers

    yield dialog
    for each in dialogs:
        each.close()
    QgsProject.instance().clear()


def layers_of(pair, folder):
    """Add PAN and MS of a scene to the project, among rasters that are neither."""
    height, width = load_image(pair.pan).shape[1:]
    fused = save(folder / "sharpened.tif", pair.reference, "uint16", FINE)
    heights = save(folder / "heights.tif", np.ones((1, height // 2, width // 2)), "float32", (5e5, 4, 0, 4e6, 0, -4))
    paths = {"fused": fused, "ms": pair.ms, "heights": heights, "pan": pair.pan}
    layers = {name: QgsRasterLayer(str(path), f"raster {name}") for name, path in paths.items()}
    QgsProject.instance().addMapLayers(list(layers.values()))
    return layers


@pytest.mark.parametrize("name", ["pansharpen", "assess"])
def test_pan_and_ms_are_chosen_whatever_layer_is_active(opened, tmp_path, name):
    layers = layers_of(Recipe().write(tmp_path), tmp_path)
    widgets = opened(name, active=layers["fused"])
    assert widgets["PAN"].parameterValue() == layers["pan"].id()
    assert widgets["MS"].parameterValue() == layers["ms"].id()


def test_scripts_do_not_see_what_is_chosen_for_dialogs(algorithm, tmp_path):
    layers_of(Recipe().write(tmp_path), tmp_path)
    again = QgsApplication.processingRegistry().algorithmById("otfm:pansharpen").create()
    passed, _ = again.checkParameterValues({"OUTPUT": str(tmp_path / "o.tif")}, QgsProcessingContext())
    assert not passed
    QgsProject.instance().clear()


def test_the_quality_is_one_choice_with_own_weights_in_it(opened, tmp_path):
    folder = tmp_path / "profile" / "otfm_pansharpen" / "weights"
    folder.mkdir(parents=True)
    own = folder / "our sensor.safetensors"
    save_weights(FlowNetwork(NetworkConfig()), own, {"finetuned": {"scenes": [{"sensor": "Drone 7"}]}})
    widgets = opened("pansharpen")
    quality, minutes = widgets["QUALITY"], widgets["MINUTES"].wrappedWidget()
    assert minutes.text() == "3"
    seen = []
    for index in range(quality.combo.count() - 1):
        quality.combo.setCurrentIndex(index)
        seen.append((quality.parameterValue(), minutes.isEnabled()))
    assert seen == [("fast", False), ("best", False), ("tuned", True), (str(own), False)]
    assert quality.combo.itemText(3) == "our sensor (Drone 7)"
    quality.setParameterValue(str(tmp_path / "elsewhere.safetensors"), QgsProcessingContext())
    assert quality.parameterValue() == str(tmp_path / "elsewhere.safetensors")
    assert Path(opened("finetune")["OUTPUT"].parameterValue()).parent == folder


def test_weights_to_start_from_are_called_by_name_alone(opened):
    start = opened("finetune")["START"]
    assert [start.combo.itemText(i) for i in range(start.combo.count())][:2] == ["Fast", "Best"]
    start.combo.setCurrentIndex(1)
    assert start.parameterValue() == "best"


def test_the_modeler_takes_quality_from_other_steps_too(algorithm, monkeypatch):
    from processing.modeler.ModelerParametersDialog import ModelerParametersDialog

    iface = MagicMock()
    iface.mapCanvas.return_value = iface.activeLayer.return_value = None
    iface.mainWindow.return_value.styleSheet.return_value = ""
    monkeypatch.setattr("processing.modeler.ModelerParametersDialog.iface", iface)
    dialog = ModelerParametersDialog(algorithm, QgsProcessingModelAlgorithm("model", "tests"))
    widgets = dialog.widget.widget.wrappers
    assert isinstance(widgets["QUALITY"], QgsProcessingModelerParameterWidget)
    assert dialog.createAlgorithm().parameterSources()["QUALITY"][0].staticValue() == "fast"
    dialog.close()


@pytest.mark.promise(2)
def test_faults_of_a_pair_are_reported_before_run(algorithm, tmp_path):
    pair = Recipe().write(tmp_path)
    far = save(tmp_path / "far.tif", load_image(pair.ms), transform=(9e5, 8.0, 0, 4e6, 0, -8.0))
    zone = save(tmp_path / "zone.tif", load_image(pair.ms), transform=(2e5, 8.0, 0, 4e6, 0, -8.0), crs=32634)
    same = save(tmp_path / "same.tif", pair.reference, transform=FINE)
    waves = save(tmp_path / "waves.tif", load_image(pair.ms), "complex64", COARSE)
    pan, ms = str(pair.pan), str(pair.ms)
    for changes, words in (
        ({"PAN": ms, "MS": ms}, "PAN and MS are the same raster"),
        ({"PAN": ms, "MS": pan}, "seem to be swapped: PAN pixels are 8, MS pixels 2"),
        ({"MS": str(far)}, "PAN and MS do not overlap"),
        ({"MS": str(zone)}, "do not overlap"),
        ({"MS": str(same)}, "The ratio of the pixel sizes is 1.000"),
        ({"MS": str(waves)}, "complex numbers"),
        ({"EXTENT": "0,1,0,1 [EPSG:32633]"}, "does not meet the area that PAN and MS share"),
        ({"EXTENT": "1e9,2e9,1e9,2e9 [EPSG:4326]"}, "cannot be brought to the reference system"),
        ({"QUALITY": "good"}, "neither fast, best, tuned nor a weights file"),
    ):
        parameters = {"PAN": pan, "MS": ms, "OUTPUT": str(tmp_path / "o.tif"), **changes}
        passed, sentence = algorithm.checkParameterValues(parameters, QgsProcessingContext())
        assert (passed, words in sentence) == (False, True), sentence


def test_sound_pairs_pass_before_run(algorithm, tmp_path):
    """Another zone, no georeference: what only the run can tell is left to it."""
    pair = Recipe().write(tmp_path)
    bare = [save(tmp_path / f"{p.stem}_bare.tif", load_image(p), transform=(0, 1, 0, 0, 0, 1), crs=None)
            for p in (pair.pan, pair.ms)]  # fmt: skip
    zone = tmp_path / "zone.tif"
    gdal.Warp(str(zone), str(pair.ms), dstSRS="EPSG:32634")
    for pan, ms in ((pair.pan, pair.ms), (pair.pan, zone), bare):
        parameters = {"PAN": str(pan), "MS": str(ms), "OUTPUT": str(tmp_path / "o.tif")}
        assert algorithm.checkParameterValues(parameters, QgsProcessingContext()) == (True, "")


@pytest.mark.parametrize(("fine", "ratio"), [(1.0, 4), (0.25, 4)])
def test_unit_pixels_at_origin_are_georeferenced(algorithm, tmp_path, fine, ratio):
    """QGIS shows rasters without georeference so, but local grids and reduced pairs lie there, too."""
    pair, files = Recipe().write(tmp_path), []
    for path, pixel in ((pair.pan, fine), (pair.ms, ratio * fine)):
        pixels = load_image(path)
        transform = (0.0, pixel, 0.0, pixels.shape[1] * pixel, 0.0, -pixel)
        files.append(str(save(tmp_path / f"local_{path.name}", pixels, "uint16", transform)))
    parameters = {"PAN": files[0], "MS": files[1], "OUTPUT": "TEMPORARY_OUTPUT"}
    assert algorithm.checkParameterValues(parameters, QgsProcessingContext()) == (True, "")
