"""MTF degradation and interpolation between a PAN grid and an MS grid.

Both are separable linear maps, so each is a pair of small matrices built from the pixel centres alone.
One primitive therefore serves nested and non-nested grids, any ratio, and any sub-pixel shift.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

GAUSSIAN_REACH = 3.5  # in deviations; the weight left out is below 0.05 %
CUBIC_REACH = 2.0


def mtf_sigma(gain: float, ratio: float) -> float:
    """Deviation, in PAN pixels, of the Gaussian whose frequency response is `gain` at the MS Nyquist frequency.

    A Gaussian exp(-f^2 / 2 s_f^2) equals `gain` at f = 1 / (2 ratio); its spatial deviation is 1 / (2 pi s_f).
    `gain` lies in (0, 1), `ratio` is the MS pixel size over the PAN pixel size (Aiazzi et al., 2006).
    """
    return ratio * math.sqrt(-2.0 * math.log(gain)) / math.pi


def mtf_reach(gain: float, ratio: float) -> float:
    """Radius, in PAN pixels, within which `mtf_matrix` reads."""
    return max(GAUSSIAN_REACH * mtf_sigma(gain, ratio), 1.0)


def centres(count: int, origin: float, step: float) -> Matrix:
    """Positions origin + step * k of `count` pixel centres, in pixel indices of the other grid."""
    return origin + step * np.arange(count, dtype=np.float64)


def mtf_matrix(size: int, positions: Matrix, gain: float, ratio: float) -> Matrix:
    """Rows that read a Gaussian-MTF blurred signal of `size` samples at `positions`; shape (len(positions), size)."""
    sigma = mtf_sigma(gain, ratio)
    return _resampling_matrix(size, positions, lambda d: np.exp(-0.5 * (d / sigma) ** 2), mtf_reach(gain, ratio))


def cubic_matrix(size: int, positions: Matrix) -> Matrix:
    """Rows that read a signal of `size` samples at `positions` by cubic convolution (Keys, 1981, a = -1/2)."""
    return _resampling_matrix(size, positions, _keys_cubic, CUBIC_REACH)


def _keys_cubic(distance: Matrix) -> Matrix:
    d = np.abs(distance)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1.0, near, np.where(d < 2.0, far, 0.0))


def _resampling_matrix(size: int, positions: Matrix, kernel: Callable[[Matrix], Matrix], reach: float) -> Matrix:
    """Each row holds a normalised kernel centred on one position; samples beyond an end repeat the end sample."""
    first = np.ceil(positions - reach).astype(np.int64)
    taps = first[:, None] + np.arange(int(2 * reach) + 1)[None, :]
    distance = taps - positions[:, None]
    weights = np.where(np.abs(distance) <= reach, kernel(distance), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((len(positions), size))
    rows = np.broadcast_to(np.arange(len(positions))[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, size - 1)), weights)
    return matrix


def resample(image: torch.Tensor, rows: Matrix, columns: Matrix) -> torch.Tensor:
    """Apply a row map (h, H) and a column map (w, W) to an image (..., H, W); returns (..., h, w)."""
    down = torch.as_tensor(rows, dtype=image.dtype, device=image.device)
    across = torch.as_tensor(columns, dtype=image.dtype, device=image.device)
    if rows.shape[0] < rows.shape[1]:  # shrink first: fewer multiplications
        return (down @ image) @ across.T
    return down @ (image @ across.T)
