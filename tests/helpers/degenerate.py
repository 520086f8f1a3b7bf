"""Scenes with next to nothing in them: constant, equal, of 0 and 1, or full of NaN."""

from __future__ import annotations

import numpy as np
from helpers.scenes import Recipe, load_image, save

MS_TRANSFORM = (5e5, 8.0, 0.0, 4e6, 0.0, -8.0)


def constant_ms(pan, ms):
    return pan, np.full_like(ms, 255), "uint8"


def zero_ms(pan, ms):
    return pan, np.zeros_like(ms), "uint8"


def constant_pan(pan, ms):
    return np.full_like(pan, 100), ms, "uint8"


def zero_pan(pan, ms):
    return np.zeros_like(pan), ms, "uint8"


def constant_both(pan, ms):
    return np.full_like(pan, 100), np.full_like(ms, 50), "uint8"


def equal_bands(pan, ms):
    return pan, np.repeat(ms[:1], len(ms), axis=0), "uint8"


def one_constant_band(pan, ms):
    return pan, np.concatenate([ms[:1], np.full_like(ms[:1], 255), ms[2:]]), "uint8"


def one_zero_band(pan, ms):
    return pan, np.concatenate([ms[:1], np.zeros_like(ms[:1]), ms[2:]]), "uint8"


def zeros_and_ones(pan, ms):
    return pan > pan.mean(), ms > ms.mean(), "uint8"


def fractions(pan, ms):
    return pan / 255, ms / 255, "float32"


def half_nan(pan, ms):
    ms = ms.copy()
    ms[:, : ms.shape[1] // 2] = np.nan
    return pan, ms, "float32"


def all_nan(pan, ms):
    return pan, np.full_like(ms, np.nan), "float32"


def infinite_spot(pan, ms):
    ms = ms.copy()
    ms[:, 5:8, 5:8] = np.inf
    return pan, ms, "float32"


def zero_mean(pan, ms):
    return pan - pan.mean(), ms - ms.mean((1, 2), keepdims=True), "float32"


def tiny_values(pan, ms):
    return pan * 1e-30, ms * 1e-30, "float32"


FUSED = (
    constant_ms, zero_ms, constant_pan, zero_pan, constant_both, equal_bands, one_constant_band, one_zero_band,
    fractions, half_nan, infinite_spot, zero_mean, tiny_values,
)  # fmt: skip
REFUSED = (zeros_and_ones, all_nan)  # undeclared fill in most of it; no valid pixel


def write_scene(change, folder):
    """Write PAN and MS of 4 bands at ratio 4, changed by `change`."""
    pair = Recipe(dtype="uint8", scale=0.08).write(folder)
    pan, ms, numbers = change(load_image(pair.pan).astype(float), load_image(pair.ms).astype(float))
    save(pair.pan, pan, numbers)
    save(pair.ms, ms, numbers, MS_TRANSFORM)
    return pair
