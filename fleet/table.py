"""What became of all scenes: a table as CSV and JSON, and a line in the terminal while it is made."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, TextIO

from ..model.product.run import COMPLETE, FAILED, NO_PRODUCT, SHARPENED
from .job import Row
from .storage import child, write_text

METRICS = ("ratio", "shift_rows", "shift_columns", "gain", "hqnr", "ergas")
COLUMNS = [name for f in fields(Row) for name in (METRICS if f.name == "metrics" else (f.name,))]
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")  # of a cell, to spreadsheets
WIDTH = 30  # characters of the bar
EVERY = 30.0  # seconds between two lines where the terminal is a file


def write_table(rows: Sequence[Row], folder: str) -> list[str]:
    """Write fleet.csv and fleet.json into a folder; returns their paths. Raises PansharpenError."""
    lines = [_flat(r) for r in rows]
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writeheader()
    table.writerows(
        {k: _escape(v) for k, v in {**line, "workers": " ".join(line["workers"])}.items()} for line in lines
    )
    paths = [child(folder, "fleet.csv"), child(folder, "fleet.json")]
    for path, content in zip(paths, (text.getvalue(), json.dumps(lines, indent=1))):
        write_text(path, content)
    return paths


def _flat(row: Row) -> dict[str, Any]:
    values, m = asdict(row), row.metrics
    values |= dict(zip(METRICS, (m.ratio, *m.shift, m.gain, m.hqnr, m.ergas) if m else (None,) * len(METRICS)))
    return {c: _rounded(v) if isinstance(v := values[c], float) else v for c in COLUMNS}


def _rounded(value: float) -> float | None:
    """Round a figure; None for what is not finite, which JSON has no number for."""
    return round(value, 4) if math.isfinite(value) else None


def _escape(value: Any) -> Any:
    """Text as one cell: no formula to a spreadsheet, and no return, which older csv modules leave without quotes."""
    if not isinstance(value, str):
        return value
    value = value.replace("\r", " ")
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


class Bar:
    """A progress bar on a terminal; a line from time to time in a file."""

    def __init__(self, scenes: int, stream: TextIO | None = None) -> None:
        self.scenes, self.stream = scenes, stream or sys.stderr
        self.counts: Counter[str] = Counter()
        self.started = self.said = time.monotonic()

    def hear(self, row: Row) -> None:
        """Count a scene, and report at once why it failed or what was made again."""
        self.counts[row.status] += 1
        if row.sentence and row.status != NO_PRODUCT:
            self._write(f"\r{row.scene}{' failed' if row.status == FAILED else ''}: {row.sentence}\n")
        if self.stream.isatty():
            self._write(f"\r{self.line()}")
        elif time.monotonic() - self.said > EVERY:
            self.said = time.monotonic()
            self._write(f"{self.line()}\n")

    def line(self) -> str:
        """How far it is."""
        done = sum(self.counts.values())
        filled = WIDTH * done // max(self.scenes, 1)
        seconds = time.monotonic() - self.started
        failed = f", {self.counts[FAILED]} failed" if self.counts[FAILED] else ""
        return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done} of {self.scenes} scenes{failed}, {seconds:.0f} s"

    def end(self) -> str:
        """What became of all, in one sentence."""
        kinds = (SHARPENED, COMPLETE, FAILED, NO_PRODUCT)
        told = ", ".join(f"{self.counts[k]} {k}" for k in kinds if self.counts[k]) or "nothing to do"
        self._write(f"\r{self.line()}\n")
        return f"{self.scenes} scenes in {time.monotonic() - self.started:.0f} s: {told}."

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
