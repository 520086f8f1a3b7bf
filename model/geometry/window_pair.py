"""A piece of PAN and the MS over it, in memory: what everything that is measured or fused starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from .grids import Window
from .resampling import Matrix, Resampler1D, centres, cubic_resampler, nearest, regular_mtf_resampler, resample


@dataclass(frozen=True)
class PairWindow:
    """A piece of both rasters: pan (H, W), ms (bands, h, w), their validity, and how the grids lie.

    `origin` (row, column) is the centre of MS pixel (0, 0) in PAN pixel indices of this window; `spacing` is the MS
    pixel size in PAN pixels.
    """

    pan: torch.Tensor
    pan_valid: torch.Tensor
    ms: torch.Tensor
    ms_valid: torch.Tensor
    origin: tuple[float, float]
    spacing: tuple[float, float]

    @property
    def ratio(self) -> float:
        """MS pixel size over PAN pixel size."""
        return math.sqrt(self.spacing[0] * self.spacing[1])

    def shifted(self, shift: tuple[float, float]) -> PairWindow:
        """The same window with the MS pixels moved by `shift` (row, column) PAN pixels."""
        return replace(self, origin=(self.origin[0] + shift[0], self.origin[1] + shift[1]))

    def cropped(self, place: Window) -> PairWindow:
        """The pair with PAN cut to a window of it; MS stays as it is."""
        cut = np.s_[place.top : place.bottom, place.left : place.right]
        origin = (self.origin[0] - place.top, self.origin[1] - place.left)
        return replace(self, pan=self.pan[cut], pan_valid=self.pan_valid[cut], origin=origin)

    def pan_at_ms(self, gain: float) -> tuple[torch.Tensor, torch.Tensor]:
        """PAN blurred and sampled at the MS pixels, and where both are valid; (h, w) each."""
        rows, columns = self.mtf_matrices(gain)
        covered = resample(self.pan_valid.to(self.pan.dtype), rows, columns) > 0.99
        return resample(self.pan, rows, columns), covered & self.ms_valid & self.inside(0.5 * self.ratio)

    def mtf_matrices(self, gain: float) -> tuple[Matrix, Matrix]:
        """Maps that blur PAN and sample it at the MS rows and columns."""
        rows, columns = self.mtf_resamplers(gain)
        return rows.dense(self.pan.shape[0]), columns.dense(self.pan.shape[1])

    def mtf_resamplers(self, gain: float) -> tuple[Resampler1D, Resampler1D]:
        """The same maps, of which only the samples that count are kept."""
        lines = zip(self.pan.shape, self.ms_valid.shape, self.origin, self.spacing)
        rows, columns = (regular_mtf_resampler(size, count, origin, step, gain) for size, count, origin, step in lines)
        return rows, columns

    def inside(self, margin: float) -> torch.Tensor:
        """Which MS pixel centres lie in PAN's window, at least `margin` - 1/2 PAN pixels from its border; (h, w)."""
        rows, columns = (
            (s >= margin - 0.5) & (s <= n - 0.5 - margin) for n, s in zip(self.pan.shape, self.positions_in_pan())
        )
        return torch.from_numpy(np.outer(rows, columns))

    def positions_in_pan(self) -> tuple[Matrix, Matrix]:
        """PAN pixel indices of the MS rows and of the MS columns."""
        height, width = self.ms_valid.shape
        return centres(height, self.origin[0], self.spacing[0]), centres(width, self.origin[1], self.spacing[1])

    @property
    def window(self) -> Window:
        """The whole of PAN, in its own pixels."""
        return Window(0, 0, self.pan.shape[1], self.pan.shape[0])

    def positions_in_ms(self, place: Window) -> tuple[Matrix, Matrix]:
        """MS pixel indices of the rows and of the columns of a window of PAN."""
        (down, across), (top, left) = self.spacing, self.origin
        return (
            centres(place.height, (place.top - top) / down, 1.0 / down),
            centres(place.width, (place.left - left) / across, 1.0 / across),
        )

    def cubic_resamplers(self, place: Window) -> tuple[Resampler1D, Resampler1D]:
        """Maps that interpolate MS at the rows and columns of a window of PAN."""
        (rows, columns), (height, width) = self.positions_in_ms(place), self.ms_valid.shape
        return cubic_resampler(height, rows), cubic_resampler(width, columns)

    def valid_on_pan(self, place: Window) -> torch.Tensor:
        """Which pixels of a window of PAN are valid in PAN and in the MS pixel they lie in, (H, W).

        Beyond MS, its edge pixels count.
        """
        rows, columns = (
            torch.from_numpy(nearest(p).clip(0, n - 1))
            for p, n in zip(self.positions_in_ms(place), self.ms_valid.shape)
        )
        inner = self.pan_valid[place.top : place.bottom, place.left : place.right]
        return inner & self.ms_valid.index_select(0, rows).index_select(1, columns)
