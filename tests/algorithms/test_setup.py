"""`otfm:setup` inside QGIS and from the command line."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from helpers.engine import broken_torch
from helpers.qgis import Listener
from otfm_pansharpen.engine.installation import Done
from otfm_pansharpen.engine.torch_builds import BUILDS
from qgis.core import QgsProcessingAlgorithm, QgsProcessingContext, QgsProcessingException, QgsSettings


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


def test_network_settings_of_qgis_are_passed_on(setup, monkeypatch):
    settings = {
        "Enabled": True,
        "Type": "HttpProxy",
        "Host": "proxy.test",
        "Port": "3128",
        "User": "a@b",
        "Password": "c",
    }
    for name, value in settings.items():
        QgsSettings().setValue(f"proxy/proxy{name}", value)
    authority = SimpleNamespace(isDisabled=lambda: False, extraFileCAs=lambda: [1], databaseCAs=lambda: {})
    authority.trustedCaCertsPemText = lambda: b"-----BEGIN"
    monkeypatch.setattr("otfm_pansharpen.algorithms.setup.QgsApplication.authManager", lambda: authority)
    set_up = Mock(return_value=Done("2.13.0"))
    monkeypatch.setattr("otfm_pansharpen.engine.installation.set_up", set_up)
    run(setup)
    QgsSettings().remove("proxy")
    wanted = set_up.call_args.args[2]
    assert (wanted.proxy, wanted.certificates) == ("http://a%40b:c@proxy.test:3128", "-----BEGIN")


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
