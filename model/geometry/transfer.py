"""The transfer function of MS relative to PAN, and the blur kernel that it describes.

Delivered products are not Gaussian: their makers compensate the MTF, resample with cubic or sinc kernels, and rows
differ from columns. The function is separable: one along the rows' axis times one along the columns' axis.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FREQUENCIES = tuple(round(0.1 * k, 1) for k in range(1, 11))  # of the MS Nyquist frequency; the function is 1 at 0
SUMMARY = (0.25, 0.5, 0.75, 1.0)  # frequencies at which the network is given the function
MAX_TRANSFER = 2.0  # makers of products sharpen by up to 1.4
MIN_TRANSFER = 1e-3  # the logarithm of smaller values is noise
MIN_DECAY = 1.5  # fall of the logarithm per MS Nyquist frequency, at that frequency
REACH = 6.0  # MS pixels on each side that the kernel covers; its outer half is tapered
MIN_SHARE = 5e-4  # of the kernel's peak; the kernel ends at the last value above it
FINEST = 0.02  # step, in MS Nyquist frequencies, of the integral over frequencies

Array = NDArray[np.float64]
Values = tuple[float, ...]


@dataclass(frozen=True)
class TransferFunction:
    """Share of the contrast of PAN's image that MS keeps at each frequency.

    rows, columns   values at FREQUENCIES, along the axis of the rows (top to bottom) and of the columns (left to
                    right); they may exceed 1 where MS was sharpened. Beyond the MS Nyquist frequency the function
                    falls like a Gaussian whose slope it has there.
    """

    rows: Values
    columns: Values

    def __post_init__(self) -> None:
        for values in (self.rows, self.columns):
            if len(values) != len(FREQUENCIES) or not all(0.0 <= v <= MAX_TRANSFER for v in values):
                raise ValueError(f"a transfer function has {len(FREQUENCIES)} values from 0 to {MAX_TRANSFER:g}")

    @classmethod
    def gaussian(cls, rows: float, columns: float | None = None) -> TransferFunction:
        """Make Gaussians with these gains, in (0, 1), at the MS Nyquist frequency (Aiazzi et al., 2006)."""
        gains = (rows, rows if columns is None else columns)
        along_rows, along_columns = (tuple(gain ** (f * f) for f in FREQUENCIES) for gain in gains)
        return cls(along_rows, along_columns)

    def nearest_gaussian(self) -> TransferFunction:
        """Fit one Gaussian to both axes by least squares, as the literature uses it."""
        measured = np.array(self.rows + self.columns)
        trials = (0.01 * np.arange(1, 91))[:, None] ** (2 * tuple(f * f for f in FREQUENCIES))
        return TransferFunction.gaussian(0.01 * (1 + int(((trials - measured) ** 2).sum(axis=1).argmin())))

    @property
    def gain(self) -> float:
        """Geometric mean of both axes at the MS Nyquist frequency, in (0, 2]."""
        return math.sqrt(max(self.rows[-1], MIN_TRANSFER) * max(self.columns[-1], MIN_TRANSFER))

    @property
    def peak(self) -> float:
        """Largest value over both axes, at least 1."""
        return max(1.0, *self.rows, *self.columns)

    def summary(self) -> list[float]:
        """Return the values at SUMMARY, along the rows' axis, then along the columns' axis."""
        return [float(v) for values in (self.rows, self.columns) for v in evaluate(values, np.array(SUMMARY))]


def evaluate(values: Values, frequencies: Array) -> Array:
    """Evaluate the function with `values` at FREQUENCIES at other frequencies, in units of the MS Nyquist frequency."""
    inner = np.interp(frequencies, (0.0, *FREQUENCIES), (1.0, *values))
    last, before = (max(values[k], MIN_TRANSFER) for k in (-1, -3))
    slope = min(math.log(last / before) / (FREQUENCIES[-1] - FREQUENCIES[-3]) * _SLOPE_AT_END, -MIN_DECAY)
    beyond = np.maximum(frequencies - 1.0, 0.0)
    return np.asarray(inner * np.exp(slope * beyond + 0.5 * slope * beyond**2))


_SLOPE_AT_END = 2.0 / 1.8  # a Gaussian's slope at 1 over the mean one between 0.8 and 1


@functools.lru_cache(maxsize=256)
def kernel_samples(values: Values) -> tuple[Array, Array]:
    """Compute the blur kernel: distances from its centre to its end in MS pixels, and values; not normalised.

    The cosine transform of the function, tapered by a Tukey window over REACH.
    """
    frequencies = np.arange(0.5 * FINEST, 3.0, FINEST)
    distances = np.linspace(0.0, REACH, 769)
    response = evaluate(values, frequencies)
    taper = 0.5 + 0.5 * np.cos(np.pi * np.clip(2.0 * distances / REACH - 1.0, 0.0, 1.0))
    kernel = np.cos(np.pi * distances[:, None] * frequencies) @ response * taper
    kernel /= kernel[0]
    end = int(np.flatnonzero(np.abs(kernel) > MIN_SHARE)[-1]) + 2
    return distances[:end], kernel[:end]
