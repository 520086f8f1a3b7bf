"""Table of all scenes as CSV and JSON, and a progress line in the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from posixpath import join
from typing import Any

from ..model.fusion.job import SceneMetrics
from ..model.product.run import COMPLETE, FAILED, NO_PRODUCT, SHARPENED
from .storage import write_text

METRICS = ("ratio", "shift_rows", "shift_columns", "gain", "hqnr", "ergas")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")  # of a cell, to spreadsheets
WIDTH = 30  # characters of the bar
EVERY = 30.0  # seconds between two lines where the terminal is a file


@dataclass(frozen=True)
class Row:
    """A line of the table: the outcome of a scene."""

    scene: str
    status: str = ""  # one of sharpened, complete already, failed, no product
    output: str = ""
    metrics: SceneMetrics | None = None  # its measurements, None without a plan
    pixels: int = 0
    bytes: int = 0
    parts: int = 0
    reused: int = 0  # parts that an earlier run had made
    plan_seconds: float = 0.0  # of planning
    part_seconds: float = 0.0  # of all parts together
    join_seconds: float = 0.0  # of joining
    workers: tuple[str, ...] = ()
    sentence: str = ""  # why it was not sharpened, what was clipped, or what was damaged and made again

    def flat(self) -> dict[str, Any]:
        """Return its values by column, rounded; None for numbers that are not finite, which JSON lacks."""
        m, columns = self.metrics, dict[str, Any]()
        measured = (m.ratio, *m.shift, m.gain, m.hqnr, m.ergas) if m else (None,) * len(METRICS)
        for name, value in asdict(self).items():
            columns |= dict(zip(METRICS, measured)) if name == "metrics" else {name: value}
        return {k: _round(v) if isinstance(v, float) else v for k, v in columns.items()}


def _round(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def write_table(rows: Sequence[Row], folder: str) -> list[str]:
    """Write fleet.csv and fleet.json into a folder; returns their paths. Raises PansharpenError."""
    lines = [r.flat() for r in rows]
    text = io.StringIO()
    table = csv.DictWriter(text, list(lines[0]), lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writeheader()
    table.writerows(
        {k: _escape(v) for k, v in {**line, "workers": " ".join(line["workers"])}.items()} for line in lines
    )
    paths = [join(folder, "fleet.csv"), join(folder, "fleet.json")]
    for path, content in zip(paths, (text.getvalue(), json.dumps(lines, indent=1))):
        write_text(path, content)
    return paths


def _escape(value: Any) -> Any:
    """Escape text as one cell: no formula, and no return, which older csv modules leave without quotes."""
    if not isinstance(value, str):
        return value
    value = value.replace("\r", " ")
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


class Bar:
    """A progress bar on a terminal; a line from time to time in a file."""

    def __init__(self, scenes: int) -> None:
        self.scenes, self.stream = scenes, sys.stderr
        self.counts: Counter[str] = Counter()
        self.started = self.shown = time.monotonic()

    def show(self, row: Row) -> None:
        """Count a scene, and report at once why it failed or what was made again."""
        self.counts[row.status] += 1
        if row.sentence and row.status != NO_PRODUCT:
            self.stream.write(f"\r{row.scene}{' failed' if row.status == FAILED else ''}: {row.sentence}\n")
        if self.stream.isatty():
            self.stream.write(f"\r{self.line()}")
        elif time.monotonic() - self.shown > EVERY:
            self.shown = time.monotonic()
            self.stream.write(f"{self.line()}\n")
        self.stream.flush()

    def line(self) -> str:
        """Return the progress as a line."""
        done = sum(self.counts.values())
        filled = WIDTH * done // max(self.scenes, 1)
        seconds = time.monotonic() - self.started
        failed = f", {self.counts[FAILED]} failed" if self.counts[FAILED] else ""
        return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done} of {self.scenes} scenes{failed}, {seconds:.0f} s"

    def end(self) -> str:
        """End the line; returns the outcome of all scenes in one sentence."""
        statuses = (SHARPENED, COMPLETE, FAILED, NO_PRODUCT)
        words = ", ".join(f"{self.counts[k]} {k}" for k in statuses if self.counts[k]) or "nothing to do"
        self.stream.write(f"\r{self.line()}\n")
        return f"{self.scenes} scenes in {time.monotonic() - self.started:.0f} s: {words}."
