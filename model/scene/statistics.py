"""Constants of a scene: radiometry, band relations, and the sharpness of MS relative to PAN.

Every tile of a scene uses the same `SceneStatistics`, so tiles cannot differ in radiometry. All of it is measured
at MS resolution, where PAN (brought there by the MTF) and MS can be compared pixel by pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.details import collect_details, compute_moments, explain, pixels, standardise
from ..geometry.filters import Image, Mask, block_means
from ..geometry.guides import GuideWeights
from ..geometry.resampling import Matrix
from ..geometry.transfer import SUMMARY, TransferFunction

MIN_PIXELS = 64
UNRELATED_FIT, RELATED_FIT = 0.2, 0.6  # the network is not trusted below the first, fully trusted above the second
MAX_INJECTION = 3.0  # larger values are chance, because PAN has hardly any detail at MS resolution
USUAL_TRANSFER = (0.95, 0.8, 0.55, 0.3)  # values of ordinary products at SUMMARY, along an axis
DARK_SHARE = 0.01  # quantile of the dark level, which stands for zero reflectance under haze


@dataclass(frozen=True)
class SceneStatistics:
    """Scene constants; bands in the order of the MS raster, relations in units of the standard deviations.

    ratio          MS pixel size over PAN pixel size
    transfer       transfer function of MS relative to PAN
    ms_mean, ms_std, ms_dark, pan_mean, pan_std, pan_dark   in digital numbers; PAN's are those of PAN at MS resolution,
                   one for all bands or, where every band has a PAN of its own, one per band
    injection      regression of each band's high-pass on PAN's: how much of PAN's detail the band shares
    slope          injection minus that of details twice as coarse: it rises where MS is crisper than its MTF says
    correlation    correlation of these details, in [-1, 1]
    intensity      weights of the linear combination of bands whose high-pass explains PAN's best
    fit            correlation of that combination with PAN, in [0, 1]
    guides         make the PAN of each band; None where all bands share one
    """

    ratio: float
    transfer: TransferFunction
    ms_mean: tuple[float, ...]
    ms_std: tuple[float, ...]
    ms_dark: tuple[float, ...]
    pan_mean: tuple[float, ...]
    pan_std: tuple[float, ...]
    pan_dark: tuple[float, ...]
    injection: tuple[float, ...]
    slope: tuple[float, ...]
    correlation: tuple[float, ...]
    intensity: tuple[float, ...]
    fit: float
    guides: GuideWeights | None = None

    @property
    def bands(self) -> int:
        """Number of bands of MS."""
        return len(self.ms_mean)

    @property
    def trusts(self) -> tuple[float, ...]:
        """Share, in [0, 1], of each band's velocity to use: less than 1 where its PAN hardly follows.

        Bands that share one PAN share its trust, by `fit`.
        """
        none, full = UNRELATED_FIT, RELATED_FIT
        fits = self.correlation if self.guides else (self.fit,) * self.bands
        return tuple(min(max((fit - none) / (full - none), 0.0), 1.0) for fit in fits)

    @property
    def trust(self) -> float:
        """Trust in the band that follows PAN best."""
        return max(self.trusts)

    def depth(self, bands: Sequence[int]) -> list[float]:
        """Return the mean minus the dark level, in deviations: of the bands, then of the PAN of each."""
        ms_depths = [(self.ms_mean[b] - self.ms_dark[b]) / self.ms_std[b] for b in bands]
        pans = [b % len(self.pan_mean) for b in bands]
        return [*ms_depths, *((self.pan_mean[p] - self.pan_dark[p]) / self.pan_std[p] for p in pans)]

    def condition(self, bands: Sequence[int]) -> list[float]:
        """Return numbers of order one that describe the kind of scene to the network, for one group of bands."""
        return [
            math.log2(self.ratio) - 1.5,
            self.fit - 0.9,
            *(2.0 * (value - usual) for value, usual in zip(self.transfer.summary(), 2 * USUAL_TRANSFER)),
            *(self.injection[b] - 0.7 for b in bands),
            *(self.correlation[b] - 0.7 for b in bands),
            *(2.0 * self.slope[b] for b in bands),
            *(min(d, 4.0) / 2.0 - 0.8 for d in self.depth(bands)),
        ]


CONDITIONS_PER_SCENE = 2 + 2 * len(SUMMARY)
CONDITIONS_PER_BAND = 5


def measure_statistics(
    windows: Sequence[tuple[Image, Image, Mask]],
    ratio: float,
    transfer: TransferFunction,
    check: Callable[[], None] = lambda: None,
    guides: GuideWeights | None = None,
) -> SceneStatistics:
    """Measure a scene on sample windows (ms (bands, h, w), PAN at MS resolution (h, w), valid (h, w)).

    With `guides`, PAN is (bands, h, w), a PAN for each band; `fit` and `intensity` are then those of their mean.
    Raises ValueError where fewer than MIN_PIXELS pixels are valid in PAN and in every band. `check` is called
    often and may raise to stop.
    """
    windows = [(ms, pan.reshape(-1, *valid.shape), valid) for ms, pan, valid in windows]
    ms = np.concatenate([pixels(m, v) for m, _, v in windows], axis=1)
    pan = np.concatenate([pixels(p, v) for _, p, v in windows], axis=1)
    if pan.shape[1] < MIN_PIXELS:
        raise ValueError(f"only {pan.shape[1]} pixels are valid in both rasters, at least {MIN_PIXELS} are needed")
    check()
    (ms_mean, ms_std), (pan_mean, pan_std) = (compute_moments(values) for values in (ms, pan))
    pan_mean = pan_mean if guides is None else np.array(guides.level)
    units = [(standardise(m, ms_mean, ms_std), standardise(p, pan_mean, pan_std), v) for m, p, v in windows]
    check()
    bands, pans = collect_details(units)
    check()
    injection, correlation = _regress(bands, pans)
    coarse = collect_details([(block_means(m, 2), block_means(p, 2), block_means(v, 2) > 0.99) for m, p, v in units])
    check()
    enough = coarse[0].shape[1] >= MIN_PIXELS
    slope = injection - _regress(*coarse)[0] if enough else np.zeros_like(injection)
    injection = injection.clip(-MAX_INJECTION, MAX_INJECTION)
    intensity, fit = explain(bands, pans.mean(0))
    return SceneStatistics(
        ratio=float(ratio),
        transfer=transfer,
        ms_mean=tuple(ms_mean.tolist()),
        ms_std=tuple(ms_std.tolist()),
        ms_dark=tuple(_measure_dark_level(band, check) for band in ms),
        pan_mean=tuple(pan_mean.tolist()),
        pan_std=tuple(pan_std.tolist()),
        pan_dark=tuple(_measure_dark_level(p, check) for p in pan),
        injection=tuple(injection.tolist()),
        slope=tuple(slope.clip(-0.5, 0.5).tolist()),
        correlation=tuple(correlation.tolist()),
        intensity=tuple(intensity.tolist()),
        fit=fit,
        guides=guides,
    )


def _measure_dark_level(values: NDArray[np.float64], check: Callable[[], None]) -> float:
    """Return the value that DARK_SHARE of the values (n,) lies below."""
    check()
    return float(np.quantile(values, DARK_SHARE))


def _regress(bands: Matrix, pans: Matrix) -> tuple[Matrix, Matrix]:
    """Regress each band (bands, n) on its PAN (pans, n), all of zero mean; returns coefficients and correlations."""
    power, shared = np.maximum((pans**2).sum(1), 1e-30), (bands * pans).sum(1)
    spread = np.maximum(np.sqrt((bands**2).sum(1) * power), 1e-30)
    return shared / power, shared / spread
