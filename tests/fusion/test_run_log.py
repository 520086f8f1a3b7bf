"""The log of a run on its scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, load_image, save, sense
from otfm_pansharpen.model.fusion import measure as otfm_measure
from otfm_pansharpen.model.fusion import run_log
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.notices import Notice
from otfm_pansharpen.model.progress import Progress, format_duration


def log_of(pair, tmp_path, **changes):
    """Return the log of a run."""
    lines: list[str] = []
    fuse(job(pair, tmp_path / "o.tif", **changes), Progress(log=lines.append))
    return "\n".join(lines)


def warned(pair, tmp_path, **changes):
    """Return the numbers of a run's warnings by their codes."""
    return {n.code: n.numbers for n in fuse(job(pair, tmp_path / "o.tif", **changes)).notices}


def test_shift_that_differs_within_the_scene_is_reported(tmp_path):
    pair = Recipe(ratio=2.0, height=512, width=512).write(tmp_path)
    assert warned(pair, tmp_path) == {}
    bent = np.concatenate(
        [load_image(pair.ms)[:, :, :128], sense(pair.reference, 2.0, 0.3, (0.0, 2.0))[:, :, 128:]], axis=2
    )
    save(pair.ms, bent, transform=(5e5, 4, 0, 4e6, 0, -4))
    assert "shift_varies" not in warned(pair, tmp_path)  # because it is corrected
    assert warned(pair, tmp_path, align="scene")["shift_varies"]["pixels"] == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize(
    ("crest", "words"), [(1.28, "sharpened by its maker, up to 1."), (1.0, "of the contrast (measured)")]
)
def test_ms_that_its_maker_sharpened_is_reported(tmp_path, crest, words):
    pair = Recipe(ratio=2.0, height=400, width=400).write(tmp_path)
    steep = (1.0, 1.0, 0.96, 0.86, 0.72, 0.54, 0.32, 0.19, 0.08, 0.04)
    transfer = TransferFunction(tuple(max(v, min(crest, 1.6 * v)) if crest > 1.0 else v for v in steep), steep)
    save(pair.ms, sense(pair.reference, 2.0, transfer=transfer), transform=(5e5, 4, 0, 4e6, 0, -4))
    log = log_of(pair, tmp_path)
    assert words in log
    assert ("sharpened by its maker" in log) == (crest > 1.0)
    assert "Transfer function of MS relative to PAN" in log


@pytest.mark.parametrize("rows", [4.9, 9.0])
def test_shift_beyond_small_search_is_found_large_one_is_logged(tmp_path, rows):
    pair = Recipe(shift=(rows, 0.0), height=320, width=320).write(tmp_path)
    result = fuse(job(pair, tmp_path / "o.tif"))
    assert result.metrics.shift == pytest.approx((rows, 0.0), abs=0.1)
    assert [n.code for n in result.notices] == (["large_shift"] if rows > 5 else [])


def test_warnings_reach_the_caller_as_they_are_found(tmp_path):
    """As data where they are wanted so, else as sentences in the log; each once."""
    pair = Recipe(shift=(9.0, 0.0), height=320, width=320).write(tmp_path)
    notices: list[Notice] = []
    lines: list[str] = []
    result = fuse(job(pair, tmp_path / "o.tif"), Progress(log=lines.append, notice=notices.append))
    assert tuple(notices) == result.notices
    assert not any("Warning" in line for line in lines)
    assert log_of(pair, tmp_path).count(f"Warning: {notices[0].sentence}") == 1


@pytest.mark.parametrize("bare", ["pan", "ms", "both"])
def test_assumptions_are_logged(tmp_path, bare):
    pair = Recipe().write(tmp_path)
    for name, path, pixel in (("pan", pair.pan, 2), ("ms", pair.ms, 8)):
        if bare == "both":
            save(path, load_image(path), transform=(0, 1, 0, 0, 0, 1), crs=None)
        elif bare == name:
            save(path, load_image(path), transform=(5e5, pixel, 0, 4e6, 0, -pixel), crs=None)
    words = {"both": "taken to cover the same area", "pan": "PAN names no reference", "ms": "MS names no reference"}
    assert words[bare] in log_of(pair, tmp_path)


def test_one_is_singular_and_nothing_has_no_minus(tmp_path, monkeypatch):
    def barely_off(*arguments):
        return replace(measure(*arguments), shift=(0.25, -0.001))

    measure = otfm_measure.measure_registration
    monkeypatch.setattr(otfm_measure, "measure_registration", barely_off)
    log = log_of(Recipe(shift=(0.25, 0.0)).write(tmp_path), tmp_path)
    assert log.count("+0.25 rows") == 2
    assert "-0.00" not in log
    assert ", 1 step." in log
    assert "(s)" not in log


def test_length_of_a_tuning_is_logged(tmp_path):
    lines: list[str] = []
    for minutes in (1.0, 2.5):
        run_log.report_tuning(
            job(Recipe().write(tmp_path), tmp_path / "o.tif", adapt=minutes), Progress(log=lines.append)
        )
    assert lines[0] == "Tuning the weights on this scene for 1 minute."
    assert lines[1] == "Tuning the weights on this scene for 2.5 minutes."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.24, "4.2 s"), (9.99, "10 s"), (59.6, "1 min 0 s"), (192.4, "3 min 12 s"), (7505.0, "2 h 5 min")],
)
def test_times_are_logged_in_hours_minutes_and_seconds(seconds, words):
    assert format_duration(seconds) == words
