"""Filters of images (..., h, w) that all measurements share, their noise, and the peak between samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Mask = NDArray[np.bool_]

HIGH_PASS_SIZE = 5  # MS pixels. Pansharpening adds details that are finer.
NOISE_BLOCK = 16  # pixels along the side of a block
FLAT_SHARE = 0.1  # quantile of the blocks that counts as flat


def box_sum(image: Any, size: int) -> Any:
    """Sum over squares of `size` within the image, (..., h - size + 1, w - size + 1); of arrays and of tensors."""
    for axis in (-2, -1):
        count = image.shape[axis] - size + 1
        parts = [(..., slice(k, k + count), *[slice(None)] * (-1 - axis)) for k in range(size)]
        total = image[parts[0]] + image[parts[1]]
        for part in parts[2:]:
            total += image[part]
        image = total
    return image


def box_mean(image: Any, size: int = HIGH_PASS_SIZE) -> Any:
    """Average over the squares of `box_sum`."""
    total = box_sum(image, size)
    total /= size**2
    return total


def high_pass(image: Any) -> Any:
    """Subtract the box mean and cut the border that has none; of arrays and of tensors."""
    edge = HIGH_PASS_SIZE // 2
    return image[..., edge : image.shape[-2] - edge, edge : image.shape[-1] - edge] - box_mean(image)


def whole_boxes(valid: Mask, size: int = HIGH_PASS_SIZE) -> Mask:
    """Mark the boxes of `box_mean` that hold valid pixels alone; none in an image that is smaller than the box."""
    if min(valid.shape) < size:
        return np.zeros([max(n - size + 1, 0) for n in valid.shape], dtype=bool)
    return np.asarray(box_mean(valid.astype(np.float32), size) > 1.0 - 0.5 / size**2)


def local_mean(image: Image, size: int) -> Image:
    """Average over the part of the square around each pixel that lies within the image; of the image's shape."""
    rim = [(0, 0)] * (image.ndim - 2) + [(size // 2, size // 2)] * 2
    counted = np.pad(np.ones(image.shape[-2:], image.dtype), rim[-2:])
    return np.asarray(box_sum(np.pad(image, rim), size) / box_sum(counted, size))


def block_means(image: Image, side: int) -> Image:
    """Average over each whole block of `side` pixels a side."""
    down, across = (n // side for n in image.shape[-2:])
    cells = image[..., : down * side, : across * side]
    return np.asarray(cells.reshape(*image.shape[:-2], down, side, across, side).mean((-3, -1)))


def dilate(mask: Mask, reach: int) -> Mask:
    """Mark the pixels (h, w) within `reach` rows and columns of one of the mask."""
    for axis in (0, 1):
        size = mask.shape[axis]
        start = np.zeros_like(mask.take([0], axis), dtype=np.int32)
        counts = np.concatenate([start, np.cumsum(mask, axis, np.int32)], axis)
        ends = np.arange(size) + reach + 1, np.arange(size) - reach
        mask = counts.take(ends[0].clip(0, size), axis) > counts.take(ends[1].clip(0, size), axis)
    return mask


def lower_median(values: Image) -> Image:
    """Return the middle value along the last axis, the lower of two."""
    return np.asarray(np.sort(values, axis=-1)[..., (values.shape[-1] - 1) // 2])


def parabola_peak(before: Any, middle: Any, after: Any) -> Any:
    """Locate the top of the parabola through three evenly spaced values, in steps from the middle, within one."""
    bend = np.minimum(before - 2.0 * middle + after, -1e-9)
    return np.clip(0.5 * (before - after) / bend, -1.0, 1.0)


def estimate_noise(images: Sequence[tuple[Image, Mask]]) -> float:
    """Estimate the deviation of the white noise of images (h, w) where they are valid (h, w); 0 without blocks.

    Immerkaer, "Fast noise variance estimation" (1996), on the flattest blocks only, because it counts texture as noise.
    """
    blocks = [np.zeros(0)]
    for image, valid in images:
        if min(image.shape) < NOISE_BLOCK + 2:
            continue
        curved = block_means(np.abs(np.diff(np.diff(image, 2, axis=0), 2, axis=1)), NOISE_BLOCK)
        blocks.append(curved[block_means(valid[1:-1, 1:-1], NOISE_BLOCK) == 1.0])
    values = np.concatenate(blocks)
    return math.sqrt(0.5 * math.pi) / 6.0 * float(np.quantile(values, FLAT_SHARE)) if len(values) else 0.0
