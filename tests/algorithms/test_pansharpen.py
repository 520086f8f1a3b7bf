"""The plugin inside QGIS: provider, parameters, running, loading, errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from helpers.engine import broken_torch
from helpers.qgis import Listener, run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.algorithms.bridge import raster_source
from otfm_pansharpen.model.fusion.plan import choose_budget
from otfm_pansharpen.model.network.weights import hash_path, load_weights
from otfm_pansharpen.model.options import BUNDLED, DEFAULT_SET
from qgis.core import (
    QgsMultiBandColorRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
)
from qgis.gui import QgsBrowserGuiModel

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["best", "fast"])
def test_the_bundled_set_is_chosen_by_name(algorithm, tmp_path, name):
    pair = Recipe(bands=3).write(tmp_path)
    results, passed = run(algorithm, pair, tmp_path / "out.tif", QUALITY=name)
    assert passed
    assert results["WEIGHTS_SHA256"] == hash_path(BUNDLED[name]).read_text().split()[0]


def shown(algorithm):
    """Return the parameters that dialogs show."""
    hidden = QgsProcessingParameterDefinition.Flag.FlagHidden
    return [p for p in algorithm.parameterDefinitions() if not p.flags() & hidden]


def test_every_parameter_has_help_and_sensible_defaults(algorithm):
    definitions = {p.name(): p for p in algorithm.parameterDefinitions()}
    assert all(len(p.help()) > 20 for p in definitions.values())
    needed = [n for n, p in definitions.items() if not p.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional]
    assert [n for n in needed if definitions[n].defaultValue() is None] == ["PAN", "MS", "OUTPUT"]
    assert definitions["DEVICE"].options() == ["auto", "cuda", "cpu"]
    assert definitions["PRECISION"].options() == ["auto", "fp32", "bf16"]
    assert definitions["STEPS"].defaultValue() == 1
    assert definitions["QUALITY"].defaultValue() == DEFAULT_SET
    assert not any("empty" in p.description() or "_" in p.description() for p in shown(algorithm))
    assert algorithm.provider().name() == "OTFM Pansharpen"
    assert not algorithm.icon().isNull()


@pytest.mark.promise(18)
def test_it_runs_and_says_what_it_decided(algorithm, tmp_path):
    pair = Recipe(bands=4).write(tmp_path)
    feedback = Listener()
    results, passed = run(algorithm, pair, tmp_path / "out.tif", feedback)
    assert passed
    assert load_image(tmp_path / "out.tif").shape == pair.reference.shape
    assert results["RATIO"] == 4
    assert results["DEVICE_USED"] in ("cpu", "cuda")
    assert len(results["WEIGHTS_SHA256"]) == 64
    assert results["SECONDS"] > 0
    log = "\n".join(feedback.lines)
    for word in (
        "Ratio 4",
        "Weights",
        "SHA-256",
        "Device: cpu, float32 (as asked)",
        "shift",
        "Transfer function",
        "Mean",
        "HQNR",
        "Done",
    ):
        assert word in log
    assert feedback.shares == sorted(feedback.shares)
    assert feedback.shares[-1] == 100


def test_bands_and_extent(algorithm, tmp_path):
    pair = Recipe(bands=4).write(tmp_path)
    extent = f"{5e5 + 100},{5e5 + 300},{4e6 - 280},{4e6 - 80} [EPSG:32633]"
    _, passed = run(algorithm, pair, tmp_path / "out.tif", MS_BANDS=[3, 1], EXTENT=extent)
    assert passed
    pixels = load_image(tmp_path / "out.tif")
    assert pixels.shape == (2, 100, 100)
    truth = pair.reference[[2, 0], 40:140, 50:150]
    assert np.corrcoef(pixels.ravel(), truth.ravel())[0, 1] > 0.95


def test_nodata_set_on_the_layer_counts(algorithm, tmp_path):
    pair = Recipe(bands=3).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :12, :12] = 7
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8))
    layer = QgsRasterLayer(str(pair.ms), "raster ms")
    for band in (1, 2, 3):
        layer.dataProvider().setUserNoDataValue(band, [QgsRasterRange(7, 7)])
    run(algorithm, pair, tmp_path / "out.tif", MS=layer)
    assert (load_image(tmp_path / "out.tif")[:, :48, :48] == 7).all()


@pytest.mark.promise(5)
def test_a_range_of_nodata_set_on_the_layer_counts(algorithm, tmp_path):
    pair = Recipe(bands=2).write(tmp_path)
    ms = load_image(pair.ms)
    ms[0, :12, :12] = np.arange(144).reshape(12, 12) % 9 + 5
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8))
    layer = QgsRasterLayer(str(pair.ms), "raster ms")
    layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(5, 13)])
    run(algorithm, pair, tmp_path / "out.tif", MS=layer)
    pixels = load_image(tmp_path / "out.tif")
    assert (pixels[0, :48, :48] == 0).all()
    assert (pixels[0, 48:, 48:] != 0).all()
    assert (pixels[1] != 0).all()


@pytest.mark.promise(5)
def test_nodata_switched_off_on_the_layer_counts_as_image(algorithm, tmp_path):
    pair = Recipe(bands=1, nodata=900).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, 20:30, 20:30] = 900
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8), nodata=900)
    save(pair.pan, load_image(pair.pan))
    layer = QgsRasterLayer(str(pair.ms), "raster ms")
    layer.dataProvider().setUseSourceNoDataValue(1, False)
    run(algorithm, pair, tmp_path / "out.tif", MS=layer)
    fused = QgsRasterLayer(str(tmp_path / "out.tif"), "raster fused")
    assert not fused.dataProvider().sourceHasNoDataValue(1)
    run(algorithm, pair, tmp_path / "on.tif")
    assert (load_image(tmp_path / "on.tif")[0, 80:120, 80:120] == 900).all()
    assert np.ptp(load_image(tmp_path / "out.tif")[0, 80:120, 80:120]) > 0


def test_only_types_that_gdal_has_are_offered(algorithm, tmp_path, monkeypatch):
    """GDAL before 3.7 has no Int8."""
    type_by_name = gdal.GetDataTypeByName
    for has_it in (True, False):
        names = {"Int8": gdal.GDT_Byte if has_it else gdal.GDT_Unknown}
        monkeypatch.setattr(gdal, "GetDataTypeByName", lambda name, names=names: names.get(name, type_by_name(name)))
        fresh = algorithm.create()
        offered = fresh.parameterDefinition("DATA_TYPE").options()
        assert ("Int8" in offered) == has_it
        assert {"as MS", "Byte", "UInt16", "Float64"} <= set(offered)


def test_type_and_overviews_are_passed_on(algorithm, tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    run(algorithm, pair, tmp_path / "out.tif", DATA_TYPE="Float32", OVERVIEWS=True)
    layer = QgsRasterLayer(str(tmp_path / "out.tif"), "raster out")
    assert load_image(tmp_path / "out.tif").dtype == np.float32
    assert layer.dataProvider().hasPyramids()


@pytest.mark.promise(8)
def test_the_loaded_layer_looks_like_ms(algorithm, tmp_path):
    pair = Recipe(bands=4).write(tmp_path)
    layer = QgsRasterLayer(str(pair.ms), "raster ms")
    layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), 4, 3, 2))
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    output = str(tmp_path / "out.tif")
    context.addLayerToLoadOnCompletion(
        output, QgsProcessingContext.LayerDetails("out", QgsProject.instance(), "OUTPUT")
    )
    run(algorithm, pair, output, MS=layer, context=context)
    loaded = QgsRasterLayer(output, "raster out")
    assert loaded.renderer().redBand() != 4
    details = context.layerToLoadOnCompletionDetails(output)
    details.postProcessor().postProcessLayer(loaded, context, Listener())
    assert [loaded.renderer().redBand(), loaded.renderer().greenBand(), loaded.renderer().blueBand()] == [4, 3, 2]


@pytest.mark.promise(9)
def test_cancel_leaves_no_file_and_fails(algorithm, tmp_path):
    pair = Recipe(height=320, width=320).write(tmp_path)
    before = sorted(tmp_path.iterdir())
    context, feedback = QgsProcessingContext(), Listener(cancel_at=20)
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "out.tif"), "TILE": 64}
    assert algorithm.prepare(parameters, context, feedback)
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        algorithm.runPrepared(parameters, context, feedback)
    assert sorted(tmp_path.iterdir()) == before


def test_errors_are_sentences(algorithm, tmp_path):
    pair = Recipe().write(tmp_path)
    pair.pan, pair.ms = pair.ms, pair.pan
    context = QgsProcessingContext()
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "out.tif")}
    algorithm.prepare(parameters, context, Listener())
    with pytest.raises(QgsProcessingException, match="swapped"):
        algorithm.runPrepared(parameters, context, Listener())
    assert not (tmp_path / "out.tif").exists()


def test_absent_weights_are_reported_before_running(algorithm, tmp_path):
    pair = Recipe().write(tmp_path)
    weights = str(tmp_path / "none.safetensors")
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "out.tif"), "QUALITY": weights}
    passed, sentence = algorithm.checkParameterValues(parameters, QgsProcessingContext())
    assert not passed
    assert "none.safetensors" in sentence


@pytest.mark.promise(16)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ModuleNotFoundError('', name='torch')", "Set up the engine (otfm:setup)"),
        ("raise OSError('[WinError 1114] c10.dll')", "Windows cannot load one of its libraries"),
    ],
)
def test_torch_that_cannot_be_imported_is_reported_with_the_cure(algorithm, tmp_path, monkeypatch, code, words):
    pair = Recipe().write(tmp_path)
    packages = broken_torch(tmp_path / "packages", code)
    monkeypatch.setattr("otfm_pansharpen.algorithms.bridge.own_packages", lambda: packages)
    context = QgsProcessingContext()
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "out.tif")}
    assert algorithm.prepare(parameters, context, Listener())
    with pytest.raises(QgsProcessingException, match=re.escape(words)):
        algorithm.runPrepared(parameters, context, Listener())


@pytest.mark.promise(17)
def test_the_plugin_starts_without_torch_and_leaves_cleanly():
    """In a fresh Python: loading, listing and unloading imports neither torch nor, where QGIS has not, numpy."""
    code = (
        "import sys\n"
        "from qgis.core import QgsApplication\n"
        "app = QgsApplication([], False); app.initQgis(); before = set(sys.modules)\n"
        "import otfm_pansharpen; plugin = otfm_pansharpen.classFactory(None); plugin.initGui()\n"
        "registry = QgsApplication.processingRegistry()\n"
        "assert registry.algorithmById('otfm:pansharpen').shortHelpString()\n"
        "assert not {'torch', 'safetensors', 'numpy'} & (set(sys.modules) - before)\n"
        "plugin.unload(); assert registry.providerById('otfm') is None; print('clean')\n"
        "import os; sys.stdout.flush(); os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("clean"), done.stderr


def test_memory_and_tile_reach_the_pipeline(algorithm, tmp_path):
    pair = Recipe(bands=3).write(tmp_path)
    log = []
    for parameters in ({}, {"MEMORY": 128, "TILE": 128}):
        feedback = Listener()
        assert run(algorithm, pair, tmp_path / "out.tif", feedback, **parameters)[1]
        log += [line for line in feedback.lines if line.startswith("Tiles of")]
    assert log[0].endswith(f"in {choose_budget()} MB.")
    assert log[1].startswith("Tiles of 128 pixels")
    assert log[1].endswith("in 128 MB.")


def test_layers_that_only_qgis_can_open_are_refused_in_words(qgis_app, tmp_path):
    pair = Recipe().write(tmp_path)
    gdal.Translate("/vsimem/pan.tif", str(pair.pan))
    layer = QgsRasterLayer("/vsimem/pan.tif", "raster pan")
    with pytest.raises(QgsProcessingException, match="can be opened by this QGIS alone"):
        raster_source(layer, [1], "PAN")
    del layer
    gdal.Unlink("/vsimem/pan.tif")


@pytest.mark.promise(16)
def test_torch_never_enters_qgis(tmp_path):
    """A whole run in a fresh Python with QGIS in it; GDAL's exceptions and the environment stay unchanged."""
    pair = Recipe(bands=1).write(tmp_path)
    code = (
        "import sys\n"
        "import os; from osgeo import gdal; gdal.DontUseExceptions(); before = dict(os.environ), list(sys.path)\n"
        "from qgis.core import *; app = QgsApplication([], False); app.initQgis()\n"
        "import otfm_pansharpen; plugin = otfm_pansharpen.classFactory(None); plugin.initProcessing()\n"
        "algorithm = QgsApplication.processingRegistry().algorithmById('otfm:pansharpen').create()\n"
        f"given = {{'PAN': {str(pair.pan)!r}, 'MS': {str(pair.ms)!r}, 'OUTPUT': {str(tmp_path / 'out.tif')!r}}}\n"
        "print(algorithm.run(given, QgsProcessingContext(), QgsProcessingFeedback(False))[1])\n"
        "print({'torch', 'safetensors'} & set(sys.modules), gdal.GetUseExceptions())\n"
        "print((dict(os.environ), list(sys.path)) == before)\n"
        "sys.stdout.flush(); os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-3:] == ["True", "set() 0", "True"], done.stdout + done.stderr
    assert (tmp_path / "out.tif").exists()


@pytest.mark.slow
def test_quality_tuned_tunes_the_weights_on_the_scene(algorithm, tmp_path):
    pair = Recipe(bands=3, ratio=2, height=320, width=320).write(tmp_path)
    kept = tmp_path / "kept.safetensors"
    feedback = Listener()
    parameters = {"QUALITY": "tuned", "MINUTES": 0.05, "WEIGHTS_OUT": str(kept), "SEED": 7}
    assert run(algorithm, pair, tmp_path / "out.tif", feedback, **parameters)[1]
    assert sum(line.startswith("Tuned on this scene") for line in feedback.lines) == 1
    assert load_weights(kept).header["finetuned"].count('"seed": 7') == 1
    assert feedback.shares == sorted(feedback.shares)


@pytest.mark.promise(18)
def test_it_runs_inside_a_model(algorithm, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    model = QgsProcessingModelAlgorithm("sharpen", "tests")
    child = QgsProcessingModelChildAlgorithm("otfm:pansharpen")
    child.setChildId("sharpen")
    for name in ("PAN", "MS"):
        model.addModelParameter(QgsProcessingParameterRasterLayer(name, name), QgsProcessingModelParameter(name))
        child.addParameterSources(name, [QgsProcessingModelChildParameterSource.fromModelParameter(name)])
    child.addParameterSources("PRECISION", [QgsProcessingModelChildParameterSource.fromStaticValue("fp32")])
    output = QgsProcessingModelOutput("sharp")
    output.setChildOutputName("OUTPUT")
    output.setChildId("sharpen")
    child.setModelOutputs({"sharp": output})
    model.addChildAlgorithm(child)
    model.initAlgorithm()
    target = tmp_path / "model.tif"
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "sharpen:sharp": str(target)}
    _, passed = model.run(parameters, QgsProcessingContext(), Listener(), {}, False)
    assert passed
    assert load_image(target).shape == pair.reference.shape


@pytest.mark.promise(18)
def test_the_dialog_offers_every_parameter(algorithm, monkeypatch):
    from processing.gui import ParametersPanel
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    iface = MagicMock()
    iface.browserModel.return_value = QgsBrowserGuiModel()
    iface.mapCanvas.return_value = iface.activeLayer.return_value = None
    monkeypatch.setattr(ParametersPanel, "iface", iface)
    dialog = AlgorithmDialog(algorithm, False)
    wrappers = dialog.mainWidget().wrappers
    assert set(wrappers) == {p.name() for p in shown(algorithm)}
    assert wrappers["CREATE_OPTIONS"].parameterValue() in ("", None)
    dialog.close()
