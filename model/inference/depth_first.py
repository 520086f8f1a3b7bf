"""A network run depth first: strips of rows go through all layers, so that activations stay in the processor's cache.

Each layer keeps the last two rows it was given. So no row is computed twice, and the result is that of whole images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import conv2d

Layer = tuple[torch.Tensor, torch.Tensor]  # weights (out, in, 3, 3), bias (out,)

STRIP_BYTES = 1 << 20  # of a layer's activations in a strip; the second-level cache of a core is about as large
BUFFERS = 3  # that layers take in turn: a block's input is needed until its second layer is done


class DepthFirst:
    """Head, residual blocks of two layers each, and tail, over one image (channels, h, w) from top to bottom.

    What a layer reads lies in a buffer: rows kept from the strip before, or one of zeros at the image's edge, then new
    ones. The layer before, its relu or sum included, writes there, so that nothing is copied but the rows kept.
    """

    def __init__(self, layers: Sequence[Layer], planes: torch.Tensor) -> None:
        self.layers, self.planes = layers, planes
        height, width = planes.shape[1:]
        row = width * len(layers[0][0]) * planes.element_size()
        rows = max(STRIP_BYTES // row, len(layers) + 1)  # each layer takes a row off the first strip
        self.strips = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
        most = rows + len(layers) + 2  # which the last strip gets again; and two rows kept
        self.buffers = [self._empty(c, most) for c in (len(planes), *[len(layers[0][0])] * BUFFERS)]
        self.kept: list[torch.Tensor | None] = [None] * len(layers)

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
        above = int(self.kept[0] is None)  # rows of zeros at the top of what layers read
        given, new = self._input(0, x.shape[2], last)
        new.copy_(x)
        x = self._convolve(0, given)
        given, new = self._input(1, x.shape[2], last)
        torch.clamp_min(x, 0.0, out=new)
        for first in range(1, len(self.layers) - 1, 2):
            inner = self._convolve(first, given)
            between, new = self._input(first + 1, inner.shape[2], last)
            torch.clamp_min(inner, 0.0, out=new)
            change = self._convolve(first + 1, between)
            after, new = self._input(first + 2, change.shape[2], last)
            torch.add(change, given[:, :, above : above + change.shape[2]], out=new)
            given = after
        return self._convolve(len(self.layers) - 1, given)

    def _input(self, number: int, count: int, last: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """What a layer reads this time, and the part of that where `count` new rows are to be written."""
        kept = self.kept[number]
        before = 1 if kept is None else kept.shape[2]
        buffer = self.buffers[1 + number % BUFFERS if number else 0]
        whole = buffer[:, :, : before + count + int(last)]  # beyond the image's edges are zeros
        whole[:, :, :before] = 0.0 if kept is None else kept
        if last:
            whole[:, :, -1] = 0.0
        return whole, whole[:, :, before : before + count]

    def _convolve(self, number: int, given: torch.Tensor) -> torch.Tensor:
        """A layer's output as far as its rows are at hand."""
        self.kept[number] = given[:, :, -2:].clone(memory_format=torch.channels_last)
        return conv2d(given, *self.layers[number], padding=(0, 1))

    def _empty(self, channels: int, rows: int) -> torch.Tensor:
        planes = self.planes
        shape, form = (1, channels, rows, planes.shape[2]), torch.channels_last
        return torch.empty(shape, dtype=planes.dtype, device=planes.device, memory_format=form)
