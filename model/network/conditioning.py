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
    """The network's inputs in a window of PAN, before interpolation, in units of the scene's deviations."""

    pan: torch.Tensor  # (pans, H, W) PAN, or the guides that `mix` combines
    coarse: torch.Tensor  # (pans + 1 + bands, h, w) PAN at MS sharpness, the intensity of the bands, and the bands
    rows: Resampler1D  # read the coarse images at the window's rows
    columns: Resampler1D  # and columns
    valid: Mask | None  # (H, W) or (bands, H, W); None where all pixels are valid
    mix: torch.Tensor | None = None  # (bands, pans) weights of the guides; None where bands share a PAN

    @property
    def window(self) -> Window:
        """The whole window, in its own pixels."""
        return Window(0, 0, self.pan.shape[2], self.pan.shape[1])

    def on(self, device: torch.device) -> Conditions:
        """Return the conditions with their images on a device; the mask stays on the CPU."""
        if device.type == "cpu":
            return self
        pan, coarse = (i.contiguous().pin_memory().to(device, non_blocking=True) for i in (self.pan, self.coarse))
        return replace(self, pan=pan, coarse=coarse, mix=None if self.mix is None else self.mix.to(device))

    def combine(self, guides: torch.Tensor, bands: Sequence[int]) -> torch.Tensor:
        """Combine guides (pans, H, W) to the PAN of each of the bands, (len(bands), H, W); one PAN to (1, H, W)."""
        return guides if self.mix is None else torch.einsum("bg,ghw->bhw", self.mix[list(bands)], guides)

    def interpolate_guides(self, bands: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Interpolate the guides (2 len(bands) + 1, H, W), as in `Guidance`, and MS (len(bands), H, W)."""
        low, size = self.low(bands), (len(bands), -1, -1)
        fine = resample(low, self.rows, self.columns)
        pans = len(fine) - len(bands) - 1
        both = (self.combine(self.pan, bands).expand(size), fine[:pans].expand(size), fine[pans : pans + 1])
        return torch.cat(both), fine[pans + 1 :]

    def low(self, bands: Sequence[int]) -> torch.Tensor:
        """Return PAN of the bands at MS sharpness, or the one they share, the intensity, and the bands, (n, h, w)."""
        pans = len(self.pan)
        low = self.combine(self.coarse[:pans], bands)
        return torch.cat([low, self.coarse[[pans, *(pans + 1 + b for b in bands)]]])

    def cropped(self, window: Window) -> Conditions:
        """Crop to a window within this one, in its pixels."""
        down, across = slice(window.top, window.bottom), slice(window.left, window.right)
        valid = None if self.valid is None else self.valid[..., down, across]
        return Conditions(
            self.pan[:, down, across], self.coarse, self.rows[down], self.columns[across], valid, self.mix
        )


def condition(pair: PairWindow, place: Window, statistics: SceneStatistics) -> Conditions:
    """Build the conditions of the window `place` of the PAN of `pair`."""
    ms = torch.from_numpy(pair.ms)
    pan = torch.from_numpy(pair.pan_planes)
    ms = (ms - _expand(statistics.ms_mean, ms)).div_(_expand(statistics.ms_std, ms))
    guides, mix = statistics.guides, None
    if guides:
        mix = torch.tensor(guides.weights) / torch.tensor(statistics.pan_std)[:, None]
    mean, std = (guides.mean, guides.std) if guides else (statistics.pan_mean, statistics.pan_std)
    pan = (pan - _expand(mean, pan)).div_(_expand(std, pan))
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
        mix=mix,
    )


def _expand(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]
