"""From a piece of PAN and MS to what the network reads: interpolated, filled where invalid, normalised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .degradation import Matrix, centres, cubic_matrix, resample
from .gaps import FILL_DISTANCE, fill, fill_pan
from .grids import Placement, Window
from .pair import PairWindow
from .rasters import Raster
from .sampling import ms_window, read_pair
from .scene import SceneStatistics

INTERPOLATION_MARGIN = 2  # MS pixels that cubic convolution reads on each side


@dataclass(frozen=True)
class Conditions:
    """Normalised inputs of the network for a window of PAN, and which of its pixels are valid.

    lms (bands, H, W)   guides (3, H, W): PAN, PAN at MS sharpness, intensity   valid (H, W)
    """

    lms: torch.Tensor
    guides: torch.Tensor
    valid: torch.Tensor


def read_piece(
    pan: Raster, ms: Raster, placement: Placement, window: Window, blur_reach: float
) -> tuple[PairWindow, Window]:
    """Everything that the conditions of a PAN window depend on, and that window in pixels of the piece read.

    `placement` holds the corrected shift; the window may reach beyond PAN.
    """
    margin = INTERPOLATION_MARGIN + FILL_DISTANCE
    needed = ms_window(placement, window, margin)
    pair = read_pair(pan, ms, placement, needed, blur_reach)
    row = round(placement.origin[0] + placement.step[0] * needed.top - pair.origin[0])
    column = round(placement.origin[1] + placement.step[1] * needed.left - pair.origin[1])
    return pair, Window(window.left - column, window.top - row, window.width, window.height)


def condition(pair: PairWindow, place: Window, statistics: SceneStatistics) -> Conditions:
    """Conditions of the window `place` of the PAN of `pair`."""
    mean, std = (_planes(v, pair.ms) for v in (statistics.ms_mean, statistics.ms_std))
    ms = (pair.ms - mean) / std
    pan = (pair.pan - statistics.pan_mean) / statistics.pan_std
    if not bool(pair.ms_valid.all()):
        ms = fill(ms, pair.ms_valid)
    intensity = (_planes(statistics.intensity, ms) * ms).sum(0)
    to_ms = pair.mtf_matrices(statistics.gain)
    if not bool(pair.pan_valid.all()):
        pan = fill_pan(pan, pair.pan_valid, intensity, to_ms, _cubic(pair, Window(0, 0, *reversed(pan.shape))))
    coarse = torch.stack([resample(pan, *to_ms), intensity, *ms])
    fine = resample(coarse, *_cubic(pair, place))
    inner = np.s_[place.top : place.bottom, place.left : place.right]
    pan_valid = pair.pan_valid[inner]
    rows, columns = (_nearest(p, size) for p, size in zip(_positions(pair, place), ms.shape[1:]))
    valid = pan_valid & pair.ms_valid[np.ix_(rows, columns)]
    return Conditions(lms=fine[2:], guides=torch.stack([pan[inner], fine[0], fine[1]]), valid=valid)


def _positions(pair: PairWindow, place: Window) -> tuple[Matrix, Matrix]:
    """Rows and columns of a window's PAN pixels, in MS pixel indices."""
    (down, across), (top, left) = pair.step, pair.origin
    return (
        centres(place.height, (place.top - top) / down, 1.0 / down),
        centres(place.width, (place.left - left) / across, 1.0 / across),
    )


def _cubic(pair: PairWindow, place: Window) -> tuple[Matrix, Matrix]:
    """Maps that read the MS of `pair` at a window's PAN pixels."""
    rows, columns = _positions(pair, place)
    return cubic_matrix(pair.ms.shape[1], rows), cubic_matrix(pair.ms.shape[2], columns)


def _planes(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


def _nearest(positions: np.ndarray, size: int) -> np.ndarray:
    return np.clip(np.floor(positions + 0.5), 0, size - 1).astype(np.int64)
