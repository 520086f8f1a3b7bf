"""Choice of the informative windows of a sample: with texture, without cloud and water."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..geometry.filters import Image, Mask, block_means, high_pass, lower_median, whole_boxes
from ..geometry.window_pair import PairWindow
from .registration import Registration

MAX_PIECES = 6
MOSTLY_VALID = 0.75  # share of a piece's MS pixels
BLOCK = 16  # MS pixels along the side of a block; the texture of a window is that of its median block
USUAL = 0.75  # quantile of the windows' textures that is usual for land, as most of a scene may be water
MIN_TEXTURE = 0.4  # of the usual one; clouds, water and gaps have less
MOVED = 1.0  # PAN pixels between a window's shift and the scene's; windows that differ by more show moving clouds


def choose_pieces(
    windows: Sequence[PairWindow], registration: Registration, check: Callable[[], None] = lambda: None
) -> list[PairWindow]:
    """Choose at most MAX_PIECES informative windows, spread over the scene, with its shift corrected; or any."""
    moved = [w.shifted(registration.shift) for w in windows]
    textures = []
    for window in moved:
        check()
        textures.append(texture(*window.pan_at_ms(registration.transfer)))
    aligned = follows(registration, len(moved))
    informative = [number for number in select_textured(textures) if aligned[number]] or select_textured(textures)
    return [moved[number] for number in spread(informative, MAX_PIECES)]


def select_textured(textures: Sequence[float]) -> list[int]:
    """Return the numbers of the windows whose texture is not far below what is usual for land."""
    shown = sorted(t for t in textures if t > 0.0)
    usual = shown[int(USUAL * len(shown))] if shown else 0.0
    return [number for number, value in enumerate(textures) if value > MIN_TEXTURE * usual]


def follows(registration: Registration, count: int) -> list[bool]:
    """Tell which of `count` windows have the scene's shift; clouds and their shadows move between the recordings."""
    shifts = registration.local or (registration.shift,) * count
    return [shift is not None and math.dist(shift, registration.shift) < MOVED for shift in shifts]


def spread(numbers: Sequence[int], most: int) -> list[int]:
    """Choose at most `most` of the numbers, evenly."""
    step = max(len(numbers) / most, 1.0)
    return [numbers[int(step * index)] for index in range(min(len(numbers), most))]


def texture(pan: Image, valid: Mask) -> float:
    """Measure the deviation of PAN's details at MS resolution (h, w) in the median block; 0 where gaps prevail."""
    if min(pan.shape) < BLOCK or valid.mean() < MOSTLY_VALID:
        return 0.0
    whole = whole_boxes(valid)
    squares = high_pass(pan.astype(np.float64)) ** 2 * whole
    side = min(BLOCK, *squares.shape)
    counts, sums = (block_means(i, side) for i in (whole, squares))
    counted = counts > 0.0
    return math.sqrt(float(lower_median(sums[counted] / counts[counted]))) if counted.any() else 0.0
