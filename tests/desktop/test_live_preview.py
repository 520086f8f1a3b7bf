"""The switch that sharpens what the map shows, and follows it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

import pytest
from helpers.scenes import Recipe
from otfm_pansharpen.desktop import live_preview
from otfm_pansharpen.engine.client import ENGINES
from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsProject, QgsRasterLayer, QgsRectangle, QgsTask
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtGui import QImage
from qgis.PyQt.QtTest import QTest

SCENE = QgsRectangle(5e5, 4e6 - 384, 5e5 + 480, 4e6)


@pytest.fixture
def pair(desktop, tmp_path, monkeypatch):
    """PAN and MS of one scene in the project and on the map, MS below PAN."""
    monkeypatch.setattr("qgis.utils.iface", desktop)
    project = QgsProject.instance()
    project.clear()
    files = Recipe(bands=3, shift=(0.4, 0.8)).write(tmp_path)
    layers = [project.addMapLayer(QgsRasterLayer(str(f), f.stem)) for f in (files.ms, files.pan)]
    canvas = desktop.canvas
    desktop.window.show()
    canvas.resize(400, 300)
    canvas.setDestinationCrs(layers[0].crs())
    canvas.setLayers([layers[1], layers[0]])
    move(canvas, SCENE)
    project.setDirty(False)
    yield layers
    switch(desktop).setChecked(False)
    wait(lambda: not live(desktop).run)
    project.clear()


def live(desktop):
    return desktop.plugin.menu.live


def switch(desktop):
    return next(a for a in desktop.toolbar.actions() if a.objectName() == "otfm:live")


def wait(reached, seconds=60):
    ends = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < ends
        QTest.qWait(50)


def shown(desktop):
    """Return the layer that is over the map, once nothing is under way."""
    wait(lambda: not live(desktop).run and not live(desktop).timer.isActive())
    picture = live(desktop).picture
    wait(lambda: picture is None or picture.job is None)
    return picture and live(desktop).layer


def draw(canvas, layers):
    """Return the map of given layers as QGIS draws it."""
    settings = QgsMapSettings(canvas.mapSettings())
    settings.setLayers(layers)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage().convertToFormat(QImage.Format_RGB32)


def move(canvas, extent):
    """Move the map as QGIS's tools do: a new extent alone leaves the picture of the previous one."""
    canvas.setExtent(extent)
    canvas.refresh()


def grab(canvas):
    canvas.waitWhileRendering()
    return canvas.viewport().grab().toImage().convertToFormat(QImage.Format_RGB32)


def wait_for(canvas, layers):
    """Wait until the canvas shows these layers; it draws when Qt finds the time."""
    for _ in range(100):
        if grab(canvas) == draw(canvas, layers):
            return
        QTest.qWait(50)
    assert grab(canvas) == draw(canvas, layers)


def test_it_sharpens_the_map_and_follows_it(desktop, pair):
    canvas, ms = desktop.canvas, pair[0]
    switch(desktop).trigger()
    first = shown(desktop)
    engines = [engine.process.pid for _, engine in ENGINES.warm]
    files = {Path(first.source())}
    assert first.extent().contains(SCENE.buffered(-5))
    assert first.rasterUnitsPerPixelX() == 2.0
    assert [r.type() for r in (first.renderer(), ms.renderer())] == ["multibandcolor"] * 2
    wait_for(canvas, [first, *reversed(pair)])
    move(canvas, QgsRectangle(5e5 + 100, 4e6 - 300, 5e5 + 220, 4e6 - 210))
    second = shown(desktop)
    files.add(Path(second.source()))
    assert second.extent().intersect(SCENE).width() < 200
    wait_for(canvas, [second, *reversed(pair)])
    move(canvas, QgsRectangle(6e5, 4e6, 6.1e5, 4.01e6))  # without the scene: it waits
    assert shown(desktop).source() == second.source()
    move(canvas, SCENE)
    third = shown(desktop)
    files.add(Path(third.source()))
    assert third.extent().contains(SCENE.buffered(-5))
    assert [engine.process.pid for _, engine in ENGINES.warm] == engines
    (compare,) = (a for a in desktop.toolbar.actions() if a.objectName() == "otfm:swipe")
    compare.trigger()
    assert desktop.plugin.menu.comparison.tool.layers == [ms, third]
    switch(desktop).trigger()
    assert not compare.isChecked()
    wait_for(canvas, list(reversed(pair)))
    assert len(files) == 3
    assert not any(file.exists() for file in files)
    assert not QgsProject.instance().isDirty()
    assert len(QgsProject.instance().mapLayers()) == 2
    assert desktop.warnings == []


def test_while_the_map_moves_nothing_is_sharpened(desktop, pair, monkeypatch):
    runs: list[int] = []
    monkeypatch.setattr(live(desktop), "update", lambda: None)
    live(desktop).timer.timeout.disconnect()
    live(desktop).timer.timeout.connect(lambda: runs.append(1))
    switch(desktop).setChecked(True)
    runs.clear()
    for step in range(10):
        move(desktop.canvas, QgsRectangle(5e5 + 10 * step, 4e6 - 200, 5e5 + 200 + 10 * step, 4e6 - 50))
        QTest.qWait(60)
    QTest.qWait(600)
    assert len(runs) <= 2  # a busy machine may pause, too


def test_outdated_run_is_cancelled_and_the_engine_stays(desktop, pair):
    switch(desktop).trigger()
    shown(desktop)
    pids = [engine.process.pid for _, engine in ENGINES.warm]
    for left in (100, 120, 140):
        move(desktop.canvas, QgsRectangle(5e5 + left, 4e6 - 300, 5e5 + left + 200, 4e6 - 150))
        wait(lambda: live(desktop).run)
        feedback = live(desktop).run[0]
        move(desktop.canvas, QgsRectangle(5e5 + left + 30, 4e6 - 300, 5e5 + left + 230, 4e6 - 150))
        assert feedback.isCanceled()
    assert shown(desktop).extent().xMinimum() >= 5e5 + 150
    assert [engine.process.pid for _, engine in ENGINES.warm] == pids
    assert switch(desktop).isChecked()


class CancelledTask(QgsTask):
    """A run that is cancelled once its file is written: QGIS calls it neither done nor describes its layer."""

    executed = pyqtSignal(bool, dict)
    outputs: ClassVar[list[str]] = []

    def __init__(self, algorithm, parameters, context, feedback):
        super().__init__()
        self.outputs.append(parameters["OUTPUT"].sink.staticValue())
        self.feedback = feedback

    def run(self):
        Path(self.outputs[-1]).write_bytes(b"half")
        self.feedback.cancel()
        return False

    def finished(self, done):
        self.executed.emit(done, {})


def test_run_that_is_cancelled_late_leaves_the_last_preview(desktop, pair, monkeypatch):
    switch(desktop).trigger()
    first = shown(desktop).source()
    monkeypatch.setattr(live_preview, "QgsProcessingAlgRunnerTask", CancelledTask)
    move(desktop.canvas, QgsRectangle(5e5 + 100, 4e6 - 300, 5e5 + 220, 4e6 - 210))
    wait(lambda: CancelledTask.outputs)
    assert shown(desktop).source() == first
    assert not Path(CancelledTask.outputs[-1]).exists()
    assert desktop.warnings == []


def test_without_a_pair_it_ends_and_says_what_to_do(desktop, pair):
    switch(desktop).trigger()
    shown(desktop)
    QgsProject.instance().removeMapLayer(pair[0].id())
    wait(lambda: not switch(desktop).isChecked())
    assert "Add both rasters" in desktop.warnings[0]
    assert live(desktop).picture is None
    switch(desktop).trigger()
    assert (len(desktop.warnings), switch(desktop).isChecked()) == (2, False)


def test_map_without_the_scene_ends_it_with_the_cure(desktop, pair):
    move(desktop.canvas, QgsRectangle(6e5, 4e6, 6.1e5, 4.01e6))
    switch(desktop).trigger()
    assert "Zoom to what you want to see sharpened" in desktop.warnings[0]
    assert not switch(desktop).isChecked()


def test_failure_of_the_run_ends_it_with_its_reason(desktop, pair, tmp_path):
    (tmp_path / "ms.tif").write_bytes((tmp_path / "ms.tif").read_bytes()[:2000])
    switch(desktop).trigger()
    wait(lambda: not switch(desktop).isChecked())
    assert "ms.tif" in desktop.warnings[0]


def test_without_torch_the_set_up_opens(desktop, pair, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.engine.packages.has_torch", lambda folder: False)
    switch(desktop).trigger()
    assert desktop.opened == ["otfm:setup"]
    assert not switch(desktop).isChecked()


def test_switched_off_while_it_starts_nothing_comes(desktop, pair):
    switch(desktop).trigger()
    QTest.qWait(200)
    switch(desktop).trigger()
    wait(lambda: not live(desktop).run)
    assert live(desktop).picture is None
    assert desktop.warnings == []
