"""Values that stand for gaps although nobody declared them: constant extremes in flat areas, as collars and holes have.

Saturated clouds look alike. Neither says anything of the ground, so what is measured on a scene leaves both out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d

CORE = 5  # pixels along the side of a square that has to be of one value
SMALLEST_SHARE = 0.005  # of the pixels


@dataclass(frozen=True)
class FillValue:
    """A value that fills flat areas, and the share of the valid pixels that has it."""

    value: float
    share: float


def find_fill(
    images: Sequence[tuple[torch.Tensor, torch.Tensor]], check: Callable[[], None] = lambda: None
) -> tuple[list[FillValue], list[torch.Tensor]]:
    """Fill values of windows (image (bands, h, w), valid (h, w)), the commonest first, and where they are, (h, w) each.

    A value counts where it is the least or the largest of all, in every band alike, over whole squares of CORE pixels.
    `check` is called often and may raise to stop.
    """
    nowhere = [torch.zeros_like(valid) for _, valid in images]
    total = sum(int(valid.sum()) for _, valid in images)
    if not total:
        return [], nowhere
    lows, highs = [], []
    for image, valid in images:
        check()
        if bool(valid.any()):
            lows.append(float(torch.where(valid, image, torch.inf).min()))
            highs.append(float(torch.where(valid, image, -torch.inf).max()))
    ends = {min(lows), max(highs)}
    found, where = [], nowhere
    if len(ends) == 1:
        return [], nowhere  # an image of one value has no extremes
    for value in sorted(ends):
        check()
        has = [(image == value).all(0) & valid for image, valid in images]
        if any(_fills_squares(h) for h in has):
            share = sum(int(h.sum()) for h in has) / total
            if share > SMALLEST_SHARE:
                found.append(FillValue(value, share))
                where = [w | h for w, h in zip(where, has)]
    return sorted(found, key=lambda f: -f.share), where


def _fills_squares(has: torch.Tensor) -> bool:
    """Whether a mask (h, w) holds whole squares of CORE pixels."""
    if min(has.shape) < CORE or not bool(has.any()):
        return False
    return bool((avg_pool2d(has.float()[None], CORE, 1) > 1.0 - 0.5 / CORE**2).any())
