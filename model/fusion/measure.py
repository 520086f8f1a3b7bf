"""The second step: shift, transfer function and statistics, measured on a sample of windows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry.alignment import Alignment
from ..geometry.details import pixels
from ..geometry.grids import Placement, Window
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from ..progress import Progress
from ..raster.aligning import align_pair, correct_windows, read_without_fill
from ..raster.pixel_types import value_limits
from ..raster.reader import Raster
from ..raster.source_files import is_on_disk
from ..raster.windows import read_with_margin, sample_where_valid, sample_windows, small_scene
from ..scene.alignment_measurement import AlignmentMeasurement
from ..scene.detail_correlation import MAX_SHIFT
from ..scene.fill_values import FillValue, find_fill, is_fill, without_fill
from ..scene.guides import add_guides, lead_windows
from ..scene.pieces import choose_pieces
from ..scene.registration import WIDE_REACH, Registration, find_coarse_shift, measure_registration
from ..scene.scene_match import match_scenes
from ..scene.statistics import MIN_PIXELS, SceneStatistics, measure_statistics
from ..wording import format_value
from .check import CheckedPair
from .job import FusionJob

MEASURING_SHARE = 0.05  # of the progress bar
ADAPTED = 0.6  # of the progress bar, once the weights are tuned on the scene
SAMPLE_SHARE = 0.4  # of the progress of measuring; scanning a signed MS takes the rest
SCAN_SIDE = 1024  # pixels of MS that are scanned at once
MIN_VALID = 0.25  # share of valid pixels in the usual windows; below it, windows are sought where there is image
MAX_FILL = 0.5  # share of the sampled pixels where the output is made; beyond it, hardly any image is left
SURE_CORRELATION = 0.8  # of details, from which on a shift within the small search needs no wider one
MIN_OVERLAP = 0.5  # share of the common area; a shift that leaves less is measured on too few pixels
SPARSE = 37  # one of so many sampled pixels is taken for percentiles
MAX_SCENES = 2  # in the cache; each holds some ten windows of both rasters


@dataclass(frozen=True)
class Measurement:
    """Measurements of a scene and its sample."""

    registration: Registration
    statistics: SceneStatistics
    dead: tuple[int, ...]  # numbers of the bands of MS that have no valid pixel
    ms_fill: tuple[FillValue, ...]  # values that fill flat areas of MS and look like undeclared gaps
    pan_fill: tuple[FillValue, ...]  # the same of PAN
    extremes: tuple[tuple[float, float], ...]  # lowest and highest value of each band of MS in the sample
    negative: bool  # whether MS holds negative values anywhere
    percentiles: tuple[tuple[float, ...], ...]  # of the values of each band of MS in the sample
    pieces: tuple[PairWindow, ...]  # windows of the sample, their shift corrected, that show the scene at work
    compared: tuple[PairWindow, ...]  # pieces that a result is compared on one scale down: all of MS where it is small
    displacement: AlignmentMeasurement | None = None  # what the shift leaves, by bands and places, where measured

    @property
    def alignment(self) -> Alignment | None:
        """What is corrected besides the shift."""
        return self.displacement.alignment if self.displacement else None

    @property
    def least(self) -> float:
        """Lowest value of MS in the sample."""
        return min(low for low, _ in self.extremes)

    @property
    def most(self) -> float:
        """Highest value of MS in the sample."""
        return max(high for _, high in self.extremes)

    def estimate_share_outside(self, low: float, high: float) -> float:
        """Estimate the share of values in the sample below `low` or above `high`, of the worst band."""
        return max(sum(not low <= p <= high for p in band) / len(band) for band in self.percentiles)

    @property
    def usual(self) -> tuple[float, float]:
        """2.5th and 97.5th percentile of MS over all bands."""
        return min(band[0] for band in self.percentiles), max(band[-1] for band in self.percentiles)

    @property
    def spread(self) -> float:
        """Distance of the 2.5th and 97.5th percentile of a band, of the band where it is largest."""
        return max(band[-1] - band[0] for band in self.percentiles)


_CACHE: OrderedDict[Any, Measurement] = OrderedDict()


def cached_measurement(pair: CheckedPair, job: FusionJob, progress: Progress) -> Measurement:
    """Measure a pair, or return what the same files, bands and options gave before: what follows a preview is fast.

    Remote sources have no reliable timestamp, so they are never cached. Nor are scenes with undeclared fill: how much
    of it is too much depends on the extent. Raises InputError.
    """
    pan, ms, options = pair.pan, pair.ms, job.options
    key = pan.state, ms.state, options.align, options.gain
    cached = _CACHE.pop(key, None)
    measured = cached or measure(pair, options.align, options.transfer, progress)
    if cached and cached.dead:
        ms.leave_out(cached.dead)
    ms.align(measured.alignment)
    local = all(raster.files and is_on_disk(raster.source.gdal_name) for raster in (pan, ms))
    if local and not (measured.ms_fill or measured.pan_fill):
        _CACHE[key] = measured
        while len(_CACHE) > MAX_SCENES:
            _CACHE.popitem(last=False)
    return measured


def measure(pair: CheckedPair, align: str, transfer: TransferFunction | None, progress: Progress) -> Measurement:
    """Measure alignment as `align` asks, transfer function (unless given) and statistics. Raises InputError."""
    windows = _read_sample(pair, progress)
    dead, windows = _leave_out_dead_bands(pair.ms, windows)
    ms_fill, pan_fill = _find_fill(pair, windows, progress)
    windows = [without_fill(w, ms_fill, pan_fill) for w in windows]
    delivered, leads = windows, lead_windows(windows)
    registration = measure_registration(leads, align != "off", transfer, progress.check)
    displacement, fills = None, (ms_fill, pan_fill)
    if align != "off":

        def read(moved: Placement, reach: float) -> list[PairWindow]:
            again = _read_windows(replace(pair, placement=moved), [w.ms_place for w in windows], progress, reach)
            return lead_windows([without_fill(w, ms_fill, pan_fill) for w in again])

        registration = _search_wider(pair.placement, read, registration, transfer, progress)
        if align == "auto":
            shift, placed = registration.shift, [w.shifted(registration.shift) for w in leads]
            if max(map(abs, shift)) > MAX_SHIFT:
                placed = read(pair.placement.moved(shift), MAX_SHIFT)
            registration, displacement = align_pair(
                pair.ms, placed, pair.placement, registration, transfer, progress.check
            )
            windows = correct_windows(pair.ms, windows)
        _refuse_other_scene(pair, windows, registration, progress)
    bad = [index for index, band in enumerate(pair.ms.read_bands) if band in pair.ms.bad_bands]
    windows = add_guides(windows, registration.transfer, registration.shift, bad)
    statistics = _collect_statistics(pair, windows, registration, progress)
    extremes = _measure_extremes(pair.ms, delivered)
    pieces = choose_pieces(windows, registration, progress.check)
    placement = pair.placement.moved(registration.shift)
    whole = read_without_fill(pair.ms, lambda: small_scene(pair.pan, pair.ms, placement), fills)
    return Measurement(
        registration=registration,
        statistics=statistics,
        dead=dead,
        ms_fill=tuple(ms_fill),
        pan_fill=tuple(pan_fill),
        extremes=extremes,
        negative=min(low for low, _ in extremes) < 0.0 or _has_negative(pair.ms, progress),
        percentiles=_measure_percentiles(pair.ms, windows),
        pieces=tuple(pieces),
        compared=(replace(whole, guides=statistics.guides),) if whole else tuple(pieces),
        displacement=displacement,
    )


def _read_sample(pair: CheckedPair, progress: Progress) -> list[PairWindow]:
    """Read windows spread over the scene or, where they show little of it, windows where there is image."""
    windows = _read_windows(pair, sample_windows(pair.ms, pair.placement), progress)
    shown = sum(int((w.ms_valid & w.inside(0.5)).sum()) for w in windows)
    if shown < MIN_VALID * sum(w.ms_valid.size for w in windows):
        better = sample_where_valid(pair.ms, pair.placement, progress.check)
        windows = _read_windows(pair, better, progress) or windows
    return windows


def _read_windows(
    pair: CheckedPair, windows: Sequence[Window], progress: Progress, reach: float = MAX_SHIFT
) -> list[PairWindow]:
    pairs = []
    for window in windows:
        progress.check()
        pairs.append(read_with_margin(pair.pan, pair.ms, pair.placement, window, reach))
    return pairs


def _leave_out_dead_bands(ms: Raster, windows: list[PairWindow]) -> tuple[tuple[int, ...], list[PairWindow]]:
    """Leave out bands without a valid pixel in the sample, where others have some; they stay empty in the output."""
    if all(w.band_valid is None for w in windows):
        return (), windows
    valid = [np.broadcast_to(w.ms_valid, w.ms.shape) if w.band_valid is None else w.band_valid for w in windows]
    kept = np.flatnonzero(np.sum([v.sum((1, 2)) for v in valid], axis=0) >= MIN_PIXELS).tolist()
    if not kept or len(kept) == len(ms.read_bands):
        return (), windows
    dead = tuple(b for i, b in enumerate(ms.read_bands) if i not in kept)
    ms.leave_out(dead)
    return dead, [w.with_bands(kept) for w in windows]


def _find_fill(
    pair: CheckedPair, windows: list[PairWindow], progress: Progress
) -> tuple[list[FillValue], list[FillValue]]:
    """Find undeclared fill in MS and in PAN. Raises InputError for too much."""
    inner = [w.cropped(w.within(pair.pan.grid.window)) for w in windows]  # the repeated edge looks like a collar
    samples = [(w.ms, w.ms_valid) for w in windows], [(w.pan_planes, w.pan_valid) for w in inner]
    fills = find_fill(samples[0], progress.check), find_fill(samples[1], progress.check)
    asked = [number for number, w in enumerate(windows) if _meets_output(pair, w)]
    for raster, of_raster, fill in zip((pair.ms, pair.pan), samples, fills):
        filled = sum(int((is_fill(values, fill) & valid).sum()) for values, valid in (of_raster[n] for n in asked))
        share = filled / max(sum(of_raster[n][1].size for n in asked), 1)
        if share > MAX_FILL:
            value = format_value(fill[0].value + float(raster.offsets[0]))
            raise InputError(
                f"{100 * share:.0f} % of the sampled pixels of {raster.role} {raster.source.name} are {value} in "
                "every band, in flat areas, and no nodata value marks them. Declare it first: in the layer's "
                f"properties (Transparency, Additional no data value), or with gdal_edit.py -a_nodata {value}."
            )
    return fills


def _meets_output(pair: CheckedPair, window: PairWindow) -> bool:
    """Return whether a window of the sample meets the output."""
    (height, width), first = window.ms_valid.shape, window.first
    top, left = (round(f + c) for f, c in zip(first, window.pan_corner))
    in_pan = Window(left, top, round(width * window.spacing[1]), round(height * window.spacing[0]))
    return not in_pan.clipped(pair.window).empty


def _refuse_other_scene(
    pair: CheckedPair, windows: Sequence[PairWindow], registration: Registration, progress: Progress
) -> None:
    """Raise InputError where PAN and MS show different scenes, not for clouds, water or noise."""
    if registration.reliable:
        return
    match = match_scenes(windows, progress.check)
    if match.contradicts:
        raise InputError(
            f"PAN {pair.pan.source.name} and MS {pair.ms.source.name} do not show the same scene: their details "
            f"correlate by {registration.correlation:.2f} and their larger structures by {match.correlation:.2f}, "
            f"whatever the shift within {WIDE_REACH} PAN pixels; rasters of one scene reach 0.9. Choose PAN and MS of "
            "one recording, or register them first (Raster, Georeferencer). ALIGN=off fuses them all the same."
        )


def _search_wider(
    placement: Placement,
    read: Callable[[Placement, float], list[PairWindow]],
    near: Registration,
    transfer: TransferFunction | None,
    progress: Progress,
) -> Registration:
    """Search the registration within WIDE_REACH, where the small search is not sure.

    `read` returns the windows of the sample for a placement, with a margin for shifts. Without a clear peak here too,
    an optimum at the end of the small search counts as none.
    """
    if near.reliable and not near.at_edge and near.correlation >= SURE_CORRELATION:
        return near
    coarse = find_coarse_shift(read(placement, WIDE_REACH + MAX_SHIFT))
    if coarse is not None and max(abs(s) for s in coarse) > 0.0 and _compute_overlap(placement, coarse) > MIN_OVERLAP:
        wide = measure_registration(read(placement.moved(coarse), MAX_SHIFT), True, transfer, progress.check)
        if wide.reliable and not wide.at_edge and wide.correlation > near.correlation:
            shift = (coarse[0] + wide.shift[0], coarse[1] + wide.shift[1])
            local = tuple(None if s is None else (s[0] + coarse[0], s[1] + coarse[1]) for s in wide.local)
            return replace(wide, shift=shift, local=local, correlation_unshifted=near.correlation_unshifted)
    return replace(near, reliable=False, shift=(0.0, 0.0)) if near.at_edge else near


def _compute_overlap(placement: Placement, shift: tuple[float, float]) -> float:
    """Compute the share of the overlap of PAN and MS that is left once one is moved."""
    sizes = placement.overlap.height, placement.overlap.width
    rows, columns = (max(1.0 - abs(s) / n, 0.0) for s, n in zip(shift, sizes))
    return rows * columns


def _measure_extremes(ms: Raster, windows: Sequence[PairWindow]) -> tuple[tuple[float, float], ...]:
    """Return the lowest and highest value of each band of MS in the sample, where all of its bands are valid."""
    samples = [pixels(w.ms, w.ms_valid) for w in windows if w.ms_valid.any()]
    lows, highs = np.min([s.min(1) for s in samples], axis=0), np.max([s.max(1) for s in samples], axis=0)
    return tuple((float(low), float(high)) for low, high in zip(lows + ms.offsets, highs + ms.offsets))


def _measure_percentiles(ms: Raster, windows: Sequence[PairWindow]) -> tuple[tuple[float, ...], ...]:
    """Return the 2.5th, 7.5th, ... 97.5th percentile of each band of MS, of some pixels of the sample."""
    samples = [pixels(w.ms, w.ms_valid)[:, ::SPARSE] + ms.offsets[:, None] for w in windows]
    parts = np.percentile(np.concatenate(samples, axis=1), np.arange(2.5, 100.0, 5.0), axis=1)
    return tuple(tuple(band) for band in parts.T.tolist())


def _collect_statistics(
    pair: CheckedPair, windows: Sequence[PairWindow], registration: Registration, progress: Progress
) -> SceneStatistics:
    samples = []
    for window in windows:
        progress.check()
        moved = window.shifted(registration.shift)
        samples.append((window.ms, *moved.pan_at_ms(registration.transfer)))
    try:
        return measure_statistics(
            samples, pair.placement.ratio, registration.transfer, progress.check, windows[0].guides
        )
    except ValueError as error:
        pan, ms = pair.pan.source.name, pair.ms.source.name
        raise InputError(f"PAN {pan} and MS {ms} share too little: {error}.") from error


def _has_negative(ms: Raster, progress: Progress) -> bool:
    """Return whether MS holds negative values; where its type has a sign, all of it is scanned."""
    if value_limits(ms.type)[0] == 0.0:
        return False
    parts = ms.grid.window.split(SCAN_SIDE)
    for done, part in enumerate(parts):
        progress.check()
        progress.report((SAMPLE_SHARE + (1.0 - SAMPLE_SHARE) * done / len(parts)) * MEASURING_SHARE)
        values, valid = ms.read(part)
        if bool(((values + ms.offsets[:, None, None] < 0.0) & valid).any()):
            return True
    return False
