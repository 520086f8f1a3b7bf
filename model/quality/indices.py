"""Quality indices of pansharpening in the conventions of the DLPan toolbox (Vivone et al., 2015; Deng et al., 2022).

All images are numpy arrays, (bands, H, W) or (H, W), in digital numbers; computing is in float64. INDICES at the end is
the one list of indices, from which logs, reports, fine-tuning and benchmarks read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.filters import Mask, dilate

Image = NDArray[np.float64]
Check = Callable[[], None]  # may raise to stop

BLOCK = 32
AT_ONCE = 2**20  # numbers of an image that Q2n computes between two checks for a cancel


@dataclass(frozen=True)
class ComparedImages:
    """A result and its reference (bands, H, W), compared where `valid` (H, W); `rounded` marks integer data."""

    reference: Image
    fused: Image
    valid: Mask
    ratio: float
    rounded: bool


@dataclass(frozen=True)
class BlockQualities:
    """The parts of the indices without a reference, for each whole block of valid pixels, row by row."""

    rows: NDArray[np.int64]  # (blocks,) position in blocks
    columns: NDArray[np.int64]  # (blocks,) the same
    spectral: Image  # (blocks,) Q2n of MS and the degraded result
    sharp: Image  # (bands, blocks) Q of the result and PAN
    soft: Image  # (bands, blocks) Q of interpolated MS and PAN as sharp as MS

    @classmethod
    def joined(cls, parts: Sequence[BlockQualities]) -> BlockQualities:
        """Join blocks of several pieces; their places are those in each piece."""
        return cls(*(np.concatenate([getattr(p, f) for p in parts], axis=-1) for f in cls.__dataclass_fields__))


def sam(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Compute the spectral angle mapper: mean angle in degrees where both spectra are not zero (Yuhas et al., 1992).

    NaN where there is no such pixel.
    """
    a, b = _select_pixels(reference, valid), _select_pixels(fused, valid)
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    used = norms > 0
    if not used.any():
        return float("nan")
    cosine = np.clip((a * b).sum(0)[used] / norms[used], -1.0, 1.0)
    return float(np.degrees(np.arccos(cosine)).mean())


def ergas(reference: Image, fused: Image, ratio: float, valid: Mask | None = None) -> float:
    """Compute the relative dimensionless global error: 100/ratio sqrt(mean_b MSE_b / mean(ref_b)^2) (Wald, 2000).

    NaN where the mean of a band is 0.
    """
    a, b = _select_pixels(reference, valid), _select_pixels(fused, valid)
    means = a.mean(1)
    relative = ((a - b) ** 2).mean(1) / np.where(means != 0.0, means**2, np.nan)
    return float(100.0 / ratio * np.sqrt(relative.mean()))


def scc(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Correlate the Sobel gradient magnitudes of all bands together, not mean-removed.

    As in the toolbox, a border of one pixel is dropped first and the filter then sees zeros around the rest. With
    `valid` (H, W), gradients count that read valid pixels only. NaN where an image is flat.
    """
    a, b = (np.stack([_apply_sobel(band) for band in np.asarray(i, dtype=np.float64)]) for i in (reference, fused))
    if valid is not None:
        inner = np.zeros_like(valid)
        inner[2:-2, 2:-2] = ~dilate(~valid, 1)[2:-2, 2:-2]
        a, b = a * inner[1:-1, 1:-1], b * inner[1:-1, 1:-1]
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power else float("nan")


def q2n(reference: Image, fused: Image, valid: Mask | None = None, check: Check = lambda: None) -> float:
    """Compute Q2n, the hypercomplex index: mean modulus over distinct blocks (Garzelli and Nencini, 2009).

    Round both images first where the data are integers: the toolbox does so, and it changes the fifth digit.
    Bands are padded with zeros to a power of two; partial blocks at the right and lower edge are mirrored full.
    With `valid` (H, W), only blocks that are wholly valid count; NaN where there is none. `check` is called often and
    may raise to stop.
    """
    return _average(q2n_of_blocks(reference, fused, valid, check))


def q2n_of_blocks(reference: Image, fused: Image, valid: Mask | None = None, check: Check = lambda: None) -> Image:
    """Compute Q2n of each block that counts, row by row; (blocks,). As `q2n`, which is their mean."""
    a, b = (np.asarray(i, dtype=np.float64) for i in (reference, fused))
    bands = 1 << (len(a) - 1).bit_length()
    a, b = _pad_bands(a, bands), _pad_bands(b, bands)
    rows, columns = (-(-n // BLOCK) * BLOCK for n in a.shape[1:])
    padding = ((0, 0), (0, rows - a.shape[1]), (0, columns - a.shape[2]))
    a, b = (np.asarray(_split_blocks(np.pad(i, padding, mode="symmetric")), dtype=np.float64) for i in (a, b))
    if valid is not None:
        whole = _split_blocks(np.pad(valid[None], padding, mode="constant"))[:, 0].all(axis=1)
        a, b = a[whole], b[whole]
    part, qualities = max(AT_ONCE // (bands * BLOCK * BLOCK), 1), []
    for first in range(0, len(a), part):
        check()
        qualities.append(_compute_q2n(a[first : first + part], b[first : first + part]))
    return np.concatenate([np.zeros(0), *qualities])


def quality_of_blocks(first: Image, second: Image) -> Image:
    """Compute the universal quality index of each whole block of two bands; (blocks,) (Wang and Bovik, 2002).

    A block where both are 0 has 1.
    """
    a, b = (_split_blocks(np.asarray(i, dtype=np.float64)[None])[:, 0] for i in (first, second))
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


def compare_blocks(
    images: tuple[Image, Image, Image, Image, Image], valid: Mask, check: Check = lambda: None
) -> BlockQualities:
    """Compare interpolated MS, the result degraded to MS, the result (bands, H, W), PAN and PAN as sharp as MS (H, W).

    PAN may be (bands, H, W), one per band. Only blocks that are wholly `valid` (H, W) count. `check` is called often
    and may raise to stop.
    """
    rows, columns = (n // BLOCK * BLOCK for n in valid.shape)
    whole = np.asarray(_split_blocks(valid[None, :rows, :columns])[:, 0].all(axis=1))
    places = np.argwhere(whole.reshape(rows // BLOCK, columns // BLOCK))
    lms, low, fused, pan, pan_low = (np.asarray(i, dtype=np.float64) for i in images)

    def compare(bands: Image, other: Image) -> Image:
        pans = np.broadcast_to(other, bands.shape)
        return np.array([quality_of_blocks(band, pan)[whole] for band, pan in zip(bands, pans)])

    cut = np.s_[:, :rows, :columns]
    spectral = q2n_of_blocks(lms[cut], low[cut], valid[cut[1:]], check)
    return BlockQualities(places[:, 0], places[:, 1], spectral, compare(fused, pan), compare(lms, pan_low))


def d_lambda(blocks: BlockQualities) -> float:
    """Compute the spectral distortion (Khan et al., 2009): 1 - Q2n of interpolated MS and MTF-filtered fused."""
    return 1.0 - _average(blocks.spectral)


def d_s(blocks: BlockQualities) -> float:
    """Compute the spatial distortion: mean_b |Q(fused_b, PAN) - Q(lms_b, pan_low)| (Alparone et al., 2008)."""
    return _average(np.array([abs(_average(a) - _average(b)) for a, b in zip(blocks.sharp, blocks.soft)]))


def hqnr(blocks: BlockQualities) -> float:
    """Compute the hybrid quality without reference: (1 - D_lambda)(1 - D_s)."""
    return (1.0 - d_lambda(blocks)) * (1.0 - d_s(blocks))


@dataclass(frozen=True)
class Index:
    """An index as logs, reports and benchmarks show it."""

    title: str
    form: str  # its digits
    higher_is_better: bool
    needs_reference: bool
    compute: Callable[[Any], float]  # of `ComparedImages` where it needs a reference, else of `BlockQualities`

    @property
    def direction(self) -> str:
        """Direction of better values, in words."""
        return f"{'higher' if self.higher_is_better else 'lower'} is better"

    @property
    def resolution(self) -> str:
        """Resolution of the images that it compares, in words."""
        return f"{'reduced' if self.needs_reference else 'full'} resolution"


INDICES: Mapping[str, Index] = {
    "ergas": Index("ERGAS", ".3f", False, True, lambda c: ergas(c.reference, c.fused, c.ratio, c.valid)),
    "sam": Index("SAM, degrees", ".3f", False, True, lambda c: sam(c.reference, c.fused, c.valid)),
    "q2n": Index("Q2n", ".4f", True, True, lambda c: q2n(*_round_integers(c), valid=c.valid)),
    "scc": Index("SCC", ".4f", True, True, lambda c: scc(c.reference, c.fused, c.valid)),
    "d_lambda": Index("D_lambda", ".4f", False, False, d_lambda),
    "d_s": Index("D_s", ".4f", False, False, d_s),
    "hqnr": Index("HQNR", ".4f", True, False, hqnr),
}


def measure_indices(subject: ComparedImages | BlockQualities, names: Sequence[str] = ()) -> dict[str, float]:
    """Compute the named indices, without names all that the subject allows."""
    with_reference = isinstance(subject, ComparedImages)
    names = names or [n for n, index in INDICES.items() if index.needs_reference == with_reference]
    return {name: INDICES[name].compute(subject) for name in names}


def _round_integers(images: ComparedImages) -> tuple[Image, Image]:
    pair = images.reference, images.fused
    return (np.rint(pair[0]), np.rint(pair[1])) if images.rounded else pair


def _average(values: Image) -> float:
    """Return the mean, NaN of no values."""
    return float(values.mean()) if values.size else float("nan")


def _select_pixels(image: Image, valid: Mask | None) -> Image:
    array = np.asarray(image, dtype=np.float64)
    return array.reshape(len(array), -1) if valid is None else array[:, valid]


def _apply_sobel(band: Image) -> Image:
    padded = np.pad(band[1:-1, 1:-1], 1)
    smooth_rows = padded[:-2] + 2.0 * padded[1:-1] + padded[2:]
    smooth_columns = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    across = smooth_rows[:, 2:] - smooth_rows[:, :-2]
    down = smooth_columns[2:] - smooth_columns[:-2]
    return np.asarray(np.hypot(across, down))


def _pad_bands(image: Image, bands: int) -> Image:
    return np.concatenate([image, np.zeros((bands - len(image), *image.shape[1:]))])


def _split_blocks(image: NDArray[np.generic]) -> NDArray[np.generic]:
    """Reshape (bands, H, W) to (blocks, bands, BLOCK * BLOCK); pixels beyond the last whole block are dropped."""
    bands, rows, columns = len(image), image.shape[1] // BLOCK, image.shape[2] // BLOCK
    cut = image[:, : rows * BLOCK, : columns * BLOCK].reshape(bands, rows, BLOCK, columns, BLOCK)
    return cut.transpose(1, 3, 0, 2, 4).reshape(rows * columns, bands, BLOCK * BLOCK)


def _compute_q2n(a: Image, b: Image) -> Image:
    """Compute the modulus of the hypercomplex index of each block; a, b are (blocks, 2^n bands, pixels)."""
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
    """Multiply hypercomplex numbers along axis 1, in the toolbox's variant of the Cayley-Dickson construction."""
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
