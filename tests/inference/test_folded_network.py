"""The folded network computes what the trained one does, tile by tile, on any device that is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.geometry.resampling import centres, cubic_reading
from otfm_pansharpen.model.inference import folded_network as inference
from otfm_pansharpen.model.inference import tile_fuser as engine_module
from otfm_pansharpen.model.inference.tile_fuser import Engine
from otfm_pansharpen.model.network.conditioning import Conditions
from otfm_pansharpen.model.network.flow_network import FlowNetwork, Guidance, NetworkConfig, integrate
from otfm_pansharpen.model.network.weights import Weights
from otfm_pansharpen.model.scene.statistics import SceneStatistics

CPU = torch.device("cpu")


def trained(config, seed=0):
    """A network with weights everywhere, of the size that training leaves."""
    torch.manual_seed(seed)
    network = FlowNetwork(config)
    for name, parameter in network.named_parameters():
        parameter.data *= 0.0
        parameter.data += torch.randn_like(parameter) * (0.02 if name.startswith("tail") else 0.1)
    return network.eval().requires_grad_(False)


def scene(bands):
    one = [1.0 + 0.1 * b for b in range(bands)]
    return SceneStatistics(
        ratio=4.0, gain=0.3, ms_mean=tuple(300.0 * v for v in one), ms_std=tuple(50.0 * v for v in one),
        ms_dark=tuple(200.0 * v for v in one), pan_mean=500.0, pan_std=80.0, pan_dark=350.0,
        injection=tuple(0.8 * v for v in one), slope=(0.1,) * bands,
        correlation=tuple(0.9 - 0.05 * b for b in range(bands)),
        intensity=(1.0 / bands,) * bands, fit=0.95,
    )  # fmt: skip


def conditions(bands, height, width):
    """PAN of height x width pixels over MS four times coarser."""
    torch.manual_seed(bands)
    coarse = torch.randn(2 + bands, height // 4 + 4, width // 4 + 4)
    rows, columns = (cubic_reading(n // 4 + 4, centres(n, 1.625, 0.25)) for n in (height, width))
    return Conditions(torch.randn(height, width), coarse, rows, columns, None)


def expected(network, given, found, steps):
    """What `FlowNetwork` and `integrate` give, in digital numbers; bands in groups as the engine makes them."""
    fine = given.columns.across(given.rows.down(given.coarse))
    guides = torch.stack([given.pan, fine[0], fine[1]])[None]
    result = torch.empty(found.bands, *given.pan.shape)
    for group in engine_module.group_bands(found, network.config.bands):
        bands = list(group.bands)
        rows = [
            torch.tensor([v]) for v in ([found.injection[b] for b in bands], found.depth(bands), found.condition(bands))
        ]
        sharp = integrate(network, fine[2:][bands][None], Guidance(guides, *rows), steps)[0]
        for band, values in zip(bands[: group.written], sharp):
            result[band] = values * found.ms_std[band] + found.ms_mean[band]
    return result


def fuse(engine, given, place):
    return torch.from_numpy(engine.fuse(given, place, lambda values, _: values.numpy(), lambda: None))


@pytest.fixture(params=["as here", "without oneDNN"])
def backend(request, monkeypatch):
    if request.param == "without oneDNN":
        monkeypatch.setattr(inference, "_runs_opaque", lambda device, dtype: False)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("cell", "bands"), [(1, 4), (2, 1), (2, 4), (2, 6), (2, 8), (4, 5)])
def test_folded_equals_trained(backend, cell, bands, steps):
    network, found = trained(NetworkConfig(width=12, blocks=2, cell=cell, hidden=8)), scene(bands)
    given, place = conditions(bands, 96, 112), Window(5, 8, 96, 75)
    wanted = expected(network, given, found, steps)
    assert (wanted - expected(FlowNetwork(network.config), given, found, steps)).std() > 5
    engine = Engine(Weights(network, {}, "", Path()), found, CPU, torch.float32, steps)
    tolerance = 1e-5 * wanted.abs().max()
    assert (fuse(engine, given, Window(0, 0, 112, 96)) - wanted).abs().max() < tolerance
    engine.halo = 96  # so that the whole of the conditions is read
    assert (fuse(engine, given, place) - wanted[:, 8:83, 5:101]).abs().max() < tolerance


def test_bf16_is_near_fp32(backend):
    """The deviation of its error is under 1 % of that of what the network adds to plain injection."""
    network, found = trained(NetworkConfig(width=16, blocks=3, cell=2)), scene(4)
    given, place, weights = conditions(4, 128, 128), Window(0, 0, 128, 128), Weights(network, {}, "", Path())
    exact, short = (fuse(Engine(weights, found, CPU, t, 1), given, place) for t in (torch.float32, torch.bfloat16))
    added = exact - expected(FlowNetwork(network.config), given, found, 1)
    assert (short - exact).std() < 0.01 * added.std()
