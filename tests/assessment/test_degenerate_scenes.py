"""Assessments of scenes with next to nothing in them: figures or "not measurable" in log and report, never NaN."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from helpers.degenerate import (
    FUSED,
    constant_both,
    constant_ms,
    constant_pan,
    half_nan,
    one_constant_band,
    one_zero_band,
    write_scene,
    zero_mean,
    zero_ms,
    zero_pan,
)
from helpers.fusion import job
from otfm_pansharpen.model.assessment.assess import assess
from otfm_pansharpen.model.assessment.job import AssessJob
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.page import plot
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource

FLAT_MS = (constant_ms, zero_ms, constant_both)


def assessed(change, folder):
    """Return the assessment of a scene's own result, and the text of log and report."""
    pair = write_scene(change, folder)
    fuse(job(pair, folder / "fused.tif"))
    pan, ms, fused = (RasterSource(str(p)) for p in (pair.pan, pair.ms, folder / "fused.tif"))
    lines: list[str] = []
    result = assess(AssessJob(pan, ms, (fused,), folder / "r.html"), Progress(log=lines.append))
    page = ET.fromstring((folder / "r.html").read_text().split("\n", 1)[1])
    return result, "\n".join([*lines, *page.itertext()]).replace(str(folder), "")


@pytest.mark.promise(27)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("change", [k for k in FUSED if k not in FLAT_MS])
def test_report_has_figures_or_says_not_measurable(tmp_path, change):
    result, text = assessed(change, tmp_path)
    assert not re.search(r"\b(nan|inf|infinite)\b", text), text
    assert not re.search(r"\d{6,}\.\d+ %", text), "a share of next to nothing"
    not_measurable = change in (constant_pan, zero_pan, one_constant_band, one_zero_band, zero_mean)
    assert ("not measurable" in text) or not not_measurable
    assert change is half_nan or result.verdicts[0].faults == ()  # the edge of a gap of MS looks like a seam


def test_verdict_says_that_detail_cannot_be_measured(tmp_path):
    result, _ = assessed(zero_pan, tmp_path)
    assert "shift and detail cannot be measured" in result.verdicts[0].sentences[1]
    assert "no wrong amount of detail" not in result.verdicts[0].sentences[1]


@pytest.mark.parametrize("change", FLAT_MS)
def test_flat_ms_is_refused_for_what_it_is(tmp_path, change):
    with pytest.raises(InputError, match=r"MS has one value in each band .* nothing can be compared"):
        assessed(change, tmp_path)
    assert not (tmp_path / "r.html").exists()


@pytest.mark.filterwarnings("error")
def test_plot_without_any_figure_is_an_empty_one():
    drawn = plot("Loss", [0.0, 1.0], {"loss": [np.nan, np.nan]})
    assert [points for _, _, points in drawn.curves] == [""]
    assert "nan" not in str(plot("Loss", [0.0], {"loss": [np.nan]}))
