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
    """What is constant for a group of bands over a scene: tensors (bands,) but for depth (bands + 1,).

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
        """A tensor to be filled; it lasts until the next call for the same name."""
        count, kept = math.prod(shape), self.kept.get(name)
        if kept is None or kept.numel() < count or kept.dtype != dtype or kept.device != device:
            kept = self.kept[name] = torch.empty(count, dtype=dtype, device=device)
        return kept[:count].view(shape)


class EulerState:
    """The flow over a window whose sides are multiples of `cell`, for one group of bands after the other.

    planes (channels * cell^2, h, w)   what the network reads at the present time, of its own number type: the bands,
    the guides, which all groups share, and the modulated detail of the bands

    What else is held lies strip by strip, (images, cell, rows, cell, w) each.
    """

    def __init__(self, conditions: Conditions, bands: int, cell: int, dtype: torch.dtype, space: Workspace) -> None:
        """`bands` is how many a group has."""
        self.conditions, self.cell = conditions, cell
        pan = conditions.pan[0]
        height, width = (n // cell for n in pan.shape)
        self.inputs = space.empty("inputs", (2 * bands + SHARED_GUIDES, cell, cell, height, width), dtype, pan.device)
        self.planes = self.inputs.view(-1, height, width)
        rows = max(STRIP // (cell * cell * width), 1) if pan.device.type == "cpu" else height
        self.strips = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
        self.lift = _Lift(conditions, cell, self.strips)
        self.fine = self._held(space, "fine", 2 + bands)  # PAN at MS sharpness, intensity, and the state
        self.state = [fine[2:] for fine in self.fine]
        self.detail, self.inverse = (self._held(space, name, 1) for name in ("detail", "inverse"))
        self.group: GroupValues  # which is on its way
        self.guided = False

    def depart(self, group: GroupValues) -> None:
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
        """One Euler step to a time before 1; `velocity` is what `FoldedNetwork` gives for `planes`."""
        for number, rows, given in self._pieces(velocity):
            self._step(number, rows, given, slice(None))
            self._store(0, self.state[number][:, :, rows], self._down(number, rows))
            self._modulate(number, self._down(number, rows), rows)

    def arrive(
        self, velocity: Iterable[torch.Tensor], place: Window, count: int
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """The last Euler step within the window `place`, some rows at a time.

        Gives rows of `place` and digital numbers (count, rows, width) of the first bands.
        """
        cell = self.cell
        across = slice(place.left // cell, -(-place.right // cell))
        inner = slice(place.left - across.start * cell, place.right - across.start * cell)
        mean, std = (v[:count, None, None] for v in (self.group.mean, self.group.std))
        for number, rows, given in self._pieces(velocity):
            down = self._down(number, rows)
            top, bottom = max(down.start * cell, place.top), min(down.stop * cell, place.bottom)
            if top >= bottom:
                continue
            self._step(number, rows, given, across)
            planes = self.state[number][:count, :, rows, :, across]
            numbers = planes.permute(0, 2, 1, 4, 3).reshape(count, cell * planes.shape[2], -1).mul_(std).add_(mean)
            numbers = numbers[:, top - down.start * cell : bottom - down.start * cell, inner]
            yield slice(top - place.top, bottom - place.top), numbers

    def _held(self, space: Workspace, name: str, images: int) -> list[torch.Tensor]:
        """Room for images, strip by strip."""
        cell, width = self.cell, self.planes.shape[2]
        row = images * cell * cell * width
        pan = self.conditions.pan
        whole = space.empty(name, (row * self.planes.shape[1],), pan.dtype, pan.device)
        return [whole[row * s.start : row * s.stop].view(images, cell, -1, cell, width) for s in self.strips]

    def _guide(self, number: int, strip: slice) -> None:
        """PAN, PAN at MS sharpness and the intensity of a strip, and what follows from them."""
        pan = self.conditions.pan[0, strip.start * self.cell : strip.stop * self.cell]
        pan = pan.unflatten(0, (-1, self.cell)).unflatten(2, (-1, self.cell)).permute(1, 0, 3, 2)
        guides = self.fine[number][:2]
        torch.sub(pan, guides[0], out=self.detail[number][0])
        torch.add(guides[0], self.group.depth[-1], out=self.inverse[number][0]).clamp_min_(DARKEST).reciprocal_()
        first = (len(self.inputs) - SHARED_GUIDES) // 2
        self._store(first, pan[None], strip)
        self._store(first + 1, guides, strip)

    def _modulate(self, number: int, strip: slice, rows: slice = slice(None)) -> None:
        """PAN's detail in proportion to each band's brightness, as `Guidance.modulated`, in rows of a strip."""
        depth = self.group.depth[:-1, None, None, None, None]
        ratio = (self.state[number][:, :, rows] + depth).mul_(self.inverse[number][:, :, rows]).clamp_(0.0, BRIGHTEST)
        self._store(len(depth) + SHARED_GUIDES, ratio.mul_(self.detail[number][:, :, rows]), strip)

    def _store(self, first: int, planes: torch.Tensor, strip: slice) -> None:
        """Hand planes (n, cell, rows, cell, w) to the network as its channels from `first` on."""
        self.inputs[first : first + len(planes), :, :, strip] = planes.permute(0, 1, 3, 2, 4)

    def _pieces(self, velocity: Iterable[torch.Tensor]) -> Iterator[tuple[int, slice, torch.Tensor]]:
        """The velocity as it comes, cut where strips end: a strip's number, rows of it, and the velocity there."""
        number = done = 0
        for given in velocity:
            first, end = done, done + given.shape[1]
            while done < end:
                strip = self.strips[number]
                stop = min(end, strip.stop)
                yield number, slice(done - strip.start, stop - strip.start), given[:, done - first : stop - first]
                done = stop
                number += int(done == strip.stop)

    def _down(self, number: int, rows: slice) -> slice:
        """Rows of a strip as rows of the working grid."""
        top = self.strips[number].start
        return slice(top + rows.start, top + rows.stop)

    def _step(self, number: int, rows: slice, velocity: torch.Tensor, across: slice) -> None:
        """x + injection * detail + share * modulated + remainder in rows of a strip."""
        state = self.state[number][:, :, rows, :, across]
        bands = len(state)
        given = velocity.unflatten(0, (-1, self.cell, self.cell))[..., across].permute(0, 1, 3, 2, 4).float()
        modulated = self.inputs[-bands:, :, :, self._down(number, rows), across].permute(0, 1, 3, 2, 4).float()
        state.addcmul_(self.group.injection[:, None, None, None, None], self.detail[number][:, :, rows, :, across])
        state.addcmul_(given[:bands], modulated).add_(given[bands:])


class _Lift:
    """Interpolates coarse images to planes of the working grid, strip by strip."""

    def __init__(self, conditions: Conditions, cell: int, strips: Sequence[slice]) -> None:
        self.coarse, width = conditions.coarse, len(conditions.columns) // cell
        self.down = [self._rows(conditions, cell, strip) for strip in strips]
        self.across = [
            (slice(column * width + out.start, column * width + out.stop), samples, matrix.T.contiguous())
            for column in range(cell)
            for out, samples, matrix in tensor_blocks(conditions.columns[column::cell], self.coarse)
        ]

    def _rows(self, conditions: Conditions, cell: int, strip: slice) -> tuple[slice, torch.Tensor]:
        """The samples that a strip reads, and the matrix over them, (cell * rows, samples)."""
        samples, matrix = conditions.rows[strip.start * cell : strip.stop * cell].block()
        return samples, torch.from_numpy(matrix).to(self.coarse).unflatten(0, (-1, cell)).transpose(0, 1).flatten(0, 1)

    def __call__(self, channels: Sequence[int], number: int, out: torch.Tensor) -> None:
        """Some images of a strip, to (channels, cell, rows, cell, w)."""
        samples, matrix = self.down[number]
        tall = (matrix @ self.coarse[list(channels), samples]).flatten(0, 1)
        flat = out.view(len(tall), -1)
        for outputs, samples, matrix in self.across:
            torch.mm(tall[:, samples], matrix, out=flat[:, outputs])
