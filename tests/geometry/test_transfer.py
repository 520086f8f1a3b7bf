"""Transfer functions: their values, what is refused, and what the blur kernels made of them do to an image."""

from __future__ import annotations

import numpy as np
import pytest
from otfm_pansharpen.model.geometry.resampling import centres, mtf_resampler, resample
from otfm_pansharpen.model.geometry.transfer import FREQUENCIES, TransferFunction, evaluate

SHARPENED = (1.05, 1.09, 1.16, 1.23, 1.28, 1.20, 0.95, 0.62, 0.26, 0.1)
STEEP = (1.0, 1.0, 0.96, 0.86, 0.72, 0.54, 0.32, 0.19, 0.08, 0.04)
SHAPES = {
    "sharpened": SHARPENED,
    "steep": STEEP,
    "Gaussian 0.05": TransferFunction.gaussian(0.05).rows,
    "Gaussian 0.3": TransferFunction.gaussian(0.3).rows,
    "Gaussian 0.6": TransferFunction.gaussian(0.6).rows,
}


def response(values, ratio, frequency):
    """Return the contrast left of a wave of `frequency`, in MS Nyquist frequencies, after blur and sampling."""
    wave = np.exp(1j * np.pi * frequency / ratio * (np.arange(801) - 400.0))
    return float((mtf_resampler(801, np.array([400.0]), values, ratio).dense(801) @ wave)[0].real)


def test_gaussian_has_its_gain_at_nyquist():
    transfer = TransferFunction.gaussian(0.3, 0.5)
    assert transfer.rows == pytest.approx([0.3 ** (f * f) for f in FREQUENCIES])
    assert transfer.columns == pytest.approx([0.5 ** (f * f) for f in FREQUENCIES])
    assert transfer.gain == pytest.approx(np.sqrt(0.3 * 0.5))
    assert transfer.peak == 1.0
    assert TransferFunction.gaussian(0.3).columns == TransferFunction.gaussian(0.3).rows


def test_evaluate_continues_a_gaussian_beyond_nyquist():
    frequencies = np.array([0.0, 0.1, 1.0, 1.4, 2.0])
    gains = evaluate(TransferFunction.gaussian(0.3).rows, frequencies)
    assert gains == pytest.approx(0.3 ** (frequencies**2), abs=1e-6)


@pytest.mark.parametrize("values", [*SHAPES.values(), (1.0,) * 10, (0.0,) * 10], ids=[*SHAPES, "flat", "empty"])
def test_evaluate_falls_beyond_nyquist(values):
    """The values at Nyquist need not show the fall."""
    gains = evaluate(values, np.linspace(1.0, 3.0, 50))
    assert (np.diff(gains) <= 0.0).all()
    assert gains[-1] <= 0.06


def test_summary_holds_the_rows_then_the_columns():
    summary = TransferFunction(SHARPENED, STEEP).summary()
    assert summary == pytest.approx([1.125, 1.28, 0.785, 0.1, 0.98, 0.72, 0.255, 0.04])


def test_peak_is_that_of_the_sharper_axis():
    assert TransferFunction(STEEP, SHARPENED).peak == 1.28


@pytest.mark.parametrize(
    "values", [(0.5,) * 9, (0.5,) * 11, (), (*STEEP[:9], -0.01), (2.01, *STEEP[1:]), (float("nan"), *STEEP[1:])]
)
def test_values_out_of_range_are_refused(values):
    for axes in ((values, STEEP), (STEEP, values)):
        with pytest.raises(ValueError, match="10 values from 0 to 2"):
            TransferFunction(*axes)


@pytest.mark.parametrize("ratio", [2.0, 2.5, 4.0])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_kernel_has_the_response_of_its_function(shape, ratio):
    """At the frequencies of the values and between them; the taper rounds the shapes off a little."""
    for frequency in np.linspace(0.0, 1.0, 21):
        expected = float(evaluate(SHAPES[shape], np.array([frequency]))[0])
        assert response(SHAPES[shape], ratio, frequency) == pytest.approx(expected, abs=0.05), frequency


def test_sharpened_kernel_raises_medium_detail():
    assert response(SHARPENED, 4.0, 0.5) > 1.2
    assert response(STEEP, 4.0, 0.5) < 0.75


@pytest.mark.parametrize("ratio", [2.0, 4.0])
def test_kernels_of_rows_and_columns_differ(ratio):
    """A wave down the rows is raised by the rows' function, the same wave along the columns falls by theirs."""
    size, transfer = 128, TransferFunction(SHARPENED, STEEP)
    maps = [mtf_resampler(size, centres(size, 0.0, 1.0), v, ratio) for v in (transfer.rows, transfer.columns)]
    wave = np.cos(np.pi * 0.5 / ratio * np.arange(size))
    across = np.tile(wave, (size, 1))
    down = across.T
    middle = slice(40, 88)
    left = [
        float(resample(noise, *maps)[middle, middle].std() / noise[middle, middle].std()) for noise in (down, across)
    ]
    assert left == pytest.approx([1.28, 0.72], abs=0.06)
