"""Quality indices of pansharpening in the conventions of the DLPan toolbox (Vivone et al., 2015; Deng et al., 2022).

All images are numpy arrays, (bands, H, W) or (H, W), in digital numbers; computing is in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]
Check = Callable[[], None]  # may raise to stop

BLOCK = 32
AT_ONCE = 2**20  # numbers of an image that Q2n works on at once: its time a number grows with the bands


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
    """Spectral angle mapper: mean angle in degrees over pixels where neither spectrum is zero (Yuhas et al., 1992).

    NaN where there is no such pixel.
    """
    a, b = _pixels(reference, valid), _pixels(fused, valid)
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    used = norms > 0
    if not used.any():
        return float("nan")
    cosine = np.clip((a * b).sum(0)[used] / norms[used], -1.0, 1.0)
    return float(np.degrees(np.arccos(cosine)).mean())


def ergas(reference: Image, fused: Image, ratio: float, valid: NDArray[np.bool_] | None = None) -> float:
    """Relative dimensionless global error: 100/ratio sqrt(mean_b MSE_b / mean(ref_b)^2) (Wald, 2000).

    NaN where the mean of a band is 0.
    """
    a, b = _pixels(reference, valid), _pixels(fused, valid)
    means = a.mean(1)
    relative = ((a - b) ** 2).mean(1) / np.where(means != 0.0, means**2, np.nan)
    return float(100.0 / ratio * np.sqrt(relative.mean()))


def scc(reference: Image, fused: Image) -> float:
    """Spatial correlation: of the Sobel gradient magnitudes of all bands together, not mean-removed.

    As in the toolbox, a border of one pixel is dropped first and the filter then sees zeros around the rest. NaN where
    an image is flat.
    """
    a, b = (np.stack([_sobel(band) for band in np.asarray(i, dtype=np.float64)]) for i in (reference, fused))
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power else float("nan")


def q2n(
    reference: Image,
    fused: Image,
    block: int = BLOCK,
    valid: NDArray[np.bool_] | None = None,
    check: Check = lambda: None,
) -> float:
    """Hypercomplex quality index Q2n: mean modulus over distinct blocks (Garzelli and Nencini, 2009).

    Round both images first where the data are integers: the toolbox does so, and it moves the fifth digit.
    Bands are padded with zeros to a power of two; partial blocks at the right and lower edge are mirrored full.
    With `valid` (H, W), only blocks that are wholly valid count. `check` is called often and may raise to stop.
    """
    return float(np.mean(q2n_of_blocks(reference, fused, block, valid, check)))


def q2n_of_blocks(
    reference: Image,
    fused: Image,
    block: int = BLOCK,
    valid: NDArray[np.bool_] | None = None,
    check: Check = lambda: None,
) -> Image:
    """Q2n of each block that counts, row by row; (blocks,). As `q2n`, which is their mean."""
    a, b = (np.asarray(i, dtype=np.float64) for i in (reference, fused))
    bands = 1 << (len(a) - 1).bit_length()
    a, b = _pad_bands(a, bands), _pad_bands(b, bands)
    rows, columns = (-(-n // block) * block for n in a.shape[1:])
    padding = ((0, 0), (0, rows - a.shape[1]), (0, columns - a.shape[2]))
    a, b = (np.asarray(_blocks(np.pad(i, padding, mode="symmetric"), block), dtype=np.float64) for i in (a, b))
    if valid is not None:
        whole = _blocks(np.pad(valid[None], padding, mode="constant"), block)[:, 0].all(axis=1)
        a, b = a[whole], b[whole]
    part, found = max(AT_ONCE // (bands * block * block), 1), []
    for first in range(0, len(a), part):
        check()
        found.append(_q2n_of_blocks(a[first : first + part], b[first : first + part]))
    return np.concatenate(found)


def universal_quality(first: Image, second: Image, block: int = BLOCK) -> float:
    """Universal image quality index Q of two (H, W) images, mean over distinct whole blocks (Wang and Bovik, 2002)."""
    return float(np.nanmean(quality_of_blocks(first, second, block)))


def quality_of_blocks(first: Image, second: Image, block: int = BLOCK) -> Image:
    """Q of each distinct whole block, row by row; (blocks,). As `universal_quality`, which is their mean."""
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
    return np.asarray(np.where(squares == 0, 1.0, quality))


def d_lambda(
    lms: Image, fused_low: Image, valid: NDArray[np.bool_] | None = None, check: Check = lambda: None
) -> float:
    """Spectral distortion (Khan et al., 2009): 1 - Q2n of interpolated MS and MTF-filtered fused, on the PAN grid."""
    return 1.0 - q2n(lms, fused_low, valid=valid, check=check)


def d_s(lms: Image, fused: Image, pan: Image, pan_low: Image) -> float:
    """Spatial distortion: mean_b |Q(fused_b, PAN) - Q(lms_b, PAN at MS sharpness)| (Alparone et al., 2008)."""
    return float(np.mean([abs(universal_quality(f, pan) - universal_quality(m, pan_low)) for f, m in zip(fused, lms)]))


def hqnr(spectral: float, spatial: float) -> float:
    """Hybrid quality with no reference: (1 - D_lambda)(1 - D_s)."""
    return (1.0 - spectral) * (1.0 - spatial)


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
