"""The dialogs as an analyst meets them: likely pairs, files and folders, small screens, tooltips."""

from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.algorithms.forecast import remember_speed
from otfm_pansharpen.algorithms.pair_of_layers import MADE_OF, PREVIEW_LAYER, all_pairs, remember_pair
from otfm_pansharpen.model.progress import format_bytes
from qgis.core import QgsApplication, QgsProcessingContext, QgsProject, QgsRasterLayer, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtWidgets import QComboBox, QFileDialog, QGroupBox, QLabel, QPushButton, QScrollArea, QToolButton

FINE, COARSE = (5e5, 15.0, 0.0, 4e6, 0.0, -15.0), (5e5, 30.0, 0.0, 4e6, 0.0, -30.0)
FIRST, SECOND = "LC08_L1TP_195025_20200723_20200911_02_T1", "LC09_L1TP_195025_20220705_20230407_02_T1"
LANGUAGES = ("en", "de", "es")


def add_landsat(folder, scene=FIRST, bands=("B2", "B3", "B4", "B5", "B8"), suffix="", pair=None):
    """Write bands as Landsat's files are named, and add them to the project; layers by band."""
    pair = pair or Recipe(bands=4, ratio=2).write(folder)
    ms, pan = load_image(pair.ms), load_image(pair.pan)
    layers = {}
    for band in bands:
        pixels, transform = (pan, FINE) if band == "B8" else (ms[int(band[1]) - 2][None], COARSE)
        file = save(folder / f"{scene}{suffix}_{band}.TIF", pixels, "uint16", transform)
        layers[band] = QgsRasterLayer(str(file), file.stem)
    QgsProject.instance().addMapLayers(list(layers.values()))
    return layers


def chosen(widgets):
    ms = widgets["MS"].parameterValue()
    names = [QgsProject.instance().mapLayer(i).name() for i in (ms if isinstance(ms, list) else [ms])]
    return QgsProject.instance().mapLayer(widgets["PAN"].parameterValue()).name(), names


@pytest.mark.parametrize("name", ["pansharpen", "preview", "assess"])
def test_single_bands_of_landsat_are_chosen(opened, tmp_path, name):
    add_landsat(tmp_path, bands=("B5", "B8", "B3", "B4", "B2"))
    widgets = opened(name)
    assert chosen(widgets) == (f"{FIRST}_B8", [f"{FIRST}_{b}" for b in ("B2", "B3", "B4", "B5")])
    box = widgets["MS"].widget.findChild(QComboBox)
    assert box.currentText() == f"B2, B3, B4, B5 of {FIRST}"


def test_fine_tuning_takes_single_bands(opened, tmp_path):
    layers = add_landsat(tmp_path)
    widgets = opened("finetune")
    assert widgets["PAN"].parameterValue() == [layers["B8"].source()]
    assert widgets["MS"].parameterValue() == [layers[b].source() for b in ("B2", "B3", "B4", "B5")]


@pytest.mark.parametrize("band", ["B8", "B3"])
def test_the_active_layer_decides_between_scenes(opened, tmp_path, band):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    scenes = {scene: add_landsat(tmp_path / folder, scene) for scene, folder in ((FIRST, "a"), (SECOND, "b"))}
    for scene in (FIRST, SECOND, FIRST):
        pan, ms = chosen(opened("pansharpen", active=scenes[scene][band]))
        assert {pan[:40], *(n[:40] for n in ms)} == {scene}


def test_pan_of_level_1_goes_with_ms_of_its_date(opened, tmp_path):
    """Level 2 has other names, and PAN only in level 1."""
    for number, scene in enumerate((FIRST, SECOND)):
        folder = tmp_path / str(number)
        folder.mkdir()
        add_landsat(folder, scene, ("B8",))
    add_landsat(tmp_path, SECOND.replace("L1TP", "L2SP"), ("B2", "B3", "B4"), "_SR")
    assert chosen(opened("pansharpen"))[0] == f"{SECOND}_B8"


@pytest.mark.parametrize(
    "names", [("blue", "green", "red"), ("scene_B02", "scene_B03", "scene_B04"), ("s-blue", "s-green", "s-red")]
)
def test_bands_by_other_names_are_one_ms(opened, tmp_path, names):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    files = [save(tmp_path / f"{n}.tif", b[None], "uint16", COARSE) for n, b in zip(names, load_image(pair.ms))]
    pan = save(tmp_path / "scene_pan.tif", load_image(pair.pan), "uint16", FINE)
    mask = save(tmp_path / "scene_cloud.tif", np.ones((1, 8, 8)), "uint8", COARSE)
    layers = [QgsRasterLayer(str(f), f.stem) for f in (mask, *reversed(files), pan)]
    QgsProject.instance().addMapLayers(layers)
    assert chosen(opened("pansharpen")) == ("scene_pan", list(names))


def test_what_the_dialog_chose_is_sharpened(opened, algorithm, tmp_path):
    add_landsat(tmp_path)
    widgets = opened("pansharpen")
    parameters = {n: widgets[n].parameterValue() for n in ("PAN", "MS", "QUALITY")}
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    assert algorithm.checkParameterValues({**parameters, "OUTPUT": "TEMPORARY_OUTPUT"}, context) == (True, "")
    output = tmp_path / "out.tif"
    _, passed = algorithm.run({**parameters, "OUTPUT": str(output)}, context, Listener(), {}, False)
    assert passed
    assert gdal.Open(str(output)).RasterCount == 4


def test_results_of_the_pair_are_chosen_to_assess(opened, tmp_path):
    layers = add_landsat(tmp_path)
    assert opened("assess")["FUSED"].parameterValue() is None
    ids = [layers[band].id() for band in ("B4", "B3", "B2")]
    (tmp_path / "other").mkdir()
    others = add_landsat(tmp_path / "other", SECOND)
    results = {}
    for name, made_of in (("result", ids), ("preview", ids), ("elsewhere", [others["B2"].id()])):
        file = save(tmp_path / f"{name}.tif", load_image(tmp_path / "pan.tif"), "uint16", FINE)
        results[name] = QgsProject.instance().addMapLayer(QgsRasterLayer(str(file), name))
        results[name].setCustomProperty(MADE_OF, made_of)
    results["preview"].setCustomProperty(PREVIEW_LAYER, True)
    widgets = opened("assess", active=layers["B2"])
    assert widgets["FUSED"].parameterValue() == [results["result"].source()]


@pytest.mark.parametrize("name", ["assess", "finetune"])
def test_ms_of_several_rasters_is_joined(algorithm, tmp_path, name):
    pair = Recipe(bands=4, ratio=2, height=256, width=256).write(tmp_path)
    layers = add_landsat(tmp_path, pair=pair)
    fused = save(tmp_path / "fused.tif", pair.reference, "uint16", FINE)
    parameters = {"PAN": layers["B8"], "MS": [layers[b].id() for b in ("B2", "B3", "B4", "B5")]}
    parameters |= (
        {"FUSED": [str(fused)], "REPORT": str(tmp_path / "report.html")}
        if name == "assess"
        else {"STEPS": 1, "OUTPUT": str(tmp_path / "tuned.safetensors"), "DEVICE": "cpu"}
    )
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    other = QgsApplication.processingRegistry().createAlgorithmById(f"otfm:{name}")
    assert other.checkParameterValues(parameters, context) == (True, "")
    assert other.run(parameters, context, Listener(), {}, False)[1]
    QgsProject.instance().clear()


def test_ms_may_be_any_file(opened, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    widgets = opened("pansharpen")
    for value in (str(pair.ms), [str(pair.ms), str(pair.pan)]):
        widgets["MS"].setParameterValue(value, QgsProcessingContext())
        assert widgets["MS"].parameterValue() == value


def test_a_product_is_a_folder_or_a_file(opened, tmp_path, monkeypatch):
    widget = opened("product")["INPUT"]
    file = tmp_path / "LC08_MTL.txt"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    seen = []
    for button in widget.widget.findChildren(QToolButton):
        if button.toolTip():
            button.click()
            seen.append((button.toolTip(), widget.parameterValue()))
    assert seen == [("Choose a folder…", str(tmp_path)), ("Choose a file…", str(file))]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    widget.folder.click()
    assert widget.parameterValue() == str(file)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["pansharpen", "preview", "product", "assess", "finetune"])
def test_dialogs_fit_a_small_screen(opened, translated, tmp_path, name, language):
    translated(language)
    add_landsat(tmp_path)
    widgets = opened(name)
    dialog = opened.dialogs[-1]
    dialog.show()
    dialog.resize(688, 523)
    (advanced,) = dialog.findChildren(QGroupBox)
    advanced.setProperty("collapsed", True)  # QGIS keeps the state of the dialog before.
    QCoreApplication.processEvents()
    (area,) = dialog.mainWidget().findChildren(QScrollArea)
    assert not area.horizontalScrollBar().isVisible()
    output = widgets["REPORT" if name in ("assess", "finetune") else "OUTPUT"].wrappedWidget()
    bottom = output.mapTo(area.widget(), output.rect().bottomLeft()).y()
    assert bottom <= area.viewport().height() + 8
    advanced.setProperty("collapsed", False)
    QCoreApplication.processEvents()
    assert not area.horizontalScrollBar().isVisible()
    dialog.close()


def test_minutes_show_where_the_scene_is_tuned(opened):
    widgets = opened("pansharpen")
    opened.dialogs[-1].show()
    minutes = widgets["MINUTES"].wrappedWidget()
    assert not minutes.isVisible()
    widgets["QUALITY"].setParameterValue("tuned", QgsProcessingContext())
    assert minutes.isVisible()
    assert widgets["WEIGHTS_OUT"].wrappedWidget().parentWidget() is widgets["SEED"].wrappedWidget().parentWidget()


@pytest.mark.parametrize("name", ["pansharpen", "product", "finetune"])
def test_tooltips_have_no_internal_names(opened, name):
    for parameter, wrapper in opened(name).items():
        parts = (wrapper.label, wrapper.widget) if hasattr(wrapper, "label") else (wrapper.wrappedLabel(),)
        for part in filter(None, parts):
            assert parameter not in part.toolTip(), part.toolTip()
            assert len(part.toolTip()) > 20


def test_help_names_parameters_by_their_labels(algorithm):
    for other in QgsApplication.processingRegistry().providerById("otfm").algorithms():
        texts = [other.shortHelpString(), *(p.help() for p in other.parameterDefinitions())]
        names = {p.name() for p in other.parameterDefinitions()} - {"PAN", "MS"}
        assert [t for t in texts if names & set(t.replace(".", " ").replace(",", " ").split())] == []


def test_a_dialog_without_engine_offers_the_set_up(opened, monkeypatch):
    import processing

    setup = MagicMock()
    monkeypatch.setattr(processing, "createAlgorithmDialog", lambda name: setup if name == "otfm:setup" else None)
    monkeypatch.setattr("otfm_pansharpen.engine.packages.has_torch", lambda folder: False)
    opened("pansharpen")
    bar = opened.dialogs[-1].messageBar()
    (hint,) = bar.items()
    assert hint.text() == "The engine is not set up yet."
    (button,) = hint.findChildren(QPushButton)
    button.click()
    setup.show.assert_called_once()
    (finish,) = setup.algorithmFinished.connect.call_args.args
    monkeypatch.setattr("otfm_pansharpen.engine.packages.has_torch", lambda folder: True)
    finish(True, {})
    assert bar.items() == []


def test_example_models_begin_with_the_pair(opened, tmp_path):
    pair = Recipe(bands=4, ratio=2).write(tmp_path)
    other = save(tmp_path / "a_heights.tif", load_image(pair.pan), "float32", COARSE)
    layers = [QgsRasterLayer(str(f), f.stem) for f in (other, pair.ms, pair.pan)]
    QgsProject.instance().addMapLayers(layers)
    for name in ("Sharpen and NDVI", "Sharpen and assess", "Tune and sharpen"):
        widgets = opened(name)
        assert list(widgets)[:2] == ["PAN", "MS"]
        assert chosen(widgets) == ("pan", ["ms"])
        definitions = QgsApplication.processingRegistry().algorithmById(f"otfm:{name}").parameterDefinitions()
        assert all(d.help() for d in definitions if not d.isDestination())


def test_the_dialog_tells_what_the_run_will_take(opened, monkeypatch, tmp_path):
    QgsSettings().remove("otfm/speed")
    add_landsat(tmp_path)
    widgets = opened("pansharpen")
    line = opened.dialogs[-1].findChild(QLabel, "lblProgress")
    pan = QgsProject.instance().mapLayer(widgets["PAN"].parameterValue())
    size = f"{pan.width()} x {pan.height()} x 4"
    assert line.text().startswith(f"{size}: {format_bytes(pan.width() * pan.height() * 8)} of ")
    assert "about" not in line.text()
    remember_speed("fast", 100.0, 5000.0)
    half = pan.extent()
    half.scale(0.5)
    extent = f"{half.xMinimum()},{half.xMaximum()},{half.yMinimum()},{half.yMaximum()} [EPSG:32633]"
    widgets["EXTENT"].setParameterValue(extent, QgsProcessingContext())
    assert line.text().startswith(f"{pan.width() // 2} x {pan.height() // 2} x 4")
    assert "about " in line.text()
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("otfm_pansharpen.algorithms.forecast.shutil.disk_usage", lambda place: full)
    widgets["QUALITY"].setParameterValue("best", QgsProcessingContext())
    assert line.text().startswith("Does not fit: ")
    QgsSettings().remove("otfm/speed")


def test_a_run_is_timed_for_the_next_dialog(algorithm, tmp_path):
    QgsSettings().remove("otfm/speed")
    remember_speed("fast", 0.01, 5.0)
    assert QgsSettings().value("otfm/speed/fast") is None
    remember_speed("fast", 2.0, 5.0)
    assert float(QgsSettings().value("otfm/speed/fast")) == 2.5
    QgsSettings().remove("otfm/speed")


def test_the_project_remembers_what_was_sharpened(opened, algorithm, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    (tmp_path / "other").mkdir()
    other = Recipe(bands=3, ratio=2).write(tmp_path / "other")
    files = {"pan": pair.pan, "ms": pair.ms, "other pan": other.pan, "other ms": other.ms}
    layers = {name: QgsRasterLayer(str(file), name) for name, file in files.items()}
    QgsProject.instance().addMapLayers(list(layers.values()))
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    for pan, ms in (("pan", "other ms"), ("other pan", "ms")):
        remember_pair(QgsProject.instance(), layers[pan], [layers[ms]])
        QgsProject.instance().write(str(tmp_path / "project.qgz"))
        assert chosen(opened("pansharpen")) == (pan, [ms])
    assert chosen(opened("pansharpen", active=layers["other ms"])) == ("pan", ["other ms"])
    assert len(all_pairs()) == 2
    QgsProject.instance().removeMapLayer(layers["ms"].id())
    assert chosen(opened("pansharpen")) == ("pan", ["other ms"])


@pytest.mark.parametrize("text", ["[", "3", '[["a", 1]]', "[[]]", '{"a": 1}', "[" * 3000])
def test_a_damaged_project_entry_is_passed_over(opened, tmp_path, text):
    add_landsat(tmp_path)
    QgsProject.instance().writeEntry("otfm", "pairs", text)
    assert chosen(opened("pansharpen"))[0] == f"{FIRST}_B8"


@pytest.mark.parametrize(("name", "choice"), [("product", "BANDS"), ("setup", "ACTION"), ("setup", "BUILD")])
def test_dialogs_show_names_instead_of_words_for_scripts(opened, name, choice):
    widget = opened(name)[choice]
    words, box = widget.parameterDefinition().options(), widget.widget
    assert not {box.itemText(number) for number in range(box.count())}.intersection(words)
    assert widget.parameterValue() == words[0]
    for word in words:
        widget.setParameterValue(word, QgsProcessingContext())
        assert widget.parameterValue() == word
