"""Synthetic man-made structure: overlapping shapes with spectra of real pixels (the dead-leaves model of images).

Open training data are mostly coarse natural scenes; roofs, roads, cars and their shadows at sub-metre pixels come from
here (Lee, Mumford and Huang, 2001, for the size law).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

OVERSAMPLING = 2  # shapes are drawn on a finer grid and averaged, so that edges fall between pixels
MIN_SIZE, MAX_SIZE = 1.5, 60.0  # pixels of the scene


def build_over(planes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Draw 60 to 400 shapes over a copy of (bands, s, s), mostly aligned to one street direction."""
    bands, side = planes.shape[0], planes.shape[-1]
    fine = side * OVERSAMPLING
    canvas = np.repeat(np.repeat(planes.numpy(), OVERSAMPLING, 1), OVERSAMPLING, 2)
    pixels = planes.reshape(bands, -1).numpy()
    floor = np.minimum(pixels.min(1), 0.0)
    street = rng.uniform(0.0, np.pi)
    for _ in range(int(rng.integers(60, 400))):
        length, breadth = _draw_size(rng)
        angle = street + rng.choice([0.0, np.pi / 2]) if rng.random() < 0.8 else rng.uniform(0.0, np.pi)
        rows, columns, inside = _draw_shape(rng.uniform(0, fine, 2), length, breadth, angle, rng.random() < 0.12, fine)
        if inside.size:
            spectrum = pixels[:, rng.integers(pixels.shape[1])] - floor
            spectrum = spectrum * np.exp(rng.normal(0.0, 0.5)) * np.exp(rng.normal(0.0, 0.1, bands)) + floor
            region = canvas[:, rows, columns]
            texture = 0.25 * rng.random() * (region - region.mean(axis=(1, 2), keepdims=True))
            canvas[:, rows, columns] = np.where(inside, spectrum[:, None, None] + texture, region)
    return avg_pool2d(torch.from_numpy(canvas.astype(np.float32)), OVERSAMPLING)


def _draw_size(rng: np.random.Generator) -> tuple[float, float]:
    """Draw length and breadth on the fine grid; sizes follow a power law, some shapes are long and thin."""
    u = rng.random()
    length = 1.0 / (u / MIN_SIZE**1.2 + (1.0 - u) / MAX_SIZE**1.2) ** (1.0 / 1.2)
    stretch = rng.uniform(4.0, 12.0) if rng.random() < 0.2 else rng.uniform(1.0, 2.5)
    return OVERSAMPLING * length * np.sqrt(stretch), OVERSAMPLING * max(length / np.sqrt(stretch), 1.0)


def _draw_shape(
    middle: np.ndarray, length: float, breadth: float, angle: float, disc: bool, side: int
) -> tuple[slice, slice, np.ndarray]:
    """Return rows, columns and mask of a rotated rectangle or a disc, clipped to a square of `side`."""
    reach = 0.5 * np.hypot(length, breadth) + 1.0
    first = np.clip(np.floor(middle - reach), 0, side).astype(int)
    last = np.clip(np.ceil(middle + reach), 0, side).astype(int)
    y = np.arange(first[0], last[0])[:, None] - middle[0]
    x = np.arange(first[1], last[1])[None, :] - middle[1]
    if disc:
        inside = y * y + x * x < 0.25 * length * breadth
    else:
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        inside = (np.abs(along) < 0.5 * length) & (np.abs(across) < 0.5 * breadth)
    return slice(first[0], last[0]), slice(first[1], last[1]), inside
