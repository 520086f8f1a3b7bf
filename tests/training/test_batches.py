"""Patches of examples: an MS pixel counts where the patch holds its whole kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.scenes import landscape, sense
from helpers.training import CALM
from otfm_pansharpen.model.finetuning.tuner import RealPairBuffer
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.flow_network import NetworkConfig
from otfm_pansharpen.model.training.batches import ExampleBuffer
from otfm_pansharpen.model.training.dataset import Source
from otfm_pansharpen.model.training.simulation import simulate
from otfm_pansharpen.model.training.simulation_config import SimulationConfig

SHARPENED = TransferFunction(*[(1.05, 1.09, 1.16, 1.23, 1.28, 1.20, 0.95, 0.62, 0.26, 0.1)] * 2)
NETWORK = NetworkConfig()


@pytest.fixture(scope="module")
def source():
    reference = landscape(4, 256, 256)
    pan = torch.tensor(reference.mean(0), dtype=torch.float32)
    ms = torch.tensor(sense(reference, 2.0, transfer=SHARPENED), dtype=torch.float32)
    whole = [np.ones(i.shape[-2:], bool) for i in (pan, ms)]
    pair = PairWindow(pan.numpy(), whole[0], ms.numpy(), whole[1], (0.5, 0.5), (2.0, 2.0))
    return Source("pair", "a", torch.tensor(reference, dtype=torch.float32), pan, pair, SHARPENED)


@pytest.mark.parametrize("origin", ["simulated", "real"])
def test_known_pixels_of_a_patch_hold_whole_kernels(source, origin):
    """A kernel cut in its negative lobes sums to more than 1, and the patch gives other values than MS has."""
    if origin == "simulated":
        simulation = SimulationConfig(crop=128, transfers=(SHARPENED,), hole_share=0.5)
        buffer = ExampleBuffer([source], simulation, NETWORK, 6, [1])
        buffer.advance(0)
        batch = buffer.batch(6, 64, 0)
    else:
        batch = RealPairBuffer([source], NETWORK, 6, 96, [1]).batch(6, 64, 0)
    flat = batch.degrade(torch.ones_like(batch.target))
    assert batch.known.float().mean() > 0.05
    assert float((flat - 1.0)[batch.known].abs().max()) < 0.02
    if origin == "simulated":
        assert float((batch.degrade(batch.target) - batch.ms)[batch.known].abs().mean()) < 0.06


@pytest.mark.parametrize("seed", range(6))
def test_pixels_not_to_be_learnt_from_do_not_leak_through_lobes(source, seed):
    """Values of the invalid half change no pixel of the valid half, however far the kernel's lobes reach."""
    seen = {"crop": 128, "shrunk_share": 0.0, "synthetic_share": 0.0, "band_jitter": 0.0, "exact_share": 1.0}
    simulation = replace(CALM, **seen, transfers=(SHARPENED,))
    valid = torch.ones(256, 256, dtype=torch.bool)
    valid[:, :128] = False
    results = []
    for level in (0.0, 3000.0):
        ms = torch.where(valid, source.ms, level)
        example = simulate(
            replace(source, ms=ms, pan=ms.mean(0), valid=valid), simulation, NETWORK, np.random.default_rng(seed)
        )
        results.append(torch.where(example.valid, example.lms, 0.0))
        assert 0.05 < example.valid.float().mean() < 0.95
    assert torch.allclose(results[0], results[1], atol=0.02)
