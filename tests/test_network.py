"""The flow network: what it may depend on and what one step does."""

from __future__ import annotations

import pytest
import torch
from otfm_pansharpen.model.engine import group_bands
from otfm_pansharpen.model.network import FlowNetwork, NetworkConfig, integrate
from otfm_pansharpen.model.scene import SceneStatistics

SMALL = NetworkConfig(width=8, blocks=2, hidden=8)


def trained(config=SMALL, seed=0):
    """A network with random weights everywhere, as after training."""
    torch.manual_seed(seed)
    network = FlowNetwork(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def inputs(side=64, seed=1):
    torch.manual_seed(seed)
    scene = torch.randn(1, SMALL.conditions - 1)
    return torch.randn(1, 4, side, side), torch.randn(1, 3, side, side), torch.rand(1, 4), scene


def statistics(correlation):
    n = len(correlation)
    return SceneStatistics(4.0, 0.3, (1.0,) * n, (1.0,) * n, 0.0, 1.0, (0.5,) * n, tuple(correlation), (0.2,) * n, 0.9)


def test_untrained_network_injects_the_detail_of_pan():
    lms, guides, injection, scene = inputs()
    sharp = integrate(FlowNetwork(SMALL), lms, guides, injection, scene)
    expected = lms + injection[:, :, None, None] * (guides[:, :1] - guides[:, 1:2])
    assert torch.allclose(sharp, expected, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_constant_velocity_is_integrated_exactly_by_any_number_of_steps(steps):
    lms, guides, injection, scene = inputs()
    sharp = integrate(FlowNetwork(SMALL), lms, guides, injection, scene, steps)
    assert torch.allclose(sharp, integrate(FlowNetwork(SMALL), lms, guides, injection, scene), atol=1e-5)


def test_nothing_beyond_the_halo_matters():
    network = trained()
    lms, guides, injection, scene = inputs(side=128)
    inner = slice(SMALL.halo, 128 - SMALL.halo)
    with torch.no_grad():
        before = integrate(network, lms, guides, injection, scene)[..., inner, inner]
        for image in (lms, guides):
            image[..., 0, :] += 100
            image[..., :, -1] -= 100
        after = integrate(network, lms, guides, injection, scene)[..., inner, inner]
    assert torch.equal(before, after)


def test_time_and_scene_change_the_velocity():
    network = trained()
    lms, guides, injection, scene = inputs()
    with torch.no_grad():
        at = [network(lms, guides, injection, torch.cat([torch.full((1, 1), t), scene], 1)) for t in (0.0, 0.7)]
        other = network(lms, guides, injection, torch.cat([torch.zeros(1, 1), scene + 0.5], 1))
    assert not torch.allclose(at[0], at[1], atol=1e-3)
    assert not torch.allclose(at[0], other, atol=1e-3)


@pytest.mark.parametrize("count", range(1, 14))
def test_every_band_is_written_once(count):
    groups = group_bands(statistics([0.1 * b for b in range(count)]), 4)
    written = [b for group in groups for b in group.bands[: group.written]]
    assert sorted(written) == list(range(count))
    assert all(len(group.bands) == 4 for group in groups)
    assert len(groups) == -(-count // 4)


def test_groups_do_not_depend_on_the_order_of_the_bands():
    correlation = [0.9, 0.2, 0.5, 0.7, 0.4, 0.8]
    order = [3, 1, 5, 0, 4, 2]
    first = group_bands(statistics(correlation), 4)
    second = group_bands(statistics([correlation[b] for b in order]), 4)
    assert [tuple(order[b] for b in g.bands) for g in second] == [g.bands for g in first]
