"""Figures as words."""

from __future__ import annotations

import math

import pytest
from otfm_pansharpen.model.wording import compare_errors, format_figure, format_percent, format_signed, format_value


@pytest.mark.promise(27)
@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (-0.001, "0.00"), (-0.0, "0.00"), (1.005, "1.00"), (-2.5, "-2.50"), (None, "not measurable"),
     (math.nan, "not measurable"), (math.inf, "infinite"), (-math.inf, "minus infinite")],
)  # fmt: skip
def test_format_figure(value, text):
    assert format_figure(value, ".2f") == text


def test_format_signed_and_percent():
    assert [format_signed(v) for v in (-0.001, 0.004, -1.5)] == ["+0.00", "+0.00", "-1.50"]
    assert [format_percent(v) for v in (0.0, 0.256, math.nan)] == ["0 %", "26 %", "not measurable"]


@pytest.mark.parametrize("value", [0.0, 255.0, -9999.0, 16777215.0, 4294967295.0, -3.4028234663852886e38, 0.1])
def test_format_value_reads_back_exactly(value):
    assert float(format_value(value)) == value
    assert len(format_value(value)) <= len(repr(value))


@pytest.mark.promise(27)
@pytest.mark.parametrize(
    ("error", "other", "words"),
    [(0.0, 0.0, "as small as"), (3e-8, 0.0, "as small as"), (1.0, 0.0, "more than"), (0.0, 1.0, "100 % less than"),
     (1.0, 1.0, "as large as"), (1.5, 1.0, "50 % more than"), (1.0, math.inf, "not comparable with"),
     (math.nan, 1.0, "not comparable with")],
)  # fmt: skip
def test_compare_errors(error, other, words):
    assert compare_errors(error, other) == words
