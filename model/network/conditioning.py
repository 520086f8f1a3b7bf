"""The network's inputs from a pair: filled where invalid, normalised, interpolated.

Fusion, training and fine-tuning share them, so what was learnt holds where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..geometry.filters import Mask
from ..geometry.grids import Window
from ..geometry.resampling import Resampler1D
from ..geometry.window_pair import PairWindow
from ..scene.statistics import SceneStatistics
from .gap_filling import fill, fill_pan
from .tensor_resampling import resample


@dataclass(frozen=True)
class Conditions:
    """The network's inputs in a window of PAN, before interpolation, in units of the scene's deviations.

    pan (pans, H, W)           PAN, one for all bands or one per band
    coarse (pans + 1 + bands, h, w)   at MS pixels: PAN at MS sharpness, the intensity of the bands, and the bands
    rows, columns              read the coarse images at the window's rows and columns
    valid (H, W) or (bands, H, W)   mask of valid pixels; None where all are valid
    """

    pan: torch.Tensor
    coarse: torch.Tensor
    rows: Resampler1D
    columns: Resampler1D
    valid: Mask | None

    @property
    def window(self) -> Window:
        """The whole window, in its own pixels."""
        return Window(0, 0, self.pan.shape[2], self.pan.shape[1])

    def on(self, device: torch.device) -> Conditions:
        """Return the conditions with their images on a device; the mask stays on the CPU."""
        if device.type == "cpu":
            return self
        pan, coarse = (i.contiguous().pin_memory().to(device, non_blocking=True) for i in (self.pan, self.coarse))
        return replace(self, pan=pan, coarse=coarse)

    def interpolate_guides(self, bands: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Interpolate the guides (2 len(bands) + 1, H, W), as in `Guidance`, and MS (len(bands), H, W)."""
        pans = len(self.pan)
        of_bands = [band % pans for band in bands]
        fine = resample(self.coarse[[*range(pans + 1), *(pans + 1 + b for b in bands)]], self.rows, self.columns)
        return torch.cat([self.pan[of_bands], fine[of_bands], fine[pans : pans + 1]]), fine[pans + 1 :]

    def cropped(self, window: Window) -> Conditions:
        """Crop to a window within this one, in its pixels."""
        down, across = slice(window.top, window.bottom), slice(window.left, window.right)
        valid = None if self.valid is None else self.valid[..., down, across]
        return Conditions(self.pan[:, down, across], self.coarse, self.rows[down], self.columns[across], valid)


def condition(pair: PairWindow, place: Window, statistics: SceneStatistics) -> Conditions:
    """Build the conditions of the window `place` of the PAN of `pair`."""
    ms = torch.from_numpy(pair.ms)
    pan = torch.from_numpy(pair.pan.reshape(-1, *pair.pan_valid.shape))
    ms = (ms - _expand(statistics.ms_mean, ms)).div_(_expand(statistics.ms_std, ms))
    pan = (pan - _expand(statistics.pan_mean, pan)).div_(_expand(statistics.pan_std, pan))
    ms_valid = pair.ms_valid if pair.band_valid is None else pair.band_valid
    whole_ms, whole_pan = bool(ms_valid.all()), bool(pair.pan_valid.all())
    if not whole_ms:
        ms = fill(ms, torch.from_numpy(ms_valid))
    intensity = (_expand(statistics.intensity, ms) * ms).sum(0)
    to_ms = pair.mtf_resamplers(statistics.transfer)
    if not whole_pan:
        filling = (torch.from_numpy(pair.pan_valid), intensity, to_ms, pair.cubic_resamplers(pair.window))
        pan = torch.stack([fill_pan(p, *filling) for p in pan])
    rows, columns = pair.cubic_resamplers(place)
    return Conditions(
        pan=pan[:, place.top : place.bottom, place.left : place.right],
        coarse=torch.cat([resample(pan, *to_ms), intensity[None], ms]),
        rows=rows,
        columns=columns,
        valid=None if whole_ms and whole_pan else pair.valid_on_pan(place),
    )


def _expand(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]
