"""The MTF and interpolation maps do to a signal what optics and arithmetic say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otfm_pansharpen.model.degradation import centres, cubic_matrix, mtf_matrix

ratios = st.floats(1.5, 8)
gains = st.floats(0.02, 0.7)


@pytest.mark.parametrize("gain", [0.05, 0.2, 0.35])
@pytest.mark.parametrize("ratio", [2.0, 2.5, 4.0])
def test_gain_at_nyquist_is_the_one_asked_for(gain, ratio):
    size = 400
    wave = np.cos(np.pi * np.arange(size) / ratio)  # half a cycle per MS pixel
    blurred = mtf_matrix(size, np.arange(size, dtype=float), gain, ratio) @ wave
    middle = slice(100, 300)
    assert (blurred[middle] @ wave[middle]) / (wave[middle] @ wave[middle]) == pytest.approx(gain, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(ratios, gains, st.floats(-3, 3))
def test_flat_signals_stay_flat(ratio, gain, origin):
    spots = centres(20, origin, ratio)
    assert np.allclose(mtf_matrix(90, spots, gain, ratio) @ np.full(90, 7.0), 7.0)
    assert np.allclose(cubic_matrix(90, spots) @ np.full(90, 7.0), 7.0)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 1.0), st.floats(-0.9, 0.9))
def test_cubic_interpolation_keeps_ramps(step, origin):
    spots = centres(50, 5 + origin, step)
    assert np.allclose(cubic_matrix(80, spots) @ np.arange(80.0), spots)


@settings(max_examples=40, deadline=None)
@given(ratios, gains, st.integers(0, 30))
def test_a_window_reads_what_the_whole_reads(ratio, gain, start):
    signal = np.random.default_rng(1).standard_normal(200)
    spots = centres(5, 80.0, ratio)
    whole = mtf_matrix(200, spots, gain, ratio) @ signal
    part = mtf_matrix(200 - start, spots - start, gain, ratio) @ signal[start:]
    assert np.allclose(whole, part)
