"""Gaps are filled from their neighbours, as far as the network reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.gap_filling import fill, fill_pan
from otfm_pansharpen.model.quality.comparison import reduced_pair

USUAL = TransferFunction.gaussian(0.3)


@pytest.mark.promise(5)
def test_values_are_carried_as_far_into_a_gap_as_networks_read():
    bands = torch.full((1, 24, 24), 3.0)
    valid = torch.ones(24, 24, dtype=torch.bool)
    valid[:, 12:] = False
    filled = fill(bands, valid)
    assert torch.allclose(filled[0, 12, 12:18], torch.tensor(3.0))


@pytest.mark.promise(5)
def test_gaps_of_bands_are_filled_band_by_band():
    bands = torch.stack([torch.full((16, 16), 2.0), torch.full((16, 16), 5.0)])
    valid = torch.ones(2, 16, 16, dtype=torch.bool)
    valid[1, 4:8, 4:8] = False
    filled = fill(bands * valid, valid)
    assert torch.allclose(filled, bands)


@pytest.mark.promise(5)
def test_ms_pixels_with_hardly_any_pan_do_not_count():
    """PAN is 1 above the intensity; next to its gap one MS pixel covers only a few pixels, with other values."""
    pan, valid = torch.ones(48, 48), torch.ones(48, 48, dtype=torch.bool)
    valid[:, 24:] = False
    pan[:, 22:24] = 9.0
    ms, whole = np.zeros((1, 12, 12), np.float32), np.ones((12, 12), bool)
    pair = PairWindow(pan.numpy(), valid.numpy(), ms, whole, (1.5, 1.5), (4.0, 4.0))
    filled = fill_pan(
        pan, valid, torch.from_numpy(ms[0]), pair.mtf_resamplers(USUAL), pair.cubic_resamplers(Window(0, 0, 48, 48))
    )
    assert float(filled[24, 30:].mean()) < 2.0


@pytest.mark.promise(5)
def test_negative_lobes_that_read_a_gap_do_not_count():
    """A sharpened function's kernel has lobes of a seventh of its weight, which cancel each other in a gap's share."""
    sharpened = TransferFunction(*[(1.05, 1.09, 1.16, 1.23, 1.28, 1.2, 0.95, 0.62, 0.26, 0.1)] * 2)
    pan, valid = np.full((96, 96), 500.0, np.float32), np.ones((96, 96), bool)
    valid[:, 48:] = False
    whole = np.ones((24, 24), bool)
    pair = PairWindow(pan * valid, valid, np.zeros((1, 24, 24), np.float32), whole, (1.5, 1.5), (4.0, 4.0))
    low, counted = pair.pan_at_ms(sharpened)
    assert 100 < int(counted.sum()) < 24 * 12
    assert low[counted] == pytest.approx(500.0, rel=0.01)
    assert reduced_pair(replace(pair, pan=pan, pan_valid=np.ones_like(valid)), 2.0, sharpened).ms_valid.all()
    ms = np.full((1, 24, 24), 500.0, np.float32)
    ms[:, :, 12:] = 0.0
    gap = replace(pair, pan=pan, pan_valid=np.ones_like(valid), ms=ms, ms_valid=ms[0] > 0)
    small = reduced_pair(gap, 2.0, sharpened)
    assert int(small.ms_valid.sum()) >= 12
    assert small.ms[0, small.ms_valid] == pytest.approx(500.0, rel=0.01)


def test_a_pan_pixel_counts_at_ms_only_where_pan_is_whole():
    valid = np.ones((48, 48), bool)
    valid[:, 24:] = False
    whole = np.ones((12, 12), bool)
    pair = PairWindow(
        np.ones((48, 48), np.float32), valid, np.zeros((1, 12, 12), np.float32), whole, (1.5, 1.5), (4.0, 4.0)
    )
    _, counted = pair.pan_at_ms(USUAL)
    assert np.flatnonzero(counted[6]).max() <= 4  # the blur of the sixth reads the gap
