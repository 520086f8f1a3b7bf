"""How noisy an image is, read off its flattest parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import avg_pool2d, conv2d

NOISE_BLOCK = 16  # pixels along the side of the blocks of which the flattest tell the noise
FLAT_SHARE = 0.1


def noise_level(images: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Deviation of the white noise of images (h, w) where they are valid (h, w); 0 where no block is.

    The estimate of Immerkaer, "Fast noise variance estimation" (1996), of the flattest blocks, as it counts texture in.
    """
    kernel = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])[None, None]
    blocks = []
    for image, valid in images:
        if min(image.shape) < NOISE_BLOCK + 2:
            continue
        curved = avg_pool2d(conv2d(image.float()[None, None], kernel).abs(), NOISE_BLOCK)
        whole = avg_pool2d(valid.float()[None, None, 1:-1, 1:-1], NOISE_BLOCK) == 1.0
        blocks.append(curved[whole])
    found = torch.cat(blocks) if blocks else torch.zeros(0)
    return math.sqrt(0.5 * math.pi) / 6.0 * float(torch.quantile(found, FLAT_SHARE)) if len(found) else 0.0
