"""The DLPan toolbox's own filters and grids (Vivone et al., 2015), in which golden values of indices are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MTF_TAPS = 41
# Half of the symmetric 23-tap polynomial kernel that doubles a grid (Aiazzi et al., 2002).
HALF_BAND = (
    *(0.5, 0.305334091185, 0.0, -0.072698593239, 0.0, 0.021809577942),
    *(0.0, -0.005192756653, 0.0, 0.000807762146, 0.0, -0.000060081482),
)


def mtf_kernel(gain: float, ratio: int) -> Array:
    """Return the toolbox's 41x41 MTF filter: Gaussian response, rotated Kaiser(0.5) window, not normalised."""
    half = MTF_TAPS // 2
    alpha = np.sqrt((half / ratio) ** 2 / (-2.0 * np.log(gain)))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    response = np.exp(-(x**2 + y**2) / (2.0 * alpha**2))
    kernel = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(response))).real
    radius = np.hypot(x, y) / half
    window = np.interp(radius.ravel(), np.linspace(0.0, 1.0, half + 1), np.kaiser(MTF_TAPS, 0.5)[half:], right=0.0)
    return np.asarray(kernel * window.reshape(kernel.shape) * (radius <= 1.0))


def mtf_filter(pixels: Array, gains: tuple[float, ...], ratio: int) -> Array:
    """Filter each band by its MTF, edges repeated; (bands, H, W)."""
    return np.stack([_convolve(band, mtf_kernel(g, ratio)) for band, g in zip(pixels, gains)])


def degrade(pixels: Array, gains: tuple[float, ...], ratio: int) -> Array:
    """Filter by the MTF and sample each ratio x ratio cell at its index ratio / 2 (for ratio 4: index 2)."""
    start = ratio // 2
    return mtf_filter(pixels, gains, ratio)[:, start::ratio, start::ratio]


def interpolate(pixels: Array, ratio: int) -> Array:
    """Interpolate by the toolbox's 23 taps and a power of two, circular edges; inverse instead of `degrade`."""
    kernel = 2.0 * np.array([*HALF_BAND[:0:-1], *HALF_BAND])
    result = np.asarray(pixels, dtype=np.float64)
    for doubling in range(ratio.bit_length() - 1):
        start = 1 if doubling == 0 else 0
        grown = np.zeros((len(result), 2 * result.shape[1], 2 * result.shape[2]))
        grown[:, start::2, start::2] = result
        for axis in (1, 2):
            shifted = (weight * np.roll(grown, tap - len(kernel) // 2, axis) for tap, weight in enumerate(kernel))
            grown = np.sum(list(shifted), axis=0)
        result = grown
    return result


def pan_low(pan: Array, ratio: int) -> Array:
    """Degrade PAN (H, W) to MS as in the toolbox's D_s: antialiased bicubic, then interpolation by 23 taps."""
    down = [_bicubic_shrink(size, ratio) for size in pan.shape]
    return np.asarray(interpolate((down[0] @ pan @ down[1].T)[None], ratio)[0])


def _bicubic_shrink(size: int, ratio: int) -> Array:
    """Matrix (size / ratio, size) of a bicubic kernel stretched by `ratio`, ends mirrored."""
    middle = (ratio - 1) / 2 + ratio * np.arange(size // ratio)
    taps = np.ceil(middle - 2 * ratio).astype(np.int64)[:, None] + np.arange(4 * ratio + 1)
    d = np.abs(taps - middle[:, None]) / ratio
    near, far = (1.5 * d - 2.5) * d * d + 1.0, ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    weights = np.where(d < 1.0, near, np.where(d < 2.0, far, 0.0))
    weights /= weights.sum(1, keepdims=True)
    mirrored = np.where(taps < 0, -1 - taps, np.where(taps >= size, 2 * size - 1 - taps, taps))
    matrix = np.zeros((len(middle), size))
    np.add.at(matrix, (np.broadcast_to(np.arange(len(middle))[:, None], taps.shape), mirrored), weights)
    return matrix


def _convolve(band: Array, kernel: Array) -> Array:
    """Correlation with a symmetric kernel, edges repeated, by FFT."""
    half = kernel.shape[0] // 2
    padded = np.pad(band, half, mode="edge")
    shape = padded.shape
    spectrum = np.fft.rfft2(padded) * np.fft.rfft2(kernel, shape)
    filtered = np.fft.irfft2(spectrum, shape)
    return np.asarray(filtered[2 * half :, 2 * half :])
