"""A network, the statistics of a scene and what the network reads, all made up."""

from __future__ import annotations

import torch
from otfm_pansharpen.model.geometry.resampling import centres, cubic_resampler
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.network.conditioning import Conditions
from otfm_pansharpen.model.network.flow_network import FlowNetwork, Guidance, NetworkConfig
from otfm_pansharpen.model.scene.statistics import SceneStatistics

NETWORKS = [NetworkConfig(width=16, blocks=3, cell=2), NetworkConfig(width=32, blocks=6, cell=2), NetworkConfig()]


def integrate(network: FlowNetwork, lms: torch.Tensor, given: Guidance, steps: int = 1) -> torch.Tensor:
    """Follow the flow from interpolated MS to fused MS with `steps` Euler steps; one step is T(x) = x + v(x, 0)."""
    x = lms
    for step in range(steps):
        x = x + network(x, lms.new_full((len(lms),), step / steps), given) / steps
    return x


def trained(config, seed=0):
    """Make a network with weights everywhere, of the size that training leaves."""
    torch.manual_seed(seed)
    network = FlowNetwork(config)
    for name, parameter in network.named_parameters():
        parameter.data *= 0.0
        parameter.data += torch.randn_like(parameter) * (0.02 if name.startswith("tail") else 0.1)
    return network.eval().requires_grad_(False)


def scene(bands):
    one = [1.0 + 0.1 * b for b in range(bands)]
    return SceneStatistics(
        ratio=4.0, transfer=TransferFunction.gaussian(0.3), ms_mean=tuple(300.0 * v for v in one),
        ms_std=tuple(50.0 * v for v in one), ms_dark=tuple(200.0 * v for v in one),
        pan_mean=(500.0,), pan_std=(80.0,), pan_dark=(350.0,),
        injection=tuple(0.8 * v for v in one), slope=(0.1,) * bands,
        correlation=tuple(0.9 - 0.05 * b for b in range(bands)),
        intensity=(1.0 / bands,) * bands, fit=0.95,
    )  # fmt: skip


def conditions(bands, height, width):
    """Make PAN of height x width pixels over MS four times coarser."""
    torch.manual_seed(bands)
    coarse = torch.randn(2 + bands, height // 4 + 4, width // 4 + 4)
    rows, columns = (cubic_resampler(n // 4 + 4, centres(n, 1.625, 0.25)) for n in (height, width))
    return Conditions(torch.randn(1, height, width), coarse, rows, columns, None)
