"""The network's inputs are equal in fusion, training and fine-tuning, also next to gaps."""

from __future__ import annotations

import numpy as np
import torch
from helpers.scenes import landscape, sense
from otfm_pansharpen.model.finetuning.tuner import RealPairBuffer
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.conditioning import condition
from otfm_pansharpen.model.network.flow_network import NetworkConfig
from otfm_pansharpen.model.network.tensor_resampling import resample
from otfm_pansharpen.model.scene.statistics import measure_statistics
from otfm_pansharpen.model.training.dataset import USUAL, Source

SIDE = 128


def pair_with_gaps(origin: float) -> PairWindow:
    """Make a pair of ratio 2; at origin 0, as in Landsat L1TP, every second PAN pixel is between two MS pixels."""
    reference = landscape(4, SIDE, SIDE)
    ms = sense(reference, 2.0, shift=(origin - 0.5, origin - 0.5)).astype(np.float32)
    ms_valid = np.ones(ms.shape[1:], bool)
    ms_valid[10:21, 30:43] = False
    pan_valid = np.ones((SIDE, SIDE), bool)
    pan_valid[70:90, 20:47] = False
    pan = reference.mean(0).astype(np.float32)
    return PairWindow(pan * pan_valid, pan_valid, ms * ms_valid, ms_valid, (origin, origin), (2.0, 2.0))


def test_tuning_at_full_resolution_reads_what_fusion_reads():
    for origin in (0.0, 0.5):
        pair = pair_with_gaps(origin)
        ms, low = map(torch.from_numpy, (pair.ms, pair.pan_at_ms(USUAL)[0]))
        source = Source("pair", "a", ms, low, pair, USUAL)
        read = RealPairBuffer([source], NetworkConfig(bands=4), 1, SIDE, [1]).examples[0]
        statistics = measure_statistics([(pair.ms, *pair.pan_at_ms(USUAL))], 2.0, USUAL)
        conditions = condition(pair, Window(0, 0, SIDE, SIDE), statistics)
        fine = resample(conditions.coarse, conditions.rows, conditions.columns)
        assert conditions.valid is not None
        assert np.array_equal(read.valid[0], conditions.valid)
        assert torch.allclose(read.guides[:4], conditions.pan.expand(4, -1, -1), atol=1e-5)
        assert torch.allclose(read.guides[4:8], fine[:1].expand(4, -1, -1), atol=1e-4)
        assert torch.allclose(read.guides[8], fine[1], atol=1e-4)
        bands = [int(np.argmin([float((band - lms).abs().max()) for band in fine[2:]])) for lms in read.lms]
        assert sorted(bands) == [0, 1, 2, 3]
        assert torch.allclose(read.lms, fine[2:][bands], atol=1e-4)
