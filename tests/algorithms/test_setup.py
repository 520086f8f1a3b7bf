"""`otfm:setup` inside QGIS and from the command line."""

from __future__ import annotations

import pytest
from helpers.engine import broken_torch
from helpers.qgis import Listener
from otfm_pansharpen.engine.installation import BUILDS
from qgis.core import QgsProcessingAlgorithm, QgsProcessingContext, QgsProcessingException


@pytest.fixture
def setup(algorithm, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.algorithms.setup.own_packages", lambda: tmp_path / "packages")
    return algorithm.provider().algorithm("setup").create()


def run(setup, **parameters):
    feedback = Listener()
    return *setup.run(parameters, QgsProcessingContext(), feedback, {}, False), "\n".join(feedback.lines)


def test_every_parameter_has_help_and_a_default(setup, monkeypatch):
    definitions = {p.name(): p for p in setup.parameterDefinitions()}
    assert all(len(p.help()) > 20 for p in definitions.values())
    assert definitions["ACTION"].options() == ["install", "check", "repair", "remove"]
    assert definitions["BUILD"].options() == list(BUILDS)
    assert setup.canExecute()
    assert not setup.flags() & QgsProcessingAlgorithm.Flag.FlagDeprecated
    monkeypatch.setattr("otfm_pansharpen.algorithms.otfm_algorithm.QgsApplication.platform", lambda: "desktop")
    assert setup.flags() & QgsProcessingAlgorithm.Flag.FlagHideFromModeler


def test_where_torch_works_it_says_so(setup):
    results, passed, log = run(setup)
    assert passed
    assert results["TORCH"] in log
    assert "Nothing to do" in log


def test_the_report_comes_back(setup):
    results, passed, log = run(setup, ACTION="check")
    assert passed
    assert results["REPORT"].startswith("QGIS 3.")
    assert "Known answer" in results["REPORT"]
    assert results["REPORT"] in log


def test_an_error_is_one_sentence(setup, tmp_path):
    (tmp_path / "wheels").mkdir()
    with pytest.raises(QgsProcessingException, match="holds no wheels"):
        run(setup, ACTION="repair", WHEELS=str(tmp_path / "wheels"))


def test_remove(setup, tmp_path):
    broken_torch(tmp_path / "packages", "")
    assert run(setup, ACTION="remove")[1]
    assert not (tmp_path / "packages").exists()


@pytest.mark.promise(16)
def test_the_dialog_says_that_torch_is_missing(algorithm, setup, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.algorithms.bridge.own_packages", lambda: tmp_path / "packages")
    monkeypatch.setattr("otfm_pansharpen.engine.packages.PathFinder.find_spec", lambda name: None)
    passed, sentence = algorithm.canExecute()
    assert not passed
    assert "Set up the engine (otfm:setup)" in sentence
    broken_torch(tmp_path / "packages", "")
    assert algorithm.canExecute() == (True, "")
