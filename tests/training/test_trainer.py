"""Training: two stages, resumable to the same result, learning, in several processes, with messages."""

from __future__ import annotations

import math
import os
import runpy
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from helpers.scenes import landscape, sense
from helpers.training import NETWORK, SIMULATION, TRAINING, run, silent, weights
from otfm_pansharpen.model.errors import TrainingError
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import load_weights
from otfm_pansharpen.model.training.dataset import Recording, Source, read_sources, write_recordings
from otfm_pansharpen.model.training.trainer import Run, TrainingConfig
from otfm_pansharpen.model.training.transport import (
    TransportConfig,
    marginal_weight,
    normalised,
    pixel_cost,
    transport_cost,
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A pair as a sensor would record it and a scene without PAN, through the file that training reads."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.safetensors"
    reference = landscape(5, 384, 384)
    ms, pan = sense(reference, 2.0).round().astype(np.uint16), reference.mean(0).round().astype(np.uint16)
    other = landscape(4, 200, 200, seed=2).astype(np.float32) / 10_000
    write_recordings(
        path, [Recording("pair", "a", ms, pan, (0.5, 0.5), (2.0, 2.0)), Recording("ms", "b", other)], 10**7
    )
    return read_sources(path)


@pytest.mark.promise(20)
@pytest.mark.parametrize("stop", [3, 8, 12])
def test_an_interrupted_run_goes_on_to_the_same_result(sources, tmp_path, stop):
    """Stopped within each stage and between them."""
    whole = run(sources)
    whole.train(16, silent)
    first = run(sources)
    first.train(stop, silent)
    first.save(tmp_path / "state.safetensors")
    second = run(sources)
    second.resume(tmp_path / "state.safetensors")
    assert second.step == stop
    second.train(16, silent)
    assert torch.equal(weights(whole), weights(second))


def test_other_settings_do_not_resume(sources, tmp_path):
    run(sources).save(tmp_path / "state.safetensors")
    with pytest.raises(TrainingError, match="other settings"):
        run(sources, seed=9).resume(tmp_path / "state.safetensors")


def test_a_damaged_state_is_refused_in_words(sources, tmp_path):
    (tmp_path / "state.safetensors").write_bytes(b"half a fi")
    with pytest.raises(TrainingError, match="cannot be read"):
        run(sources).resume(tmp_path / "state.safetensors")


def error_of(trained, batch):
    """Measure the mean absolute error of one step on a batch, in deviations."""
    with torch.no_grad():
        y = batch.lms + trained.network(batch.lms, torch.zeros(len(batch.lms)), batch.given)
        return float(pixel_cost(batch, y, 1.0, 0.0).mean())


@pytest.mark.parametrize("stages", [(200, 0), (0, 200)])
def test_regression_and_transport_learn(sources, stages):
    trained = run(sources, regression=stages[0], transport=stages[1], batch=4, renewal=10**6, rates=(3e-3,) * 2)
    trained.buffer.advance(0)
    batch = trained.buffer.batch(4, 64, 0)
    before = error_of(trained, batch)
    trained.train(200, silent)
    assert error_of(trained, batch) < 0.96 * before


def test_the_potential_pushes_the_map_only_by_its_share(sources):
    """With no push and loose marginals, the first transport steps are those of the cost alone."""
    moved = []
    for push in (0.0, 0.05, 3.0):
        cost = TransportConfig(push=push, softness=(1e6, 1e6))
        trained = run(sources, regression=0, cost=cost, push_warmup=1e-9)
        before = [p.detach().clone() for p in trained.network.parameters()]
        trained.train(3, silent)
        after = trained.network.parameters()
        moved.append(torch.cat([(b - a).detach().flatten() for a, b in zip(before, after, strict=True)]))
    calm, little, much = moved
    assert 0.0 < (little - calm).norm() < 0.4 * calm.norm()
    assert (much - calm).norm() > 0.7 * calm.norm()


class Opinion(torch.nn.Module):
    """A potential that does not learn: `of` gives (n,) from the detail (n, bands, s, s)."""

    def __init__(self, of):
        super().__init__()
        self.of, self.nothing = of, torch.nn.Parameter(torch.zeros(()))

    def forward(self, detail, x, given):
        return self.of(detail) + 0.0 * (self.nothing + detail.mean(dim=(1, 2, 3)))


def with_opinion(sources, of, **changes):
    trained = run(sources, regression=0, push_warmup=1e-9, **changes)
    trained.potential = trained.parallel_potential = Opinion(of)
    return trained


def test_the_map_moves_to_where_the_potential_is_higher(sources):
    """Patches become brighter or darker as the potential prefers."""
    means = []
    for sign in (1.0, 0.0, -1.0):
        cost = TransportConfig(push=0.5, softness=(1e6, 1e6))
        trained = with_opinion(sources, lambda detail, s=sign: s * detail.mean(dim=(1, 2, 3)), cost=cost)
        trained.train(6, silent)
        batch = trained.buffer.batch(4, 32, 99)
        with torch.no_grad():
            means.append(float(trained.network(batch.lms, torch.zeros(4), batch.given).mean()))
    assert means[0] > means[1] > means[2]


def test_patches_of_no_marginal_weight_do_not_move_the_map(sources):
    """The target of a patch without marginal weight has no effect."""
    moved = []
    for spoil in (0.0, 50.0):
        first = torch.tensor([-1e4, 0.0, 0.0])
        trained = with_opinion(
            sources,
            lambda detail, f=first: f.repeat(len(detail) // 3),
            transport=6,
            cost=TransportConfig(push=0.0, softness=(1.0, 1.0)),
        )
        trained.buffer.advance(0)
        batch = trained.buffer.batch(3, 32, 0)
        batch.target[0] += spoil
        trained._step_transport(batch, torch.zeros(3), 0.5)
        moved.append(torch.cat([p.grad.flatten() for p in trained.network.parameters() if p.grad is not None]))
    assert moved[0].norm() > 0
    assert torch.allclose(moved[0], moved[1], rtol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_real_pairs_make_up_the_share_asked_for(sources, share):
    trained = Run(NETWORK, replace(SIMULATION, paired_share=share), TRAINING, sources, torch.device("cpu"))
    drawn = []
    with patch("otfm_pansharpen.model.training.batches.simulate", lambda source, *rest: drawn.append(source.name)):
        trained.buffer.size = 400
        trained.buffer.advance(0)
    assert drawn.count("pair") / len(drawn) == pytest.approx(share, abs=0.08)


@pytest.mark.slow
def test_bad_pairs_get_less_weight(sources):
    """Of patches whose PAN fits and patches whose PAN does not, the transport stage trusts the first ones more."""
    simulation = replace(SIMULATION, corrupt_share=0.3, cloud_share=0.0, hole_share=0.0, noise=0.0, coarse_share=0.0)
    config = replace(TRAINING, regression=150, transport=200, batch=6, pool=60, rates=(2e-3, 1e-3))
    trained = Run(NETWORK, simulation, config, sources, torch.device("cpu"))
    trained.train(350, silent)
    batch = trained.buffer.batch(60, 64, 0)
    with torch.no_grad():
        y = batch.lms + trained.network(batch.lms, torch.zeros(60), batch.given)
        value = trained.potential(normalised(batch, y), batch.lms, batch.given)
        weight = marginal_weight(value - transport_cost(batch, y, config.cost), 1.0)
    bad = batch.corrupt > 0
    assert 5 < int(bad.sum()) < 40
    assert weight[bad].median() < 0.9 * weight[~bad].median()


def test_stages_and_rates_follow_the_configuration():
    config = TrainingConfig(regression=1000, transport=100, warmup=10)
    assert [config.stage(s)[0] for s in (0, 999, 1000, 1099)] == [0, 0, 1, 1]
    assert config.rate(0) == pytest.approx(1e-4, rel=1e-2)
    assert config.rate(500) == pytest.approx(0.5 * (1e-3 + 1e-5), rel=1e-3)
    assert config.rate(1000) == pytest.approx(2e-4)
    assert config.rate(1099) < 2e-5


def test_starting_from_trained_weights(sources):
    first = run(sources)
    first.train(3, silent)
    second = run(sources)
    second.start_from(first.average)
    for name, value in second.network.state_dict().items():
        assert torch.equal(value, first.average.state_dict()[name])


def test_larger_network_starts_as_the_smaller_and_learns_in_full(sources):
    """A grown network has the output of the small one, to the rounding of floats, and no dead weights.

    Units that read the scene may have been drawn dead in the small one, and are then copied.
    """
    small = run(sources)
    small.train(6, silent)
    large = Run(NetworkConfig(width=12, blocks=3, hidden=8), SIMULATION, TRAINING, sources, torch.device("cpu"))
    large.start_from(small.average)
    batch = small.buffer.batch(3, 32, 0)
    time = torch.tensor([0.0, 0.3, 0.9])
    expected = small.average(batch.lms, time, batch.given)
    assert expected.std() > 0.1
    assert torch.allclose(large.network(batch.lms, time, batch.given), expected, atol=1e-5)
    again = run(sources)
    again.start_from(small.average)
    grown, usual = (moved_by_training(trained) for trained in (large, again))
    dead = {name: 1.0 - share for name, share in usual.items() if name.startswith(("film", "mod"))}
    assert {name: share for name, share in grown.items() if share < 0.9 - dead.get(name, 0.0)} == {}
    assert max(dead.values()) < 0.5


def moved_by_training(trained):
    """Measure the share of each parameter's weights that training changes."""
    before = {name: value.clone() for name, value in trained.network.named_parameters()}
    trained.train(16, silent)
    return {name: float((value != before[name]).float().mean()) for name, value in trained.network.named_parameters()}


@pytest.mark.parametrize("sizes", [{"width": 4}, {"width": 16, "blocks": 1}, {"width": 16, "cell": 4}])
def test_weights_do_not_shrink_nor_change_cells(sources, sizes):
    start = FlowNetwork(replace(NETWORK, blocks=2))
    other = Run(replace(start.config, **sizes), SIMULATION, TRAINING, sources, torch.device("cpu"))
    with pytest.raises(TrainingError, match=f"cannot grow to .*width={sizes['width']}"):
        other.start_from(start)


def test_divergence_stops_with_the_step(sources):
    broken = run(sources)
    with torch.no_grad():
        broken.network.head.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(TrainingError, match="diverged before step 5: the loss is nan"):
        broken.train(10, silent, every=5)


def test_scenes_that_are_too_small_are_refused():
    with pytest.raises(TrainingError, match="64 pixels"):
        run([Source("tiny", "a", torch.ones(3, 40, 40))])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed training")
def test_two_processes_train_one_network_on_different_patches(tmp_path):
    reference = landscape(5, 384, 384)
    ms, pan = sense(reference, 2.0).astype(np.float32), reference.mean(0).astype(np.float32)
    write_recordings(tmp_path / "scenes.safetensors", [Recording("p", "a", ms, pan, (0.5, 0.5), (2.0, 2.0))], 10**8)
    worker = Path(__file__).resolve().parents[1] / "helpers" / "ddp_worker.py"
    # What torchrun sets. It cannot be run itself with Debian's torch, whose store has no libuv.
    shared = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": "2",
        "USE_LIBUV": "0",
    }
    pair = [subprocess.Popen([sys.executable, worker, tmp_path], env={**shared, "RANK": r}) for r in ("0", "1")]
    assert [process.wait(300) for process in pair] == [0, 0]
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in (0, 1))
    count = len(weights(run(read_sources(tmp_path / "scenes.safetensors"))))
    assert np.array_equal(first[:count], second[:count])
    assert not np.array_equal(first[count:], second[count:])
    alone = run(read_sources(tmp_path / "scenes.safetensors"))
    alone.train(16, silent)
    assert not np.array_equal(first[:count], weights(alone).detach().numpy())
    assert math.isfinite(first.sum())


def test_a_resumed_log_has_every_step_once(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("100,0.9,1.0\n200,0.8,2.0\n300,0.7,3.0\n")
    script = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "train.py"))
    script["forget_after"](log, 200)
    assert log.read_text() == "100,0.9,1.0\n200,0.8,2.0\n"


@pytest.mark.slow
def test_it_needs_neither_gdal_nor_qgis(tmp_path):
    """As on a bare GPU machine: the training command runs where both are missing."""
    path = tmp_path / "scenes.safetensors"
    write_recordings(path, [Recording("ms", "b", landscape(4, 300, 300).astype(np.float32))], 10**8)
    code = (
        "import sys, runpy; sys.modules.update(osgeo=None, qgis=None);"
        "sys.argv = ['train.py', *sys.argv[1:]]; runpy.run_path('train.py', run_name='__main__')"
    )
    scripts = Path(__file__).resolve().parents[2] / "scripts"
    sizes = ["--width", "8", "--blocks", "1", "--regression", "2", "--transport", "1", "--name", "bare"]
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "run"), *sizes],
        cwd=scripts, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = load_weights(tmp_path / "run" / "bare.safetensors")
    assert loaded.header["step"] == "3"
    assert (tmp_path / "run" / "log.csv").read_text().startswith("3,")
