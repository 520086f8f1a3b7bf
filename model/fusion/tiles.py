"""The tiles of a run: read, fused and written side by side."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import CancelledError, PansharpenError
from ..geometry.grids import Placement, Window
from ..geometry.resampling import mtf_reach
from ..geometry.window_pair import PairWindow
from ..inference.tile_fuser import TileFuser, aligned
from ..network.conditioning import condition
from ..progress import Progress
from ..quality.full_resolution import full_resolution, interpolated_ms
from ..raster.pixel_types import PixelEncoder
from ..raster.reader import INTEGER_TYPES, Raster
from ..raster.windows import read_around
from . import run_log
from .measure import MEASURING_SHARE
from .memory import KeptMemory, WorkPlan

PIECES_KEPT = 6  # buffers that a thread's network has in use at once
WAKING = 0.1  # seconds between two looks at whether the user has cancelled
QUALITY_SIDE = 512  # PAN pixels of the piece on which the log's quality figure is measured
QUALITY_BANDS = 8  # at most, spread over all: of 64, Q2n would take longer than all else together


class Target(Protocol):
    """Where tiles go."""

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Take (bands, h, w) at a window of the output."""


@dataclass(frozen=True)
class Tiling:
    """Cuts the output's `window` of PAN into tiles and works on them; `placement` holds the shift."""

    pan: Raster
    ms: Raster
    placement: Placement
    window: Window
    plan: WorkPlan

    def run(
        self, fusers: Sequence[TileFuser], encoder: PixelEncoder, target: Target, progress: Progress
    ) -> float | None:
        """Fuse and write all tiles; returns the quality of the middle one.

        The fusers, one a device, take the tiles in turn. One thread reads, `plan.workers` threads compute, this one
        writes, in order. The first error of any of them is raised here, and CancelledError within a moment of the
        user's wish, once all threads have stopped.
        """
        tiles, stop = self._tiles(), threading.Event()
        work = _Work(self, fusers, encoder, _middle_tile(tiles, self.window), stop)
        threads_before, quality = torch.get_num_threads(), None
        waiting: deque[tuple[Window, Future[Fused]]] = deque()
        with (
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(
                self.plan.workers, initializer=_prepare_thread, initargs=(self.plan.threads, KeptMemory())
            ) as workers,
        ):
            try:
                for number, tile in enumerate(tiles):
                    reading = reader.submit(work.read, tile)
                    fuser = fusers[number % len(fusers)]
                    waiting.append((tile, workers.submit(work.fuse, tile, reading, fuser)))
                    while len(waiting) > (self.plan.workers if number + 1 < len(tiles) else 0):
                        done, future = waiting.popleft()
                        fused = _result(future, progress)
                        target.write(self._target(done), fused.values)
                        self._say(fusers, fused, progress)
                        quality = fused.quality.hqnr if fused.quality else quality
                        share = (number + 1 - len(waiting)) / len(tiles)
                        progress.report(MEASURING_SHARE + (1.0 - MEASURING_SHARE) * 0.99 * share)
            finally:
                stop.set()
                torch.set_num_threads(threads_before)
        return quality

    def _tiles(self) -> list[Window]:
        return self.window.split(self.plan.side)

    def _target(self, tile: Window) -> Window:
        return replace(tile, left=tile.left - self.window.left, top=tile.top - self.window.top)

    @staticmethod
    def _say(fusers: Sequence[TileFuser], fused: Fused, progress: Progress) -> None:
        """Pass on what the threads have to say."""
        for fuser in fusers:
            while fuser.shortages:
                progress.warn(run_log.less_memory(*fuser.shortages.pop(0)))
        if fused.quality:
            found = fused.quality
            progress.log(run_log.quality(found.hqnr, found.plain, found.bands, len(fused.values)))
            worse = run_log.quality_notice(found.hqnr, found.plain)
            if worse:
                progress.warn(worse)


@dataclass(frozen=True)
class Quality:
    """HQNR of a piece, that of interpolated MS there, and how many bands they are of."""

    hqnr: float
    plain: float
    bands: int


@dataclass(frozen=True)
class Fused:
    """A tile's values (bands, h, w) in the output's type; of the middle tile also the quality of a piece."""

    values: NDArray[Any]
    quality: Quality | None = None


@dataclass(frozen=True)
class _Work:
    """What the threads do."""

    tiling: Tiling
    fusers: Sequence[TileFuser]
    encoder: PixelEncoder
    middle: Window
    stop: threading.Event

    def check(self) -> None:
        if self.stop.is_set():
            raise CancelledError

    def read(self, tile: Window) -> tuple[PairWindow, Window, Window]:
        """A piece of both rasters, the window of PAN around the tile, and that window in pixels of the piece."""
        self.check()
        tiling = self.tiling
        any_fuser = self.fusers[0]
        reach = mtf_reach(any_fuser.statistics.gain, max(tiling.placement.spacing))
        around = aligned(tile.grown(any_fuser.halo), any_fuser.cell)
        return *read_around(tiling.pan, tiling.ms, tiling.placement, around, reach), around

    def fuse(self, tile: Window, reading: Future[tuple[PairWindow, Window, Window]], fuser: TileFuser) -> Fused:
        """The tile that was read."""
        pair, place, around = reading.result()
        inner = Window(tile.left - around.left, tile.top - around.top, tile.width, tile.height)
        core = np.s_[
            place.top + inner.top : place.top + inner.bottom, place.left + inner.left : place.left + inner.right
        ]
        if not bool(pair.pan_valid[core].any()) or not pair.any_ms_valid:
            return Fused(self.encoder.empty(len(fuser.outputs), tile))
        conditions = condition(pair, place, fuser.statistics)

        def finish(numbers: torch.Tensor, valid: torch.Tensor | None, bands: Sequence[int]) -> NDArray[Any]:
            if not _finite(numbers, valid):
                raise PansharpenError(run_log.not_finite(tile))
            return self.encoder.encode(numbers, valid, bands)

        values = fuser.fuse(conditions, inner, finish, self.check)
        dead = [number for number, band in enumerate(fuser.outputs) if band < 0]
        values[dead] = self.encoder.empty(len(dead), tile)
        return Fused(values, self._quality(pair, core, values) if tile == self.middle else None)

    def _quality(self, pair: PairWindow, core: tuple[slice, slice], values: NDArray[Any]) -> Quality | None:
        """HQNR of a piece of the tile that lies in `core` of PAN, None where it has too few valid pixels."""
        side, (row, column) = min(QUALITY_SIDE, *values.shape[1:]), (c.start for c in core)
        bands = np.linspace(0, len(values) - 1, min(len(values), QUALITY_BANDS)).round().astype(int)
        piece = pair.cropped(Window(column, row, side, side))
        live = [(number, self.fusers[0].outputs[number]) for number in bands if self.fusers[0].outputs[number] >= 0]
        if not live:
            return None
        read = [band for _, band in live]
        piece = replace(piece, ms=piece.ms[read], band_valid=None)
        exact = values[[number for number, _ in live], :side, :side].astype(np.float64)
        exact -= self.tiling.ms.offsets[read][:, None, None]
        fused, gain = torch.from_numpy(exact.astype(np.float32)), self.fusers[0].statistics.gain
        rounded = self.tiling.ms.type in INTEGER_TYPES
        ours = full_resolution(piece, fused, gain, rounded, self.check)
        plain = full_resolution(piece, interpolated_ms(piece), gain, rounded, self.check)
        return Quality(ours.hqnr, plain.hqnr, len(live)) if ours and plain else None


def _finite(values: torch.Tensor, valid: torch.Tensor | None) -> bool:
    """Whether values (n, h, w) are finite wherever they are valid ((h, w) or (n, h, w); None where all are)."""
    if math.isfinite(float(values.sum())):  # the quickest pass: one value that is not spoils the sum
        return True
    finite = torch.isfinite(values)
    return bool((finite if valid is None else finite | ~valid).all())


def _prepare_thread(threads: int, memory: KeptMemory) -> None:
    torch.set_num_threads(threads)  # counts for this thread alone
    memory.prepare(PIECES_KEPT)


def _result(future: Future[Fused], progress: Progress) -> Fused:
    """Wait for a tile. Raises CancelledError where the user wants no more, and the tile's own error."""
    while True:
        progress.check()
        if wait([future], WAKING).done:
            return future.result()


def _middle_tile(tiles: list[Window], whole: Window) -> Window:
    """Of the largest tiles the one nearest to the middle."""
    largest = max(t.width * t.height for t in tiles)
    x, y = whole.left + whole.right, whole.top + whole.bottom
    return min(
        (t for t in tiles if t.width * t.height == largest),
        key=lambda t: (t.left + t.right - x) ** 2 + (t.top + t.bottom - y) ** 2,
    )
