"""A piece of PAN and the MS over it, in memory: the input of every measurement and of fusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .filters import Image, Mask
from .grids import Window
from .guides import GuideWeights
from .resampling import Matrix, Resampler1D, centres, covered, cubic_resampler, nearest, regular_mtf_resampler, resample
from .transfer import TransferFunction

FILL_DISTANCE = 8  # MS pixels over which valid values are carried into gaps


@dataclass(frozen=True)
class PairWindow:
    """A piece of both rasters and the relation of their grids.

    pan, pan_valid (H, W)     ms (bands, h, w); pan is (guides, H, W) where it has several bands
    ms_valid (h, w)           where every band of MS is valid; measurements use these pixels
    band_valid (bands, h, w)  where each band is valid; None where all bands are valid in the same pixels
    origin, spacing           of the scene: centre of MS pixel (0, 0) in PAN pixel indices (row, column), MS pixel size
                              in PAN pixels
    pan_corner, ms_corner     the scene's pixel (row, column) that is the first of `pan` and of `ms`: positions are
                              computed for the scene, so that all pieces of it round them the same way
    guides                    make a PAN of its own for each band of MS; None where one PAN serves all
    """

    pan: Image
    pan_valid: Mask
    ms: Image
    ms_valid: Mask
    origin: tuple[float, float]
    spacing: tuple[float, float]
    pan_corner: tuple[int, int] = (0, 0)
    ms_corner: tuple[int, int] = (0, 0)
    band_valid: Mask | None = None
    guides: GuideWeights | None = None

    @property
    def pan_planes(self) -> Image:
        """PAN as (1, H, W), or its guides (guides, H, W)."""
        return self.pan.reshape(-1, *self.pan_valid.shape)

    @property
    def pans(self) -> Image:
        """PAN (H, W), or the PAN of each band (bands, H, W)."""
        return self.guides.combine(self.pan) if self.guides else self.pan

    @property
    def led(self) -> PairWindow:
        """The pair with one PAN: that which follows its band best."""
        if self.guides is None:
            return self
        return replace(self, pan=self.guides.with_bands([self.guides.lead]).combine(self.pan)[0], guides=None)

    @property
    def first(self) -> tuple[float, float]:
        """Centre of the first pixel of `ms` in pixel indices of `pan`, (row, column)."""
        lines = zip(self.origin, self.spacing, self.ms_corner, self.pan_corner)
        row, column = (origin + spacing * ms - pan for origin, spacing, ms, pan in lines)
        return row, column

    @property
    def any_ms_valid(self) -> bool:
        """True where a band of MS has a valid pixel."""
        return bool((self.ms_valid if self.band_valid is None else self.band_valid).any())

    @property
    def ratio(self) -> float:
        """MS pixel size over PAN pixel size."""
        return math.sqrt(self.spacing[0] * self.spacing[1])

    def shifted(self, shift: tuple[float, float]) -> PairWindow:
        """Move the MS pixels by `shift` (row, column) PAN pixels."""
        return replace(self, origin=(self.origin[0] + shift[0], self.origin[1] + shift[1]))

    def scaled(self, pan: float, ms: Sequence[float]) -> PairWindow:
        """Divide PAN and each band of MS by a number."""
        return replace(self, pan=self.pan / pan, ms=self.ms / np.array(ms, self.ms.dtype)[:, None, None])

    def with_bands(self, kept: Sequence[int]) -> PairWindow:
        """Select bands; the pair is valid where all of those are."""
        chosen = replace(self, ms=self.ms[list(kept)], guides=self.guides and self.guides.with_bands(kept))
        if self.band_valid is None:
            return chosen
        band_valid = self.band_valid[list(kept)]
        return replace(chosen, band_valid=band_valid, ms_valid=band_valid.all(0))

    def cropped(self, place: Window) -> PairWindow:
        """Cut PAN to a window of it; MS stays unchanged."""
        cut = np.s_[place.top : place.bottom, place.left : place.right]
        corner = (self.pan_corner[0] + place.top, self.pan_corner[1] + place.left)
        return replace(self, pan=self.pan[(..., *cut)], pan_valid=self.pan_valid[cut], pan_corner=corner)

    def pan_at_ms(self, transfer: TransferFunction) -> tuple[Image, Mask]:
        """Blur PAN and sample it at the MS pixels; returns it and the mask where both are valid, (h, w) each.

        With `guides`, the first is the PAN of each band, (bands, h, w).
        """
        low, valid = self.at_ms(self.pan, self.pan_valid, transfer)
        return (self.guides.combine(low) if self.guides else low), valid

    def at_ms(self, image: Image, valid: Mask, transfer: TransferFunction) -> tuple[Image, Mask]:
        """Blur an image (..., H, W) on PAN's pixels and sample it at the MS pixels; returns it and its mask."""
        rows, columns = self.mtf_resamplers(transfer)
        valid_at_ms = covered(valid, rows, columns) & self.ms_valid & self.inside(0.5 * self.ratio)
        return resample(image, rows, columns), valid_at_ms

    def mtf_resamplers(self, transfer: TransferFunction) -> tuple[Resampler1D, Resampler1D]:
        """Make the maps that blur PAN and sample it at the MS rows and columns."""
        axes = (transfer.rows, transfer.columns)
        lines = zip(self.pan.shape[-2:], self.ms_valid.shape, self.first, self.spacing, axes)
        rows, columns = (regular_mtf_resampler(*line) for line in lines)
        return rows, columns

    def inside(self, margin: float) -> Mask:
        """Mark MS pixel centres in PAN's window, at least `margin` - 1/2 PAN pixels from its border; (h, w)."""
        rows, columns = (
            (s >= margin - 0.5) & (s <= n - 0.5 - margin) for n, s in zip(self.pan.shape[-2:], self.positions_in_pan())
        )
        return np.outer(rows, columns)

    def positions_in_pan(self) -> tuple[Matrix, Matrix]:
        """Return the PAN pixel indices of the MS rows and of the MS columns."""
        height, width = self.ms_valid.shape
        return centres(height, self.first[0], self.spacing[0]), centres(width, self.first[1], self.spacing[1])

    @property
    def ms_place(self) -> Window:
        """The pixels of the scene's MS that `ms` holds."""
        return Window(self.ms_corner[1], self.ms_corner[0], self.ms.shape[2], self.ms.shape[1])

    def within(self, scene: Window) -> Window:
        """Return the pixels of `pan` that lie in a window of the scene's PAN."""
        row, column = self.pan_corner
        return Window(-column, -row, scene.width, scene.height).clipped(self.window)

    @property
    def window(self) -> Window:
        """The whole of PAN, in its own pixels."""
        return Window(0, 0, self.pan.shape[-1], self.pan.shape[-2])

    def positions_in_ms(self, place: Window) -> tuple[Matrix, Matrix]:
        """Return the MS pixel indices of the rows and of the columns of a window of PAN."""
        corners = (self.pan_corner[0] + place.top, self.pan_corner[1] + place.left)
        lines = zip((place.height, place.width), corners, self.origin, self.spacing, self.ms_corner)
        rows, columns = ((np.arange(n) + corner - origin) / spacing - ms for n, corner, origin, spacing, ms in lines)
        return rows, columns

    def cubic_resamplers(self, place: Window) -> tuple[Resampler1D, Resampler1D]:
        """Make the maps that interpolate MS at the rows and columns of a window of PAN."""
        (rows, columns), (height, width) = self.positions_in_ms(place), self.ms_valid.shape
        return cubic_resampler(height, rows), cubic_resampler(width, columns)

    def valid_on_pan(self, place: Window) -> Mask:
        """Mark pixels of a window of PAN that are valid in PAN and in the MS pixel around them.

        (H, W), or (bands, H, W) where bands differ. Beyond MS, its edge pixels count.
        """
        rows, columns = (nearest(p).clip(0, n - 1) for p, n in zip(self.positions_in_ms(place), self.ms_valid.shape))
        inner = self.pan_valid[place.top : place.bottom, place.left : place.right]
        ms_valid = self.ms_valid if self.band_valid is None else self.band_valid
        return inner & ms_valid.take(rows, -2).take(columns, -1)
