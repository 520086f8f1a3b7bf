"""Values that stand for gaps although nobody declared them: constant extremes in flat areas, as collars and holes have.

Saturated clouds look alike. Neither says anything of the ground, so what is measured on a scene leaves both out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.filters import Image, Mask, whole_boxes
from ..geometry.window_pair import PairWindow

CORE = 5  # pixels along the side of a square that has to be of one value
SMALLEST_SHARE = 0.005  # of the pixels


@dataclass(frozen=True)
class FillValue:
    """A value that fills flat areas, and the share of the valid pixels that has it."""

    value: float
    share: float


def find_fill(images: Sequence[tuple[Image, Mask]], check: Callable[[], None] = lambda: None) -> list[FillValue]:
    """Fill values of windows (image (bands, h, w), valid (h, w)), the commonest first.

    A value counts where it is the least or the largest of all, in every band alike, over whole squares of CORE pixels.
    `check` is called often and may raise to stop.
    """
    total = sum(int(valid.sum()) for _, valid in images)
    lows, highs = [], []
    for image, valid in images:
        check()
        if valid.any():
            lows.append(float(np.where(valid, image, np.inf).min()))
            highs.append(float(np.where(valid, image, -np.inf).max()))
    if not total or min(lows) == max(highs):
        return []  # an image of one value has no extremes
    found = []
    for value in (min(lows), max(highs)):
        check()
        has = [(image == value).all(0) & valid for image, valid in images]
        share = sum(int(h.sum()) for h in has) / total
        if share > SMALLEST_SHARE and any(whole_boxes(h, CORE).any() for h in has):
            found.append(FillValue(value, share))
    return sorted(found, key=lambda f: -f.share)


def is_fill(image: Image, fill: Sequence[FillValue]) -> Mask:
    """Which pixels (h, w) of an image (bands, h, w) have one of the values in every band."""
    found = np.zeros(image.shape[1:], dtype=bool)
    for each in fill:
        found |= (image == each.value).all(0)
    return found


def without_fill(window: PairWindow, ms_fill: Sequence[FillValue], pan_fill: Sequence[FillValue]) -> PairWindow:
    """The same window, invalid where it is filled."""
    if not ms_fill and not pan_fill:
        return window
    image, sharp = ~is_fill(window.ms, ms_fill), ~is_fill(window.pan[None], pan_fill)
    known = None if window.band_valid is None else window.band_valid & image
    return replace(window, ms_valid=window.ms_valid & image, band_valid=known, pan_valid=window.pan_valid & sharp)
