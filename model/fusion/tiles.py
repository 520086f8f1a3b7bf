"""The fourth step: the pixels of a plan, tile by tile: read, fused and written in parallel."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from osgeo import gdal

from ..errors import CancelledError, PansharpenError
from ..geometry.filters import Mask
from ..geometry.grids import Window
from ..geometry.resampling import mtf_reach
from ..geometry.window_pair import PairWindow
from ..inference.tile_fuser import TileFuser, aligned
from ..network.conditioning import condition
from ..network.weights import Weights
from ..notices import make_notice
from ..progress import Progress
from ..raster.gdal_errors import ProcessSetting
from ..raster.pixel_types import INTEGER_TYPES, PixelEncoder
from ..raster.reader import Raster
from ..raster.windows import read_around
from .measure import MEASURING_SHARE
from .plan import KEPT_PIECE, MEGABYTE, FusionPlan
from .plausible_range import PlausibleRange

PIECES_KEPT = 6  # buffers that a thread's network has in use at once
ROWS = 64  # of a tile that are encoded at once, so that they stay in the cache
WAKING = 0.1  # seconds between two looks at whether the user has cancelled
MAX_CLIPPED = 0.001  # of the pixels of a band in the result, beyond which it is warned of
NOT_FINITE = (
    "Around row {tile.top}, column {tile.left} of PAN ({tile.width} x {tile.height} pixels) the result is not finite. "
    "Use the bundled weights; where they are in use, PAN or MS hold absurd values there: declare them as nodata."
)


class Target(Protocol):
    """A sink of tiles."""

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Take (bands, h, w) at a window of the output."""


def run_plan(
    plan: FusionPlan, pan: Raster, ms: Raster, weights: Weights, target: Target, progress: Progress
) -> list[str]:
    """Make the pixels of the plan's window, with a warning of clipped values; returns the devices used.

    Raises PansharpenError, also where a file of the rasters has changed since it was opened.
    """
    engine = plan.engine
    fusers = [
        TileFuser(
            weights.network, plan.statistics, device, engine.dtype, engine.steps, plan.outputs, plan.network_share
        )
        for device in engine.torch_devices
    ]
    stretch = dict(zip(plan.outputs, plan.form.stretch))
    encoder = PixelEncoder(
        plan.form.type, plan.form.nodata, plan.lowest, plan.offsets, plan.form.highest,
        tuple(stretch.get(band, (0.0, 1.0)) for band in range(len(plan.offsets))) if stretch else (),
    )  # fmt: skip
    tiling = Tiling(plan, pan, ms, fusers, Finish(plan.plausible, encoder))
    ms.align(plan.alignment)
    with bounded_cache(plan.work.cache):
        tiling.run(target, progress)
    for raster in (pan, ms):
        raster.refuse_changes()
    _report_clipped(plan, tiling.finish.clipped, progress)
    return list(dict.fromkeys(str(f.device) for f in fusers))


@dataclass(frozen=True)
class Tiling:
    """The work on the tiles of a plan's window; there is one fuser per device, and `stop` ends all threads."""

    plan: FusionPlan
    pan: Raster
    ms: Raster
    fusers: Sequence[TileFuser]
    finish: Finish
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, target: Target, progress: Progress) -> None:
        """Fuse and write all tiles.

        The fusers take the tiles in turn. One thread reads, `work.workers` threads compute, this one writes, in order.
        The first error of any of them is raised here, and CancelledError within a moment of the user's cancel, once
        all threads have stopped.
        """
        tiles, work, start = self.plan.tiles(), self.plan.work, self.plan.window
        threads_before = torch.get_num_threads()
        waiting: deque[tuple[Window, Future[NDArray[Any]]]] = deque()
        kept = threading.local()
        with (
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(work.workers, initializer=_prepare_thread, initargs=(work.threads, kept)) as workers,
        ):
            try:
                for number, tile in enumerate(tiles):
                    reading = reader.submit(self.read, tile)
                    fuser = self.fusers[number % len(self.fusers)]
                    waiting.append((tile, workers.submit(self.fuse, tile, reading, fuser)))
                    while len(waiting) > (work.workers if number + 1 < len(tiles) else 0):
                        done, future = waiting.popleft()
                        in_target = replace(done, left=done.left - start.left, top=done.top - start.top)
                        target.write(in_target, _await_tile(future, progress))
                        _report_shortages(self.fusers, progress)
                        share = (number + 1 - len(waiting)) / len(tiles)
                        progress.report(MEASURING_SHARE + (1.0 - MEASURING_SHARE) * 0.99 * share)
            finally:
                self.stop.set()
                torch.set_num_threads(threads_before)

    def check(self) -> None:
        """Raise CancelledError once the run has stopped."""
        if self.stop.is_set():
            raise CancelledError

    def read(self, tile: Window) -> tuple[PairWindow, Window, Window]:
        """Read a piece of both rasters, the window of PAN around the tile, and that window in pixels of the piece."""
        self.check()
        fuser, placement = self.fusers[0], self.plan.placement
        transfer = self.plan.statistics.transfer
        reach = max(mtf_reach(values, max(placement.spacing)) for values in (transfer.rows, transfer.columns))
        around = aligned(tile.grown(fuser.halo + self.finish.plausible.margin), fuser.cell)
        return *read_around(self.pan, self.ms, placement, around, reach), around

    def fuse(self, tile: Window, reading: Future[tuple[PairWindow, Window, Window]], fuser: TileFuser) -> NDArray[Any]:
        """Fuse the tile that was read."""
        pair, piece, around = reading.result()
        inner = Window(tile.left - around.left, tile.top - around.top, tile.width, tile.height)
        core = np.s_[
            piece.top + inner.top : piece.top + inner.bottom, piece.left + inner.left : piece.left + inner.right
        ]
        if not bool(pair.pan_valid[core].any()) or not pair.any_ms_valid:
            return self.finish.encoder.empty(len(fuser.outputs), tile)
        conditions = condition(pair, piece, fuser.statistics)
        numbers = fuser.fuse(conditions, inner.grown(self.finish.plausible.margin), self.check)
        return self.finish(numbers, conditions.valid, inner, tile, fuser.outputs)


@dataclass(frozen=True)
class Finish:
    """Last step for the digital numbers of a tile: hold them in a range, count clipped values, encode."""

    plausible: PlausibleRange
    encoder: PixelEncoder
    clipped: Counter[int] = field(default_factory=Counter)  # valid values beyond the range, by band
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(
        self, fused: torch.Tensor, valid: Mask | None, inner: Window, tile: Window, outputs: Sequence[int]
    ) -> NDArray[Any]:
        """Return the final values of the tile. `fused` reaches `margin` beyond it; `inner` is its window in `valid`.

        Raises PansharpenError where a valid pixel is not finite.
        """
        margin, live = self.plausible.margin, [n for n, band in enumerate(outputs) if band >= 0]
        bands = [outputs[n] for n in live]
        self.plausible.hold(fused, outputs)
        numbers = fused.numpy()[:, margin : margin + tile.height, margin : margin + tile.width]
        valid_tile = None if valid is None else valid[..., inner.top : inner.bottom, inner.left : inner.right]
        values = self.encoder.empty(len(outputs), tile)
        for top in range(0, tile.height, ROWS):
            rows = slice(top, top + ROWS)
            part, valid_rows = numbers[live, rows], None if valid_tile is None else valid_tile[..., rows, :]
            valid_rows = valid_rows[bands] if valid_rows is not None and valid_rows.ndim == 3 else valid_rows
            if not _is_finite(part, valid_rows):
                raise PansharpenError(NOT_FINITE.format(tile=tile))
            self._count_clipped(part, valid_rows, bands)
            values[live, rows] = self.encoder.encode(part, valid_rows, bands)
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


def _report_shortages(fusers: Sequence[TileFuser], progress: Progress) -> None:
    """Warn where a device ran out of memory: smaller parts are used from then on, or the CPU."""
    for fuser in fusers:
        while fuser.shortages:
            device, side = fuser.shortages.pop(0)
            small = {} if side is None else {"side": side}
            code = "smaller_tiles" if small else "device_out_of_memory"
            progress.warn(make_notice(code, {"device": device, **small}))


def _report_clipped(plan: FusionPlan, counts: Mapping[int, int], progress: Progress) -> None:
    """Report how many values were beyond the range of the output, by the band's index in the statistics."""
    if not counts:
        return
    share = max(counts.values()) / (plan.window.width * plan.window.height)
    by_band = {plan.ms.bands[plan.outputs.index(index)]: count for index, count in sorted(counts.items())}
    low, high = plan.form.limits
    low = low if plan.lowest is None else max(low, plan.lowest)
    words = ", ".join(f"{count} of band {band}" for band, count in by_band.items())
    numbers = {f"band_{band}": count for band, count in by_band.items()}
    notice = make_notice("result_clipped", numbers, low=low, high=high, counts=words, percent=100.0 * share)
    if share > MAX_CLIPPED:
        progress.warn(notice)
    else:
        progress.explain(notice.sentence)


def _is_finite(values: NDArray[Any], valid: Mask | None) -> bool:
    """Return whether values (n, h, w) are finite wherever they are valid ((h, w) or (n, h, w); None where all are)."""
    if math.isfinite(float(values.sum())):  # the quickest pass: one value that is not spoils the sum
        return True
    finite = np.isfinite(values)
    return bool((finite if valid is None else finite | ~valid).all())


def _prepare_thread(threads: int, kept: threading.local) -> None:
    """Set torch's threads, and have the C library keep freed buffers for the next tile: new pages double the time.

    glibc gives memory back when the end of what it holds is free. Here a small buffer that stays ends each piece, and
    a large one freed first has glibc treat its like as worth keeping. Elsewhere this neither helps nor hurts.
    """
    torch.set_num_threads(threads)  # counts for this thread alone
    freed, kept.stays = [], []
    with suppress(RuntimeError):  # too little address space: the thread works without
        torch.empty(KEPT_PIECE + MEGABYTE, dtype=torch.uint8)
        for _ in range(PIECES_KEPT):
            freed.append(torch.empty(KEPT_PIECE, dtype=torch.uint8))  # takes memory only once it is used
            kept.stays.append(torch.empty(4096, dtype=torch.uint8))


def _await_tile(future: Future[NDArray[Any]], progress: Progress) -> NDArray[Any]:
    """Wait for a tile. Raises CancelledError where the user has cancelled, and the tile's own error."""
    while True:
        progress.check()
        if wait([future], WAKING).done:
            return future.result()


@ProcessSetting
@contextmanager
def _restored_cache() -> Iterator[None]:
    before = gdal.GetCacheMax()
    yield
    gdal.SetCacheMax(before)


@contextmanager
def bounded_cache(megabytes: int) -> Iterator[None]:
    """Limit GDAL's block cache to `megabytes` inside the block; after the last of parallel runs it is as before."""
    with _restored_cache():
        gdal.SetCacheMax(megabytes * MEGABYTE)
        yield
