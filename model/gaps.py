"""Gaps: carry valid values into them before the network reads, so that no fringe appears at their edges."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

from .degradation import Matrix, resample

FILL_DISTANCE = 8  # MS pixels over which valid values are carried into gaps


def fill(image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Carry valid values of (bands, h, w) into gaps, a pixel further each time, by means of valid neighbours.

    Beyond FILL_DISTANCE, gaps become 0, the mean of a normalised band.
    """
    known = valid.to(image.dtype)[None]
    image = image * known
    for _ in range(FILL_DISTANCE):
        weight = avg_pool2d(known[None], 3, 1, 1)[0]
        mean = avg_pool2d((image * known)[None], 3, 1, 1)[0] / weight.clamp_min(1e-6)
        image = torch.where(known > 0, image, torch.where(weight > 0, mean, 0.0))
        known = (weight > 1e-6).to(image.dtype)
    return image


def blur_valid(pan: torch.Tensor, valid: torch.Tensor, maps: tuple[Matrix, Matrix]) -> torch.Tensor:
    """PAN (H, W) at the MS pixels that `maps` read, from its valid pixels alone, gaps filled; (h, w)."""
    weight = resample(valid.to(pan.dtype), *maps)
    low = resample(pan * valid, *maps) / weight.clamp_min(1e-6)
    return fill(low[None], weight > 0.05)[0]
