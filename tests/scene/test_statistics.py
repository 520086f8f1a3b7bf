"""Scene statistics: the conditions of the network have known values on scenes that were made to have them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.scenes import landscape
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.scene.statistics import measure_statistics
from otfm_pansharpen.model.training import sensor_effects


def statistics(ms, pan, valid=None):
    valid = np.ones(pan.shape[-2:], bool) if valid is None else valid
    return measure_statistics([(ms, pan, valid)], 2.0, TransferFunction.gaussian(0.3))


def test_dark_level_is_the_first_percentile():
    ramp = np.arange(10_000.0).reshape(100, 100)
    measured = statistics(np.stack([ramp, 2.0 * ramp + 50.0]), 3.0 * ramp + 7.0)
    assert measured.ms_dark == pytest.approx((100.0, 250.0), abs=1.0)
    assert measured.pan_dark == pytest.approx((307.0,), abs=1.0)
    deviation = float(ramp.std(ddof=1))
    assert measured.depth([1, 0]) == pytest.approx([(4999.5 - 100.0) / deviation] * 4, rel=1e-3)


def test_slope_rises_where_pan_is_softer_than_the_bands():
    reference = landscape(3, 200, 200).astype(np.float32)
    pan = reference.mean(0)
    plain = statistics(reference, pan)
    soft = statistics(reference, sensor_effects.soften(torch.from_numpy(pan), 0.7).numpy())
    assert all(s > p + 0.05 for s, p in zip(soft.slope, plain.slope, strict=True))


@pytest.mark.parametrize("shape", [(1, 200), (3, 100), (7, 60), (9, 30)])
def test_narrow_scenes_have_statistics(shape):
    pan = np.random.default_rng(0).random(shape)
    measured = statistics(np.stack([pan, 1.0 - pan]), pan)
    assert measured.bands == 2
    assert measured.slope == (0.0, 0.0)


def test_few_pixels_of_unrelated_rasters_do_not_seem_related():
    """Eight bands explain a fifth of any hundred numbers by chance."""
    rng = np.random.default_rng(0)
    fits = [statistics(rng.random((8, 14, 14)), rng.random((14, 14))).fit for _ in range(20)]
    assert sorted(fits)[10] < 0.1


def test_injection_is_limited_for_pan_without_detail_at_ms_scale():
    """PAN is a ramp: what is left of it after the high-pass is chance."""
    rng = np.random.default_rng(1)
    rows = np.tile(np.arange(40.0)[:, None], 40)
    measured = statistics(rng.random((3, 40, 40)) + rows / 10, rows + 1e-3 * rng.random((40, 40)))
    assert max(abs(i) for i in measured.injection) <= 3.0
