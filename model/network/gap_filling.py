"""Gaps: carry valid values into them before the network reads, so that no fringe appears at their edges."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

from ..geometry.resampling import Resampler1D
from ..geometry.window_pair import FILL_DISTANCE
from .tensor_resampling import resample

Maps = tuple[Resampler1D, Resampler1D]  # for rows and for columns

WHOLE_SHARE = 0.95  # of valid PAN pixels, above which an MS pixel tells how PAN differs from the intensity


def fill(image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Carry valid values of (bands, h, w) into gaps, a pixel further each time, by means of valid neighbours.

    `valid` is (h, w), or (bands, h, w) where bands differ.

    Beyond FILL_DISTANCE, gaps become 0, the mean of a normalised band.
    """
    known = valid.to(image.dtype).expand(image.shape) if valid.dim() == 3 else valid.to(image.dtype)[None]
    image = image * known
    for _ in range(FILL_DISTANCE):
        weight = avg_pool2d(known[None], 3, 1, 1)[0]
        mean = avg_pool2d((image * known)[None], 3, 1, 1)[0] / weight.clamp_min(1e-6)
        image = torch.where(known > 0, image, torch.where(weight > 0, mean, 0.0))
        known = (weight > 1e-6).to(image.dtype)
    return image


def blur_valid(pan: torch.Tensor, valid: torch.Tensor, to_ms: Maps) -> tuple[torch.Tensor, torch.Tensor]:
    """PAN (H, W) at the MS pixels that `to_ms` reads, from its valid pixels alone, and their share in it; (h, w)."""
    share = resample(valid.to(pan.dtype), *to_ms)
    return resample(torch.where(valid, pan, 0.0), *to_ms) / share.clamp_min(1e-6), share


def fill_pan(
    pan: torch.Tensor, valid: torch.Tensor, intensity: torch.Tensor, to_ms: Maps, to_pan: Maps
) -> torch.Tensor:
    """PAN (H, W) with its gaps filled by the intensity of the bands (h, w), lifted to PAN's level beside the gaps."""
    low, share = blur_valid(pan, valid, to_ms)
    low = intensity + fill((low - intensity)[None], share > WHOLE_SHARE)[0]
    return torch.where(valid, pan, resample(low, *to_pan))
