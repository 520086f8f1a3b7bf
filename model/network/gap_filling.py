"""Gaps: valid values are carried into them before the network reads, so that no fringe appears at their edges."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

from ..geometry.resampling import Resampler1D
from ..geometry.window_pair import FILL_DISTANCE
from .tensor_resampling import resample

Maps = tuple[Resampler1D, Resampler1D]  # for rows and for columns

# Share of valid PAN pixels above which the difference of PAN and intensity counts at an MS pixel.
WHOLE_SHARE = 0.95


def fill(image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Carry valid values of (bands, h, w) into gaps, a pixel further each time, by means of valid neighbours.

    `valid` is (h, w), or (bands, h, w) where bands differ. Beyond FILL_DISTANCE, gaps become 0, the mean of a
    normalised band.
    """
    mask = valid.to(image.dtype).expand(image.shape) if valid.dim() == 3 else valid.to(image.dtype)[None]
    image = image * mask
    for _ in range(FILL_DISTANCE):
        weight = avg_pool2d(mask[None], 3, 1, 1)[0]
        mean = avg_pool2d((image * mask)[None], 3, 1, 1)[0] / weight.clamp_min(1e-6)
        image = torch.where(mask > 0, image, torch.where(weight > 0, mean, 0.0))
        mask = (weight > 1e-6).to(image.dtype)
    return image


def blur_valid(pan: torch.Tensor, valid: torch.Tensor, to_ms: Maps) -> tuple[torch.Tensor, torch.Tensor]:
    """Blur the valid pixels of PAN (H, W) to the MS pixels of `to_ms`. Returns the result and their share, (h, w)."""
    share = resample(valid.to(pan.dtype), *to_ms)
    return resample(torch.where(valid, pan, 0.0), *to_ms) / share.clamp_min(1e-6), share


def fill_pan(
    pan: torch.Tensor, valid: torch.Tensor, intensity: torch.Tensor, to_ms: Maps, to_pan: Maps
) -> torch.Tensor:
    """Fill gaps of PAN (H, W) by the intensity of the bands (h, w), lifted to PAN's level next to the gaps."""
    low, share = blur_valid(pan, valid, to_ms)
    low = intensity + fill((low - intensity)[None], share > WHOLE_SHARE)[0]
    return torch.where(valid, pan, resample(low, *to_pan))
