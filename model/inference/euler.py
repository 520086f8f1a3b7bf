"""The state of the flow in one tile for one group of bands, from interpolated MS to digital numbers.

Images are held as planes of the working grid, in the order (channel, row in the cell, row of the cell, column in the
cell, column of the cell), so that the network reads and writes them without a transposition. Everything but the
network works on strips of rows, which stay in the processor's cache.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ..geometry.grids import Window
from ..network.conditioning import Conditions
from ..network.flow_network import BRIGHTEST, DARKEST, GUIDES

STRIP = 65536  # PAN pixels of a strip on a CPU


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
    """The flow of one group of bands over a window whose sides are multiples of `cell`.

    planes (channels * cell^2, h, w)   what the network reads at the present time, of its own number type
    """

    def __init__(
        self, conditions: Conditions, group: GroupValues, cell: int, dtype: torch.dtype, space: Workspace
    ) -> None:
        self.conditions, self.group, self.cell = conditions, group, cell
        pan, bands = conditions.pan, len(group.bands)
        height, width = (n // cell for n in pan.shape)
        plane, kind = (cell, height, cell, width), (pan.dtype, pan.device)
        self.state = space.empty("state", (bands, *plane), *kind)
        self.detail, self.inverse = (space.empty(name, plane, *kind) for name in ("detail", "inverse"))
        self.inputs = space.empty("inputs", (2 * bands + GUIDES, cell, cell, height, width), dtype, pan.device)
        self.planes = self.inputs.view(-1, height, width)
        rows = max(STRIP // (cell * cell * width), 1) if pan.device.type == "cpu" else height
        self.strips = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
        lift = _Lift(conditions, (0, 1, *(2 + b for b in group.bands)), cell)
        for strip in self.strips:
            self._depart(lift(strip), strip)

    def advance(self, velocity: torch.Tensor) -> None:
        """One Euler step to a time before 1; `velocity` is what `FoldedNetwork` gave for `planes`."""
        for strip in self.strips:
            self._step(velocity, strip, slice(None))
            self._store(0, self.state[:, :, strip], strip)
            self._modulate(strip)

    def arrive(
        self, velocity: torch.Tensor, place: Window, count: int
    ) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor | None]]:
        """The last Euler step within the window `place`, strip by strip.

        Gives rows of `place`, digital numbers (count, rows, width) of the first bands, and which pixels are valid, of
        all bands or band by band.
        """
        cell, valid = self.cell, self.conditions.valid
        across = slice(place.left // cell, -(-place.right // cell))
        inner = slice(place.left - across.start * cell, place.right - across.start * cell)
        mean, std = (v[:count, None, None] for v in (self.group.mean, self.group.std))
        for strip in self.strips:
            top, bottom = max(strip.start * cell, place.top), min(strip.stop * cell, place.bottom)
            if top >= bottom:
                continue
            self._step(velocity, strip, across)
            planes = self.state[:count, :, strip, :, across]
            numbers = planes.permute(0, 2, 1, 4, 3).reshape(count, cell * planes.shape[2], -1).mul_(std).add_(mean)
            numbers = numbers[:, top - strip.start * cell : bottom - strip.start * cell, inner]
            told = None if valid is None else valid[..., top:bottom, place.left : place.right]
            if told is not None and told.dim() == 3:
                told = told[list(self.group.bands[:count])]
            yield slice(top - place.top, bottom - place.top), numbers, told

    def _depart(self, fine: torch.Tensor, strip: slice) -> None:
        """Fill a strip from its interpolated images (2 + bands, cell, rows, cell, w)."""
        pan = self.conditions.pan[strip.start * self.cell : strip.stop * self.cell]
        pan = pan.unflatten(0, (-1, self.cell)).unflatten(2, (-1, self.cell)).permute(1, 0, 3, 2).contiguous()
        low, intensity, bands = fine[0], fine[1], fine[2:]
        self.state[:, :, strip] = bands
        self.detail[:, strip] = pan - low
        self.inverse[:, strip] = (low + self.group.depth[-1]).clamp_min_(DARKEST).reciprocal_()
        self._store(0, bands, strip)
        self._store(len(bands), torch.stack([pan, low, intensity]), strip)
        self._modulate(strip)

    def _modulate(self, strip: slice) -> None:
        """PAN's detail in proportion to each band's brightness, as `Guidance.modulated`."""
        depth = self.group.depth[:-1, None, None, None, None]
        ratio = (self.state[:, :, strip] + depth).mul_(self.inverse[:, strip]).clamp_(0.0, BRIGHTEST)
        self._store(len(depth) + GUIDES, ratio.mul_(self.detail[:, strip]), strip)

    def _store(self, first: int, planes: torch.Tensor, strip: slice) -> None:
        """Hand planes (n, cell, rows, cell, w) to the network as its channels from `first` on."""
        self.inputs[first : first + len(planes), :, :, strip] = planes.permute(0, 1, 3, 2, 4)

    def _step(self, velocity: torch.Tensor, strip: slice, across: slice) -> None:
        """x + injection * detail + share * modulated + remainder in a part of the state."""
        bands = len(self.state)
        given = velocity.unflatten(0, (-1, self.cell, self.cell))[:, :, :, strip, across].permute(0, 1, 3, 2, 4).float()
        modulated = self.inputs[-bands:, :, :, strip, across].permute(0, 1, 3, 2, 4).float()
        state = self.state[:, :, strip, :, across]
        state.addcmul_(self.group.injection[:, None, None, None, None], self.detail[:, strip, :, across])
        state.addcmul_(given[:bands], modulated).add_(given[bands:])


class _Lift:
    """Interpolates some of the coarse images to planes of the working grid, strip by strip."""

    def __init__(self, conditions: Conditions, channels: tuple[int, ...], cell: int) -> None:
        self.coarse, self.rows, self.cell = conditions.coarse[list(channels)], conditions.rows, cell
        self.width = len(conditions.columns) // cell
        self.blocks = [
            (slice(column * self.width + out.start, column * self.width + out.stop), samples, matrix.T.contiguous())
            for column in range(cell)
            for out, samples, matrix in conditions.columns[column::cell].blocks(self.coarse)
        ]

    def __call__(self, strip: slice) -> torch.Tensor:
        """Planes (channels, cell, rows, cell, w) of a strip of rows of cells."""
        cell, count = self.cell, strip.stop - strip.start
        samples, matrix = self.rows[strip.start * cell : strip.stop * cell].block(self.coarse)
        matrix = matrix.unflatten(0, (count, cell)).transpose(0, 1).flatten(0, 1)
        tall = (matrix @ self.coarse[:, samples]).flatten(0, 1)
        out = tall.new_empty(len(tall), cell * self.width)
        for outputs, samples, matrix in self.blocks:
            torch.mm(tall[:, samples], matrix, out=out[:, outputs])
        return out.view(-1, cell, count, cell, self.width)
