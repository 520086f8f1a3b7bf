"""Which windows of a scene's sample show the scene at work: where there is texture, and neither cloud nor water."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..geometry.filters import Image, Mask, block_means, high_pass, lower_median, whole_boxes
from ..geometry.window_pair import PairWindow
from .registration import Registration

MOST_PIECES = 6
MOSTLY_VALID = 0.75  # of a piece's MS pixels
BLOCK = 16  # MS pixels along the side of the blocks of which the middle one tells the texture of a window
USUAL = 0.75  # of the windows have less texture than is usual for land: most of a scene may be water
LEAST_TEXTURE = 0.4  # of that; clouds, water and gaps have less
MOVED = 1.0  # PAN pixels between a window's own shift and the scene's, from which on it shows clouds that moved


def telling_pieces(
    windows: Sequence[PairWindow], registration: Registration, check: Callable[[], None] = lambda: None
) -> list[PairWindow]:
    """At most MOST_PIECES of the windows, spread over them, with the scene's shift corrected; where none tells, any."""
    moved = [w.shifted(registration.shift) for w in windows]
    textures = []
    for window in moved:
        check()
        textures.append(texture(*window.pan_at_ms(registration.transfer)))
    fitting = follows(registration, len(moved))
    telling = [number for number in textured(textures) if fitting[number]] or textured(textures)
    return [moved[number] for number in spread(telling, MOST_PIECES)]


def textured(textures: Sequence[float]) -> list[int]:
    """The numbers of the windows whose texture is not far below what is usual for land."""
    shown = sorted(t for t in textures if t > 0.0)
    usual = shown[int(USUAL * len(shown))] if shown else 0.0
    return [number for number, own in enumerate(textures) if own > LEAST_TEXTURE * usual]


def follows(registration: Registration, count: int) -> list[bool]:
    """Which of `count` windows lie as the scene does; clouds and their shadows move between the recordings."""
    own = registration.local or (registration.shift,) * count
    return [shift is not None and math.dist(shift, registration.shift) < MOVED for shift in own]


def spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most `most` of the numbers, evenly."""
    step = max(len(numbers) / most, 1.0)
    return [numbers[int(step * place)] for place in range(min(len(numbers), most))]


def texture(pan: Image, valid: Mask) -> float:
    """Deviation of the details of PAN at MS resolution (h, w) in the middle one of the blocks; 0 where gaps prevail."""
    if min(pan.shape) < BLOCK or valid.mean() < MOSTLY_VALID:
        return 0.0
    whole = whole_boxes(valid)
    squares = high_pass(pan.astype(np.float64)) ** 2 * whole
    side = min(BLOCK, *squares.shape)
    counts, sums = (block_means(i, side) for i in (whole, squares))
    known = counts > 0.0
    return math.sqrt(float(lower_median(sums[known] / counts[known]))) if known.any() else 0.0
