"""Random transfer functions, as products have them: Gaussian, flat with a steep fall, sharpened, resampled."""

from __future__ import annotations

import math

import numpy as np

from ..geometry.transfer import FREQUENCIES, MAX_TRANSFER, TransferFunction, Values

SHARPENED_SHARE = 0.4  # of the functions that are not Gaussian
MAX_CREST = 0.45  # by which a sharpened function exceeds the plain one
RESAMPLED_SHARE = 0.3  # of functions that are multiplied by the response of an interpolation kernel
RIPPLE = 0.015  # deviation of random bends between FREQUENCIES
EXPONENTS = (1.3, 9.0)  # of the fall; 2 is a Gaussian's
STEEP_EXPONENTS = (4.0, 12.0)  # of sharpened functions: on an early fall a crest would not exceed 1
MIN_GAIN = 0.015
MAX_GAIN = 0.9


def draw_transfer(gain: float, uneven: float, gaussian_share: float, rng: np.random.Generator) -> TransferFunction:
    """Draw a transfer function with about `gain` at the MS Nyquist frequency along both axes.

    `uneven` is the deviation of the logarithm of the gain between the axes of a Gaussian; other functions differ more.
    """
    gains = np.clip(gain * np.exp(rng.normal(0.0, uneven, 2)), MIN_GAIN, MAX_GAIN)
    if rng.random() < gaussian_share:
        return TransferFunction.gaussian(*(float(g) for g in gains))
    crest = MAX_CREST * float(rng.uniform(0.2, 1.0)) if rng.random() < SHARPENED_SHARE else 0.0
    exponent = math.exp(rng.uniform(*np.log(STEEP_EXPONENTS if crest else EXPONENTS)))
    peak, resampled = float(rng.uniform(0.4, 0.85)), rng.random() < RESAMPLED_SHARE
    kernel = float(rng.uniform(0.2, 1.0)) if resampled else 0.0
    axes = []
    for of_axis in gains * np.exp(rng.normal(0.0, 0.25, 2)):
        fall = exponent * math.exp(rng.normal(0.0, 0.15))
        crest_of_axis = crest * float(rng.uniform(0.4, 1.0))
        axes.append(_draw(float(np.clip(of_axis, MIN_GAIN, MAX_GAIN)), fall, crest_of_axis, peak, kernel, rng))
    return TransferFunction(*axes)


def _draw(gain: float, exponent: float, crest: float, peak: float, kernel: float, rng: np.random.Generator) -> Values:
    """Draw values at FREQUENCIES: exp(log gain f^exponent), a crest at `peak`, a share `kernel` of bilinear blur."""
    f = np.array(FREQUENCIES)
    bump = np.exp(-(((f - peak) / 0.3) ** 2)) * np.minimum(f / 0.3, 1.0)
    values = np.exp(math.log(gain) * f**exponent) * (1.0 + crest * bump)
    values *= 1.0 + kernel * (np.sinc(0.5 * f) ** 2 - 1.0)
    values += RIPPLE * rng.standard_normal(len(f)) * f
    return tuple(float(v) for v in np.clip(values, 0.0, MAX_TRANSFER))


def jitter_transfer(transfer: TransferFunction, deviation: float, rng: np.random.Generator) -> TransferFunction:
    """Return the function of one band: another fall, by exp(`deviation`) at the MS Nyquist frequency."""
    share = rng.normal(0.0, deviation) * np.array(FREQUENCIES) ** 2
    rows, columns = (
        tuple(float(v) for v in np.clip(np.array(axis) * np.exp(share), 0.0, MAX_TRANSFER))
        for axis in (transfer.rows, transfer.columns)
    )
    return TransferFunction(rows, columns)
