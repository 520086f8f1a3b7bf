"""The state of the flow in one tile, from interpolated MS to digital numbers.

Images are held as planes of the working grid, in the order (channel, row in the cell, row of the cell, column in the
cell, column of the cell), so that the network reads and writes them without a transposition. Everything but the
network works on strips of rows, which stay in the processor's cache.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from ..geometry.grids import Window
from ..network.conditioning import Conditions
from ..network.flow_network import BRIGHTEST, DARKEST, SHARED_GUIDES
from ..network.tensor_resampling import tensor_blocks

STRIP = 131072  # PAN pixels of a strip on a CPU


@dataclass(frozen=True)
class GroupValues:
    """Values of a group of bands, constant over a scene: tensors (bands,), and depth (bands + 1,).

    mean, std   in digital numbers        injection, depth   as in `network.Guidance`
    """

    bands: tuple[int, ...]
    mean: torch.Tensor
    std: torch.Tensor
    injection: torch.Tensor
    depth: torch.Tensor


class Workspace(threading.local):
    """Buffers that each thread keeps from tile to tile: to clear new pages costs as much as to compute on them."""

    def __init__(self) -> None:
        self.kept: dict[str, torch.Tensor] = {}

    def empty(self, name: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Return an unfilled tensor; it lasts until the next call for the same name."""
        count, kept = math.prod(shape), self.kept.get(name)
        if kept is None or kept.numel() < count or kept.dtype != dtype or kept.device != device:
            kept = self.kept[name] = torch.empty(count, dtype=dtype, device=device)
        return kept[:count].view(shape)


class EulerState:
    """The flow over a window whose sides are multiples of `cell`, for one group of bands after the other.

    planes (channels * cell^2, h, w)   the network's present input, in its number type: the bands, the guides, which all
    groups share, and the modulated detail of the bands

    All other images are stored strip by strip, (images, cell, rows, cell, w) each.
    """

    def __init__(self, conditions: Conditions, bands: int, cell: int, dtype: torch.dtype, space: Workspace) -> None:
        """Prepare the buffers; `bands` is the number of bands of a group."""
        self.conditions, self.cell = conditions, cell
        pan = conditions.pan[0]
        height, width = (n // cell for n in pan.shape)
        self.inputs = space.empty("inputs", (2 * bands + SHARED_GUIDES, cell, cell, height, width), dtype, pan.device)
        self.planes = self.inputs.view(-1, height, width)
        rows = max(STRIP // (cell * cell * width), 1) if pan.device.type == "cpu" else height
        self.strips = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
        self.lift = _Interpolator(conditions, cell, self.strips)
        self.fine = self._allocate(space, "fine", 2 + bands)  # PAN at MS sharpness, intensity, and the state
        self.state = [fine[2:] for fine in self.fine]
        self.detail, self.inverse = (self._allocate(space, name, 1) for name in ("detail", "inverse"))
        self.group: GroupValues  # the current one
        self.guided = False

    def start_steps(self, group: GroupValues) -> None:
        """Begin with the interpolated bands of a group."""
        self.group = group
        bands = [2 + band for band in group.bands]
        for number, strip in enumerate(self.strips):
            if self.guided:
                self.lift(bands, number, self.state[number])
            else:
                self.lift([0, 1, *bands], number, self.fine[number])
                self._guide(number, strip)
            self._store(0, self.state[number], strip)
            self._modulate(number, strip)
        self.guided = True

    def advance(self, velocity: Iterable[torch.Tensor]) -> None:
        """Take an Euler step to a time before 1; `velocity` is the output of `FoldedNetwork` for `planes`."""
        for number, rows, part in self._split_by_strip(velocity):
            self._step(number, rows, part, slice(None))
            self._store(0, self.state[number][:, :, rows], self._convert_rows(number, rows))
            self._modulate(number, self._convert_rows(number, rows), rows)

    def finish_steps(
        self, velocity: Iterable[torch.Tensor], place: Window, count: int
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Take the last Euler step within the window `place`, some rows at a time.

        Yields rows of `place` and digital numbers (count, rows, width) of the first bands.
        """
        cell = self.cell
        across = slice(place.left // cell, -(-place.right // cell))
        inner = slice(place.left - across.start * cell, place.right - across.start * cell)
        mean, std = (v[:count, None, None] for v in (self.group.mean, self.group.std))
        for number, rows, part in self._split_by_strip(velocity):
            down = self._convert_rows(number, rows)
            top, bottom = max(down.start * cell, place.top), min(down.stop * cell, place.bottom)
            if top >= bottom:
                continue
            self._step(number, rows, part, across)
            planes = self.state[number][:count, :, rows, :, across]
            numbers = planes.permute(0, 2, 1, 4, 3).reshape(count, cell * planes.shape[2], -1).mul_(std).add_(mean)
            numbers = numbers[:, top - down.start * cell : bottom - down.start * cell, inner]
            yield slice(top - place.top, bottom - place.top), numbers

    def _allocate(self, space: Workspace, name: str, images: int) -> list[torch.Tensor]:
        """Allocate images, strip by strip."""
        cell, width = self.cell, self.planes.shape[2]
        row = images * cell * cell * width
        pan = self.conditions.pan
        whole = space.empty(name, (row * self.planes.shape[1],), pan.dtype, pan.device)
        return [whole[row * s.start : row * s.stop].view(images, cell, -1, cell, width) for s in self.strips]

    def _guide(self, number: int, strip: slice) -> None:
        """Compute detail and inverse of a strip, and store its PAN, PAN at MS sharpness and intensity."""
        pan = self.conditions.pan[0, strip.start * self.cell : strip.stop * self.cell]
        pan = pan.unflatten(0, (-1, self.cell)).unflatten(2, (-1, self.cell)).permute(1, 0, 3, 2)
        guides = self.fine[number][:2]
        torch.sub(pan, guides[0], out=self.detail[number][0])
        torch.add(guides[0], self.group.depth[-1], out=self.inverse[number][0]).clamp_min_(DARKEST).reciprocal_()
        first = (len(self.inputs) - SHARED_GUIDES) // 2
        self._store(first, pan[None], strip)
        self._store(first + 1, guides, strip)

    def _modulate(self, number: int, strip: slice, rows: slice = slice(None)) -> None:
        """Modulate PAN's detail by each band's brightness, as `Guidance.modulate_detail`, in rows of a strip."""
        depth = self.group.depth[:-1, None, None, None, None]
        ratio = (self.state[number][:, :, rows] + depth).mul_(self.inverse[number][:, :, rows]).clamp_(0.0, BRIGHTEST)
        self._store(len(depth) + SHARED_GUIDES, ratio.mul_(self.detail[number][:, :, rows]), strip)

    def _store(self, first: int, planes: torch.Tensor, strip: slice) -> None:
        """Write planes (n, cell, rows, cell, w) to the network's channels from `first` on."""
        self.inputs[first : first + len(planes), :, :, strip] = planes.permute(0, 1, 3, 2, 4)

    def _split_by_strip(self, velocity: Iterable[torch.Tensor]) -> Iterator[tuple[int, slice, torch.Tensor]]:
        """Cut the velocity where strips end. Yields a strip's number, rows of it, and the velocity there."""
        number = done = 0
        for part in velocity:
            first, end = done, done + part.shape[1]
            while done < end:
                strip = self.strips[number]
                stop = min(end, strip.stop)
                yield number, slice(done - strip.start, stop - strip.start), part[:, done - first : stop - first]
                done = stop
                number += int(done == strip.stop)

    def _convert_rows(self, number: int, rows: slice) -> slice:
        """Convert rows of a strip to rows of the working grid."""
        top = self.strips[number].start
        return slice(top + rows.start, top + rows.stop)

    def _step(self, number: int, rows: slice, velocity: torch.Tensor, across: slice) -> None:
        """Add injection * detail + share * modulated + remainder to rows of a strip."""
        state = self.state[number][:, :, rows, :, across]
        bands = len(state)
        output = velocity.unflatten(0, (-1, self.cell, self.cell))[..., across].permute(0, 1, 3, 2, 4).float()
        modulated = self.inputs[-bands:, :, :, self._convert_rows(number, rows), across].permute(0, 1, 3, 2, 4).float()
        state.addcmul_(self.group.injection[:, None, None, None, None], self.detail[number][:, :, rows, :, across])
        state.addcmul_(output[:bands], modulated).add_(output[bands:])


class _Interpolator:
    """An interpolator of coarse images to planes of the working grid, strip by strip."""

    def __init__(self, conditions: Conditions, cell: int, strips: Sequence[slice]) -> None:
        self.coarse, width = conditions.coarse, len(conditions.columns) // cell
        self.down = [self._build_matrix(conditions, cell, strip) for strip in strips]
        self.across = [
            (slice(column * width + out.start, column * width + out.stop), samples, matrix.T.contiguous())
            for column in range(cell)
            for out, samples, matrix in tensor_blocks(conditions.columns[column::cell], self.coarse)
        ]

    def _build_matrix(self, conditions: Conditions, cell: int, strip: slice) -> tuple[slice, torch.Tensor]:
        """Return the samples that a strip reads, and the matrix over them, (cell * rows, samples)."""
        samples, matrix = conditions.rows[strip.start * cell : strip.stop * cell].block()
        return samples, torch.from_numpy(matrix).to(self.coarse).unflatten(0, (-1, cell)).transpose(0, 1).flatten(0, 1)

    def __call__(self, channels: Sequence[int], number: int, out: torch.Tensor) -> None:
        """Interpolate some images of a strip to `out` (channels, cell, rows, cell, w)."""
        samples, matrix = self.down[number]
        tall = (matrix @ self.coarse[list(channels), samples]).flatten(0, 1)
        flat = out.view(len(tall), -1)
        for outputs, samples, matrix in self.across:
            torch.mm(tall[:, samples], matrix, out=flat[:, outputs])
