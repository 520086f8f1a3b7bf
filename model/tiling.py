"""The tiles of a run: read, fused and written side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from .alignment import PairWindow
from .conditions import condition, read_piece
from .degradation import mtf_reach
from .engine import Engine, aligned
from .errors import CancelledError
from .grids import Placement, Window
from .quality import full_resolution, interpolated_ms
from .radiometry import Finisher
from .rasters import INTEGER_TYPES, Raster
from .writing import RasterWriter

MEASURING_SHARE = 0.05  # of the progress bar
QUALITY_SIDE = 512  # PAN pixels of the piece on which the log's quality figure is measured


@dataclass(frozen=True)
class Caller:
    """How the pipeline speaks to whoever started it."""

    progress: Callable[[float], None] = lambda share: None
    cancelled: Callable[[], bool] = lambda: False
    log: Callable[[str], None] = lambda sentence: None

    def check(self) -> None:
        """Raises CancelledError where the user wants no more."""
        if self.cancelled():
            raise CancelledError


@dataclass(frozen=True)
class Tiling:
    """How the output's `window` of PAN is cut into squares of `side` PAN pixels; `placement` holds the shift."""

    pan: Raster
    ms: Raster
    placement: Placement
    window: Window
    side: int

    def run(self, engine: Engine, finisher: Finisher, writer: RasterWriter, caller: Caller) -> float | None:
        """Read, fuse and write all tiles, the three side by side; returns the quality of the middle tile."""
        out, side = self.window, max(self.side // 64 * 64, 64)
        tiles = [
            Window(left, top, side, side).clipped(out)
            for top in range(out.top - out.top % 64, out.bottom, side)
            for left in range(out.left - out.left % 64, out.right, side)
        ]
        middle = _middle_tile(tiles, out)
        cell = engine.cell
        reach = mtf_reach(engine.statistics.gain, max(self.placement.step))
        quality = None

        def read(tile: Window) -> tuple[PairWindow, Window, Window]:
            around = aligned(tile.grown(engine.halo), cell)
            return *read_piece(self.pan, self.ms, self.placement, around, reach), around

        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as scribe:
            coming, going = reader.submit(read, tiles[0]), None
            for number, tile in enumerate(tiles):
                caller.check()
                pair, place, around = coming.result()
                if number + 1 < len(tiles):
                    coming = reader.submit(read, tiles[number + 1])
                values = self._fuse(engine, pair, place, tile, around, finisher, caller.check)
                if tile == middle:
                    quality = self._quality(pair, place, tile, around, values, engine.statistics.gain, caller)
                going = self._hand_over(going)
                target = Window(tile.left - out.left, tile.top - out.top, tile.width, tile.height)
                going = scribe.submit(writer.write, target, values)
                caller.progress(MEASURING_SHARE + (1.0 - MEASURING_SHARE) * (number + 1) / len(tiles) * 0.99)
            self._hand_over(going)
        return quality

    @staticmethod
    def _hand_over(going: Future[None] | None) -> None:
        """Wait for the tile being written, so that at most one waits; its error is raised here."""
        if going is not None:
            going.result()

    @staticmethod
    @staticmethod
    def _fuse(
        engine: Engine,
        pair: PairWindow,
        place: Window,
        tile: Window,
        around: Window,
        finisher: Finisher,
        check: Callable[[], None],
    ) -> np.ndarray:
        """Values of a tile in the output's type."""
        inner = Window(tile.left - around.left, tile.top - around.top, tile.width, tile.height)
        core = np.s_[
            place.top + inner.top : place.top + inner.bottom, place.left + inner.left : place.left + inner.right
        ]
        if not bool(pair.pan_valid[core].any()) or not bool(pair.ms_valid.any()):
            return finisher.empty(len(pair.ms), tile)
        conditions = condition(pair, place, engine.statistics)
        return engine.fuse(conditions, inner, finisher.finish, check)

    def _quality(
        self,
        pair: PairWindow,
        place: Window,
        tile: Window,
        around: Window,
        values: np.ndarray,
        gain: float,
        caller: Caller,
    ) -> float | None:
        """HQNR of a piece of one tile, beside that of plain interpolation, for the log."""
        side = min(QUALITY_SIDE, tile.width, tile.height)
        row, column = place.top + tile.top - around.top, place.left + tile.left - around.left
        cut = np.s_[row : row + side, column : column + side]
        piece = replace(
            pair,
            pan=pair.pan[cut],
            pan_valid=pair.pan_valid[cut],
            origin=(pair.origin[0] - row, pair.origin[1] - column),
        )
        rounded = self.ms.type in INTEGER_TYPES
        fused = torch.from_numpy(values[:, :side, :side].astype(np.float32))
        ours = full_resolution(piece, fused, gain, rounded)
        plain = full_resolution(piece, interpolated_ms(piece), gain, rounded)
        if ours is None or plain is None:
            return None
        caller.log(
            f"Quality without reference (HQNR, a piece in the middle): {ours.hqnr:.3f}; "
            f"that of interpolated MS {plain.hqnr:.3f}."
        )
        return ours.hqnr


def _middle_tile(tiles: list[Window], whole: Window) -> Window:
    """Of the largest tiles the one nearest to the middle."""
    largest = max(t.width * t.height for t in tiles)
    x, y = whole.left + whole.right, whole.top + whole.bottom
    return min(
        (t for t in tiles if t.width * t.height == largest),
        key=lambda t: (t.left + t.right - x) ** 2 + (t.top + t.bottom - y) ** 2,
    )
