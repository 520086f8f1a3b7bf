"""A network run depth first: strips of rows go through all layers, so that activations stay in the processor's cache.

Each layer keeps the last two rows it was given. So no row is computed twice, and the result is that of whole images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import conv2d

Layer = tuple[torch.Tensor, torch.Tensor]  # weights (out, in, 3, 3), bias (out,)

STRIP_BYTES = 1 << 20  # of a layer's activations in a strip; the second-level cache of a core is about as large


class DepthFirst:
    """Head, residual blocks of two layers each, and tail, over one image (channels, h, w) from top to bottom."""

    def __init__(self, layers: Sequence[Layer], planes: torch.Tensor) -> None:
        self.layers, self.planes = layers, planes
        height, width = planes.shape[1:]
        row = width * len(layers[0][0]) * planes.element_size()
        rows = max(STRIP_BYTES // row, len(layers) + 1)  # each layer takes a row off the first strip
        self.strips = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
        self.above: list[torch.Tensor | None] = [None] * len(layers)  # the two rows that each layer keeps
        self.waiting: list[torch.Tensor | None] = [None] * len(layers)  # rows of x whose block is not finished

    def run(self, check: Callable[[], None]) -> torch.Tensor:
        """The output (channels, h, w). `check` is called between strips and may raise to stop."""
        height, width = self.planes.shape[1:]
        result, done = self.planes.new_empty(len(self.layers[-1][0]), height, width), 0
        for strip in self.strips:
            check()
            rows = self._through(self.planes[None, :, strip], strip.stop == height)[0]
            result[:, done : done + rows.shape[1]] = rows
            done += rows.shape[1]
        return result

    def _through(self, x: torch.Tensor, last: bool) -> torch.Tensor:
        """New rows (1, channels, n, w) through all layers; what comes out lags behind by a row for each."""
        x = self._convolve(0, x, last).relu_()
        for first in range(1, len(self.layers) - 1, 2):
            inner = self._convolve(first + 1, self._convolve(first, x, last).relu_(), last)
            waiting = self.waiting[first]
            skipped = x if waiting is None else torch.cat([waiting, x], 2)
            count = inner.shape[2]
            self.waiting[first] = skipped[:, :, count:]
            x = inner.add_(skipped[:, :, :count])
        return self._convolve(len(self.layers) - 1, x, last)

    def _convolve(self, number: int, x: torch.Tensor, last: bool) -> torch.Tensor:
        """A layer's output as far as its rows are at hand; beyond the image's edges are zeros."""
        above = self.above[number]
        edge = x.new_zeros(*x.shape[:2], 1, x.shape[3])
        x = torch.cat([edge if above is None else above, x, *([edge] if last else [])], 2)
        x = x.contiguous(memory_format=torch.channels_last)
        self.above[number] = x[:, :, -2:].clone(memory_format=torch.channels_last)
        return conv2d(x, *self.layers[number], padding=(0, 1))
