"""Filters of images on the pixel grid, shared by all rooms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def box_mean(image: NDArray[np.generic], side: int) -> NDArray[np.float64]:
    """Mean of the box of `side` (odd) pixels around each pixel of (..., h, w), of the pixels inside the image."""
    values = np.asarray(image, dtype=np.float64)
    counts = _box_sum(np.ones(values.shape[-2:]), side)
    return _box_sum(values, side) / counts


def high_pass(image: NDArray[np.generic], side: int) -> NDArray[np.float64]:
    """An image (..., h, w) minus its `box_mean`."""
    return np.asarray(image, dtype=np.float64) - box_mean(image, side)


def dilate(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Pixels (h, w) that have a pixel of the mask in the box of `reach` pixels around them."""
    return np.asarray(_box_sum(mask.astype(np.float64), 2 * reach + 1) > 0.5)


def _box_sum(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    for axis in (-2, -1):
        count = values.shape[axis]
        zero = np.zeros_like(np.take(values, [0], axis))
        sums = np.concatenate([zero, np.cumsum(values, axis=axis)], axis=axis)
        last, first = (np.clip(np.arange(count) + o, 0, count) for o in (side // 2 + 1, -(side // 2)))
        values = np.take(sums, last, axis) - np.take(sums, first, axis)
    return values
