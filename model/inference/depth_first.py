"""A network run depth first: strips of rows go through all layers, so that activations stay in the processor's cache.

Each layer keeps the last two rows that it read. So no row is computed twice, and the result is that of whole images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from .convolution import Convolution

STRIP_BYTES = 1 << 21  # of a layer's activations in a strip; the second-level cache of a core is about as large
MIN_STRIP_ROWS = 64  # rows; to start a lower strip costs more than the cache saves


class DepthFirst:
    """Head, residual blocks of two layers each, and tail, over one image (channels, h, w) from top to bottom.

    A layer reads one buffer: the rows kept from the strip before, or one of zeros at the image's edge, then new ones.
    The layer before writes there, relu or sum included, so only the kept rows are copied. The second layer of a block
    adds to the block's input in place; its output is two rows higher in the buffer.
    """

    def __init__(self, layers: Sequence[Convolution], planes: torch.Tensor) -> None:
        self.layers, self.planes = layers, planes
        height, width = planes.shape[1:]
        channels, count = layers[0].outputs, len(layers)
        # each layer takes a row off the first strip
        rows = max(STRIP_BYTES // (width * channels * planes.element_size()), MIN_STRIP_ROWS, count + 2)
        self.strips = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
        self.input = self._allocate(len(planes), rows + 3)
        self.features = self._allocate(channels, count + rows + 2)  # begins `count` rows down, and rises by two a block
        self.inner = self._allocate(channels, rows + count + 3)
        self.identity = torch.eye(layers[-1].outputs, dtype=planes.dtype)
        self.kept: list[torch.Tensor | None] = [None] * count

    def run(self, check: Callable[[], None]) -> Iterator[torch.Tensor]:
        """Yield the output from top to bottom, some rows (channels, n, w) at a time; they lag behind the rows read.

        `check` is called between strips and may raise to stop.
        """
        for strip in self.strips:
            check()
            yield self.through(self.planes[:, strip], strip.stop == self.planes.shape[1])

    def through(self, planes: torch.Tensor, last: bool) -> torch.Tensor:
        """Run new rows (channels, n, w) through all layers."""
        lag = 0 if self.kept[0] is None else 2  # rows by which a block's output is above its input
        new = slice(2, 2 + planes.shape[1])
        self.input[0, :, new] = planes
        read = self._read(0, self.input, new, last)
        new = slice(len(self.layers), len(self.layers) + read.shape[2] - 2)
        self.layers[0].relu_into(read, self.features[:, :, new])
        for first in range(1, len(self.layers) - 1, 2):
            read = self._read(first, self.features, new, last)
            inner = slice(2, read.shape[2])
            self.layers[first].relu_into(read, self.inner[:, :, inner])
            read = self._read(first + 1, self.inner, inner, last)
            new = slice(new.start - lag, new.start - lag + read.shape[2] - 2)
            self.layers[first + 1].add_to(read, self.features[:, :, new])
        return self._make_planes(self.layers[-1](self._read(len(self.layers) - 1, self.features, new, last)))

    def _read(self, number: int, buffer: torch.Tensor, new: slice, last: bool) -> torch.Tensor:
        """Return `new` rows of a buffer and those around them, which a layer reads, and keep the last two."""
        kept = self.kept[number]
        start, stop = new.start - (1 if kept is None else 2), new.stop + int(last)
        buffer[:, :, start : new.start] = 0.0 if kept is None else kept  # beyond the image's edges are zeros
        buffer[:, :, new.stop : stop] = 0.0
        self.kept[number] = buffer[:, :, stop - 2 : stop].clone(memory_format=torch.channels_last)
        return buffer[:, :, start:stop]

    def _make_planes(self, rows: torch.Tensor) -> torch.Tensor:
        """Arrange rows (1, channels, n, w), channels_last, plane by plane. A product with 1 and 0 is quickest."""
        pixels = rows[0].permute(1, 2, 0).reshape(-1, rows.shape[1])
        return (self.identity @ pixels.T).view(rows.shape[1:])

    def _allocate(self, channels: int, rows: int) -> torch.Tensor:
        shape, form = (1, channels, rows, self.planes.shape[2]), torch.channels_last
        return torch.empty(shape, dtype=self.planes.dtype, memory_format=form)
