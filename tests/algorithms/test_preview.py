"""`otfm:preview`: what the map shows, as the whole scene would be."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from otfm_pansharpen.algorithms.pair_of_layers import MADE_OF
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsProcessingContext,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas

SHOWN = QgsRectangle(5e5 + 100, 4e6 - 300, 5e5 + 340, 4e6 - 120)  # of a scene of 480 x 384 m


@pytest.fixture
def preview(algorithm):
    return QgsApplication.processingRegistry().algorithmById("otfm:preview").create()


def show(monkeypatch, system, extent):
    """QGIS's map shows an extent that is given in EPSG:32633."""
    crs = QgsCoordinateReferenceSystem(system)
    canvas = QgsMapCanvas()
    canvas.resize(400, 300)
    canvas.setDestinationCrs(crs)
    moved = QgsCoordinateTransform(QgsCoordinateReferenceSystem("EPSG:32633"), crs, QgsProject.instance())
    canvas.setExtent(moved.transformBoundingBox(extent))
    monkeypatch.setattr("qgis.utils.iface", SimpleNamespace(mapCanvas=lambda: canvas, activeLayer=lambda: None))
    return canvas


def seen(algorithm, pair, output):
    """Return the preview: its pixels, its first column and row on PAN, and what was logged."""
    parameters, feedback = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(output)}, Listener()
    assert algorithm.run(parameters, QgsProcessingContext(), feedback, {}, False)[1]
    x, _, _, y, _, _ = gdal.Open(str(output)).GetGeoTransform()
    return load_image(output), round((x - 5e5) / 2), round((4e6 - y) / 2), feedback.lines


@pytest.mark.parametrize("system", ["EPSG:32633", "EPSG:4326"])
def test_it_shows_what_the_whole_scene_will_be(preview, algorithm, tmp_path, monkeypatch, system):
    pair = Recipe(shift=(0.4, 0.8)).write(tmp_path)
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "whole.tif")}
    assert algorithm.run(parameters, QgsProcessingContext(), Listener(), {}, False)[1]
    canvas = show(monkeypatch, system, SHOWN)
    part, left, top, log = seen(preview, pair, tmp_path / "part.tif")
    whole = load_image(tmp_path / "whole.tif")[:, top : top + part.shape[1], left : left + part.shape[2]]
    assert np.abs(part.astype(int) - whole).max() <= 1
    assert SHOWN.width() / 2 <= part.shape[2] < 240
    assert "ERGAS" not in "\n".join(log)
    del canvas


def test_a_map_of_a_whole_scene_is_sharpened_in_its_middle(preview, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.algorithms.preview.MAX_PIXELS", 80 * 64)
    pair = Recipe().write(tmp_path)
    canvas = show(monkeypatch, "EPSG:32633", QgsRectangle(4.9e5, 3.99e6, 5.1e5, 4.01e6))
    part, left, top, log = seen(preview, pair, tmp_path / "part.tif")
    assert (part.shape[1:], left, top) == ((64, 80), 80, 64)
    assert "The map shows 240 x 192 pixels of PAN; the middle 80 x 64 are sharpened" in log[0]
    del canvas


def test_without_a_map_it_asks_for_an_extent(preview, tmp_path, monkeypatch):
    pair = Recipe().write(tmp_path)
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "o.tif")}
    monkeypatch.setattr("qgis.utils.iface", None)
    assert preview.checkParameterValues(parameters, QgsProcessingContext()) == (
        False,
        "There is no map here. Give EXTENT, the part that is to be sharpened.",
    )
    canvas = show(monkeypatch, "EPSG:32633", QgsRectangle(6e5, 4e6, 6.1e5, 4.1e6))
    assert "The map shows nothing of PAN" in preview.checkParameterValues(parameters, QgsProcessingContext())[1]
    del canvas


def load(pair, output="TEMPORARY_OUTPUT", **parameters):
    """Run the preview of layers of the project, and load it."""
    import processing

    extent = "500100,500340,3999700,3999880 [EPSG:32633]"
    parameters = {"PAN": pair[0], "MS": pair[1], "EXTENT": extent, "OUTPUT": output, **parameters}
    return processing.runAndLoadResults("otfm:preview", parameters)["OUTPUT"]


def names(group):
    return ["preview" if "review" in node.name() else node.name() for node in group.findLayers()]


def test_preview_replaces_the_last_one_above_its_ms(preview, tmp_path, monkeypatch):
    project, pairs = QgsProject.instance(), []
    project.clear()
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        files = Recipe(bands=3, seed=seed).write(folder)
        pairs.append([project.addMapLayer(QgsRasterLayer(str(f), f"{f.stem}{seed}")) for f in (files.pan, files.ms)])
    group = project.layerTreeRoot().insertGroup(0, "group")
    group.addLayer(pairs[0][1])
    project.layerTreeRoot().removeLayer(pairs[0][1])
    for _ in range(2):
        load(pairs[0])
        load(pairs[1])
    assert names(project.layerTreeRoot()) == ["preview", "ms0", "preview", "ms1", "pan1", "pan0"]
    assert names(group) == ["preview", "ms0"]
    kept = tmp_path / "kept.tif"
    monkeypatch.setattr(QgsRasterLayer, "isTemporary", lambda layer: layer.source() != str(kept))
    load(pairs[0], str(kept))
    load(pairs[0])
    assert names(group) == ["preview", "preview", "ms0"]
    assert kept.exists()
    project.clear()


def test_no_layer_of_its_scene_hides_a_preview(preview, tmp_path):
    """Bands are loaded before PAN, and a result of another quality is on top of both."""
    project = QgsProject.instance()
    project.clear()
    files = Recipe(bands=3, ratio=2).write(tmp_path)
    ms, pan = (project.addMapLayer(QgsRasterLayer(str(f), f.stem)) for f in (files.ms, files.pan))
    load((pan, ms))
    assert names(project.layerTreeRoot()) == ["preview", "pan", "ms"]
    result = project.addMapLayer(QgsRasterLayer(str(files.ms), "result"))
    result.setCustomProperty(MADE_OF, [ms.id()])
    load((pan, ms))
    assert names(project.layerTreeRoot()) == ["preview", "result", "pan", "ms"]
    project.clear()
