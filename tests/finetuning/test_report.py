"""Log and report of fine-tuning."""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from helpers.finetuning import QUICK, run, stopping
from otfm_pansharpen.model.finetuning import finetune as finetuning
from otfm_pansharpen.model.network.weights import load_weights
from otfm_pansharpen.model.progress import Progress


@pytest.mark.promise(27)
def test_cancel_that_keeps_the_weights_has_its_report(pair, tmp_path):
    result = run(pair, tmp_path / "own.safetensors", stopping(0.5), steps=60, report=tmp_path / "r.html")
    assert result.improved
    assert result.weights_sha256 in (tmp_path / "r.html").read_text()


@pytest.mark.promise(27)
def test_report_that_fails_leaves_the_weights_and_a_warning(pair, tmp_path, monkeypatch):
    """The weights are in place after any error of the report."""

    def broken(*arguments):
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(finetuning, "write_report", broken)
    lines: list[str] = []
    result = run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), report=tmp_path / "r.html")
    assert load_weights(tmp_path / "own.safetensors").sha256 == result.weights_sha256
    assert any("r.html cannot be written (float division by zero); the weights are" in line for line in lines)


def test_progress_is_even_and_the_log_has_loss_figures_and_time(pair, tmp_path):
    shares: list[float] = []
    lines: list[str] = []
    run(pair, tmp_path / "own.safetensors", Progress(report=shares.append, log=lines.append), steps=40)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert max(np.diff(shares)) < 0.07
    log = "\n".join(lines)
    for words in ("MTF gain 0.", "blocks held out", ": score 0.", "Held-out blocks before: ERGAS", " s left"):
        assert words in log


def test_the_report_is_one_page_with_its_pictures(pair, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # which QGIS may lack
    report = tmp_path / "report <1> & more.html"
    result = run(pair, tmp_path / "own.safetensors", report=report)
    text = report.read_text()
    page = ET.fromstring(text.split("\n", 1)[1])
    pictures = [i.attrib["src"] for i in page.iter("img")]
    assert [c.text for c in page.iter("figcaption")][2:] == ["MS", "PAN", "before", "after", "difference"]
    assert len(pictures) == 5
    assert len(list(page.iter("svg"))) == 2
    for picture in pictures:
        prefix, data = picture.split(",", 1)
        assert prefix == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    words = " ".join(page.itertext())
    for value in (
        f"{result.before['ergas']:.4f}",
        f"{result.after['hqnr']:.4f}",
        result.weights_sha256,
        "ms.tif",
        "seed",
    ):
        assert value in words
    assert not re.search(r"[\[({]['\"]|\b(?:True|False|None)\b", words), "as Python writes it, not people"
    assert "http" not in text
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_the_lowest_printed_score_is_the_one_written(pair, tmp_path):
    lines: list[str] = []
    report = tmp_path / "report.html"
    result = run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), steps=20, report=report)
    printed = [line for line in lines if ": score " in line]
    scores = [line.split("score ")[1].split(";")[0].split(",")[0].rstrip(".") for line in printed]
    assert [f"{e.score:.4f}" for e in result.evaluations[1:]] == scores
    assert result.chosen == min(range(len(scores) + 1), key=lambda n: result.evaluations[n].score)
    text = report.read_text(encoding="utf-8")
    assert "chosen: " in text
    assert "<circle" in text
    assert "recipe" not in text


def test_the_log_says_whether_the_minutes_sufficed(pair, tmp_path):
    lines: list[str] = []
    recipe = replace(QUICK, ema=0.9999)  # the mean of 10,000 steps
    run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), steps=None, minutes=0.05, recipe=recipe)
    assert any("10000 or more are usual" in line for line in lines)
