"""The network for inference: time and scene conditions folded into its weights, one number type, no autocast.

relu(conv(x) (1 + s) + b) is a convolution with scaled weights, so the conditions of scene and time cost nothing. The
lengths of an Euler step scale the last layer in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn.functional import conv2d

from ..network.flow_network import FlowNetwork, NetworkConfig, ResidualBlock
from .convolution import Convolution, Layer, convolution
from .depth_first import DepthFirst


class FoldedNetwork:
    """`FlowNetwork` at one time of one scene. Its input and output are planes of the working grid.

    The planes are those of pixel-unshuffle: plane channel * cell^2 + row * cell + column holds the pixels at that row
    and column of every cell.
    """

    def __init__(
        self,
        network: FlowNetwork,
        scene: Sequence[float],
        time: float,
        lengths: Sequence[float],
        device: torch.device,
        dtype: torch.dtype,
        shared: bool = True,
    ) -> None:
        """Fold the weights.

        `scene` holds the numbers of `SceneStatistics.condition`, `lengths` are the Euler step's of the bands. `shared`
        is True where they share one PAN.
        """
        conditions = torch.tensor([[time, *scene]])
        modulation = network.modulate(torch.relu(network.film(conditions.to(network.film.weight))))[0]
        parts = modulation.chunk(2 * network.config.blocks)
        head = _read_layer(network.head)
        layers = [_share_pan(*head, network.config) if shared else head]
        for i, block in enumerate(network.blocks):
            conv1, conv2 = _read_layer(cast(ResidualBlock, block).conv1), _read_layer(cast(ResidualBlock, block).conv2)
            scale, shift = 1.0 + parts[2 * i], parts[2 * i + 1]
            layers += [(conv1[0] * scale[:, None, None, None], conv1[1] * scale + shift), conv2]
        weight, bias = _read_layer(network.tail)
        length = weight.new_tensor(lengths).repeat(2).repeat_interleave(network.config.cell**2)  # shares, remainders
        layers.append((weight * length[:, None, None, None], bias * length))
        placed = [(w.to(device, dtype), b.to(device, dtype)) for w, b in layers]
        self.layers = [convolution(layer) if device.type == "cpu" else Convolution(layer) for layer in placed]
        self.device = device

    def __call__(self, planes: torch.Tensor, check: Callable[[], None] = lambda: None) -> Iterator[torch.Tensor]:
        """Yield velocity times the step's length, from top to bottom: some rows (2 bands * cell^2, n, w) at a time.

        `planes` (channels, h, w) and output are of the network's type. Rows of `planes` above those yielded may be
        changed in between. `check` is called often and may raise to stop.
        """
        if self.device.type == "cpu":
            yield from DepthFirst(self.layers, planes).run(check)
            return
        x = self._convolve(self.layers[0], planes[None].contiguous(memory_format=torch.channels_last)).relu_()
        for i in range(1, len(self.layers) - 1, 2):
            check()
            x.add_(self._convolve(self.layers[i + 1], self._convolve(self.layers[i], x).relu_()))
        yield self._convolve(self.layers[-1], x)[0].contiguous()

    def _convolve(self, layer: Convolution, x: torch.Tensor) -> torch.Tensor:
        """Apply a layer to a whole image."""
        return conv2d(x, layer.weight, layer.bias, padding=1)


def _share_pan(weight: torch.Tensor, bias: torch.Tensor, config: NetworkConfig) -> Layer:
    """Add up the first layer's channels of PAN, and of PAN at MS sharpness, as all bands share one PAN."""
    planes = weight.unflatten(1, (-1, config.cell**2))
    bands, pan, low, rest = planes.split([config.bands] * 3 + [config.bands + 1], dim=1)
    shared = [part.sum(dim=1, keepdim=True) for part in (pan, low)]
    return torch.cat([bands, *shared, rest], dim=1).flatten(1, 2), bias


def _read_layer(layer: nn.Conv2d) -> Layer:
    bias = layer.bias
    return layer.weight, layer.weight.new_zeros(len(layer.weight)) if bias is None else bias
