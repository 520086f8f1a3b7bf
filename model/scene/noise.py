"""Noise of an image, estimated from its flattest parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..geometry.filters import Image, Mask, block_means

NOISE_BLOCK = 16  # pixels along the side of a block
FLAT_SHARE = 0.1  # quantile of the blocks that counts as flat


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
