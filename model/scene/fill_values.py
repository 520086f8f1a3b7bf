"""Values that stand for gaps although nobody declared them: constant extremes in flat areas, as collars and holes have.

Saturated clouds look alike. Neither says anything of the ground, so what is measured on a scene leaves both out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import avg_pool2d

from ..geometry.window_pair import PairWindow

CORE = 5  # pixels along the side of a square that has to be of one value
SMALLEST_SHARE = 0.005  # of the pixels


@dataclass(frozen=True)
class FillValue:
    """A value that fills flat areas, and the share of the valid pixels that has it."""

    value: float
    share: float


def find_fill(images: Sequence[tuple[Any, Any]], check: Callable[[], None] = lambda: None) -> list[FillValue]:
    """Fill values of windows (image (bands, h, w), valid (h, w)), the commonest first.

    A value counts where it is the least or the largest of all, in every band alike, over whole squares of CORE pixels.
    `check` is called often and may raise to stop.
    """
    images = [(torch.as_tensor(image), torch.as_tensor(valid)) for image, valid in images]
    total = sum(int(valid.sum()) for _, valid in images)
    lows, highs = [], []
    for image, valid in images:
        check()
        if bool(valid.any()):
            lows.append(float(torch.where(valid, image, torch.inf).min()))
            highs.append(float(torch.where(valid, image, -torch.inf).max()))
    if not total or min(lows) == max(highs):
        return []  # an image of one value has no extremes
    found = []
    for value in (min(lows), max(highs)):
        check()
        has = [(image == value).all(0) & valid for image, valid in images]
        share = sum(int(h.sum()) for h in has) / total
        if share > SMALLEST_SHARE and any(_fills_squares(h) for h in has):
            found.append(FillValue(value, share))
    return sorted(found, key=lambda f: -f.share)


def is_fill(image: torch.Tensor, fill: Sequence[FillValue]) -> torch.Tensor:
    """Which pixels (h, w) of an image (bands, h, w) have one of the values in every band."""
    nowhere = torch.zeros(image.shape[1:], dtype=torch.bool)
    return nowhere if not fill else torch.stack([(image == f.value).all(0) for f in fill]).any(0)


def without_fill(window: PairWindow, ms_fill: Sequence[FillValue], pan_fill: Sequence[FillValue]) -> PairWindow:
    """The same window, invalid where it is filled."""
    if not ms_fill and not pan_fill:
        return window
    image, sharp = ~is_fill(window.ms, ms_fill), ~is_fill(window.pan[None], pan_fill)
    known = None if window.band_valid is None else window.band_valid & image
    return replace(window, ms_valid=window.ms_valid & image, band_valid=known, pan_valid=window.pan_valid & sharp)


def _fills_squares(has: torch.Tensor) -> bool:
    """Whether a mask (h, w) holds whole squares of CORE pixels."""
    if min(has.shape) < CORE or not bool(has.any()):
        return False
    return bool((avg_pool2d(has.float()[None], CORE, 1) > 1.0 - 0.5 / CORE**2).any())
