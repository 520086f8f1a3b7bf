"""The flow network: what it may depend on and what one step does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from otfm_pansharpen.model.engine import group_bands
from otfm_pansharpen.model.network import BRIGHTEST, FlowNetwork, Guidance, NetworkConfig, integrate
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
    guides, injection, depth = torch.randn(1, 3, side, side), torch.rand(1, 4), 1.0 + torch.rand(1, 5)
    return torch.randn(1, 4, side, side), Guidance(guides, injection, depth, scene)


def statistics(correlation):
    n = len(correlation)
    one, half = (1.0,) * n, (0.5,) * n
    return SceneStatistics(
        4.0, 0.3, one, one, (0.0,) * n, 0.0, 1.0, -1.0, half, (0.0,) * n, tuple(correlation), (0.2,) * n, 0.9
    )


def test_untrained_network_injects_the_detail_of_pan():
    lms, given = inputs()
    sharp = integrate(FlowNetwork(SMALL), lms, given)
    expected = lms + given.injection[:, :, None, None] * (given.guides[:, :1] - given.guides[:, 1:2])
    assert torch.allclose(sharp, expected, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_constant_velocity_is_integrated_exactly_by_any_number_of_steps(steps):
    lms, given = inputs()
    sharp = integrate(FlowNetwork(SMALL), lms, given, steps)
    assert torch.allclose(sharp, integrate(FlowNetwork(SMALL), lms, given), atol=1e-5)


def test_modulated_detail_keeps_the_colour():
    """Brightness above the dark level grows by PAN's share: the ratios between bands stay (high-pass modulation)."""
    ground = torch.tensor([1.0, 2.0, 0.5, 1.5])[None, :, None, None] * (0.5 + torch.rand(1, 1, 8, 8))
    pan, low = 1.0 + torch.rand(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    depth = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.7]])
    given = Guidance(torch.cat([pan - 0.7, low - 0.7, low], 1), torch.zeros(1, 4), depth, torch.zeros(1, 1))
    sharp = ground + given.modulated(ground - 1.0)
    assert torch.allclose(sharp, ground * pan, atol=1e-5)


def test_modulation_is_bounded_in_the_dark():
    given = Guidance(torch.tensor([-3.0, -4.0, 0.0])[None, :, None, None].expand(1, 3, 8, 8),
                     torch.zeros(1, 4), torch.ones(1, 5), torch.zeros(1, 1))  # fmt: skip
    assert given.modulated(torch.full((1, 4, 8, 8), 50.0)).max() <= BRIGHTEST


def test_nothing_beyond_the_halo_matters():
    network = trained()
    lms, given = inputs(side=128)
    inner = slice(SMALL.halo, 128 - SMALL.halo)
    with torch.no_grad():
        before = integrate(network, lms, given)[..., inner, inner]
        for image in (lms, given.guides):
            image[..., 0, :] += 100
            image[..., :, -1] -= 100
        after = integrate(network, lms, given)[..., inner, inner]
    assert torch.equal(before, after)


def test_time_and_scene_change_the_velocity():
    network = trained()
    lms, given = inputs()
    with torch.no_grad():
        at = [network(lms, torch.full((1,), t), given) for t in (0.0, 0.7)]
        other = network(lms, torch.zeros(1), replace(given, scene=given.scene + 0.5))
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
