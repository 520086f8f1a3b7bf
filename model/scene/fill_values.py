"""Undeclared values that stand for gaps: constant extremes in flat areas, as collars and holes have.

Saturated clouds look the same. Neither shows the ground, so measurements exclude both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.filters import Image, Mask, whole_boxes
from ..geometry.window_pair import PairWindow

CORE = 5  # pixels along the side of a square that has to hold one value
MIN_SHARE = 0.005  # of the valid pixels that a fill value has
COMMON_LEVEL = 0.2  # of the pixels around flat squares; around a collar hardly any pixel has the darkest level


@dataclass(frozen=True)
class FillValue:
    """A value that fills flat areas, and its share of the valid pixels."""

    value: float
    share: float


def find_fill(images: Sequence[tuple[Image, Mask]], check: Callable[[], None] = lambda: None) -> list[FillValue]:
    """Find fill values of windows (image (bands, h, w), valid (h, w)), the commonest first.

    A value counts where it is the least or the largest of all, in every band, over whole squares of CORE pixels. The
    least of a dark scene does not, where the next level is common around these squares: it was measured, as at night.
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
    fills = []
    for value in (min(lows), max(highs)):
        check()
        has = [(image == value).all(0) & valid for image, valid in images]
        share = sum(int(h.sum()) for h in has) / total
        if share > MIN_SHARE and any(whole_boxes(h, CORE).any() for h in has):
            if value == min(lows) and _is_measured(images, has, value):
                continue
            fills.append(FillValue(value, share))
    return sorted(fills, key=lambda f: -f.share)


def _is_measured(images: Sequence[tuple[Image, Mask]], has: Sequence[Mask], value: float) -> bool:
    """Tell whether pixels around flat squares of the least value often have the next level of the scene."""
    rims = []
    for (image, valid), flat in zip(images, has):
        around = ~whole_boxes(~np.pad(whole_boxes(flat, CORE), CORE), CORE + 2)  # squares, and a pixel on each side
        rims.append((image[:, around & valid & ~flat] - value).max(0))
    distances = np.concatenate(rims)
    levels = [float(image[:, valid][image[:, valid] > value].min(initial=np.inf)) for image, valid in images]
    if min(levels) >= max(float(image[:, valid].max(initial=-np.inf)) for image, valid in images):
        return False  # of two levels alone, one is not an image
    return bool(distances.size and (distances <= min(levels) - value).mean() > COMMON_LEVEL)


def is_fill(image: Image, fill: Sequence[FillValue]) -> Mask:
    """Mark the pixels (h, w) of an image (bands, h, w) that have one of the values in every band."""
    filled = np.zeros(image.shape[1:], dtype=bool)
    for each in fill:
        filled |= (image == each.value).all(0)
    return filled


def without_fill(window: PairWindow, ms_fill: Sequence[FillValue], pan_fill: Sequence[FillValue]) -> PairWindow:
    """Mark filled pixels of a window as invalid."""
    if not ms_fill and not pan_fill:
        return window
    ms, pan = ~is_fill(window.ms, ms_fill), ~is_fill(window.pan_planes, pan_fill)
    band_valid = None if window.band_valid is None else window.band_valid & ms
    return replace(window, ms_valid=window.ms_valid & ms, band_valid=band_valid, pan_valid=window.pan_valid & pan)
