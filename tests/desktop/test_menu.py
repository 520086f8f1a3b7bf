"""Entries in QGIS's main window, and their removal."""

from __future__ import annotations

import gc
from pathlib import Path

from helpers.scenes import Recipe
from otfm_pansharpen.algorithms.settings import OUTPUT_FOLDER
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QCoreApplication, QEvent


def entries(desktop):
    (menu,) = (action.menu() for action in desktop.menu.actions())
    return {action.text(): action for action in menu.actions() if action.text()}


def test_the_raster_menu_opens_the_dialogs(desktop):
    assert desktop.menu.actions()[0].text() == "OTFM Pansharpen"
    actions = entries(desktop)
    assert not any(action.icon().isNull() for action in actions.values())
    for words in ("OTFM Pansharpen…", "OTFM Sharpen a satellite product…", "OTFM Fine-tune weights…"):
        actions[words].trigger()
    assert desktop.opened == ["otfm:pansharpen", "otfm:product", "otfm:finetune"]


def test_dialogs_stay_whole_until_they_are_closed(desktop):
    """A dialog whose Python half is collected stands there still, but its Run button does nothing."""
    for action in entries(desktop).values():
        if action.text().endswith("…"):
            action.trigger()
    gc.collect()
    assert {dialog.name for dialog in desktop.alive} == set(desktop.opened)
    assert len(desktop.opened) == 6
    for dialog in list(desktop.alive):
        dialog.deleteLater()
    del dialog
    QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)
    entries(desktop)["Set up the engine…"].trigger()
    gc.collect()
    assert [dialog.name for dialog in desktop.alive] == ["otfm:setup"]


def test_the_example_is_loaded_in_natural_colours(desktop):
    QgsProject.instance().clear()
    entries(desktop)["Add example data"].trigger()
    layers = {layer.name(): layer for layer in QgsProject.instance().mapLayers().values()}
    pan, ms = layers["Example, panchromatic"], layers["Example, multispectral"]
    assert (pan.bandCount(), pan.rasterUnitsPerPixelX()) == (1, 15)
    assert (ms.bandCount(), ms.rasterUnitsPerPixelX()) == (4, 30)
    assert [ms.bandName(b).split(": ")[-1] for b in ms.renderer().usesBands()] == ["red", "green", "blue"]
    assert pan.crs().isValid()
    assert desktop.opened == []
    QgsProject.instance().clear()


def test_the_example_comes_once_with_the_colours_on_top(desktop):
    for _ in range(4):  # the temporary names, by which QGIS sorts, are chance
        QgsProject.instance().clear()
        for _ in range(2):
            entries(desktop)["Add example data"].trigger()
        names = [layer.name() for layer in QgsProject.instance().layerTreeRoot().layerOrder()]
        assert names == ["Example, multispectral", "Example, panchromatic"]
    QgsProject.instance().clear()


def test_the_button_opens_the_dialog_of_pansharpen(desktop):
    button = desktop.toolbar.actions()[0]
    assert not button.icon().isNull()
    button.trigger()
    assert desktop.opened == ["otfm:pansharpen"]


def test_without_torch_an_entry_says_so_and_opens_the_set_up(desktop, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.engine.packages.has_torch", lambda folder: False)
    entries(desktop)["OTFM Pansharpen…"].trigger()
    assert desktop.opened == ["otfm:setup"]
    (hint,) = desktop.bar.items()
    assert hint.text() == "The engine is not set up yet."
    (setup,) = desktop.alive
    setup.algorithmFinished.emit(False, {})
    assert desktop.opened == ["otfm:setup"]
    monkeypatch.setattr("otfm_pansharpen.engine.packages.has_torch", lambda folder: True)
    setup.algorithmFinished.emit(True, {})
    assert desktop.opened == ["otfm:setup", "otfm:pansharpen"]
    assert desktop.bar.items() == []
    assert QgsApplication.processingRegistry().algorithmById("otfm:exampledata").canExecute()[0]


def test_unloading_leaves_the_main_window_as_it_was(desktop):
    desktop.plugin.unload()
    assert (desktop.menu.actions(), desktop.toolbar.actions(), desktop.pages) == ([], [], [])
    assert QgsApplication.processingRegistry().providerById("otfm") is None


def test_all_pairs_of_the_project_fill_a_table(desktop, monkeypatch, tmp_path):
    from processing.gui import BatchPanel

    monkeypatch.setattr(BatchPanel, "iface", None)
    project = QgsProject.instance()
    project.clear()
    layers = {}
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        pair = Recipe(bands=3, ratio=2).write(tmp_path / place)
        for role, file in (("pan", pair.pan), ("ms", pair.ms)):
            layers[place, role] = QgsRasterLayer(str(file), f"{place} {role}")
            project.addMapLayer(layers[place, role])
    entries(desktop)["Sharpen all pairs of this project…"].trigger()
    table = desktop.plugin.menu.dialogs[-1].mainWidget()
    rows = [(table.valueForParameter(n, "PAN"), table.valueForParameter(n, "MS")) for n in range(table.batchRowCount())]
    chosen = {(project.mapLayer(pan).source(), ms) for pan, (ms,) in rows}
    assert chosen == {tuple(layers[place, role].source() for role in ("pan", "ms")) for place in ("a", "b")}
    desktop.plugin.menu.dialogs[-1].close()
    project.clear()


def test_the_table_of_all_pairs_runs_as_it_opens(desktop, monkeypatch, tmp_path):
    """QGIS refuses rows without an output. Two scenes may have layers of one name."""
    from processing.gui import BatchPanel

    monkeypatch.setattr(BatchPanel, "iface", None)
    project = QgsProject.instance()
    project.clear()
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        pair = Recipe(bands=3, ratio=2, seed=seed).write(tmp_path / str(seed))
        for file in (pair.pan, pair.ms):
            project.addMapLayer(QgsRasterLayer(str(file), file.stem))
    for folder, count in (("", 1), (str(tmp_path), 2)):
        monkeypatch.setattr("otfm_pansharpen.algorithms.settings.setting", {OUTPUT_FOLDER: folder}.get)
        entries(desktop)["Sharpen all pairs of this project…"].trigger()
        dialog = desktop.plugin.menu.dialogs[-1]
        rows = [dialog.mainWidget().parametersForRow(row, project) for row in (0, 1)]
        assert [ok for _, ok in rows] == [True, True]
        assert dialog.mainWidget().checkLoadLayersOnCompletion.isChecked()
        assert dialog.messageBar().items() == []
        sinks = {parameters["OUTPUT"].sink.staticValue() for parameters, _ in rows}
        assert len(sinks) == count
        assert all(Path(sink).parent == tmp_path for sink in sinks if folder)
    project.clear()
