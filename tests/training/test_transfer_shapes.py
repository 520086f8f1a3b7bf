"""Random transfer functions have the shapes of products: limits, peaks above 1, axes that differ."""

from __future__ import annotations

import numpy as np
import pytest
from otfm_pansharpen.model.geometry.transfer import FREQUENCIES, MAX_TRANSFER, TransferFunction
from otfm_pansharpen.model.training.transfer_shapes import MAX_GAIN, MIN_GAIN, draw_transfer, jitter_transfer


def drawn(gaussian_share=0.0, gain=0.2, uneven=0.08, count=200):
    return [draw_transfer(gain, uneven, gaussian_share, np.random.default_rng(seed)) for seed in range(count)]


def test_draw_transfer_repeats_and_varies():
    assert drawn(0.3, count=20) == drawn(0.3, count=20)
    assert len(set(drawn(0.3, count=20))) == 20


@pytest.mark.parametrize("gain", [0.001, 0.2, 3.0])
def test_drawn_values_lie_within_the_limits(gain):
    """Also where the gain that is asked for does not."""
    values = np.array([(t.rows, t.columns) for t in drawn(0.3, gain)])
    assert values.shape == (200, 2, len(FREQUENCIES))
    assert values.min() >= 0.0
    assert values.max() <= MAX_TRANSFER


def test_some_drawn_functions_are_sharpened():
    """Only some exceed 1, as most crests are on a fall; those of products with a high gain do."""
    peaks = np.array([t.peak for t in drawn(gain=0.5)])
    assert 0.1 < np.mean(peaks > 1.05) < 0.5
    assert peaks.max() > 1.2
    assert any(t.peak > 1.05 for t in drawn(gain=0.1))
    assert all(t.peak == 1.0 for t in drawn(1.0))


def test_drawn_rows_differ_from_columns():
    for share in (0.0, 1.0):
        assert all(t.rows != t.columns for t in drawn(share))
        between = [abs(np.log(max(t.rows[-1], 0.01) / max(t.columns[-1], 0.01))) for t in drawn(share)]
        assert 0.03 < np.median(between) < 1.0


def test_drawn_functions_have_about_the_gain_asked_for():
    for gain in (0.1, 0.4):
        assert np.median([t.gain for t in drawn(gain=gain)]) == pytest.approx(gain, rel=0.3)


def test_drawn_gaussians_are_even_where_asked_for():
    assert set(drawn(1.0, 0.2, 0.0, 5)) == {TransferFunction.gaussian(0.2)}
    assert set(drawn(1.0, 5.0, 0.0, 5)) == {TransferFunction.gaussian(MAX_GAIN)}
    assert set(drawn(1.0, 0.001, 0.0, 5)) == {TransferFunction.gaussian(MIN_GAIN)}


def test_jitter_moves_the_fall_of_both_axes_equally():
    transfer = TransferFunction.gaussian(0.3, 0.5)
    assert jitter_transfer(transfer, 0.0, np.random.default_rng(0)) == transfer
    moved = [jitter_transfer(transfer, 0.1, np.random.default_rng(seed)) for seed in range(300)]
    falls = np.log([(t.rows[-1] / 0.3, t.columns[-1] / 0.5) for t in moved])
    assert falls[:, 0] == pytest.approx(falls[:, 1], abs=1e-9)
    assert float(falls.std()) == pytest.approx(0.1, rel=0.15)
    assert np.abs(np.log([t.rows[0] / transfer.rows[0] for t in moved])).max() < 0.005


def test_jitter_stays_within_the_limits():
    highest = TransferFunction((MAX_TRANSFER,) * 10, (0.0,) * 10)
    moved = [jitter_transfer(highest, 0.5, np.random.default_rng(seed)) for seed in range(20)]
    assert all(max(t.rows) <= MAX_TRANSFER and set(t.columns) == {0.0} for t in moved)
