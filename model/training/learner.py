"""A network that learns, its optimiser and its averaged copy, for training and fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import TrainingError
from ..network.flow_network import FlowNetwork, NetworkConfig
from .batches import Batch

NEWCOMERS = 0.3  # initial weights of new channels over those of an untrained network


@dataclass(frozen=True)
class UpdateRule:
    """AdamW's decay, the largest norm of a gradient, the decay of the averaged weights, and the switch to bfloat16."""

    weight_decay: float = 1e-6
    gradient_norm: float = 1.0
    ema: float = 0.999
    half_precision: bool = False


class Learner:
    """A network in training, and the average of its weights over the last steps, which is kept."""

    def __init__(self, config: NetworkConfig, rule: UpdateRule, device: torch.device) -> None:
        self.rule, self.device, self.step = rule, device, 0
        self.network = FlowNetwork(config).to(device).channels_last()
        self.average = FlowNetwork(config).to(device).requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.parallel: nn.Module = self.network  # several processes share its gradients
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            self.network.parameters(), weight_decay=rule.weight_decay
        )

    def start_from(self, network: FlowNetwork) -> None:
        """Begin with trained weights, grown to this network's sizes. Raises TrainingError where they cannot grow."""
        values = grown(network, self.network.config).state_dict()
        for network_or_average in (self.network, self.average):
            network_or_average.load_state_dict(values)

    def precision(self) -> torch.autocast:
        """Return the context in which networks compute."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.rule.half_precision)

    def estimate(self, batch: Batch, time: torch.Tensor) -> torch.Tensor:
        """Estimate fused bands (n, bands, s, s) by the velocity at x_t = (1 - t) lms + t target."""
        t = time[:, None, None, None]
        with self.precision():
            velocity = self.parallel((1.0 - t) * batch.lms + t * batch.target, time, batch.given)
        return batch.lms + velocity.float()

    def update(self, rate: float) -> None:
        """Follow the current gradient at a learning rate, and move the average along."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.rule.gradient_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        decay = min(self.rule.ema, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters()):
                mean.lerp_(value, 1.0 - decay)
        self.step += 1


@torch.no_grad()
def grown(small: FlowNetwork, config: NetworkConfig) -> FlowNetwork:
    """Build a network of `config` with the velocity of `small`, at every input, for further training.

    After Chen, Goodfellow and Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (ICLR 2016). Here new
    channels start at random, and old ones do not read them yet.

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
