"""Guides: the bands of a sharper raster, combined to a PAN of its own for each band of MS (Selva et al., 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .details import collect_details, compute_moments, explain, pixels, standardise
from .filters import Image, Mask

MIN_FIT = 0.2  # correlation with its band below which a combination of guides is chance


@dataclass(frozen=True)
class GuideWeights:
    """Weights of the guides in the PAN of each band; constant over a scene.

    mean, std   (guides,) at MS resolution, in digital numbers of the guides
    weights     (bands, guides) of the standardised guides, in digital numbers of MS; 0 where no guide explains a band
    level       (bands,) the mean of each PAN, which is that of its band
    fit         (bands,) correlation of the details of each band with those of its PAN, in [0, 1]
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    level: tuple[float, ...]
    fit: tuple[float, ...]

    @property
    def lead(self) -> int:
        """The band that its PAN follows best."""
        return int(np.argmax(self.fit))

    def describe(self) -> str:
        """List the weights of the guides' digital numbers in the PAN of each band, bands parted by semicolons."""
        return "; ".join(" ".join(f"{w / s:.4g}" for w, s in zip(row, self.std)) for row in self.weights)

    def raised(self, by: Sequence[float]) -> GuideWeights:
        """Add a number to the PAN of each band."""
        return replace(self, level=tuple(float(level + more) for level, more in zip(self.level, by)))

    def without(self, bands: Sequence[int]) -> GuideWeights:
        """Leave bands without a PAN, so that they are interpolated."""
        weights = tuple(tuple(0.0 * w for w in row) if b in bands else row for b, row in enumerate(self.weights))
        return replace(self, weights=weights, fit=tuple(0.0 if b in bands else f for b, f in enumerate(self.fit)))

    def combine(self, guides: Image) -> Image:
        """Combine guides (guides, H, W) to the PAN of each band, (bands, H, W)."""
        mean, std, level = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std, self.level))
        return np.tensordot(np.array(self.weights, np.float32), (guides - mean) / std, 1) + level

    def with_bands(self, kept: Sequence[int]) -> GuideWeights:
        """Select bands."""
        level, fit = (tuple(values[b] for b in kept) for values in (self.level, self.fit))
        return replace(self, weights=tuple(self.weights[b] for b in kept), level=level, fit=fit)


def measure_guides(windows: Sequence[tuple[Image, Image, Mask]]) -> GuideWeights:
    """Measure weights of guides on sample windows (ms (bands, h, w), guides at MS resolution (guides, h, w), valid).

    They are regularised least squares of the details of each band on those of the guides (Selva et al., 2015), 0 for a
    band that no combination follows.
    """
    ms, pan = (np.concatenate([pixels(w[i], w[2]) for w in windows], axis=1) for i in (0, 1))
    if ms.shape[1] < 2:  # no pixel has a deviation; callers refuse so few
        ms, pan = (np.zeros((len(values), 2)) for values in (ms, pan))
    (level, _), (mean, std) = compute_moments(ms), compute_moments(pan)
    bands, guides = collect_details([(m, standardise(g, mean, std), v) for m, g, v in windows])
    fits = [explain(guides, band) for band in bands]
    weights = tuple(tuple((w if fit > MIN_FIT else 0.0 * w).tolist()) for w, fit in fits)
    return GuideWeights(
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        weights=weights,
        level=tuple(level.tolist()),
        fit=tuple(fit for _, fit in fits),
    )
