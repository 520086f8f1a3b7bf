"""A piece of PAN and the MS over it, in memory: what everything that is measured or fused starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from .resampling import Matrix, Reading, centres, mtf_spots, resample


@dataclass(frozen=True)
class PairWindow:
    """A piece of both rasters: pan (H, W), ms (bands, h, w), their validity, and how the grids lie.

    `origin` (row, column) is the centre of MS pixel (0, 0) in PAN pixel indices of this window; `step` is the MS pixel
    size in PAN pixels.
    """

    pan: torch.Tensor
    pan_valid: torch.Tensor
    ms: torch.Tensor
    ms_valid: torch.Tensor
    origin: tuple[float, float]
    step: tuple[float, float]

    @property
    def ratio(self) -> float:
        """MS pixel size over PAN pixel size."""
        return math.sqrt(self.step[0] * self.step[1])

    def shifted(self, shift: tuple[float, float]) -> PairWindow:
        """The same window with the MS pixels moved by `shift` (row, column) PAN pixels."""
        return replace(self, origin=(self.origin[0] + shift[0], self.origin[1] + shift[1]))

    def pan_at_ms(self, gain: float) -> tuple[torch.Tensor, torch.Tensor]:
        """PAN blurred and sampled at the MS pixels, and where both are valid; (h, w) each."""
        rows, columns = self.mtf_matrices(gain)
        covered = resample(self.pan_valid.to(self.pan.dtype), rows, columns) > 0.99
        return resample(self.pan, rows, columns), covered & self.ms_valid & self.inside(0.5 * self.ratio)

    def mtf_matrices(self, gain: float) -> tuple[Matrix, Matrix]:
        """Maps that blur PAN and sample it at the MS rows and columns."""
        rows, columns = self.mtf_readings(gain)
        return rows.dense(self.pan.shape[0]), columns.dense(self.pan.shape[1])

    def mtf_readings(self, gain: float) -> tuple[Reading, Reading]:
        """The same maps, of which only the samples that count are kept."""
        lines = zip(self.pan.shape, self.ms_valid.shape, self.origin, self.step)
        rows, columns = (mtf_spots(size, count, origin, step, gain) for size, count, origin, step in lines)
        return rows, columns

    def inside(self, margin: float) -> torch.Tensor:
        """Which MS pixel centres lie in PAN's window, at least `margin` - 1/2 PAN pixels from its border; (h, w)."""
        rows, columns = ((s >= margin - 0.5) & (s <= n - 0.5 - margin) for n, s in zip(self.pan.shape, self.spots()))
        return torch.from_numpy(np.outer(rows, columns))

    def spots(self) -> tuple[Matrix, Matrix]:
        """PAN pixel indices of the MS rows and of the MS columns."""
        height, width = self.ms_valid.shape
        return centres(height, self.origin[0], self.step[0]), centres(width, self.origin[1], self.step[1])
