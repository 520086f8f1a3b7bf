"""Training: resumable to the same result, learning, and stopping in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from otfm_pansharpen.model.errors import TrainingError
from otfm_pansharpen.model.network import NetworkConfig
from otfm_pansharpen.model.simulation import SimulationConfig, Source, simulate
from otfm_pansharpen.model.training import Run, TrainingConfig, regression_loss
from scenes import landscape

NETWORK = NetworkConfig(width=8, blocks=1, hidden=8)
SIMULATION = SimulationConfig(crop=64)
TRAINING = TrainingConfig(steps=40, batch=2, patch=32, pool=4, warmup=2)


@pytest.fixture(scope="module")
def sources():
    image = torch.tensor(landscape(5, 160, 160), dtype=torch.float32)
    return [Source("pair", "a", image, image.mean(0)), Source("ms", "b", image.flip(1), None)]


def run(sources, **changes):
    config = TrainingConfig(**{**vars(TRAINING), **changes})
    return Run(NETWORK, SIMULATION, config, sources, torch.device("cpu"))


def silent(step, loss):
    pass


def weights(run):
    return torch.cat([p.flatten() for p in run.average.parameters()])


def test_an_interrupted_run_goes_on_to_the_same_result(sources, tmp_path):
    whole = run(sources)
    whole.train(12, silent)
    first = run(sources)
    first.train(7, silent)
    first.save(tmp_path / "state.safetensors")
    second = run(sources)
    second.resume(tmp_path / "state.safetensors")
    assert second.step == 7
    second.train(12, silent)
    assert torch.equal(weights(whole), weights(second))


def test_other_settings_do_not_resume(sources, tmp_path):
    first = run(sources)
    first.save(tmp_path / "state.safetensors")
    with pytest.raises(TrainingError, match="other settings"):
        run(sources, seed=9).resume(tmp_path / "state.safetensors")


def test_it_learns(sources):
    trained = run(sources, steps=200, batch=4, pool=4, renewal=10**6, learning_rate=3e-3, squares=(0.3, 0.3))
    trained.pool.advance(0)
    batch = trained.pool.batch(4, 64, 0)
    time = torch.zeros(4)
    with torch.no_grad():
        before = float(regression_loss(trained.network, batch, time, 0.1, 0.3))
    trained.train(200, silent)
    with torch.no_grad():
        after = float(regression_loss(trained.network, batch, time, 0.1, 0.3))
    assert after < 0.95 * before


def test_starting_from_trained_weights(sources):
    first = run(sources)
    first.train(3, silent)
    second = run(sources)
    second.start_from(first.average)
    assert torch.equal(weights(first), weights(second))
    other = Run(NetworkConfig(width=16, blocks=1, hidden=8), SIMULATION, TRAINING, sources, torch.device("cpu"))
    with pytest.raises(TrainingError, match="width=16"):
        other.start_from(first.average)


def test_divergence_stops_with_the_step(sources):
    broken = run(sources)
    with torch.no_grad():
        broken.network.head.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(TrainingError, match="diverged before step 5"):
        broken.train(10, silent, every=5)


def test_scenes_that_are_too_small_are_refused():
    with pytest.raises(TrainingError, match="64 pixels"):
        run([Source("tiny", "a", torch.ones(3, 40, 40), None)])


def test_simulation_repeats_and_varies(sources):
    def one(seed):
        return simulate(sources[0], SIMULATION, NETWORK, np.random.default_rng(seed))

    assert torch.equal(one(5).lms, one(5).lms)
    assert not torch.equal(one(5).lms, one(6).lms)


@pytest.mark.parametrize("seed", range(30))
def test_simulated_pairs_are_consistent(sources, seed):
    example = simulate(sources[seed % 2], SIMULATION, NETWORK, np.random.default_rng(seed))
    degraded = example.rows @ example.target @ example.columns.transpose(1, 2)
    assert torch.isfinite(example.lms).all()
    assert (degraded - example.ms).abs().mean() < 0.06  # noise and quantisation alone part them
    assert example.lms.shape == (4, 64, 64)
    assert example.guides.shape == (3, 64, 64)
