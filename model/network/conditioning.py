"""From a piece of PAN and MS to what the network reads: interpolated, filled where invalid, normalised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry.gap_filling import FILL_DISTANCE, fill, fill_pan
from ..geometry.grids import Placement, Window
from ..geometry.resampling import Matrix, Reading, centres, cubic_reading, resample
from ..geometry.window_pair import PairWindow
from ..raster.reader import Raster
from ..raster.windows import ms_window, read_pair
from ..scene.statistics import SceneStatistics

INTERPOLATION_MARGIN = 2  # MS pixels that cubic convolution reads on each side


@dataclass(frozen=True)
class Conditions:
    """What the network reads in a window of PAN, before interpolation; all in units of the scene's deviations.

    pan (H, W)                 PAN
    coarse (2 + bands, h, w)   PAN at MS sharpness, the intensity that the bands give, and the bands, at MS pixels
    rows, columns              read the coarse images at the window's rows and columns
    valid (H, W)               which pixels are valid; None where all are
    """

    pan: torch.Tensor
    coarse: torch.Tensor
    rows: Reading
    columns: Reading
    valid: torch.Tensor | None

    @property
    def window(self) -> Window:
        """The whole of it, in its own pixels."""
        return Window(0, 0, self.pan.shape[1], self.pan.shape[0])

    def on(self, device: torch.device) -> Conditions:
        """The same with its images on a device; validity stays where it is."""
        if device.type == "cpu":
            return self
        pan, coarse = (i.contiguous().pin_memory().to(device, non_blocking=True) for i in (self.pan, self.coarse))
        return replace(self, pan=pan, coarse=coarse)

    def cropped(self, window: Window) -> Conditions:
        """Those of a window within this one, in its pixels."""
        down, across = slice(window.top, window.bottom), slice(window.left, window.right)
        valid = None if self.valid is None else self.valid[down, across]
        return Conditions(self.pan[down, across], self.coarse, self.rows[down], self.columns[across], valid)


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
    ms = (pair.ms - mean).div_(std)
    pan = (pair.pan - statistics.pan_mean).div_(statistics.pan_std)
    whole_ms, whole_pan = bool(pair.ms_valid.all()), bool(pair.pan_valid.all())
    if not whole_ms:
        ms = fill(ms, pair.ms_valid)
    intensity = (_planes(statistics.intensity, ms) * ms).sum(0)
    to_ms = pair.mtf_readings(statistics.gain)
    if not whole_pan:
        around = Window(0, 0, *reversed(pan.shape))
        pan = fill_pan(pan, pair.pan_valid, intensity, to_ms, _cubic(pair, around))
    rows, columns = _cubic(pair, place)
    return Conditions(
        pan=pan[place.top : place.bottom, place.left : place.right],
        coarse=torch.stack([resample(pan, *to_ms), intensity, *ms]),
        rows=rows,
        columns=columns,
        valid=None if whole_ms and whole_pan else _valid(pair, place),
    )


def _valid(pair: PairWindow, place: Window) -> torch.Tensor:
    """Which pixels of a window are valid in PAN and in the MS pixel they lie in, (H, W)."""
    spots = (torch.from_numpy(_nearest(p, size)) for p, size in zip(_positions(pair, place), pair.ms_valid.shape))
    rows, columns = spots
    inner = pair.pan_valid[place.top : place.bottom, place.left : place.right]
    return inner & pair.ms_valid.index_select(0, rows).index_select(1, columns)


def _positions(pair: PairWindow, place: Window) -> tuple[Matrix, Matrix]:
    """Rows and columns of a window's PAN pixels, in MS pixel indices."""
    (down, across), (top, left) = pair.step, pair.origin
    return (
        centres(place.height, (place.top - top) / down, 1.0 / down),
        centres(place.width, (place.left - left) / across, 1.0 / across),
    )


def _cubic(pair: PairWindow, place: Window) -> tuple[Reading, Reading]:
    """Reads the MS of `pair` at a window's PAN pixels."""
    rows, columns = _positions(pair, place)
    return cubic_reading(pair.ms.shape[1], rows), cubic_reading(pair.ms.shape[2], columns)


def _planes(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


def _nearest(positions: np.ndarray, size: int) -> np.ndarray:
    return np.clip(np.floor(positions + 0.5), 0, size - 1).astype(np.int64)
