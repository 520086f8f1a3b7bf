"""Guides: the bands of a sharper raster, combined to a PAN of its own for each band of MS (Selva et al., 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .filters import Image


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

    def combine(self, guides: Image) -> Image:
        """Combine guides (guides, H, W) to the PAN of each band, (bands, H, W)."""
        mean, std, level = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std, self.level))
        return np.tensordot(np.array(self.weights, np.float32), (guides - mean) / std, 1) + level

    def with_bands(self, kept: Sequence[int]) -> GuideWeights:
        """Select bands."""
        weights, level, fit = (tuple(values[b] for b in kept) for values in (self.weights, self.level, self.fit))
        return replace(self, weights=weights, level=level, fit=fit)
