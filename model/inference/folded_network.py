"""The network as it runs: time and scene conditions folded into its weights, one kind of number, no autocast.

relu(conv(x) (1 + s) + b) is a convolution with scaled weights, so what the blocks are told of the scene and of time
costs nothing; the same holds for the length of an Euler step, which scales the last layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn.functional import conv2d

from ..network.flow_network import FlowNetwork, ResidualBlock
from .depth_first import DepthFirst, Layer


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
        length: float,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """`scene` holds the numbers of `SceneStatistics.condition`, `length` that of the Euler step."""
        conditions = torch.tensor([[time, *scene]])
        modulation = network.modulate(torch.relu(network.film(conditions.to(network.film.weight))))[0]
        parts = modulation.chunk(2 * network.config.blocks)
        layers = [_layer(network.head)]
        for i, block in enumerate(network.blocks):
            conv1, conv2 = _layer(cast(ResidualBlock, block).conv1), _layer(cast(ResidualBlock, block).conv2)
            scale, shift = 1.0 + parts[2 * i], parts[2 * i + 1]
            layers += [(conv1[0] * scale[:, None, None, None], conv1[1] * scale + shift), conv2]
        weight, bias = _layer(network.tail)
        layers.append((weight * length, bias * length))
        self.opaque = dtype is torch.bfloat16 and _runs_opaque(device, dtype)
        self.depth_first = device.type == "cpu" and not self.opaque
        form = torch.contiguous_format if self.opaque else torch.channels_last
        self.layers = [(w.to(dtype, memory_format=form).to(device), b.to(dtype).to(device)) for w, b in layers]

    def __call__(self, planes: torch.Tensor, check: Callable[[], None] = lambda: None) -> torch.Tensor:
        """Velocity times the step's length; (channels, h, w) to (2 bands * cell^2, h, w), both of the network's type.

        `check` is called often and may raise to stop.
        """
        if self.depth_first:
            return DepthFirst(self.layers, planes).run(check)
        x = planes[None].to_mkldnn() if self.opaque else planes[None].contiguous(memory_format=torch.channels_last)
        x = self._convolve(x, self.layers[0]).relu_()
        for i in range(1, len(self.layers) - 1, 2):
            check()
            x.add_(self._convolve(self._convolve(x, self.layers[i]).relu_(), self.layers[i + 1]))
        x = self._convolve(x, self.layers[-1])
        return (x.to_dense() if self.opaque else x.contiguous())[0]

    def _convolve(self, x: torch.Tensor, layer: Layer) -> torch.Tensor:
        if self.opaque:
            return torch.mkldnn_convolution(x, *layer, [1, 1], [1, 1], [1, 1], 1)
        return conv2d(x, *layer, padding=1)


def _layer(convolution: nn.Conv2d) -> Layer:
    bias = convolution.bias
    return convolution.weight, convolution.weight.new_zeros(len(convolution.weight)) if bias is None else bias


def _runs_opaque(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether oneDNN runs whole networks here on tensors in its own layout: in bfloat16 faster than depth first."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    try:
        image = torch.zeros(1, 1, 3, 3, dtype=dtype).to_mkldnn()
        weight, bias = torch.zeros(1, 1, 3, 3, dtype=dtype), torch.zeros(1, dtype=dtype)
        torch.mkldnn_convolution(image, weight, bias, [1, 1], [1, 1], [1, 1], 1).relu_().to_dense()
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return True
