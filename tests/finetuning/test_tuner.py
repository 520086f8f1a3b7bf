"""The steps of fine-tuning: examples of real pairs, and the turn that full resolution takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.scenes import landscape, sense
from otfm_pansharpen.model.errors import TrainingError
from otfm_pansharpen.model.finetuning.job import Recipe
from otfm_pansharpen.model.finetuning.tuner import RealPairBuffer, Tuner
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.training.batches import ExampleBuffer
from otfm_pansharpen.model.training.dataset import USUAL, Source
from otfm_pansharpen.model.training.simulation_config import SimulationConfig
from otfm_pansharpen.model.training.transport import spectral_cost

NETWORK = NetworkConfig(width=8, blocks=1, hidden=8)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def source():
    """A pair of ratio 2, as fine-tuning passes it on."""
    reference = landscape(4, 256, 256)
    pan = torch.tensor(reference.mean(0), dtype=torch.float32)
    ms = torch.tensor(sense(reference, 2.0), dtype=torch.float32)
    whole = [np.ones(i.shape[-2:], bool) for i in (pan, ms)]
    pair = PairWindow(pan.numpy(), whole[0], ms.numpy(), whole[1], (0.5, 0.5), (2.0, 2.0))
    return Source("pair", "a", ms, torch.from_numpy(pair.pan_at_ms(USUAL)[0]), pair, USUAL)


def tuner(source: Source, **changes: Any) -> Tuner:
    recipe = replace(Recipe(rate=2e-3, batch=2, pool=2, warmup=1, full_examples=4, full_side=64), **changes)
    made = Tuner(FlowNetwork(NETWORK), (0, 1, 2, 3), recipe, SimulationConfig(crop=64), [source], 32, 1, CPU, False)
    made.steps = 60
    return made


def test_one_step_in_so_many_is_at_full_resolution(source):
    """The cost at full resolution has no weight here, so the loss of those steps is 0."""
    tuned = tuner(source, full_every=3, full_weight=0.0)
    costs = [float(tuned.advance()) for _ in range(9)]
    assert [cost == 0.0 for cost in costs] == [False, True, False] * 3


def test_examples_group_bands_as_fusion_does_as_often_as_asked():
    """Bands are recognised by their share of PAN's detail."""
    rng = np.random.default_rng(5)
    pan = torch.tensor(landscape(1, 256, 256)[0], dtype=torch.float32)
    patches = rng.normal(0.0, 4.0 * float(pan.std()), (4, 64, 64)).repeat(4, axis=1).repeat(4, axis=2)
    noise = torch.tensor(patches, dtype=torch.float32)
    shares = torch.tensor([0.95, 0.8, 0.6, 0.3])[:, None, None]
    whole = np.ones((256, 256), bool)
    ms = torch.tensor(sense(np.asarray(shares * pan + (1.0 - shares) * noise), 2.0), dtype=torch.float32)
    pair = PairWindow(pan.numpy(), whole, ms.numpy(), np.ones(ms.shape[-2:], bool), (0.5, 0.5), (2.0, 2.0))
    sources = [Source("pair", "a", ms, torch.from_numpy(pair.pan_at_ms(USUAL)[0]), pair, USUAL)]
    network = replace(NETWORK, order=(2, 0, 3, 1))
    for share, expected in ((1.0, {(1, 3, 0, 2)}), (0.0, None)):
        simulation = SimulationConfig(crop=96, paired_share=1.0, synthetic_share=0.0, ordered_share=share)
        simulated = ExampleBuffer(sources, simulation, network, 6, [1])
        simulated.advance(0)
        for examples in (simulated.examples, RealPairBuffer(sources, network, 6, 96, [1], share).examples):
            ranks = {tuple((-e.injection).argsort().tolist()) for e in examples}
            assert ranks == expected if expected else len(ranks) > 1


def test_full_resolution_fixes_colours(source):
    """The spectral cost of a map with spoiled colours falls."""
    tuned = tuner(source, full_every=2)
    with torch.no_grad():
        bias = dict(tuned.network.named_parameters())["tail.bias"]
        bias[len(bias) // 2 :] += 0.3
    batch = tuned.real.batch(4, 64, 0)

    def missed() -> float:
        with torch.no_grad():
            return float(spectral_cost(batch, tuned.estimate(batch, torch.zeros(4))).mean())

    before = missed()
    for _ in range(60):
        tuned.advance()
    assert missed() < 0.7 * before


def test_squares_with_few_gaps_are_taken(source):
    valid = np.ones_like(source.pair.pan_valid)
    valid[:, :200] = False
    holed = replace(source, pair=replace(source.pair, pan_valid=valid))
    squares = RealPairBuffer([holed], NETWORK, 8, 64, [1]).examples
    shares = [float(s.valid.float().mean()) for s in squares]
    assert min(shares) > 0.0
    assert np.mean(shares) > 0.5  # one square at random holds 0.23 on average


def test_a_pair_that_is_too_small_is_refused(source):
    with pytest.raises(TrainingError, match="300 pixels a side"):
        RealPairBuffer([source], NETWORK, 1, 300, [1])
