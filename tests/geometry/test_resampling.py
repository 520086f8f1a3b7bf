"""The MTF and interpolation maps do to a signal what optics and arithmetic say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otfm_pansharpen.model.geometry.resampling import centres, cubic_resampler, mtf_resampler
from otfm_pansharpen.model.geometry.transfer import TransferFunction

ratios = st.floats(1.5, 8)
gains = st.floats(0.02, 0.7)


def gaussian(gain):
    """Values of a Gaussian along one axis."""
    return TransferFunction.gaussian(gain).rows


def dense(size, positions, values, ratio):
    """The map that `mtf_resampler` describes, as a matrix."""
    return mtf_resampler(size, positions, values, ratio).dense(size)


@pytest.mark.parametrize("gain", [0.05, 0.2, 0.35])
@pytest.mark.parametrize("ratio", [2.0, 2.5, 4.0])
def test_gain_at_nyquist_is_the_one_asked_for(gain, ratio):
    size = 400
    wave = np.cos(np.pi * np.arange(size) / ratio)  # half a cycle per MS pixel
    blurred = dense(size, np.arange(size, dtype=float), gaussian(gain), ratio) @ wave
    middle = slice(100, 300)
    assert (blurred[middle] @ wave[middle]) / (wave[middle] @ wave[middle]) == pytest.approx(gain, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(ratios, gains, st.floats(-3, 3))
def test_flat_signals_stay_flat(ratio, gain, origin):
    positions = centres(20, origin, ratio)
    assert np.allclose(dense(90, positions, gaussian(gain), ratio) @ np.full(90, 7.0), 7.0)
    assert np.allclose(cubic_resampler(90, positions).dense(90) @ np.full(90, 7.0), 7.0)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 1.0), st.floats(-0.9, 0.9))
def test_cubic_interpolation_keeps_ramps(step, origin):
    positions = centres(50, 5 + origin, step)
    assert np.allclose(cubic_resampler(80, positions).dense(80) @ np.arange(80.0), positions)


@settings(max_examples=40, deadline=None)
@given(ratios, gains, st.integers(0, 30))
def test_a_window_reads_what_the_whole_reads(ratio, gain, start):
    signal = np.random.default_rng(1).standard_normal(200)
    positions = centres(5, 80.0, ratio)
    whole = dense(200, positions, gaussian(gain), ratio) @ signal
    part = dense(200 - start, positions - start, gaussian(gain), ratio) @ signal[start:]
    assert np.allclose(whole, part)


@pytest.mark.parametrize("size", [1, 3, 7, 90])
@pytest.mark.parametrize("count", [1, 31, 77])
def test_readings_are_the_same_maps_as_their_matrices(size, count):
    """Also beyond the ends, where the end sample counts for all that lie outside."""
    positions = np.linspace(-3.3, size + 4.1, count)
    pixels = np.random.default_rng(0).standard_normal((2, size, 6)).astype(np.float32)
    for reading in (mtf_resampler(size, positions, gaussian(0.1), 4.0), cubic_resampler(size, positions)):
        expected = reading.dense(size) @ pixels
        assert np.allclose(reading.dense(size).sum(1), 1.0)
        assert np.allclose(reading.down(pixels), expected, atol=1e-5)
        assert np.allclose(reading.across(pixels.swapaxes(1, 2)), expected.swapaxes(1, 2), atol=1e-5)
    if size > 1:
        past = cubic_resampler(size, np.array([size + 2.0])).dense(size)
        assert past[0, -1] == pytest.approx(1.0)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1.0])
def test_the_response_is_that_of_the_gaussian_at_every_frequency(share):
    """A kernel that ends too early differs far below Nyquist first."""
    ratio, gain = 4.0, 0.3
    frequency = share / (2.0 * ratio)
    signal = np.cos(2.0 * np.pi * frequency * (np.arange(801) - 400.0))
    kernel = dense(801, np.array([400.0]), gaussian(gain), ratio)
    assert float((kernel @ signal)[0]) == pytest.approx(gain ** (share**2), abs=0.003)
