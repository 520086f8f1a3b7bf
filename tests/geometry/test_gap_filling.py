"""Gaps are filled from what lies beside them, as far as the network reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from otfm_pansharpen.model.geometry.gap_filling import fill, fill_pan
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow

USUAL = TransferFunction.gaussian(0.3)


@pytest.mark.promise(5)
def test_values_are_carried_as_far_into_a_gap_as_networks_read():
    image = torch.full((1, 24, 24), 3.0)
    valid = torch.ones(24, 24, dtype=torch.bool)
    valid[:, 12:] = False
    filled = fill(image, valid)
    assert torch.allclose(filled[0, 12, 12:18], torch.tensor(3.0))


@pytest.mark.promise(5)
def test_gaps_of_bands_are_filled_band_by_band():
    image = torch.stack([torch.full((16, 16), 2.0), torch.full((16, 16), 5.0)])
    valid = torch.ones(2, 16, 16, dtype=torch.bool)
    valid[1, 4:8, 4:8] = False
    filled = fill(image * valid, valid)
    assert torch.allclose(filled, image)


@pytest.mark.promise(5)
def test_ms_pixels_that_hardly_hold_any_pan_do_not_say_how_pan_differs():
    """PAN lies a steady 1 above the intensity; beside its gap one MS pixel sees a few odd pixels of it alone."""
    pan, valid = torch.ones(48, 48), torch.ones(48, 48, dtype=torch.bool)
    valid[:, 24:] = False
    pan[:, 22:24] = 9.0
    ms = torch.zeros(1, 12, 12)
    whole = torch.ones(12, 12, dtype=torch.bool)
    pair = PairWindow(pan, valid, ms, whole, (1.5, 1.5), (4.0, 4.0))
    filled = fill_pan(pan, valid, ms[0], pair.mtf_resamplers(USUAL), pair.cubic_resamplers(Window(0, 0, 48, 48)))
    assert float(filled[24, 30:].mean()) < 2.0


def test_a_pan_pixel_counts_at_ms_only_where_pan_is_whole():
    valid = torch.ones(48, 48, dtype=torch.bool)
    valid[:, 24:] = False
    whole = torch.ones(12, 12, dtype=torch.bool)
    pair = PairWindow(torch.ones(48, 48), valid, torch.zeros(1, 12, 12), whole, (1.5, 1.5), (4.0, 4.0))
    _, counted = pair.pan_at_ms(USUAL)
    assert np.flatnonzero(counted[6].numpy()).max() <= 4  # the blur of the sixth reads the gap
