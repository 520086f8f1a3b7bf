"""The table of a fleet's run, as spreadsheets read it."""

from __future__ import annotations

import csv
import json

import pytest
from otfm_pansharpen.fleet.table import Row, write_table
from otfm_pansharpen.model.fusion.job import SceneMetrics


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\n"])
def test_write_table_escapes_formulas(tmp_path, start):
    name = f"{start}1+1"
    metrics = SceneMetrics(2.0, (-0.5, 0.25), 0.3)
    row = Row(name, "failed", output=name, metrics=metrics, workers=(name,), sentence=f"{name} is no")
    write_table([row], str(tmp_path))
    with (tmp_path / "fleet.csv").open(newline="", encoding="utf-8") as file:
        (cells,) = csv.DictReader(file)
    assert [cells[c] for c in ("scene", "output", "workers", "sentence")] == [
        f"'{t}" for t in (*[name] * 3, f"{name} is no")
    ]
    assert (cells["status"], cells["shift_rows"]) == ("failed", "-0.5")
    assert json.loads((tmp_path / "fleet.json").read_text())[0]["scene"] == name


def test_write_table_keeps_a_row_on_one_line(tmp_path):
    write_table([Row("one", "failed", sentence="first\rsecond")], str(tmp_path))
    assert len((tmp_path / "fleet.csv").read_text(encoding="utf-8").splitlines()) == 2
