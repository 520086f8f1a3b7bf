"""Before and after on the map: what is drawn on both sides of the line, and that the project stays unchanged."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from helpers.scenes import save
from otfm_pansharpen.algorithms.pair_of_layers import MADE_OF
from otfm_pansharpen.algorithms.result_layer import AfterLoading
from otfm_pansharpen.desktop.map_picture import MapPicture
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsMapThemeCollection,
    QgsMultiBandColorRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandGrayRenderer,
    QgsVectorLayer,
)
from qgis.gui import QgsMapCanvas, QgsMapToolPan
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QEvent, QPoint, QPointF, Qt
from qgis.PyQt.QtGui import QColor, QMouseEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QComboBox, QLabel, QPushButton

DARK, BRIGHT, OTHER = 40, 200, 120


@pytest.fixture
def layers(desktop, tmp_path):
    """A result above a visible MS, and another raster; their values are the colours of the map."""
    project = QgsProject.instance()
    project.clear()
    names = {"other": OTHER, "ms": DARK, "result": BRIGHT}
    layers = {}
    for name, value in names.items():
        save(tmp_path / f"{name}.tif", np.full((1, 60, 80), value), "uint8")
        layers[name] = QgsRasterLayer(str(tmp_path / f"{name}.tif"), name)
        layers[name].setRenderer(QgsSingleBandGrayRenderer(layers[name].dataProvider(), 1))
        project.addMapLayer(layers[name])
    layers["result"].setCustomProperty(MADE_OF, [layers["ms"].id()])
    prepare(desktop.canvas, layers)
    desktop.layer = layers["result"]
    project.setDirty(False)
    desktop.window.show()
    yield layers
    project.clear()


def prepare(canvas, layers):
    canvas.resize(400, 300)
    canvas.setDestinationCrs(layers["result"].crs())
    canvas.setLayers([layers[name] for name in ("result", "ms", "other")])
    canvas.setExtent(layers["result"].extent())


def action(desktop):
    return next(a for a in desktop.toolbar.actions() if a.objectName() == "otfm:swipe")


def settle(canvas):
    """Wait until the canvas and the pictures over it are drawn."""
    canvas.waitWhileRendering()
    pictures = [item for item in canvas.scene().items() if isinstance(item, MapPicture)]
    for _ in range(200):
        if not canvas.isDrawing() and all(picture.job is None for picture in pictures):
            break
        QTest.qWait(50)
    QTest.qWait(50)


def colours(canvas):
    """Return the grey values at the left, the right, the top and the bottom of the map."""
    image = canvas.grab().toImage()
    points = ((60, 150), (340, 150), (200, 60), (200, 240))
    return [image.pixelColor(x, y).red() for x, y in points]


def restored(canvas, grey):
    """Wait until the map itself is drawn, which QGIS does 500 ms after a canvas got its size."""
    for _ in range(200):
        if colours(canvas) == [grey] * 4:
            return True
        QTest.qWait(50)
    return False


def drag(canvas, start, end):
    QTest.mousePress(canvas.viewport(), Qt.LeftButton, Qt.NoModifier, QPoint(*start))
    move(canvas, end)
    QTest.mouseRelease(canvas.viewport(), Qt.LeftButton, Qt.NoModifier, QPoint(*end))


def move(canvas, point):
    event = QMouseEvent(QEvent.MouseMove, QPointF(*point), Qt.NoButton, Qt.LeftButton, Qt.NoModifier)
    QApplication.sendEvent(canvas.viewport(), event)


def test_ms_is_left_of_the_line_and_the_result_right(desktop, layers):
    canvas, pan = desktop.canvas, QgsMapToolPan(desktop.canvas)
    canvas.setMapTool(pan)
    visible = [la.id() for la in canvas.layers()]
    action(desktop).trigger()
    settle(canvas)
    assert colours(canvas)[:2] == [DARK, BRIGHT]
    drag(canvas, (200, 150), (380, 150))
    assert colours(canvas)[:2] == [DARK, DARK]
    drag(canvas, (380, 150), (20, 150))
    assert colours(canvas)[:2] == [BRIGHT, BRIGHT]
    QTest.keyClick(canvas, Qt.Key_Escape)
    assert restored(canvas, BRIGHT)
    assert canvas.mapTool() is pan
    assert not action(desktop).isChecked()
    assert desktop.bar.currentItem() is None
    assert [la.id() for la in canvas.layers()] == visible
    assert not QgsProject.instance().isDirty()


def test_keys_turn_the_line_and_flicker(desktop, layers):
    action(desktop).trigger()
    QTest.keyClick(desktop.canvas, Qt.Key_X)
    settle(desktop.canvas)
    assert colours(desktop.canvas)[2:] == [DARK, BRIGHT]
    drag(desktop.canvas, (200, 150), (200, 280))
    assert colours(desktop.canvas)[2:] == [DARK, DARK]
    QTest.keyClick(desktop.canvas, Qt.Key_F)
    seen = set()
    for _ in range(20):
        seen.add(tuple(colours(desktop.canvas)))
        QTest.qWait(100)
    assert seen == {(DARK,) * 4, (BRIGHT,) * 4}
    QTest.keyClick(desktop.canvas, Qt.Key_F)
    assert colours(desktop.canvas)[2:] == [DARK, DARK]


@pytest.mark.parametrize(("system", "rotation"), [("EPSG:4326", 0), ("EPSG:32633", 30), ("EPSG:3857", 200)])
def test_both_sides_follow_system_rotation_and_zoom(desktop, layers, system, rotation):
    canvas = desktop.canvas
    action(desktop).trigger()
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem(system))
    canvas.setRotation(rotation)
    canvas.zoomToFeatureExtent(canvas.mapSettings().layerExtentToOutputExtent(layers["ms"], layers["ms"].extent()))
    canvas.zoomByFactor(0.4)
    settle(canvas)
    assert colours(canvas)[:2] == [DARK, BRIGHT]


def test_raster_above_is_left_out_of_both_sides(desktop, layers):
    desktop.canvas.setLayers([layers[name] for name in ("other", "result")])
    action(desktop).trigger()
    settle(desktop.canvas)
    assert colours(desktop.canvas)[:2] == [DARK, BRIGHT]


def test_vectors_above_are_drawn_on_both_sides(desktop, layers):
    area = QgsVectorLayer("Polygon?crs=EPSG:32633", "area", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(layers["ms"].extent().buffered(1000)))
    area.dataProvider().addFeature(feature)
    area.renderer().symbol().setColor(QColor(77, 77, 77))
    desktop.canvas.setLayers([area, layers["result"], layers["ms"]])
    action(desktop).trigger()
    settle(desktop.canvas)
    assert colours(desktop.canvas)[:2] == [77, 77]


def test_theme_of_the_map_changes_neither_side(desktop, layers):
    project = QgsProject.instance()
    record = QgsMapThemeCollection.MapThemeRecord()
    record.addLayerRecord(QgsMapThemeCollection.MapThemeLayerRecord(layers["other"]))
    project.mapThemeCollection().insert("one", record)
    action(desktop).trigger()
    desktop.canvas.setTheme("one")
    settle(desktop.canvas)
    assert colours(desktop.canvas)[:2] == [DARK, BRIGHT]
    action(desktop).trigger()
    assert restored(desktop.canvas, OTHER)


def test_change_of_style_is_drawn_although_hidden(desktop, layers):
    desktop.canvas.setLayers([layers["result"]])
    action(desktop).trigger()
    settle(desktop.canvas)
    layers["ms"].setOpacity(0.0)
    layers["ms"].triggerRepaint()
    settle(desktop.canvas)
    assert colours(desktop.canvas)[:2] == [255, BRIGHT]


def test_another_layer_is_chosen_in_the_message(desktop, layers):
    action(desktop).trigger()
    choice = desktop.bar.currentItem().findChild(QComboBox)
    assert [choice.itemText(i) for i in range(choice.count())] == ["ms", "other"]
    choice.setCurrentIndex(1)
    choice.activated.emit(1)
    settle(desktop.canvas)
    assert colours(desktop.canvas)[:2] == [OTHER, BRIGHT]


def test_long_names_widen_neither_window_nor_map(desktop, layers):
    for layer in layers.values():
        layer.setName(f"LC08_L1TP_{60 * '0'}_{layer.name()}")
    AfterLoading(lambda layer: None).postProcessLayer(layers["result"], None, None)
    assert desktop.bar.currentItem().minimumSizeHint().width() < 660
    action(desktop).trigger()
    assert desktop.bar.currentItem().minimumSizeHint().width() < 660
    left, right = (label.geometry() for label in desktop.canvas.findChildren(QLabel))
    assert 0 <= left.left() < left.right() < right.left() < right.right() <= desktop.canvas.width()


@pytest.mark.parametrize("name", ["ms", "result"])
def test_removal_of_a_layer_ends_it(desktop, layers, name):
    action(desktop).trigger()
    QgsProject.instance().removeMapLayer(layers[name].id())
    settle(desktop.canvas)
    assert not action(desktop).isChecked()
    assert desktop.bar.currentItem() is None
    assert desktop.canvas.mapTool() is None


def test_removal_while_both_sides_are_drawn_is_safe(desktop, layers):
    for _ in range(5):
        action(desktop).trigger()
        desktop.canvas.zoomByFactor(0.9)
        desktop.canvas.refresh()
        action(desktop).trigger()
    QgsProject.instance().clear()
    settle(desktop.canvas)
    assert not action(desktop).isChecked()


def test_second_canvas_that_has_the_focus_is_compared(desktop, layers, monkeypatch):
    second = QgsMapCanvas()
    prepare(second, layers)
    monkeypatch.setattr(second, "hasFocus", lambda: True)
    monkeypatch.setattr(desktop, "mapCanvases", lambda: [desktop.canvas, second])
    action(desktop).trigger()
    settle(second)
    assert colours(second)[:2] == [DARK, BRIGHT]
    assert restored(desktop.canvas, BRIGHT)
    sip.delete(second)
    assert not action(desktop).isChecked()
    action(desktop).trigger()


def test_another_tool_ends_it(desktop, layers):
    action(desktop).trigger()
    pan = QgsMapToolPan(desktop.canvas)
    desktop.canvas.setMapTool(pan)
    assert not action(desktop).isChecked()
    assert desktop.canvas.mapTool() is pan


def test_without_a_second_raster_it_says_what_to_do(desktop, layers):
    for name in ("ms", "other"):
        QgsProject.instance().removeMapLayer(layers[name].id())
    action(desktop).trigger()
    assert "Add the result and the raster that it was made of" in desktop.bar.currentItem().text()
    assert not action(desktop).isChecked()


@pytest.mark.parametrize("active", ["ms", "none"])
def test_result_is_found_from_its_ms_and_without_a_choice(desktop, layers, active):
    desktop.layer = layers.get(active)
    action(desktop).trigger()
    settle(desktop.canvas)
    assert colours(desktop.canvas)[:2] == [DARK, BRIGHT]


def test_bands_in_several_layers_are_compared_in_colours(desktop, layers, tmp_path):
    project, ids = QgsProject.instance(), []
    for name, value in (("red", 10), ("green", 90), ("blue", 250)):
        file = save(tmp_path / f"{name}.tif", np.full((1, 60, 80), value), "uint8")
        band = QgsRasterLayer(str(file), f"harbour_{name}")
        ids.append(project.addMapLayer(band).id())
    values = np.full((3, 60, 80), 200)
    result = QgsRasterLayer(str(save(tmp_path / "colours.tif", values, "uint8")), "colours")
    result.setCustomProperty(MADE_OF, ids)
    desktop.layer = project.addMapLayer(result)
    result.setRenderer(QgsMultiBandColorRenderer(result.dataProvider(), 1, 2, 3))
    action(desktop).trigger()
    settle(desktop.canvas)
    left = desktop.canvas.grab().toImage().pixelColor(60, 150)
    assert (left.red(), left.green(), left.blue()) == (10, 90, 250)
    assert [label.text() for label in desktop.canvas.findChildren(QLabel)] == ["harbour", "colours"]


def test_a_run_offers_the_comparison(desktop, layers):
    for _ in range(2):
        AfterLoading(lambda layer: None).postProcessLayer(layers["result"], None, None)
    assert len(desktop.bar.items()) == 1
    desktop.layer = None
    desktop.bar.currentItem().findChild(QPushButton).click()
    settle(desktop.canvas)
    assert colours(desktop.canvas)[:2] == [DARK, BRIGHT]


def test_dropped_pictures_end_by_themselves(desktop, layers):
    """A job of QGIS's renderer that Python collects while it draws would block QGIS."""
    action(desktop).trigger()
    pictures = [item for item in desktop.canvas.scene().items() if isinstance(item, MapPicture)]
    for _ in range(3):
        for picture in pictures:
            picture.draw()
        dropped = [job for job in MapPicture.running if job.isActive()]
        assert dropped
        del dropped
        gc.collect()
    settle(desktop.canvas)
    QTest.qWait(200)
    assert not MapPicture.running
    assert colours(desktop.canvas)[:2] == [DARK, BRIGHT]
