"""The tiles of a run: read, fused and written side by side."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import CancelledError, PansharpenError
from ..geometry.filters import Mask
from ..geometry.grids import Placement, Window
from ..geometry.resampling import mtf_reach
from ..geometry.window_pair import PairWindow
from ..inference.tile_fuser import TileFuser, aligned
from ..network.conditioning import condition
from ..progress import Progress
from ..raster.pixel_types import INTEGER_TYPES, PixelEncoder
from ..raster.reader import Raster
from ..raster.windows import read_around
from . import run_log
from .measure import MEASURING_SHARE
from .memory import KeptMemory, WorkPlan
from .plausible_range import PlausibleRange

PIECES_KEPT = 6  # buffers that a thread's network has in use at once
ROWS = 64  # of a tile that are encoded at once, so that they stay in the cache
WAKING = 0.1  # seconds between two looks at whether the user has cancelled


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

    def run(self, fusers: Sequence[TileFuser], finish: Finish, target: Target, progress: Progress) -> None:
        """Fuse and write all tiles.

        The fusers, one a device, take the tiles in turn. One thread reads, `plan.workers` threads compute, this one
        writes, in order. The first error of any of them is raised here, and CancelledError within a moment of the
        user's wish, once all threads have stopped.
        """
        tiles, stop = self._tiles(), threading.Event()
        work = _Work(self, fusers, finish, stop)
        threads_before = torch.get_num_threads()
        waiting: deque[tuple[Window, Future[NDArray[Any]]]] = deque()
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
                        target.write(self._target(done), _result(future, progress))
                        say_shortages(fusers, progress)
                        share = (number + 1 - len(waiting)) / len(tiles)
                        progress.report(MEASURING_SHARE + (1.0 - MEASURING_SHARE) * 0.99 * share)
            finally:
                stop.set()
                torch.set_num_threads(threads_before)

    def _tiles(self) -> list[Window]:
        return self.window.split(self.plan.side)

    def _target(self, tile: Window) -> Window:
        return replace(tile, left=tile.left - self.window.left, top=tile.top - self.window.top)


@dataclass(frozen=True)
class _Work:
    """What the threads do."""

    tiling: Tiling
    fusers: Sequence[TileFuser]
    finish: Finish
    stop: threading.Event

    def check(self) -> None:
        if self.stop.is_set():
            raise CancelledError

    def read(self, tile: Window) -> tuple[PairWindow, Window, Window]:
        """A piece of both rasters, the window of PAN around the tile, and that window in pixels of the piece."""
        self.check()
        tiling = self.tiling
        any_fuser = self.fusers[0]
        transfer, spacing = any_fuser.statistics.transfer, max(tiling.placement.spacing)
        reach = max(mtf_reach(values, spacing) for values in (transfer.rows, transfer.columns))
        around = aligned(tile.grown(any_fuser.halo + self.finish.plausible.margin), any_fuser.cell)
        return *read_around(tiling.pan, tiling.ms, tiling.placement, around, reach), around

    def fuse(self, tile: Window, reading: Future[tuple[PairWindow, Window, Window]], fuser: TileFuser) -> NDArray[Any]:
        """The tile that was read."""
        pair, place, around = reading.result()
        inner = Window(tile.left - around.left, tile.top - around.top, tile.width, tile.height)
        core = np.s_[
            place.top + inner.top : place.top + inner.bottom, place.left + inner.left : place.left + inner.right
        ]
        if not bool(pair.pan_valid[core].any()) or not pair.any_ms_valid:
            return self.finish.encoder.empty(len(fuser.outputs), tile)
        conditions = condition(pair, place, fuser.statistics)
        numbers = fuser.fuse(conditions, inner.grown(self.finish.plausible.margin), self.check)
        return self.finish(numbers, conditions.valid, inner, tile, fuser.outputs)


@dataclass(frozen=True)
class Finish:
    """What is done to the digital numbers of a tile before they are written: held in a range, encoded.

    clipped   how many valid values of each band lay beyond what the output holds, by the band's place
    """

    plausible: PlausibleRange
    encoder: PixelEncoder
    clipped: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(
        self, fused: torch.Tensor, valid: Mask | None, inner: Window, tile: Window, outputs: Sequence[int]
    ) -> NDArray[Any]:
        """Final values of the tile: `fused` reaches `margin` beyond it, `inner` is its place in `valid`.

        Raises PansharpenError where a valid pixel is not finite.
        """
        margin, live = self.plausible.margin, [n for n, band in enumerate(outputs) if band >= 0]
        bands = [outputs[n] for n in live]
        self.plausible.hold(fused, outputs)
        numbers = fused.numpy()[:, margin : margin + tile.height, margin : margin + tile.width]
        known = None if valid is None else valid[..., inner.top : inner.bottom, inner.left : inner.right]
        values = self.encoder.empty(len(outputs), tile)
        for top in range(0, tile.height, ROWS):
            rows = slice(top, top + ROWS)
            part, told = numbers[live, rows], None if known is None else known[..., rows, :]
            told = told[bands] if told is not None and told.ndim == 3 else told
            if not _finite(part, told):
                raise PansharpenError(run_log.not_finite(tile))
            self._count_clipped(part, told, bands)
            values[live, rows] = self.encoder.encode(part, told, bands)
        return values

    def _count_clipped(self, numbers: NDArray[Any], valid: Mask | None, bands: Sequence[int]) -> None:
        """Count the valid values (n, h, w) that encoding will clip."""
        step = 0.5 if self.encoder.type in INTEGER_TYPES else 0.0
        for number, band in enumerate(bands):
            low, high = self.encoder.limits(band)
            if float(numbers[number].min()) >= low - step and float(numbers[number].max()) <= high + step:
                continue
            beyond = (numbers[number] < low - step) | (numbers[number] > high + step)
            if valid is not None:
                beyond &= valid if valid.ndim == 2 else valid[number]
            with self.lock:
                self.clipped[band] += int(beyond.sum())


def say_shortages(fusers: Sequence[TileFuser], progress: Progress) -> None:
    """Pass on what was done where memory ran out."""
    for fuser in fusers:
        while fuser.shortages:
            progress.warn(run_log.less_memory(*fuser.shortages.pop(0)))


def _finite(values: NDArray[Any], valid: Mask | None) -> bool:
    """Whether values (n, h, w) are finite wherever they are valid ((h, w) or (n, h, w); None where all are)."""
    if math.isfinite(float(values.sum())):  # the quickest pass: one value that is not spoils the sum
        return True
    finite = np.isfinite(values)
    return bool((finite if valid is None else finite | ~valid).all())


def _prepare_thread(threads: int, memory: KeptMemory) -> None:
    torch.set_num_threads(threads)  # counts for this thread alone
    memory.prepare(PIECES_KEPT)


def _result(future: Future[NDArray[Any]], progress: Progress) -> NDArray[Any]:
    """Wait for a tile. Raises CancelledError where the user wants no more, and the tile's own error."""
    while True:
        progress.check()
        if wait([future], WAKING).done:
            return future.result()
