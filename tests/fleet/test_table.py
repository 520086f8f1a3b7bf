"""The table of all scenes."""

from __future__ import annotations

import csv
import json

import pytest
from otfm_pansharpen.fleet.job import Row
from otfm_pansharpen.fleet.table import write_table


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_write_table_gives_spreadsheets_no_formula(tmp_path, start):
    text = f"{start}HYPERLINK(A1)"
    write_table([Row(text, "failed", sentence=text)], str(tmp_path))
    with (tmp_path / "fleet.csv").open(newline="", encoding="utf-8") as file:
        (line,) = csv.DictReader(file)
    assert (line["scene"], line["sentence"]) == (f"'{text}", f"'{text}")
    assert json.loads((tmp_path / "fleet.json").read_text())[0]["scene"] == text


def test_write_table_keeps_a_row_on_one_line(tmp_path):
    write_table([Row("one", "failed", sentence="first\rsecond")], str(tmp_path))
    assert len((tmp_path / "fleet.csv").read_text(encoding="utf-8").splitlines()) == 2
