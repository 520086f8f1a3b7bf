"""Effects of sensors, air and archives: noise, quantisation, saturation, haze, clouds, holes, stray light; structures.

Open training data are mostly coarse natural scenes. Roofs, roads, cars and their shadows at sub-metre pixels are made
here: overlapping shapes with spectra of real pixels (the dead-leaves model of images; Lee, Mumford and Huang, 2001, for
the size law).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from ..geometry.resampling import Matrix, centres

STRAY_SCALES = (1.0, 2.0, 4.0, 8.0)  # deviations, in pixels, of the Gaussians that stand for a blur with long tails
OVERSAMPLING = 2  # shapes are drawn on a finer grid and averaged, so that edges fall between pixels
MIN_SIZE, MAX_SIZE = 1.5, 60.0  # pixels of the scene


def soften(pan: torch.Tensor, deviation: float) -> torch.Tensor:
    """Blur PAN (h, w) by a Gaussian: products whose MS was sharpened have a PAN softer than the target."""
    taps = np.arange(-2.0, 3.0)
    kernel = np.exp(-0.5 * (taps / max(deviation, 1e-3)) ** 2)
    weights = torch.tensor(kernel / kernel.sum(), dtype=pan.dtype)
    padded = pad(pan[None, None], (2, 2, 2, 2), mode="replicate")
    return conv2d(conv2d(padded, weights[None, None, None, :]), weights[None, None, :, None])[0, 0]


def scatter(pan: torch.Tensor, shares: np.ndarray) -> torch.Tensor:
    """Spread `shares` of the light of PAN (s, s) by Gaussians of STRAY_SCALES pixels (stray light, adjacency)."""
    side = pan.shape[-1]
    result = pan * float(1.0 - shares.sum())
    for share, scale in zip(shares, STRAY_SCALES):
        blur = torch.from_numpy(_build_blur(side, scale).astype(np.float32))
        result = result + float(share) * (blur @ pan @ blur.T)
    return result


def _build_blur(side: int, deviation: float) -> Matrix:
    """Build the matrix (side, side) of a Gaussian blur; `deviation` is in pixels."""
    lines = centres(side, 0.0, 1.0)
    weights = np.exp(-0.5 * ((lines[:, None] - lines[None, :]) / deviation) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def sharpen(pan: torch.Tensor, deviation: float, strength: float) -> torch.Tensor:
    """Add `strength` times its detail beyond a Gaussian blur to PAN (h, w): vendors sharpen PAN too."""
    return pan + strength * (pan - soften(pan, deviation))


def bright_objects(planes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Add small bright objects to planes (n, s, s) and lower other contrast: ships on the sea, rocks in snow.

    Each is a rectangle of 1 to 12 pixels a side, 4 to 40 deviations above (seldom below) the scene.
    """
    mean, std = planes.mean(dim=(1, 2), keepdim=True), planes.std(dim=(1, 2), keepdim=True)
    planes = mean + float(rng.uniform(0.03, 1.0)) * (planes - mean)
    std = planes.std(dim=(1, 2), keepdim=True).clamp_min(0.02 * std)
    planes = planes.clone()
    side, colour = planes.shape[-1], torch.tensor(rng.uniform(0.3, 1.0, (len(planes), 1, 1)), dtype=torch.float32)
    sign = -0.2 if rng.random() < 0.1 else 1.0
    for _ in range(int(rng.integers(1, 9))):
        height, width = np.exp(rng.uniform(0.0, np.log(12.0), 2)).round().astype(int)
        top, left = rng.integers(0, side - 12, 2)
        contrast = sign * float(np.exp(rng.uniform(np.log(4.0), np.log(40.0))))
        box = np.s_[:, top : top + height, left : left + width]
        planes[box] = planes[box] + contrast * colour * std
    return planes


def add_noise(planes: torch.Tensor, level: float, rng: np.random.Generator) -> torch.Tensor:
    """Add white noise of `level` deviations to each plane of (n, h, w)."""
    noise = torch.from_numpy(rng.standard_normal(planes.shape, dtype=np.float32))
    return planes + level * planes.std(dim=(1, 2), keepdim=True) * noise


def quantise(planes: torch.Tensor, level: float) -> torch.Tensor:
    """Round each plane of (n, h, w) to whole multiples of `level` of its deviations."""
    step = (level * planes.std(dim=(1, 2), keepdim=True)).clamp_min(1e-6)
    return torch.round(planes / step) * step


def saturate(planes: torch.Tensor, share: float) -> torch.Tensor:
    """Clip the brightest `share` of each plane of (n, h, w)."""
    limit = torch.quantile(planes.flatten(1), 1.0 - share, dim=1)[:, None, None]
    return torch.minimum(planes, limit)


def smooth_field(side: int, knots: int, rng: np.random.Generator) -> torch.Tensor:
    """Draw a smooth random field (side, side) of about unit deviation."""
    coarse = torch.from_numpy(rng.standard_normal((1, 1, knots, knots), dtype=np.float32))
    return interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)[0, 0]


def haze(planes: torch.Tensor, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Add uneven haze to planes (n, s, s): less contrast, more light, by up to `strength` deviations."""
    field = smooth_field(planes.shape[-1], 4, rng).clamp(-1.5, 1.5) / 3.0 + 0.5
    mean, std = planes.mean(dim=(1, 2), keepdim=True), planes.std(dim=(1, 2), keepdim=True)
    weight = torch.tensor(rng.uniform(0.5, 1.0, (len(planes), 1, 1)), dtype=torch.float32)
    return planes + strength * weight * field * (std - 0.5 * (planes - mean))


def clouds(planes: torch.Tensor, pans: int, moved: tuple[int, int], rng: np.random.Generator) -> torch.Tensor:
    """Add clouds to planes (n, s, s); those of the last `pans` planes are `moved` pixels away (parallax)."""
    side, reach = planes.shape[-1], max(abs(m) for m in moved)
    field = smooth_field(side + 2 * reach, int(rng.integers(6, 16)), rng)
    cover = ((field - float(rng.uniform(0.8, 1.6))) * 2.5).clamp(0.0, 1.0) ** 0.7
    light = planes.amax(dim=(1, 2), keepdim=True) * float(rng.uniform(0.9, 1.3))

    def blend(image: torch.Tensor, top: int, left: int, white: torch.Tensor) -> torch.Tensor:
        share = cover[top : top + side, left : left + side]
        return image + share * (white - image)

    below = blend(planes[:-pans], reach, reach, light[:-pans])
    return torch.cat([below, blend(planes[-pans:], reach + moved[0], reach + moved[1], light[-pans:])])


def holes(side: int, rng: np.random.Generator) -> torch.Tensor:
    """Draw a mask (side, side) of valid pixels: without a slanted collar, or without up to three round holes."""
    y, x = np.mgrid[0:side, 0:side] / side
    valid = np.ones((side, side), dtype=bool)
    if rng.random() < 0.5:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        valid = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) < rng.uniform(0.15, 0.45)
    else:
        for _ in range(int(rng.integers(1, 4))):
            valid &= (x - rng.random()) ** 2 + (y - rng.random()) ** 2 > rng.uniform(0.02, 0.15) ** 2
    return torch.from_numpy(valid)


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
