"""A larger network with the output of a smaller one, for further training.

After Chen, Goodfellow and Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (ICLR 2016). Here new
channels start at random, and old ones do not read them yet.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..errors import TrainingError
from .flow_network import FlowNetwork, NetworkConfig

NEWCOMERS = 0.3  # initial weights of new channels over those of an untrained network


@torch.no_grad()
def grown(small: FlowNetwork, config: NetworkConfig) -> FlowNetwork:
    """Build a network of `config` with the velocity of `small`, at every input.

    Raises TrainingError where `config` is narrower, has fewer blocks, or differs in more than width and blocks.
    """
    old = small.config
    compatible = replace(config, width=old.width, blocks=old.blocks, order=old.order) == old
    if not compatible or config.width < old.width or config.blocks < old.blocks:
        raise TrainingError(f"Weights of {old} cannot grow to {config}: only width and blocks can, and only upwards.")
    large = FlowNetwork(config)
    values, old_values = large.state_dict(), small.state_dict()
    for name, value in values.items():
        if name.endswith("conv2.weight"):
            value.mul_(NEWCOMERS)
        if name.startswith("modulate"):
            parts, old_parts = (2 * config.blocks, config.width), (2 * old.blocks, old.width)
            _place(value.unflatten(0, parts), old_values[name].unflatten(0, old_parts))
        elif name in old_values:
            if name.startswith("blocks") and name.endswith("weight"):
                value[: old.width, old.width :] = 0.0
            _place(value, old_values[name])
        elif ".conv2." in name:
            value.zero_()  # a new block adds nothing yet
    return large


def _place(large: torch.Tensor, small: torch.Tensor) -> None:
    """Write `small` into the first corner of `large`."""
    large[tuple(slice(0, n) for n in small.shape)] = small
