"""Coarse shift of many pixels, found at MS resolution: where the details of MS explain PAN's best.

Fourier transforms give the multiple correlation of high-passed PAN with the high-passed MS bands. It is taken at every
whole offset of MS pixels, over all windows of a scene together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..geometry.filters import high_pass, whole_boxes
from ..geometry.products import multiply
from ..geometry.resampling import Matrix
from ..geometry.window_pair import PairWindow
from .detail_correlation import FIRST_TRANSFER, compute_whitening
from .statistics import MIN_PIXELS

WIDE_REACH = 50  # PAN pixels searched in each direction
CLEAR_PEAK = 1.25  # the peak's correlation over the largest one elsewhere
PEAK_RADIUS = 3  # MS pixels around the peak that belong to it
MIN_CORRELATION = 0.4  # of the peak
WEAK_DIRECTION = 1e-4  # power of a combination of bands of norm 1; weaker ones are noise


def find_coarse_shift(windows: Sequence[PairWindow]) -> tuple[float, float] | None:
    """Find the shift (row, column) of MS in PAN pixels, to whole MS pixels; None where no offset is clearly best.

    The PAN of `windows` reaches WIDE_REACH and the blur beyond their MS.
    """
    spacing = windows[0].spacing
    reach = (int(WIDE_REACH / spacing[0]), int(WIDE_REACH / spacing[1]))
    pairs = [shared for shared in (_explain_offsets(window, reach) for window in windows) if shared is not None]
    if not pairs:
        return None
    explained, power = (np.sum(parts, axis=0) for parts in zip(*pairs))
    if not power.any():
        return None
    score = np.sqrt((explained / np.maximum(power, float(power.max()) * 1e-9)).clip(0.0, 1.0))
    row, column = map(int, np.unravel_index(int(score.argmax()), score.shape))
    elsewhere = score.copy()
    rows, columns = (slice(max(i - PEAK_RADIUS, 0), i + PEAK_RADIUS + 1) for i in (row, column))
    elsewhere[rows, columns] = 0.0
    at_edge = row in (0, score.shape[0] - 1) or column in (0, score.shape[1] - 1)
    peak = float(score[row, column])
    if at_edge or peak < MIN_CORRELATION or peak < CLEAR_PEAK * float(elsewhere.max()):
        return None
    return (row - reach[0]) * spacing[0], (column - reach[1]) * spacing[1]


def _explain_offsets(window: PairWindow, reach: tuple[int, int]) -> tuple[Matrix, Matrix] | None:
    """Return PAN's power that MS explains, and all of it, at every offset, (2 reach + 1, 2 reach + 1) each."""
    counted = whole_boxes(window.ms_valid)
    if int(counted.sum()) < MIN_PIXELS:
        return None
    details = high_pass(window.ms.astype(np.float64)) * counted
    flat = details.reshape(len(details), -1)
    mix = compute_whitening(flat, 0.0, WEAK_DIRECTION)
    if not len(mix):
        return None
    pan, pan_valid = _extend_ms(window, reach).pan_at_ms(FIRST_TRANSFER)
    pan_detail = high_pass(pan.astype(np.float64)) * whole_boxes(pan_valid)
    rows, columns = 2 * reach[0] + 1, 2 * reach[1] + 1

    def correlate(image: Matrix, over: Matrix) -> Matrix:
        """Sum the product of image and over at every offset."""
        spectrum = np.fft.rfft2(over) * np.fft.rfft2(image, over.shape).conj()
        return np.fft.irfft2(spectrum, over.shape)[..., :rows, :columns]

    basis = multiply(mix, flat).reshape(-1, *details.shape[1:])
    explained = (correlate(basis, pan_detail) ** 2).sum(0)
    return explained, np.maximum(correlate(counted.astype(np.float64), pan_detail**2), 0.0)


def _extend_ms(window: PairWindow, reach: tuple[int, int]) -> PairWindow:
    """Return the PAN under MS pixels that reach further on every side, all valid, without their values."""
    ms_valid = np.pad(np.ones_like(window.ms_valid), [(r, r) for r in reach], constant_values=True)
    corner = (window.ms_corner[0] - reach[0], window.ms_corner[1] - reach[1])
    return replace(window, ms=window.ms[:0], ms_valid=ms_valid, band_valid=None, ms_corner=corner)
