"""Inference on a device: band groups, one tile at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch

from ..geometry.grids import Window
from ..network.band_groups import Group, group_bands
from ..network.conditioning import Conditions
from ..network.flow_network import FlowNetwork
from ..scene.statistics import SceneStatistics
from .euler import EulerState, GroupValues, Workspace
from .folded_network import FoldedNetwork

MIN_PIECE = 128  # PAN pixels; where a GPU lacks memory for that much, the CPU takes over
Check = Callable[[], None]  # may raise to stop


class TileFuser:
    """One scene's network: weights, statistics and band groups on a device. Its methods may run in several threads.

    `shortages` has an entry each time memory ran out: the device, and the side of later pieces in PAN pixels, None
    where the CPU took over.
    """

    def __init__(
        self,
        network: FlowNetwork,
        statistics: SceneStatistics,
        device: torch.device,
        dtype: torch.dtype,
        steps: int,
        outputs: Sequence[int] | None = None,
        share: float = 1.0,
    ) -> None:
        """Fold the networks of all groups.

        `outputs` are the bands of the result by their places in `statistics`, -1 for one that stays empty; all by
        default. They change neither groups nor values. `share`, in [0, 1], is that of the network's additions to the
        injection of PAN's detail.
        """
        self.network, self.statistics, self.steps, self.share = network, statistics, steps, share
        self.cell, self.halo = self.network.config.cell, self.network.config.halo * steps
        self.outputs = tuple(range(statistics.bands) if outputs is None else outputs)
        groups = group_bands(statistics, self.network.config)
        self.groups = [g for g in groups if set(g.bands[: g.written]) & set(self.outputs)]
        self.largest: int | None = None  # side of a piece, once memory has run out
        self.shortages: list[tuple[str, int | None]] = []
        self.workspace, self._lock = Workspace(), threading.Lock()
        self._move(device, dtype)

    @torch.inference_mode()
    def _move(self, device: torch.device, dtype: torch.dtype) -> None:
        """Put the folded networks of every group and step on a device."""
        self.passes = []
        for group in self.groups:
            scene = self.statistics.condition(group.bands)
            length = self.share * self.statistics.trust / self.steps
            networks = [
                FoldedNetwork(self.network, scene, step / self.steps, length, device, dtype)
                for step in range(self.steps)
            ]
            self.passes.append((self._make_values(group, device), group.written, networks))
        self.device, self.dtype = device, dtype

    def _make_values(self, group: Group, device: torch.device) -> GroupValues:
        scene = self.statistics
        rows = (scene.ms_mean, scene.ms_std, [i * scene.trust / self.steps for i in scene.injection])
        mean, std, injection = (torch.tensor([row[b] for b in group.bands], device=device) for row in rows)
        return GroupValues(
            group.bands,
            mean,
            std,
            injection,
            torch.tensor(scene.depth(group.bands)[: len(group.bands) + 1], device=device),
        )

    def fuse(self, conditions: Conditions, place: Window, check: Check) -> torch.Tensor:
        """Fuse the window `place` of the conditions to digital numbers (bands, h, w), in pieces if memory is short.

        The conditions reach `halo` beyond `place` where the result is to be exact, and their sides are multiples of
        `cell`. Bands of the output that stay empty are 0. The result is float32, on the CPU.
        """
        side = max(place.width, place.height)
        if self.largest is not None and side > self.largest:
            wide = place.width >= place.height
            halves = place.halves(wide)
            return torch.cat([self.fuse(conditions, h, check) for h in halves], dim=2 if wide else 1)
        device = self.device
        try:
            around = aligned(place.grown(self.halo), self.cell).clipped(conditions.window)
            inner = replace(place, left=place.left - around.left, top=place.top - around.top)
            return self._fuse(conditions.cropped(around), inner, check)
        except torch.cuda.OutOfMemoryError:
            if device.type == "cpu":
                raise
        self._take_less(device, side)
        return self.fuse(conditions, place, check)

    def _take_less(self, device: torch.device, side: int) -> None:
        """Use smaller pieces from now on, or the CPU, after `device` had no memory for a piece of `side` pixels."""
        with self._lock:
            if device != self.device or (self.largest is not None and self.largest < side):
                return  # another thread has changed it already
            if side > MIN_PIECE:
                self.largest = -(-side // 2)
                self.shortages.append((str(device), self.largest))
            else:
                self.largest = None
                self.shortages.append((str(device), None))
                self._move(torch.device("cpu"), torch.float32)

    @torch.inference_mode()
    def _fuse(self, conditions: Conditions, window: Window, check: Check) -> torch.Tensor:
        """Fuse a window in one piece."""
        result = torch.zeros(len(self.outputs), window.height, window.width)
        with _open_stream(self.device):
            passes, dtype = self.passes, self.dtype
            conditions = conditions.on(self.device)
            flow = EulerState(conditions, self.network.config.bands, self.cell, dtype, self.workspace)
            for group, written, networks in passes:
                flow.start_steps(group)
                for network in networks[:-1]:
                    flow.advance(network(flow.planes, check))
                velocity = networks[-1](flow.planes, check)
                for rows, numbers in flow.finish_steps(velocity, window, written):
                    for number, band in enumerate(self.outputs):
                        if band in group.bands[:written]:
                            result[number, rows] = numbers[group.bands.index(band)].to(result.device)
        return result


def _open_stream(device: torch.device) -> AbstractContextManager[Any]:
    """Open a stream for each piece on a GPU, so that copies of one overlap with computing of another."""
    return torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else nullcontext()


def aligned(window: Window, cell: int) -> Window:
    """Return the smallest window around `window` aligned to multiples of `cell`, so that all tiles share one phase."""
    left, top = window.left // cell * cell, window.top // cell * cell
    return Window(left, top, -(-window.right // cell) * cell - left, -(-window.bottom // cell) * cell - top)
