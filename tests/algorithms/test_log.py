"""The log of a run: three lines that answer, warnings as warnings, the rest as details."""

from __future__ import annotations

import re

import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from qgis.core import QgsProcessingContext


def run_and_listen(algorithm, pair, tmp_path, **parameters):
    """Run the algorithm and return its log, with the level of each line."""
    feedback = Listener()
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "o.tif"), **parameters}
    assert algorithm.run(parameters, QgsProcessingContext(), feedback, {}, False)[1]
    return feedback.entries


def test_the_log_begins_with_the_answer(algorithm, tmp_path):
    log = run_and_listen(algorithm, Recipe(shift=(0.0, 1.0)).write(tmp_path), tmp_path)
    assert [level for level, _ in log[:4]] == ["info", "info", "info", "detail"]
    went_in, measured, answer, heading = (line for _, line in log[:4])
    assert went_in == "PAN pan.tif (240 x 192 pixels) and MS ms.tif (4 bands, 60 x 48 pixels, UInt16), ratio 4."
    row, column, kept = map(float, re.findall(r"shifted by (\S+) rows and (\S+) columns.*keeps (\d+) %", measured)[0])
    assert [row, column] == pytest.approx([0, 1], abs=0.15)
    assert kept == pytest.approx(30, abs=5)
    assert re.search(
        r"\(ERGAS\) of \d\S*, \d+ % (less|more) than the best of .* Done in \d+(\.\d)? s: .*o\.tif", answer
    )
    assert heading == "Details"
    assert {level for level, _ in log[4:]} == {"detail"}
    assert any("SHA-256" in line for _, line in log[4:])


def test_a_doubtful_run_warns_before_the_details(algorithm, tmp_path):
    pair = Recipe().write(tmp_path)
    save(pair.pan, load_image(pair.pan)[:, ::-1, ::-1])
    levels = [level for level, _ in run_and_listen(algorithm, pair, tmp_path, ALIGN="off")]
    assert "warning" in levels
    assert set(levels[levels.index("detail") :]) == {"detail"}
    assert "error" not in levels


def test_a_cancel_is_not_an_error_on_the_desktop(algorithm, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.algorithms.bridge.QgsApplication.platform", lambda: "desktop")
    pair = Recipe(height=320, width=320).write(tmp_path)
    context, feedback = QgsProcessingContext(), Listener(cancel_at=3)
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(tmp_path / "o.tif"), "TILE": 64}
    assert algorithm.prepare(parameters, context, feedback)
    assert algorithm.runPrepared(parameters, context, feedback) == {}
    assert ("info", "Cancelled by the user. No file was written.") in feedback.entries
    assert not (tmp_path / "o.tif").exists()
    assert not [line for level, line in feedback.entries if level == "error"]
