"""From a piece of PAN and MS to what the network reads: interpolated, filled where invalid, normalised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .alignment import PairWindow
from .degradation import centres, cubic_matrix, resample
from .gaps import FILL_DISTANCE, blur_valid, fill
from .grids import Placement, Window
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
    rows, columns = pair.mtf_matrices(statistics.gain)
    if bool(pair.pan_valid.all()):
        pan_at_ms = resample(pan, rows, columns)
    else:
        pan_at_ms = blur_valid(pan, pair.pan_valid, (rows, columns))
    if not bool(pair.ms_valid.all()):
        ms = fill(ms, pair.ms_valid)
    intensity = (_planes(statistics.intensity, ms) * ms).sum(0)
    (height, width), (down, across) = ms.shape[1:], pair.step
    to_rows = centres(place.height, (place.top - pair.origin[0]) / down, 1.0 / down)
    to_columns = centres(place.width, (place.left - pair.origin[1]) / across, 1.0 / across)
    coarse = torch.stack([pan_at_ms, intensity, *ms])
    fine = resample(coarse, cubic_matrix(height, to_rows), cubic_matrix(width, to_columns))
    inner = np.s_[place.top : place.bottom, place.left : place.right]
    pan_valid = pair.pan_valid[inner]
    pan = torch.where(pan_valid, pan[inner], fine[0])
    nearest = np.ix_(_nearest(to_rows, height), _nearest(to_columns, width))
    valid = pan_valid & pair.ms_valid[nearest[0], nearest[1]]
    return Conditions(lms=fine[2:], guides=torch.stack([pan, fine[0], fine[1]]), valid=valid)


def _planes(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


def _nearest(positions: np.ndarray, size: int) -> np.ndarray:
    return np.clip(np.floor(positions + 0.5), 0, size - 1).astype(np.int64)
