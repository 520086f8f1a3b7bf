"""The second step: what the scene itself says, read off a sample of its windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..geometry.window_pair import PairWindow
from ..progress import Progress
from ..raster.pixel_types import value_limits
from ..raster.reader import Raster
from ..raster.windows import sample_scene
from ..scene.registration import Registration, measure_registration
from ..scene.statistics import SceneStatistics, measure_statistics
from .check import CheckedPair

MEASURING_SHARE = 0.05  # of the progress bar
SAMPLE_SHARE = 0.4  # of the progress of measuring; looking through a signed MS takes the rest
SCAN_SIDE = 1024  # pixels of MS that are looked through at once


@dataclass(frozen=True)
class Measurement:
    """What was measured on a scene.

    zero_share   of the sampled MS pixels, those that are 0 in every band and count as image
    least, most  values of MS in the sample        negative   whether MS holds negative values anywhere
    """

    registration: Registration
    statistics: SceneStatistics
    zero_share: float
    least: float
    most: float
    negative: bool


def measure(pair: CheckedPair, align: bool, gain: float | None, progress: Progress) -> Measurement:
    """Shift (unless `align` is False), MTF gain (unless given) and statistics of a scene. Raises InputError."""
    windows = []
    for window in sample_scene(pair.pan, pair.ms, pair.placement):
        progress.check()
        windows.append(window)
    registration = measure_registration(windows, align, gain, progress.check)
    statistics = _statistics(pair, windows, registration, progress)
    zero = sum(int(((w.ms == 0).all(0) & w.ms_valid).sum()) for w in windows)
    least, most = (min(float(w.ms.min()) for w in windows), max(float(w.ms.max()) for w in windows))
    return Measurement(
        registration=registration,
        statistics=statistics,
        zero_share=zero / max(sum(w.ms_valid.numel() for w in windows), 1),
        least=least,
        most=most,
        negative=least < 0.0 or _any_negative(pair.ms, progress),
    )


def _statistics(
    pair: CheckedPair, windows: Sequence[PairWindow], registration: Registration, progress: Progress
) -> SceneStatistics:
    samples = []
    for window in windows:
        progress.check()
        moved = window.shifted(registration.shift)
        samples.append((window.ms, *moved.pan_at_ms(registration.gain)))
    try:
        return measure_statistics(samples, pair.placement.ratio, registration.gain, progress.check)
    except ValueError as error:
        pan, ms = pair.pan.source.path, pair.ms.source.path
        raise InputError(f"PAN {pan} and MS {ms} share too little: {error}.") from error


def _any_negative(ms: Raster, progress: Progress) -> bool:
    """Whether MS holds negative values; where its type has a sign, all of it is looked through."""
    if value_limits(ms.type)[0] == 0.0:
        return False
    parts = ms.grid.window.split(SCAN_SIDE)
    for done, part in enumerate(parts):
        progress.check()
        progress.report((SAMPLE_SHARE + (1.0 - SAMPLE_SHARE) * done / len(parts)) * MEASURING_SHARE)
        if float(ms.read(part)[0].min()) < 0.0:
            return True
    return False
