"""The pipeline: from two rasters on disk to the sharpened one, tile by tile, or to one sentence that says why not."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..devices import choose_devices, choose_precision
from ..errors import InputError
from ..geometry.grids import Placement, Window, relate
from ..geometry.window_pair import PairWindow
from ..inference.tile_fuser import Engine
from ..network.weights import BUNDLED, DEFAULT_SET, Weights, load_weights, misfit
from ..progress import Caller
from ..raster.pixel_types import NUMPY_TYPES, Finisher, choose_nodata, value_limits
from ..raster.reader import Raster, RasterSource, gdal_exceptions
from ..raster.windows import sample_scene
from ..raster.writer import OutputForm, RasterWriter, check_format, check_space, check_target
from ..scene.detail_correlation import LARGEST_SHIFT
from ..scene.registration import Relation, measure_relation
from ..scene.statistics import SceneStatistics, measure_statistics
from .memory import MEGABYTE, WorkPlan, bounded_cache, default_budget, plan
from .tiles import MEASURING_SHARE, Tiling

VERSION = "0.1.0"
NOTABLE_DISTORTION = 0.5  # PAN pixels by which a window's own shift differs from the scene's
SCAN_SIDE = 1024  # pixels of MS that are looked through at once
SAMPLE_SHARE = 0.4  # of the progress of measuring; looking through a signed MS takes the rest
COLLAR_SHARE = 0.02  # of the sampled pixels


@dataclass(frozen=True)
class FusionJob:
    """What to do.

    `gain` None measures it; `extent` is (x least, y least, x most, y most) in PAN's system; `data_type` is GDAL's name
    of the output's type, empty for that of MS; `creation_options` are NAME=VALUE. `memory` is the budget in MB, 0 for
    `default_budget`; `tile` is the side of a tile in PAN pixels, 0 for the largest that the budget allows.
    """

    pan: RasterSource
    ms: RasterSource
    output: Path
    weights: Path = BUNDLED[DEFAULT_SET]
    extent: tuple[float, float, float, float] | None = None
    device: str = "auto"
    precision: str = "auto"
    steps: int = 1
    tile: int = 0
    memory: int = 0
    gain: float | None = None
    align: bool = True
    creation_options: tuple[str, ...] = ()
    data_type: str = ""
    overviews: bool = False


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
        self.type = self._output_type()
        self.placement = relate(self.pan.grid, self.ms.grid)
        self.window = output_window(self.pan, self.placement, job.extent)
        nodata = choose_nodata(self.type, self.ms, self.pan)
        self.form = OutputForm(self.type, nodata, job.creation_options, job.overviews)
        check_format(job.output, len(self.ms.bands), self.form)
        check_space(job.output, self.pan.grid.cropped(self.window), len(self.ms.bands), self.form)
        self.weights: Weights = load_weights(job.weights)
        self.devices = choose_devices(job.device)
        self.dtype, reason = choose_precision(job.precision, self.devices[0])
        caller.log(f"PAN: {job.pan.path}, {self.pan.grid.describe()}, {self.pan.type}.")
        numbers = ", ".join(map(str, self.ms.bands))
        caller.log(f"MS: {job.ms.path}, bands {numbers}, {self.ms.grid.describe()}, {self.ms.type}.")
        self._log_assumptions()
        if self.ms.left_out:
            caller.log(
                f"Band {self.ms.left_out[0]} of MS is declared alpha and left out; name it in MS_BANDS to use it."
            )
        row, column = self.placement.origin
        caller.log(
            f"Ratio {self.placement.ratio:.6g}; first MS pixel centred at PAN row {row:.3f}, column {column:.3f}."
        )
        caller.log(f"Weights: {self.weights.header.get('name', '?')}, SHA-256 {self.weights.sha256}.")
        devices, kind = ", ".join(map(str, self.devices)), str(self.dtype).removeprefix("torch.")
        caller.log(f"Device: {devices}, {kind} ({reason}), {job.steps} step(s).")

    def _output_type(self) -> str:
        wanted = self.job.data_type or self.ms.type
        if wanted not in NUMPY_TYPES:
            raise InputError(f"The data type {wanted} is unknown; choose one of {', '.join(NUMPY_TYPES)}.")
        return wanted

    def _log_assumptions(self) -> None:
        """What the files do not say and is taken for granted."""
        if not self.pan.grid.georeferenced:
            self.caller.log("Neither raster has a georeference: both are taken to cover the same area.")
        elif bool(self.pan.crs) != bool(self.ms.crs):
            missing = "MS" if self.pan.crs else "PAN"
            self.caller.log(f"{missing} names no reference system and is taken to use that of the other raster.")

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
        shift = relation.shift
        origin = (self.placement.origin[0] + shift[0], self.placement.origin[1] + shift[1])
        placement = replace(self.placement, origin=origin)
        engines = [Engine(self.weights, statistics, d, self.dtype, self.job.steps) for d in self.devices]
        finisher = Finisher(self.type, self.form.nodata, None if self._has_negative_values(windows) else 0.0)
        self.caller.progress(MEASURING_SHARE)
        self._warn_of_clipping(windows)
        grid, crs = self.pan.grid.cropped(self.window), self.pan.crs or self.ms.crs
        work = self._plan()
        with (
            bounded_cache(self._cache(work, engines[0])),
            RasterWriter(self.job.output, grid, crs, self.ms, self.form) as writer,
        ):
            tiling = Tiling(self.pan, self.ms, placement, self.window, work)
            quality = tiling.run(engines, finisher, writer, self.caller)
            self.caller.check()
            writer.finish(self._provenance(relation))
        seconds = time.monotonic() - self.started
        self.caller.progress(1.0)
        self.caller.log(f"Done in {seconds:.1f} s: {self.job.output}.")
        return FusionResult(
            output=self.job.output,
            device=", ".join(dict.fromkeys(str(e.device) for e in engines)),
            ratio=self.placement.ratio,
            shift=shift,
            gain=relation.gain,
            weights_sha256=self.weights.sha256,
            seconds=seconds,
            hqnr=quality,
        )

    def _plan(self) -> WorkPlan:
        job, config = self.job, self.weights.network.config
        budget = job.memory or default_budget()
        made = plan(budget, job.tile, config, job.steps, self.devices, self.dtype, len(self.ms.bands))
        self.caller.log(
            f"Tiles of {made.side} pixels, {made.workers} at once, {made.threads} thread(s) each, in {budget} MB."
        )
        return made

    def _cache(self, work: WorkPlan, engine: Engine) -> int:
        """MB of GDAL's cache: enough for a row of tiles of a raster that is stored in rows, within the budget."""
        rows = work.side + 2 * engine.halo
        strips = self.pan.strip_bytes(rows) + self.ms.strip_bytes(round(rows / self.placement.step[0]))
        return max(work.cache, min(2 * strips // MEGABYTE, self.job.memory or default_budget()))

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

    def _warn_of_clipping(self, windows: list[PairWindow]) -> None:
        """Say it where the type that was asked for cannot hold the values of MS."""
        low, high = (float(f(torch.stack([f(w.ms) for w in windows]))) for f in (torch.min, torch.max))
        least, most = value_limits(self.type)
        if low < least or high > most:
            self.caller.log(
                f"Warning: MS holds values from {low:.6g} to {high:.6g}, but {self.type} only those from {least:.6g} "
                f"to {most:.6g}: the others are clipped."
            )

    def _has_negative_values(self, windows: list[PairWindow]) -> bool:
        """Whether MS holds any: looked up in the sample, then, where its type has a sign, in all of it."""
        if value_limits(self.ms.type)[0] == 0.0:
            return False
        if min(float(w.ms.min()) for w in windows) < 0.0:
            return True
        pieces = self.ms.grid.window.pieces(SCAN_SIDE)
        for done, piece in enumerate(pieces):
            self.caller.check()
            self.caller.progress((SAMPLE_SHARE + (1.0 - SAMPLE_SHARE) * done / len(pieces)) * MEASURING_SHARE)
            if float(self.ms.read(piece)[0].min()) < 0.0:
                return True
        return False

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
                f"{relation.correlation_unshifted:.4f} before, {relation.correlation:.4f} after; "
                f"{100 * relation.left_out:.0f} % of the sample left out (clouds, water, no detail)."
            )
            if relation.distortion > NOTABLE_DISTORTION:
                places = "; ".join("cannot tell" if s is None else f"{s[0]:+.1f} {s[1]:+.1f}" for s in relation.local)
                log(
                    f"The shift differs by up to {relation.distortion:.1f} PAN pixels within the scene (terrain, "
                    "moving clouds or a distorted grid), which one shift for the whole scene cannot correct. Rows and "
                    f"columns in the sampled windows, line by line: {places}."
                )
            if max(abs(row), abs(column)) > LARGEST_SHIFT - 0.5:
                log(
                    f"Warning: the shift lies at the end of what is searched ({LARGEST_SHIFT} PAN pixels). Check the "
                    "georeference of both rasters."
                )
            source = "measured on this scene" if self.job.gain is None else "as given"
            per_band = ", ".join(f"{g:.2f}" for g in relation.band_gains)
            log(f"MTF gain of MS at Nyquist relative to PAN: {relation.gain:.3f} ({source}; by band {per_band}).")
        else:
            log(
                f"Shift and MTF gain cannot be measured here (correlation of details {relation.correlation:.2f}): "
                f"no shift is corrected and the gain is taken as {relation.gain:.2f}."
            )
        if statistics.trust < 1.0:
            log(
                f"Warning: PAN hardly follows the bands (correlation of details {statistics.fit:.2f}), so only "
                f"{100 * statistics.trust:.0f} % of its detail is used; the rest is interpolation. Check that both "
                "rasters show the same scene."
            )
        warning = misfit(self.weights.header, statistics.bands, self.placement.ratio, relation.gain)
        if warning:
            log(warning)
        means = ", ".join(f"{m:.4g} ({s:.3g})" for m, s in zip(statistics.ms_mean, statistics.ms_std))
        log(f"Mean (deviation) of PAN {statistics.pan_mean:.4g} ({statistics.pan_std:.3g}); of the MS bands {means}.")

    def _provenance(self, relation: Relation) -> dict[str, str]:
        return {
            "OTFM_VERSION": VERSION,
            "OTFM_WEIGHTS_SHA256": self.weights.sha256,
            "OTFM_STEPS": str(self.job.steps),
            "OTFM_PRECISION": str(self.dtype).removeprefix("torch."),
            "OTFM_MTF_GAIN": f"{relation.gain:.4f}",
            "OTFM_SHIFT_ROWS_COLUMNS": f"{relation.shift[0]:.3f} {relation.shift[1]:.3f}",
            "OTFM_MTF_GAIN_BY_BAND": " ".join(f"{g:.3f}" for g in relation.band_gains),
            "OTFM_RATIO": f"{self.placement.ratio:.6g}",
            "OTFM_PAN": f"{Path(self.pan.source.path).name} band {self.pan.bands[0]}",
            "OTFM_MS": f"{Path(self.ms.source.path).name} bands {' '.join(map(str, self.ms.bands))}",
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
