"""`otfm:finetune` inside QGIS: parameters, running, cancelling, chained with pansharpen, errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.engine import broken_torch
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from otfm_pansharpen.model.network.weights import load_weights
from otfm_pansharpen.model.options import BUNDLED, DEFAULT_SET
from otfm_pansharpen.model.weight_sets import read_sensor
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterRasterLayer,
)

SENSOR = Recipe(bands=3, ratio=2, height=320, width=320, gain=0.2)


@pytest.fixture
def tune(algorithm):
    return algorithm.provider().algorithm("finetune").create()


def make_parameters(pair, output, **parameters):
    return {"PAN": [str(pair.pan)], "MS": [str(pair.ms)], "OUTPUT": str(output), "STEPS": 3, **parameters}


def run(tune, parameters, feedback=None):
    return tune.run(parameters, QgsProcessingContext(), feedback or Listener(), {}, False)


def refused(tune, parameters) -> str:
    """Return the sentence with which a run fails."""
    context, feedback = QgsProcessingContext(), Listener()
    if not tune.prepare(parameters, context, feedback):
        return "\n".join(feedback.lines)
    with pytest.raises(QgsProcessingException) as caught:
        tune.runPrepared(parameters, context, feedback)
    return str(caught.value)


def test_every_parameter_has_help_and_sensible_defaults(tune):
    definitions = {p.name(): p for p in tune.parameterDefinitions()}
    assert all(len(p.help()) > 20 for p in definitions.values())
    needed = [n for n, p in definitions.items() if not p.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional]
    assert [n for n in needed if definitions[n].defaultValue() is None] == ["PAN", "MS", "OUTPUT"]
    assert definitions["START"].defaultValue() == DEFAULT_SET
    assert definitions["MINUTES"].defaultValue() == 3
    assert definitions["KEEP_ON_CANCEL"].defaultValue() is True
    assert definitions["DEVICE"].options() == ["auto", "cuda", "cpu"]
    assert len(tune.shortHelpString()) > 200
    assert not tune.icon().isNull()


@pytest.mark.slow
@pytest.mark.parametrize("one", [str, lambda p: [str(p)]])
def test_it_runs_and_returns_its_figures(tune, tmp_path, one):
    pair = SENSOR.write(tmp_path)
    feedback = Listener()
    parameters = make_parameters(pair, tmp_path / "own.safetensors", PAN=one(pair.pan), MS=one(pair.ms))
    results, passed = run(tune, parameters, feedback)
    assert passed
    assert load_weights(Path(results["OUTPUT"])).header["name"] == "own, fine-tuned from fast"
    assert 0 < results["ERGAS_AFTER"] <= results["ERGAS_BEFORE"]
    assert 0 < results["HQNR_BEFORE"] <= 1
    assert 0 < results["HQNR_AFTER"] <= 1
    assert results["STEPS"] == 3
    assert results["SECONDS"] > 0
    assert feedback.shares == sorted(feedback.shares)
    assert feedback.shares[-1] == 100
    log = "\n".join(feedback.lines)
    for word in ("Start: fast", "Device: ", "blocks held out", "Step 3: loss", "left", "Done"):
        assert word in log


@pytest.mark.parametrize("columns", [5, 8, 20])
def test_pair_shifted_by_many_pixels_is_refused_with_the_cure(tune, tmp_path, columns):
    """Its blocks would teach that details lie where they do not."""
    pair = SENSOR.write(tmp_path)
    save(pair.pan, load_image(pair.pan), transform=(5e5 + 2 * columns, 2, 0, 4e6, 0, -2))
    sentence = refused(tune, make_parameters(pair, tmp_path / "own.safetensors"))
    assert str(pair.ms) in sentence
    assert "otfm:pansharpen with ALIGN" in sentence
    assert not (tmp_path / "own.safetensors").exists()


def test_undeclared_collar_teaches_as_little_as_a_declared_one(tune, tmp_path):
    collar, learned = np.add.outer(np.arange(320), np.arange(320)) < 160, []
    for nodata in (0, None):
        pair = SENSOR.write(tmp_path)
        pan, ms = load_image(pair.pan), load_image(pair.ms)
        pan[:, collar] = ms[:, collar[::2, ::2]] = 0
        save(pair.pan, pan, transform=(5e5, 2, 0, 4e6, 0, -2), nodata=nodata)
        save(pair.ms, ms, transform=(5e5, 4, 0, 4e6, 0, -4), nodata=nodata)
        results, passed = run(tune, make_parameters(pair, tmp_path / "own.safetensors"))
        assert passed
        learned.append((results["ERGAS_BEFORE"], results["ERGAS_AFTER"], results["HQNR_BEFORE"]))
    assert learned[0] == learned[1]


def test_several_pairs_are_matched_in_order(tune, tmp_path):
    pairs = []
    for name, seed in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        pairs.append(replace(SENSOR, seed=seed).write(tmp_path / name))
    layers = {"PAN": [str(p.pan) for p in pairs], "MS": [str(p.ms) for p in pairs]}
    feedback = Listener()
    parameters = make_parameters(pairs[0], tmp_path / "own.safetensors", **layers, SENSOR="Our drone")
    results, passed = run(tune, parameters, feedback)
    assert passed
    scenes = json.loads(load_weights(Path(results["OUTPUT"])).header["finetuned"])["scenes"]
    assert [scene["sensor"] for scene in scenes] == ["Our drone", "Our drone"]
    assert read_sensor(Path(results["OUTPUT"])) == "Our drone"
    uneven = make_parameters(pairs[0], tmp_path / "o.safetensors", **{**layers, "MS": layers["MS"][:1]})
    assert "PAN has 2 rasters and MS has 1" in refused(tune, uneven)


def test_a_file_to_start_from_an_extent_and_a_report(tune, tmp_path):
    pair = SENSOR.write(tmp_path)
    extent = f"{5e5},{5e5 + 480},{4e6 - 560},{4e6} [EPSG:32633]"
    parameters = make_parameters(
        pair, tmp_path / "own.safetensors", START=str(BUNDLED["best"]), EXTENT=extent, SEED=4,
        REPORT=str(tmp_path / "report.html"),
    )  # fmt: skip
    results, passed = run(tune, parameters)
    assert passed
    header = load_weights(tmp_path / "own.safetensors").header
    assert json.loads(header["started_from"])["name"] == "best"
    assert json.loads(header["finetuned"])["seed"] == 4
    assert Path(results["REPORT"]).read_text().count("<img") >= 2


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "kept"), [(True, True), (False, False)])
def test_cancel_keeps_or_leaves_nothing(tune, tmp_path, keep, kept):
    pair = SENSOR.write(tmp_path)
    before = {p.name for p in tmp_path.iterdir()}
    parameters = make_parameters(pair, tmp_path / "own.safetensors", STEPS=60, KEEP_ON_CANCEL=keep)
    context, feedback = QgsProcessingContext(), Listener(cancel_at=60)
    assert tune.prepare(parameters, context, feedback)
    if kept:
        results = tune.runPrepared(parameters, context, feedback)
        assert results["STEPS"] < 60
        assert load_weights(tmp_path / "own.safetensors")
    else:
        with pytest.raises(QgsProcessingException, match="Cancelled"):
            tune.runPrepared(parameters, context, feedback)
        assert {p.name for p in tmp_path.iterdir() if not p.name.endswith(".aux.xml")} == before


@pytest.mark.promise(18)
def test_a_model_chains_it_with_pansharpen(tune, tmp_path):
    """Two steps: fine-tune on the inputs, then sharpen them with the result."""
    pair = SENSOR.write(tmp_path)
    of_child, of_parameter = (
        QgsProcessingModelChildParameterSource.fromChildOutput,
        QgsProcessingModelChildParameterSource.fromModelParameter,
    )
    constant = QgsProcessingModelChildParameterSource.fromStaticValue
    model = QgsProcessingModelAlgorithm("own", "tests")
    tuning, sharpening = (QgsProcessingModelChildAlgorithm(f"otfm:{n}") for n in ("finetune", "pansharpen"))
    tuning.setChildId("tune")
    sharpening.setChildId("sharpen")
    for name in ("PAN", "MS"):
        model.addModelParameter(QgsProcessingParameterRasterLayer(name, name), QgsProcessingModelParameter(name))
        for child in (tuning, sharpening):
            child.addParameterSources(name, [of_parameter(name)])
    tuning.addParameterSources("STEPS", [constant(2)])
    sharpening.addParameterSources("QUALITY", [of_child("tune", "OUTPUT")])
    sharpening.addParameterSources("PRECISION", [constant("fp32")])
    output = QgsProcessingModelOutput("sharp")
    output.setChildOutputName("OUTPUT")
    output.setChildId("sharpen")
    sharpening.setModelOutputs({"sharp": output})
    for child in (tuning, sharpening):
        model.addChildAlgorithm(child)
    model.initAlgorithm()
    feedback = Listener()
    inputs = {"PAN": str(pair.pan), "MS": str(pair.ms), "sharpen:sharp": str(tmp_path / "sharp.tif")}
    _, passed = model.run(inputs, QgsProcessingContext(), feedback, {}, False)
    assert passed, feedback.lines
    assert load_image(tmp_path / "sharp.tif").shape == pair.reference.shape
    assert "fine-tuned from fast, SHA-256" in "\n".join(feedback.lines)


def test_bad_input_is_one_sentence(tune, tmp_path):
    pair = replace(SENSOR, height=160, width=160).write(tmp_path)
    output = tmp_path / "own.safetensors"
    assert "at least 96 x 96" in refused(tune, make_parameters(pair, output))
    assert "cannot be opened" in refused(tune, make_parameters(pair, output, MS=[str(tmp_path / "none.tif")]))
    assert not output.exists()


@pytest.mark.promise(2)
def test_unusable_scenes_are_reported_before_running(tune, tmp_path):
    pair = SENSOR.write(tmp_path)
    output, pan, ms = tmp_path / "own.safetensors", str(pair.pan), str(pair.ms)
    for scenes, words in (
        ({"PAN": [pan, ms], "MS": [ms, pan]}, "seem to be swapped"),
        ({"PAN": [pan], "MS": [ms, ms]}, "PAN has 1 rasters and MS has 2"),
        ({"EXTENT": "0,1,0,1 [EPSG:32633]"}, "does not meet the area"),
    ):
        passed, sentence = tune.checkParameterValues(make_parameters(pair, output, **scenes), QgsProcessingContext())
        assert (passed, words in sentence) == (False, True), sentence


def test_absent_start_is_reported_before_running(tune, tmp_path):
    pair = SENSOR.write(tmp_path)
    parameters = make_parameters(pair, tmp_path / "own.safetensors", START=str(tmp_path / "none.safetensors"))
    passed, sentence = tune.checkParameterValues(parameters, QgsProcessingContext())
    assert not passed
    assert "none.safetensors" in sentence
    for name in BUNDLED:
        assert tune.checkParameterValues({**parameters, "START": name}, QgsProcessingContext())[0]


def test_without_torch_it_says_how_to_install_it(tune, tmp_path, monkeypatch):
    pair = SENSOR.write(tmp_path)
    packages = broken_torch(tmp_path / "packages", "raise ModuleNotFoundError('', name='torch')")
    monkeypatch.setattr("otfm_pansharpen.algorithms.bridge.own_packages", lambda: packages)
    assert "Set up the engine (otfm:setup)" in refused(tune, make_parameters(pair, tmp_path / "own.safetensors"))
