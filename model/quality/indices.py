"""Quality indices of pansharpening in the conventions of the DLPan toolbox (Vivone et al., 2015; Deng et al., 2022).

All images are numpy arrays, (bands, H, W) or (H, W), in digital numbers; computing is in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

BLOCK = 32
MTF_TAPS = 41
# Half of the symmetric 23-tap polynomial kernel that doubles a grid (Aiazzi et al., 2002).
HALF_BAND = (
    *(0.5, 0.305334091185, 0.0, -0.072698593239, 0.0, 0.021809577942),
    *(0.0, -0.005192756653, 0.0, 0.000807762146, 0.0, -0.000060081482),
)


@dataclass(frozen=True)
class QualityIndices:
    """ERGAS, SAM (degrees) and Q2n at reduced resolution, D_lambda, D_s and HQNR at full resolution."""

    ergas: float
    sam: float
    q2n: float
    d_lambda: float
    d_s: float

    @property
    def hqnr(self) -> float:
        return (1.0 - self.d_lambda) * (1.0 - self.d_s)


def sam(reference: Image, fused: Image, valid: NDArray[np.bool_] | None = None) -> float:
    """Spectral angle mapper: mean angle in degrees over pixels where neither spectrum is zero (Yuhas et al., 1992)."""
    a, b = _pixels(reference, valid), _pixels(fused, valid)
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    used = norms > 0
    cosine = np.clip((a * b).sum(0)[used] / norms[used], -1.0, 1.0)
    return float(np.degrees(np.arccos(cosine)).mean())


def ergas(reference: Image, fused: Image, ratio: float, valid: NDArray[np.bool_] | None = None) -> float:
    """Relative dimensionless global error: 100/ratio sqrt(mean_b MSE_b / mean(ref_b)^2) (Wald, 2000)."""
    a, b = _pixels(reference, valid), _pixels(fused, valid)
    relative = ((a - b) ** 2).mean(1) / a.mean(1) ** 2
    return float(100.0 / ratio * np.sqrt(relative.mean()))


def scc(reference: Image, fused: Image) -> float:
    """Spatial correlation: of the Sobel gradient magnitudes of all bands together, not mean-removed.

    As in the toolbox, a border of one pixel is dropped first and the filter then sees zeros around the rest.
    """
    a, b = (np.stack([_sobel(band) for band in np.asarray(i, dtype=np.float64)]) for i in (reference, fused))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def q2n(reference: Image, fused: Image, block: int = BLOCK, valid: NDArray[np.bool_] | None = None) -> float:
    """Hypercomplex quality index Q2n: mean modulus over distinct blocks (Garzelli and Nencini, 2009).

    Round both images first where the data are integers: the toolbox does so, and it moves the fifth digit.
    Bands are padded with zeros to a power of two; partial blocks at the right and lower edge are mirrored full.
    With `valid` (H, W), only blocks that are wholly valid count.
    """
    a, b = (np.asarray(i, dtype=np.float64) for i in (reference, fused))
    bands = 1 << (len(a) - 1).bit_length()
    a, b = _pad_bands(a, bands), _pad_bands(b, bands)
    rows, columns = (-(-n // block) * block for n in a.shape[1:])
    padding = ((0, 0), (0, rows - a.shape[1]), (0, columns - a.shape[2]))
    a, b = (np.asarray(_blocks(np.pad(i, padding, mode="symmetric"), block), dtype=np.float64) for i in (a, b))
    if valid is not None:
        whole = _blocks(np.pad(valid[None], padding, mode="constant"), block)[:, 0].all(axis=1)
        a, b = a[whole], b[whole]
    return float(np.mean(_q2n_of_blocks(a, b)))


def universal_quality(first: Image, second: Image, block: int = BLOCK) -> float:
    """Universal image quality index Q of two (H, W) images, mean over distinct whole blocks (Wang and Bovik, 2002)."""
    a, b = (_blocks(np.asarray(i, dtype=np.float64)[None], block)[:, 0] for i in (first, second))
    count = a.shape[1]
    mean_a, mean_b = a.mean(1), b.mean(1)
    covariance = ((a - mean_a[:, None]) * (b - mean_b[:, None])).sum(1) / (count - 1)
    variance = a.var(1, ddof=1) + b.var(1, ddof=1)
    squares = mean_a**2 + mean_b**2
    with np.errstate(divide="ignore", invalid="ignore"):
        quality = 4.0 * covariance * mean_a * mean_b / (variance * squares)
    flat = variance == 0
    quality[flat] = (2.0 * mean_a * mean_b / np.where(squares > 0, squares, 1.0))[flat]
    return float(np.nanmean(np.where(squares == 0, 1.0, quality)))


def d_lambda(lms: Image, fused_low: Image, valid: NDArray[np.bool_] | None = None) -> float:
    """Spectral distortion (Khan et al., 2009): 1 - Q2n of interpolated MS and MTF-filtered fused, on the PAN grid."""
    return 1.0 - q2n(lms, fused_low, valid=valid)


def d_s(lms: Image, fused: Image, pan: Image, pan_low: Image) -> float:
    """Spatial distortion: mean_b |Q(fused_b, PAN) - Q(lms_b, PAN at MS sharpness)| (Alparone et al., 2008)."""
    return float(np.mean([abs(universal_quality(f, pan) - universal_quality(m, pan_low)) for f, m in zip(fused, lms)]))


def hqnr(spectral: float, spatial: float) -> float:
    """Hybrid quality with no reference: (1 - D_lambda)(1 - D_s)."""
    return (1.0 - spectral) * (1.0 - spatial)


def toolbox_mtf_kernel(gain: float, ratio: int) -> Image:
    """The toolbox's 41x41 MTF filter: Gaussian frequency response, rotated Kaiser(0.5) window, not normalised."""
    half = MTF_TAPS // 2
    alpha = np.sqrt((half / ratio) ** 2 / (-2.0 * np.log(gain)))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    response = np.exp(-(x**2 + y**2) / (2.0 * alpha**2))
    kernel = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(response))).real
    radius = np.hypot(x, y) / half
    window = np.interp(radius.ravel(), np.linspace(0.0, 1.0, half + 1), np.kaiser(MTF_TAPS, 0.5)[half:], right=0.0)
    return np.asarray(kernel * window.reshape(kernel.shape) * (radius <= 1.0))


def toolbox_filter(image: Image, gains: tuple[float, ...], ratio: int) -> Image:
    """Each band filtered by its MTF, edges repeated; (bands, H, W)."""
    return np.stack([_convolve(band, toolbox_mtf_kernel(g, ratio)) for band, g in zip(image, gains)])


def toolbox_degrade(image: Image, gains: tuple[float, ...], ratio: int) -> Image:
    """Filter by the MTF and sample each ratio x ratio cell at its index ratio / 2 (for ratio 4: index 2)."""
    start = ratio // 2
    return toolbox_filter(image, gains, ratio)[:, start::ratio, start::ratio]


def toolbox_interpolate(image: Image, ratio: int) -> Image:
    """The toolbox's 23-tap interpolation by a power of two, circular edges; inverse in place of `toolbox_degrade`."""
    kernel = 2.0 * np.array([*HALF_BAND[:0:-1], *HALF_BAND])
    result = np.asarray(image, dtype=np.float64)
    for doubling in range(ratio.bit_length() - 1):
        start = 1 if doubling == 0 else 0
        grown = np.zeros((len(result), 2 * result.shape[1], 2 * result.shape[2]))
        grown[:, start::2, start::2] = result
        for axis in (1, 2):
            shifted = (weight * np.roll(grown, tap - len(kernel) // 2, axis) for tap, weight in enumerate(kernel))
            grown = np.sum(list(shifted), axis=0)
        result = grown
    return result


def toolbox_pan_low(pan: Image, ratio: int) -> Image:
    """PAN (H, W) as soft as MS in the toolbox's D_s: shrunk by antialiased bicubic, then interpolated by 23 taps."""
    down = [_bicubic_shrink(size, ratio) for size in pan.shape]
    return np.asarray(toolbox_interpolate((down[0] @ pan @ down[1].T)[None], ratio)[0])


def _bicubic_shrink(size: int, ratio: int) -> Image:
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


def _pixels(image: Image, valid: NDArray[np.bool_] | None) -> Image:
    array = np.asarray(image, dtype=np.float64)
    return array.reshape(len(array), -1) if valid is None else array[:, valid]


def _sobel(band: Image) -> Image:
    padded = np.pad(band[1:-1, 1:-1], 1)
    smooth_rows = padded[:-2] + 2.0 * padded[1:-1] + padded[2:]
    smooth_columns = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    across = smooth_rows[:, 2:] - smooth_rows[:, :-2]
    down = smooth_columns[2:] - smooth_columns[:-2]
    return np.asarray(np.hypot(across, down))


def _pad_bands(image: Image, bands: int) -> Image:
    return np.concatenate([image, np.zeros((bands - len(image), *image.shape[1:]))])


def _blocks(image: NDArray[np.generic], block: int) -> NDArray[np.generic]:
    """(bands, H, W) to (blocks, bands, block * block); pixels beyond the last whole block are dropped."""
    bands, rows, columns = len(image), image.shape[1] // block, image.shape[2] // block
    cut = image[:, : rows * block, : columns * block].reshape(bands, rows, block, columns, block)
    return cut.transpose(1, 3, 0, 2, 4).reshape(rows * columns, bands, block * block)


def _q2n_of_blocks(a: Image, b: Image) -> Image:
    """Modulus of the hypercomplex index of each block; a, b are (blocks, 2^n bands, pixels)."""
    count = a.shape[2]
    mean = a.mean(2, keepdims=True)
    deviation = a.std(2, ddof=1, keepdims=True)
    deviation = np.where(deviation == 0, np.finfo(float).eps, deviation)
    a, b = (a - mean) / deviation + 1.0, (b - mean) / deviation + 1.0
    b = np.concatenate([b[:, :1], -b[:, 1:]], axis=1)
    mean_a, mean_b = a.mean(2), b.mean(2)
    power_a, power_b = (mean_a**2).sum(1), (mean_b**2).sum(1)
    factor = count / (count - 1)
    squares = (a**2).sum(1).mean(1) + (b**2).sum(1).mean(1)
    variance = factor * (squares - power_a - power_b)
    covariance = factor * (_multiply(a, b).mean(2) - _multiply(mean_a[..., None], mean_b[..., None])[..., 0])
    luminance = 2.0 * np.sqrt(power_a * power_b) / (power_a + power_b)
    flat = variance <= 1e-12
    contrast = 2.0 * np.linalg.norm(covariance, axis=1) / np.where(flat, 1.0, variance)
    return np.asarray(np.where(flat, luminance, luminance * contrast))


def _multiply(a: Image, b: Image) -> Image:
    """Product of hypercomplex numbers along axis 1, in the toolbox's variant of the Cayley-Dickson construction."""
    size = a.shape[1]
    if size == 1:
        return a * b
    half = size // 2
    a1, a2, b1, b2 = a[:, :half], a[:, half:], b[:, :half], b[:, half:]
    first = _multiply(a1, b1) - _multiply(_conjugate(b2), a2)
    second = _multiply(_conjugate(a1), _conjugate(b2)) + _multiply(b1, _conjugate(a2))
    return np.concatenate([first, second], axis=1)


def _conjugate(a: Image) -> Image:
    return np.concatenate([a[:, :1], -a[:, 1:]], axis=1)


def _convolve(band: Image, kernel: Image) -> Image:
    """Correlation with a symmetric kernel, edges repeated, by FFT."""
    half = kernel.shape[0] // 2
    padded = np.pad(band, half, mode="edge")
    shape = padded.shape
    spectrum = np.fft.rfft2(padded) * np.fft.rfft2(kernel, shape)
    filtered = np.fft.irfft2(spectrum, shape)
    return np.asarray(filtered[2 * half :, 2 * half :])
