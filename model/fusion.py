"""The pipeline: from two rasters on disk to the sharpened one, tile by tile, or to one sentence that says why not."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from .alignment import PairWindow, Relation, measure_relation
from .conditions import condition, read_piece
from .degradation import mtf_reach
from .devices import choose_device, choose_precision
from .engine import Engine
from .errors import CancelledError, InputError
from .grids import Placement, Window, relate
from .quality import full_resolution, interpolated_ms
from .radiometry import Finisher, choose_nodata
from .rasters import INTEGER_TYPES, Raster, RasterSource, gdal_exceptions
from .sampling import sample_scene
from .scene import SceneStatistics, measure_statistics
from .weights import BUNDLED, DEFAULT_SET, Weights, load_weights, misfit
from .writing import RasterWriter, check_target

VERSION = "0.1.0"
MEASURING_SHARE = 0.05  # of the progress bar
COLLAR_SHARE = 0.02  # of the sampled pixels
QUALITY_SIDE = 512  # PAN pixels of the piece on which the log's quality figure is measured


@dataclass(frozen=True)
class FusionJob:
    """What to do. `gain` None measures it; `extent` is (x least, y least, x most, y most) in PAN's system."""

    pan: RasterSource
    ms: RasterSource
    output: Path
    weights: Path = BUNDLED[DEFAULT_SET]
    extent: tuple[float, float, float, float] | None = None
    device: str = "auto"
    precision: str = "auto"
    steps: int = 1
    tile: int = 1024
    gain: float | None = None
    align: bool = True
    creation_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class FusionResult:
    """What was done. `hqnr` is that of a piece in the middle of the output, None where it is too small."""

    output: Path
    device: str
    ratio: float
    shift: tuple[float, float]
    gain: float
    weights_sha256: str
    seconds: float
    hqnr: float | None


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


def fuse(job: FusionJob, caller: Caller | None = None) -> FusionResult:
    """Sharpen MS with PAN and write the result. Raises PansharpenError; the target is then as it was before."""
    pan_source = job.pan if job.pan.bands else replace(job.pan, bands=(1,))
    with gdal_exceptions():
        check_target(job.output, (job.pan.path, job.ms.path))
        with Raster(pan_source, "PAN") as pan, Raster(job.ms, "MS") as ms:
            return _Fusion(job, caller or Caller(), pan, ms).run()


class _Fusion:
    def __init__(self, job: FusionJob, caller: Caller, pan: Raster, ms: Raster) -> None:
        self.started = time.monotonic()
        self.job, self.caller, self.pan, self.ms = job, caller, pan, ms
        if not self.ms.same_crs(self.pan):
            self.ms.reproject(self.pan.crs)
            caller.log("MS has another reference system and is reprojected to PAN's while it is read (cubic).")
        self.placement = relate(self.pan.grid, self.ms.grid)
        self.window = output_window(self.pan, self.placement, job.extent)
        self.weights: Weights = load_weights(job.weights)
        self.device = choose_device(job.device)
        self.dtype, reason = choose_precision(job.precision, self.device)
        caller.log(f"PAN: {job.pan.path}, {self.pan.grid.describe()}, {self.pan.type}.")
        numbers = ", ".join(map(str, self.ms.bands))
        caller.log(f"MS: {job.ms.path}, bands {numbers}, {self.ms.grid.describe()}, {self.ms.type}.")
        if self.ms.left_out:
            caller.log(
                f"Band {self.ms.left_out[0]} of MS is declared alpha and left out; name it in MS_BANDS to use it."
            )
        row, column = self.placement.origin
        caller.log(
            f"Ratio {self.placement.ratio:.6g}; first MS pixel centred at PAN row {row:.3f}, column {column:.3f}."
        )
        caller.log(f"Weights: {self.weights.header.get('name', '?')}, SHA-256 {self.weights.sha256}.")
        caller.log(f"Device: {self.device}, {str(self.dtype).removeprefix('torch.')} ({reason}), {job.steps} step(s).")

    def run(self) -> FusionResult:
        self.caller.check()
        windows = []
        for pair in sample_scene(self.pan, self.ms, self.placement):
            self.caller.check()
            windows.append(pair)
        relation = measure_relation(windows, self.job.align, self.job.gain, self.caller.check)
        self._warn_of_collars(windows)
        statistics = self._statistics(windows, relation)
        self._log_relation(relation, statistics)
        self.caller.progress(MEASURING_SHARE)
        shift = relation.shift
        origin = (self.placement.origin[0] + shift[0], self.placement.origin[1] + shift[1])
        placement = replace(self.placement, origin=origin)
        nodata = choose_nodata(self.ms, self.pan)
        engine = Engine(self.weights, statistics, self.device, self.dtype, self.job.steps)
        lowest = 0.0 if min(float(w.ms.min()) for w in windows) >= 0.0 else None
        finisher = Finisher(self.ms.type, nodata, lowest)
        grid, crs = self.pan.grid.cropped(self.window), self.pan.crs or self.ms.crs
        with RasterWriter(self.job.output, grid, self.ms, crs, nodata, self.job.creation_options) as writer:
            quality = self._tiles(engine, placement, finisher, writer)
            self.caller.check()
            writer.finish(self._provenance(relation))
        seconds = time.monotonic() - self.started
        self.caller.progress(1.0)
        self.caller.log(f"Done in {seconds:.1f} s: {self.job.output}.")
        return FusionResult(
            output=self.job.output,
            device=str(self.device),
            ratio=self.placement.ratio,
            shift=shift,
            gain=relation.gain,
            weights_sha256=self.weights.sha256,
            seconds=seconds,
            hqnr=quality,
        )

    def _warn_of_collars(self, windows: list[PairWindow]) -> None:
        """Say it where pixels look like gaps that nobody declared: they would count as dark image."""
        zero = sum(int(((w.ms == 0).all(0) & w.ms_valid).sum()) for w in windows)
        share = zero / max(sum(w.ms_valid.numel() for w in windows), 1)
        if share > COLLAR_SHARE:
            self.caller.log(
                f"Warning: {100 * share:.0f} % of the sampled MS pixels are 0 in every band, but 0 is not declared as "
                "nodata. If they are a collar, set 0 as nodata in the layer's properties and run again: now they count "
                "as image and spoil the statistics."
            )

    def _statistics(self, windows: list[PairWindow], relation: Relation) -> SceneStatistics:
        samples = []
        for window in windows:
            moved = window.shifted(relation.shift)
            samples.append((window.ms, *moved.pan_at_ms(relation.gain)))
        try:
            return measure_statistics(samples, self.placement.ratio, relation.gain)
        except ValueError as error:
            raise InputError(f"PAN {self.job.pan.path} and MS {self.job.ms.path} share too little: {error}.") from error

    def _log_relation(self, relation: Relation, statistics: SceneStatistics) -> None:
        log = self.caller.log
        if relation.reliable:
            row, column = relation.shift
            log(
                f"Measured shift of MS against PAN: {row:+.2f} rows, {column:+.2f} columns (PAN pixels), "
                f"{'corrected' if self.job.align else 'not asked for'}; correlation of details "
                f"{relation.correlation_unshifted:.4f} before, {relation.correlation:.4f} after."
            )
            source = "measured on this scene" if self.job.gain is None else "as given"
            per_band = ", ".join(f"{g:.2f}" for g in relation.band_gains)
            log(f"MTF gain of MS at Nyquist relative to PAN: {relation.gain:.3f} ({source}; by band {per_band}).")
        else:
            log(
                f"Shift and MTF gain cannot be measured here (correlation of details {relation.correlation:.2f}): "
                f"no shift is corrected and the gain is taken as {relation.gain:.2f}."
            )
        warning = misfit(self.weights.header, statistics.bands, self.placement.ratio, relation.gain)
        if warning:
            log(warning)
        means = ", ".join(f"{m:.4g} ({s:.3g})" for m, s in zip(statistics.ms_mean, statistics.ms_std))
        log(f"Mean (deviation) of PAN {statistics.pan_mean:.4g} ({statistics.pan_std:.3g}); of the MS bands {means}.")

    def _tiles(self, engine: Engine, placement: Placement, finisher: Finisher, writer: RasterWriter) -> float | None:
        """Read, fuse and write all tiles, the three side by side; returns the quality of the middle tile."""
        side = max(self.job.tile // 64 * 64, 64)
        out = self.window
        tiles = [
            Window(left, top, side, side).clipped(out)
            for top in range(out.top - out.top % 64, out.bottom, side)
            for left in range(out.left - out.left % 64, out.right, side)
        ]
        middle = _middle_tile(tiles, out)
        cell = self.weights.network.config.cell
        reach = mtf_reach(engine.statistics.gain, max(placement.step))
        quality = None

        def read(tile: Window) -> tuple[PairWindow, Window, Window]:
            around = aligned(tile.grown(engine.halo), cell)
            return *read_piece(self.pan, self.ms, placement, around, reach), around

        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as scribe:
            coming, going = reader.submit(read, tiles[0]), None
            for number, tile in enumerate(tiles):
                self.caller.check()
                pair, place, around = coming.result()
                if number + 1 < len(tiles):
                    coming = reader.submit(read, tiles[number + 1])
                values = self._fuse_tile(engine, pair, place, tile, around, finisher)
                if tile == middle:
                    quality = self._quality(pair, place, tile, around, values, engine.statistics.gain)
                going = self._hand_over(going)
                target = Window(tile.left - out.left, tile.top - out.top, tile.width, tile.height)
                going = scribe.submit(writer.write, target, values)
                self.caller.progress(MEASURING_SHARE + (1.0 - MEASURING_SHARE) * (number + 1) / len(tiles) * 0.99)
            self._hand_over(going)
        return quality

    @staticmethod
    def _hand_over(going: Future[None] | None) -> None:
        """Wait for the tile being written, so that at most one waits; its error is raised here."""
        if going is not None:
            going.result()

    def _fuse_tile(
        self, engine: Engine, pair: PairWindow, place: Window, tile: Window, around: Window, finisher: Finisher
    ) -> np.ndarray:
        """Values of a tile in the output's type."""
        inner = Window(tile.left - around.left, tile.top - around.top, tile.width, tile.height)
        cut = np.s_[inner.top : inner.bottom, inner.left : inner.right]
        core = np.s_[
            place.top + inner.top : place.top + inner.bottom, place.left + inner.left : place.left + inner.right
        ]
        if not bool(pair.pan_valid[core].any()) or not bool(pair.ms_valid.any()):
            return finisher.empty(len(pair.ms), tile)
        conditions = condition(pair, place, engine.statistics)
        valid = conditions.valid[cut].numpy()
        if not valid.any():
            return finisher.empty(len(pair.ms), tile)
        return finisher.finish(engine.fuse(conditions, inner, self.caller.cancelled).numpy(), valid)

    def _quality(
        self, pair: PairWindow, place: Window, tile: Window, around: Window, values: np.ndarray, gain: float
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
        self.caller.log(
            f"Quality without reference (HQNR, a piece in the middle): {ours.hqnr:.3f}; "
            f"that of interpolated MS {plain.hqnr:.3f}."
        )
        return ours.hqnr

    def _provenance(self, relation: Relation) -> dict[str, str]:
        return {
            "OTFM_VERSION": VERSION,
            "OTFM_WEIGHTS_SHA256": self.weights.sha256,
            "OTFM_STEPS": str(self.job.steps),
            "OTFM_PRECISION": str(self.dtype).removeprefix("torch."),
            "OTFM_MTF_GAIN": f"{relation.gain:.4f}",
            "OTFM_SHIFT_ROWS_COLUMNS": f"{relation.shift[0]:.3f} {relation.shift[1]:.3f}",
            "OTFM_RATIO": f"{self.placement.ratio:.6g}",
        }


def output_window(pan: Raster, placement: Placement, extent: tuple[float, float, float, float] | None) -> Window:
    """PAN pixels of the output: where MS exists, within the extent asked for. Raises InputError where that is empty."""
    overlap = placement.overlap
    if extent is None:
        return overlap
    window = pan.grid.covering(extent).clipped(overlap)
    if window.empty:
        raise InputError(
            f"The extent {extent} does not meet the area that PAN and MS share: {pan.grid.cropped(overlap).describe()}."
        )
    return window


def _middle_tile(tiles: list[Window], whole: Window) -> Window:
    """Of the largest tiles the one nearest to the middle."""
    largest = max(t.width * t.height for t in tiles)
    x, y = whole.left + whole.right, whole.top + whole.bottom
    return min(
        (t for t in tiles if t.width * t.height == largest),
        key=lambda t: (t.left + t.right - x) ** 2 + (t.top + t.bottom - y) ** 2,
    )


def aligned(window: Window, cell: int) -> Window:
    """The smallest window around `window` from and to multiples of `cell`, so that all tiles share one phase."""
    left, top = window.left // cell * cell, window.top // cell * cell
    return Window(left, top, -(-window.right // cell) * cell - left, -(-window.bottom // cell) * cell - top)
