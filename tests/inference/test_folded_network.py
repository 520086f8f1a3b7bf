"""The folded network has the result of the trained one, tile by tile, on any available device."""

from __future__ import annotations

import pytest
import torch
from helpers.network import conditions, integrate, scene, trained
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.inference import convolution, depth_first
from otfm_pansharpen.model.inference.folded_network import FoldedNetwork
from otfm_pansharpen.model.inference.tile_fuser import TileFuser
from otfm_pansharpen.model.network.band_groups import group_bands
from otfm_pansharpen.model.network.flow_network import (
    SHARED_GUIDES,
    FlowNetwork,
    Guidance,
    NetworkConfig,
)

CPU = torch.device("cpu")


def expected(network, inputs, statistics, steps):
    """Compute the result of `FlowNetwork` and `integrate`, in digital numbers, in the band groups of the fuser.

    The network reads the shared PAN once for each band.
    """
    result = torch.empty(statistics.bands, *inputs.pan.shape[1:])
    for group in group_bands(statistics, network.config):
        bands = list(group.bands)
        injection = [statistics.injection[b] for b in bands]
        rows = [torch.tensor([v]) for v in (injection, statistics.depth(bands), statistics.condition(bands))]
        guides, lms = inputs.interpolate_guides(bands)
        assert len(guides) == 2 * len(bands) + 1
        fused = integrate(network, lms[None], Guidance(guides[None], *rows), steps)[0]
        for band, values in zip(bands[: group.written], fused):
            result[band] = values * statistics.ms_std[band] + statistics.ms_mean[band]
    return result


def fuse(fuser, inputs, window):
    return fuser.fuse(inputs, window, lambda: None)


@pytest.fixture(params=["as here", "without oneDNN", "in low strips", "in low strips without oneDNN"])
def backend(request, monkeypatch):
    if "without" in request.param:
        monkeypatch.setattr(convolution, "fuses", lambda dtype: False)
    if "strips" in request.param:
        monkeypatch.setattr(depth_first, "STRIP_BYTES", 1)
        monkeypatch.setattr(depth_first, "MIN_STRIP_ROWS", 1)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("cell", "bands"), [(1, 4), (2, 1), (2, 4), (2, 6), (2, 8), (4, 5)])
def test_folded_equals_trained(backend, cell, bands, steps):
    order = tuple(reversed(range(bands)))  # of the bands of a scene that weights were tuned on
    network, statistics = trained(NetworkConfig(width=12, blocks=2, cell=cell, hidden=8, order=order)), scene(bands)
    inputs, window = conditions(bands, 96, 112), Window(5, 8, 96, 75)
    reference = expected(network, inputs, statistics, steps)
    assert (reference - expected(FlowNetwork(network.config), inputs, statistics, steps)).std() > 5
    fuser = TileFuser(network, statistics, CPU, torch.float32, steps)
    tolerance = 1e-5 * reference.abs().max()
    assert (fuse(fuser, inputs, Window(0, 0, 112, 96)) - reference).abs().max() < tolerance
    fuser.halo = 96  # so that the whole of the conditions is read
    assert (fuse(fuser, inputs, window) - reference[:, 8:83, 5:101]).abs().max() < tolerance


def test_bf16_is_near_fp32(backend):
    """The deviation of its error is under 1 % of that of what the network adds to plain injection."""
    network, statistics = trained(NetworkConfig(width=16, blocks=3, cell=2)), scene(4)
    inputs, window = conditions(4, 128, 128), Window(0, 0, 128, 128)
    fusers = (TileFuser(network, statistics, CPU, dtype, 1) for dtype in (torch.float32, torch.bfloat16))
    exact, short = (fuse(fuser, inputs, window) for fuser in fusers)
    added = exact - expected(FlowNetwork(network.config), inputs, statistics, 1)
    assert (short - exact).std() < 0.01 * added.std()


@pytest.mark.promise(15)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_that_are_not_a_number_are_not_lost(backend, dtype):
    """A NaN spreads as far as whatever depends on it, through relu too; else it would end as a plausible value."""
    network = trained(NetworkConfig(width=16, blocks=2, cell=2))
    folded = FoldedNetwork(network, scene(4).condition(range(4)), 0.0, [1.0] * 4, CPU, dtype)
    planes = torch.randn((2 * network.config.bands + SHARED_GUIDES) * network.config.cell**2, 40, 30).to(dtype)
    planes[3, 20, 12] = float("nan")
    lost = torch.cat(list(folded(planes)), dim=1).isnan()
    reach = network.config.halo // network.config.cell - 1
    assert lost[:, 20 - reach : 21 + reach, 12 - reach : 13 + reach].all()
    assert lost.sum() == len(lost) * (2 * reach + 1) ** 2
