"""The flow network: its dependencies and the effect of a step."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.network import integrate, scene
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.geometry.resampling import centres, cubic_resampler
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.inference.tile_fuser import TileFuser
from otfm_pansharpen.model.network.band_groups import group_bands
from otfm_pansharpen.model.network.conditioning import Conditions
from otfm_pansharpen.model.network.flow_network import BRIGHTEST, FlowNetwork, Guidance, NetworkConfig
from otfm_pansharpen.model.scene.statistics import SceneStatistics

SMALL = NetworkConfig(width=8, blocks=2, hidden=8)
USUAL = TransferFunction.gaussian(0.3)


def trained(config=SMALL, seed=0):
    """Make a network with random weights everywhere, as after training."""
    torch.manual_seed(seed)
    network = FlowNetwork(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def inputs(side=64, seed=1):
    torch.manual_seed(seed)
    scene = torch.randn(1, SMALL.conditions - 1)
    guides, injection, depth = torch.randn(1, 9, side, side), torch.rand(1, 4), 1.0 + torch.rand(1, 8)
    return torch.randn(1, 4, side, side), Guidance(guides, injection, depth, scene)


def statistics(correlation):
    n = len(correlation)
    one, half = (1.0,) * n, (0.5,) * n
    return SceneStatistics(
        4.0, USUAL, one, one, (0.0,) * n, (0.0,), (1.0,), (-1.0,), half, (0.0,) * n, tuple(correlation), (0.2,) * n, 0.9
    )  # fmt: skip


def test_untrained_network_injects_the_detail_of_pan():
    lms, guidance = inputs()
    fused = integrate(FlowNetwork(SMALL), lms, guidance)
    expected = lms + guidance.injection[:, :, None, None] * (guidance.guides[:, :4] - guidance.guides[:, 4:8])
    assert torch.allclose(fused, expected, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_constant_velocity_is_integrated_exactly_in_any_steps(steps):
    lms, guidance = inputs()
    fused = integrate(FlowNetwork(SMALL), lms, guidance, steps)
    assert torch.allclose(fused, integrate(FlowNetwork(SMALL), lms, guidance), atol=1e-5)


def test_modulated_detail_keeps_the_colour():
    """Brightness above the dark level grows by PAN's share: the ratios between bands stay (high-pass modulation)."""
    ground = torch.tensor([1.0, 2.0, 0.5, 1.5])[None, :, None, None] * (0.5 + torch.rand(1, 1, 8, 8))
    pan, low = 1.0 + torch.rand(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    depth = torch.tensor([[1.0] * 4 + [0.7] * 4])
    guidance = Guidance(
        torch.cat([pan - 0.7] * 4 + [low - 0.7] * 4 + [low], 1), torch.zeros(1, 4), depth, torch.zeros(1, 1)
    )
    fused = ground + guidance.modulate_detail(ground - 1.0)
    assert torch.allclose(fused, ground * pan, atol=1e-5)


def test_modulation_is_bounded_in_the_dark():
    guidance = Guidance(torch.tensor([-3.0] * 4 + [-4.0] * 4 + [0.0])[None, :, None, None].expand(1, 9, 8, 8),
                     torch.zeros(1, 4), torch.ones(1, 8), torch.zeros(1, 1))  # fmt: skip
    assert guidance.modulate_detail(torch.full((1, 4, 8, 8), 50.0)).max() <= BRIGHTEST


def test_nothing_beyond_the_halo_matters():
    network = trained()
    lms, guidance = inputs(side=128)
    inner = slice(SMALL.halo, 128 - SMALL.halo)
    with torch.no_grad():
        before = integrate(network, lms, guidance)[..., inner, inner]
        for planes in (lms, guidance.guides):
            planes[..., 0, :] += 100
            planes[..., :, -1] -= 100
        after = integrate(network, lms, guidance)[..., inner, inner]
    assert torch.equal(before, after)


def test_time_and_scene_change_the_velocity():
    network = trained()
    lms, guidance = inputs()
    with torch.no_grad():
        at = [network(lms, torch.full((1,), t), guidance) for t in (0.0, 0.7)]
        other = network(lms, torch.zeros(1), replace(guidance, scene=guidance.scene + 0.5))
    assert not torch.allclose(at[0], at[1], atol=1e-3)
    assert not torch.allclose(at[0], other, atol=1e-3)


@pytest.mark.parametrize("count", range(1, 14))
def test_every_band_is_written_once(count):
    groups = group_bands(statistics([0.1 * b for b in range(count)]), SMALL)
    written = [b for group in groups for b in group.bands[: group.written]]
    assert sorted(written) == list(range(count))
    assert all(len(group.bands) == 4 for group in groups)
    assert len(groups) == -(-count // 4)


def test_groups_do_not_depend_on_the_order_of_the_bands():
    correlation = [0.9, 0.2, 0.5, 0.7, 0.4, 0.8]
    order = [3, 1, 5, 0, 4, 2]
    first = group_bands(statistics(correlation), SMALL)
    second = group_bands(statistics([correlation[b] for b in order]), SMALL)
    assert [tuple(order[b] for b in g.bands) for g in second] == [g.bands for g in first]


def test_weights_get_the_bands_in_the_order_they_were_tuned_to():
    """They learn a band per place; for another number of bands the order is not used."""
    tuned, scene = replace(SMALL, order=(4, 0, 5, 1, 3, 2)), statistics([0.9, 0.2, 0.5, 0.7, 0.4, 0.8])
    assert [g.bands[: g.written] for g in group_bands(scene, tuned)] == [(4, 0, 5), (1, 3, 2)]
    fewer = statistics([0.2, 0.9, 0.5])
    assert group_bands(fewer, tuned) == group_bands(fewer, SMALL)


@pytest.mark.parametrize(("fit", "trust"), [(0.9, 1.0), (0.4, 0.5), (0.1, 0.0)])
def test_the_engine_modulates_each_band_above_its_own_dark_level(fit, trust):
    """In digital numbers: lms + gain x detail + (lms - dark) / (PAN low - dark) x detail, whatever the band order.

    Of what is added, less is used where PAN hardly follows the bands.
    """
    torch.manual_seed(5)
    network = FlowNetwork(SMALL)
    with torch.no_grad():
        network.tail.get_parameter("bias")[: SMALL.bands * SMALL.cell**2] = 1.0  # the whole of the modulated detail
    scene = SceneStatistics(
        ratio=4.0, transfer=USUAL, fit=fit, slope=(0.0,) * 4, intensity=(0.25,) * 4, correlation=(0.2, 0.9, 0.4, 0.7),
        ms_mean=(500.0, 900.0, 300.0, 700.0), ms_std=(100.0, 200.0, 50.0, 150.0), ms_dark=(350.0, 400.0, 220.0, 380.0),
        pan_mean=(600.0,), pan_std=(120.0,), pan_dark=(330.0,), injection=(0.5, 0.8, 0.6, 0.9),
    )  # fmt: skip
    low, pan = 600.0 + 60.0 * torch.rand(2, 16, 16)
    columns = torch.tensor(list(zip(scene.ms_mean, scene.ms_std, scene.ms_dark, scene.injection, strict=True))).T
    mean, std, dark, gain = (c[:, None, None] for c in columns)
    lms = mean + std * (torch.rand(4, 16, 16) - 0.5)
    pan_low = torch.stack([pan, low]).sub(scene.pan_mean[0]).div(scene.pan_std[0])
    straight = cubic_resampler(16, centres(16, 0.0, 1.0))
    coarse = torch.cat([pan_low[1:], pan_low[1:], (lms - mean) / std])
    conditions = Conditions(pan_low[:1], coarse, straight, straight, None)
    fuser = TileFuser(network.eval(), scene, torch.device("cpu"), torch.float32, 1)
    fused = fuser.fuse(conditions, Window(0, 0, 16, 16), lambda: None)
    detail = pan - low
    added = gain * std / scene.pan_std[0] * detail + (lms - dark) / (low - scene.pan_dark[0]) * detail
    assert torch.allclose(fused, lms + trust * added, rtol=1e-4)


def test_network_receives_every_number_of_the_scene():
    """Each statistic that describes a scene changes what the network reads."""
    base = statistics([0.9, 0.8, 0.7, 0.6])
    condition = torch.tensor(base.condition([0, 1, 2, 3]))
    changes = {
        "ratio": 2.0, "fit": 0.5, "injection": (0.1,) * 4, "correlation": (0.1,) * 4,
        "slope": (0.3,) * 4, "ms_dark": (-0.5,) * 4, "pan_dark": (-2.0,),
    }  # fmt: skip
    for name, value in changes.items():
        assert not torch.equal(condition, torch.tensor(replace(base, **{name: value}).condition([0, 1, 2, 3]))), name
    for axis in ("rows", "columns"):
        for index in range(10):
            values = tuple(0.5 * v if k == index else v for k, v in enumerate(USUAL.rows))
            other = replace(base, transfer=replace(USUAL, **{axis: values})).condition([0, 1, 2, 3])
            read = index in (1, 2, 4, 6, 7, 9)  # what the values at SUMMARY are interpolated between
            assert torch.equal(condition, torch.tensor(other)) != read, (axis, index)


def test_group_with_room_left_reads_more_bands_none_twice():
    """Six bands are two groups of three, each with one more for context."""
    groups = group_bands(scene(6), SMALL)
    assert [group.written for group in groups] == [3, 3]
    assert all(len(set(group.bands)) == 4 for group in groups)
