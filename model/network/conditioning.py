"""From a pair to what the network reads: filled where invalid, normalised, interpolated.

Fusion, training and fine-tuning all read what is built here, so what was learnt holds where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..geometry.gap_filling import fill, fill_pan
from ..geometry.grids import Window
from ..geometry.resampling import Resampler1D, resample
from ..geometry.window_pair import PairWindow
from ..scene.statistics import SceneStatistics


@dataclass(frozen=True)
class Conditions:
    """What the network reads in a window of PAN, before interpolation; all in units of the scene's deviations.

    pan (H, W)                 PAN
    coarse (2 + bands, h, w)   PAN at MS sharpness, the intensity that the bands give, and the bands, at MS pixels
    rows, columns              read the coarse images at the window's rows and columns
    valid (H, W) or (bands, H, W)   which pixels are valid; None where all are
    """

    pan: torch.Tensor
    coarse: torch.Tensor
    rows: Resampler1D
    columns: Resampler1D
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

    def lifted(self, bands: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """The guides (3, H, W), PAN, PAN at MS sharpness and intensity, and interpolated MS (len(bands), H, W)."""
        fine = resample(self.coarse[[0, 1, *(2 + b for b in bands)]], self.rows, self.columns)
        return torch.stack([self.pan, fine[0], fine[1]]), fine[2:]

    def cropped(self, window: Window) -> Conditions:
        """Those of a window within this one, in its pixels."""
        down, across = slice(window.top, window.bottom), slice(window.left, window.right)
        valid = None if self.valid is None else self.valid[..., down, across]
        return Conditions(self.pan[down, across], self.coarse, self.rows[down], self.columns[across], valid)


def condition(pair: PairWindow, place: Window, statistics: SceneStatistics) -> Conditions:
    """Conditions of the window `place` of the PAN of `pair`."""
    mean, std = (_planes(v, pair.ms) for v in (statistics.ms_mean, statistics.ms_std))
    ms = (pair.ms - mean).div_(std)
    pan = (pair.pan - statistics.pan_mean).div_(statistics.pan_std)
    known = pair.ms_valid if pair.band_valid is None else pair.band_valid
    whole_ms, whole_pan = bool(known.all()), bool(pair.pan_valid.all())
    if not whole_ms:
        ms = fill(ms, known)
    intensity = (_planes(statistics.intensity, ms) * ms).sum(0)
    to_ms = pair.mtf_resamplers(statistics.gain)
    if not whole_pan:
        pan = fill_pan(pan, pair.pan_valid, intensity, to_ms, pair.cubic_resamplers(pair.window))
    rows, columns = pair.cubic_resamplers(place)
    return Conditions(
        pan=pan[place.top : place.bottom, place.left : place.right],
        coarse=torch.stack([resample(pan, *to_ms), intensity, *ms]),
        rows=rows,
        columns=columns,
        valid=None if whole_ms and whole_pan else pair.valid_on_pan(place),
    )


def _planes(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]
