"""Shift and sharpness are read off the pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from otfm_pansharpen.model.alignment import DEFAULT_GAIN, PairWindow, measure_relation
from scenes import landscape, sense


def window(ratio=4, gain=0.3, shift=(0.0, 0.0), seed=3, noise=0.0):
    sharp = landscape(4, 320, 320, seed)
    ms = torch.tensor(sense(sharp, ratio, gain, shift), dtype=torch.float32)
    pan = torch.tensor(sharp.mean(0), dtype=torch.float32)
    rng = np.random.default_rng(seed)
    ms = ms + noise * ms.std() * torch.tensor(rng.standard_normal(ms.shape), dtype=torch.float32)
    half = (ratio - 1) / 2
    valid = [torch.ones(i.shape[-2:], dtype=torch.bool) for i in (pan, ms)]
    return PairWindow(pan, valid[0], ms, valid[1], (half, half), (ratio, ratio))


@pytest.mark.parametrize("shift", [(0, 0), (1.5, -0.7), (-2.8, 3.0), (0.3, 0.25)])
def test_shift_is_recovered(shift):
    relation = measure_relation([window(shift=shift)])
    assert relation.reliable
    assert relation.shift == pytest.approx(shift, abs=0.1)


@pytest.mark.parametrize("ratio", [2, 4])
@pytest.mark.parametrize("gain", [0.06, 0.3, 0.5])
def test_gain_is_recovered(gain, ratio):
    relation = measure_relation([window(ratio=ratio, gain=gain)])
    assert relation.gain == pytest.approx(gain, rel=0.2)
    assert relation.band_gains == pytest.approx((gain,) * 4, rel=0.3)


def test_shift_off_is_not_corrected():
    relation = measure_relation([window(shift=(2.0, 0.0))], align=False)
    assert relation.shift == (0.0, 0.0)


def test_given_gain_is_kept():
    assert measure_relation([window()], gain=0.15).gain == 0.15


def test_nothing_is_invented_where_the_scene_does_not_tell():
    pair = window()
    noise = torch.tensor(np.random.default_rng(0).standard_normal(pair.ms.shape), dtype=torch.float32)
    relation = measure_relation([PairWindow(pair.pan, pair.pan_valid, noise, pair.ms_valid, pair.origin, pair.step)])
    assert not relation.reliable
    assert relation.shift == (0.0, 0.0)
    assert relation.gain == DEFAULT_GAIN


def test_gaps_do_not_mislead():
    pair = window(shift=(1.0, -1.0))
    pair.pan[:, :90] = 0
    pair.pan_valid[:, :90] = False
    pair.ms[:, 50:] = 0
    pair.ms_valid[50:] = False
    assert measure_relation([pair]).shift == pytest.approx((1.0, -1.0), abs=0.1)
