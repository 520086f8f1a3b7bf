"""Degradation by a transfer function and interpolation between a PAN grid and an MS grid.

Both are separable linear maps, so each is a pair of small matrices built from the pixel centres alone.
One primitive therefore serves nested and non-nested grids, any ratio, and any sub-pixel shift.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .filters import Image
from .products import multiply
from .transfer import Values, kernel_samples

Matrix = NDArray[np.float64]

CUBIC_REACH = 2.0
TIE = 1e-6  # pixels; rounding of a geotransform must not decide which of two pixels is nearer
BLOCK = 16  # outputs that one small dense matrix gives; the fastest size measured


def mtf_reach(values: Values, ratio: float) -> float:
    """Return the radius, in PAN pixels, within which `mtf_resampler` reads."""
    return max(float(kernel_samples(values)[0][-1]) * ratio, 1.0)


def centres(count: int, origin: float, step: float) -> Matrix:
    """Return positions origin + step * k of `count` pixel centres, in pixel indices of the other grid."""
    return origin + step * np.arange(count, dtype=np.float64)


def nearest(positions: Matrix) -> NDArray[np.int64]:
    """Return the pixel whose centre is nearest to each position, in pixel indices; of two, the higher one.

    Positions within TIE of halfway count as halfway.
    """
    return np.floor(positions + 0.5 + TIE).astype(np.int64)


@dataclass(frozen=True)
class Resampler1D:
    """A linear map from samples on a line to n outputs, each of which reads `taps` neighbouring samples.

    first (n,)   the first sample that an output reads        weights (n, taps)   the weight of each sample
    """

    first: NDArray[np.int64]
    weights: Matrix

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, outputs: slice) -> Resampler1D:
        return Resampler1D(self.first[outputs], self.weights[outputs])

    def dense(self, size: int, start: int = 0) -> Matrix:
        """Return the map as a matrix (n, size) over the samples from `start` on."""
        matrix = np.zeros((len(self), size))
        samples = (self.first - start)[:, None] + np.arange(self.weights.shape[1])
        np.put_along_axis(matrix, samples, self.weights, axis=1)
        return matrix

    def block(self) -> tuple[slice, Matrix]:
        """Return the slice of samples that are read and the dense matrix (n, samples) over them."""
        low, high = int(self.first.min()), int(self.first.max()) + self.weights.shape[1]
        return slice(low, high), self.dense(high - low, low)

    def cut(self, size: int) -> list[tuple[slice, slice, Matrix]]:
        """Return outputs, the samples they read and the matrix between them, `size` outputs at a time."""
        parts = [slice(start, min(start + size, len(self))) for start in range(0, len(self), size)]
        return [(part, *self[part].block()) for part in parts]

    @functools.cached_property
    def _blocks(self) -> list[tuple[slice, slice, Matrix]]:
        return self.cut(BLOCK)

    def down(self, image: Image) -> Image:
        """Read the rows of an image (..., H, W); returns (..., n, W)."""
        parts = [multiply(m.astype(image.dtype), image[..., samples, :]) for _, samples, m in self._blocks]
        return np.concatenate(parts, axis=-2)

    def across(self, image: Image) -> Image:
        """Read the columns of an image (..., H, W); returns (..., H, n)."""
        lines = image.reshape(-1, image.shape[-1])
        parts = [multiply(lines[:, samples], np.ascontiguousarray(m.T, image.dtype)) for _, samples, m in self._blocks]
        return np.concatenate(parts, axis=-1).reshape(*image.shape[:-1], len(self))


def mtf_resampler(size: int, positions: Matrix, values: Values, ratio: float) -> Resampler1D:
    """Make the map that reads a signal of `size` samples, blurred by a transfer function, at `positions`.

    `values` are one axis of a `TransferFunction`, `ratio` is the MS pixel size over the PAN pixel size.
    """
    distances, kernel = kernel_samples(values)

    def evaluate_kernel(distance: Matrix) -> Matrix:
        return np.interp(np.abs(distance) / ratio, distances, kernel, right=0.0)

    return _make_resampler(size, positions, evaluate_kernel, mtf_reach(values, ratio))


@functools.lru_cache(maxsize=64)
def regular_mtf_resampler(size: int, count: int, origin: float, step: float, values: Values) -> Resampler1D:
    """Make and cache `mtf_resampler` at `count` regular positions; windows of one scene share it."""
    return mtf_resampler(size, centres(count, origin, step), values, step)


def cubic_resampler(size: int, positions: Matrix) -> Resampler1D:
    """Make the map that reads `size` samples at `positions` by cubic convolution (Keys, 1981, a = -1/2)."""
    return _make_resampler(size, positions, _evaluate_keys_cubic, CUBIC_REACH)


def _evaluate_keys_cubic(distance: Matrix) -> Matrix:
    d = np.abs(distance)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1.0, near, np.where(d < 2.0, far, 0.0))


def _make_resampler(size: int, positions: Matrix, kernel: Callable[[Matrix], Matrix], reach: float) -> Resampler1D:
    """Normalise a kernel centred on each position; samples beyond an end repeat the end sample."""
    first = np.ceil(positions - reach).astype(np.int64)
    taps = first[:, None] + np.arange(int(2 * reach) + 1)[None, :]
    distance = taps - positions[:, None]
    weights = np.where(np.abs(distance) <= reach, kernel(distance), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    count = min(taps.shape[1], size)
    first = np.clip(first, 0, size - count)
    outside = (taps < first[:, None]) | (taps >= first[:, None] + count)
    if not outside.any():
        return Resampler1D(first, weights)
    kept = np.zeros((len(taps), count))
    rows = np.broadcast_to(np.arange(len(taps))[:, None], taps.shape)
    np.add.at(kept, (rows, np.clip(taps, 0, size - 1) - first[:, None]), weights)
    return Resampler1D(first, kept)


def covered(valid: NDArray[np.bool_], rows: Resampler1D, columns: Resampler1D, lost: float = 0.01) -> NDArray[np.bool_]:
    """Mark outputs (h, w) that read valid pixels (H, W), at most a share `lost` of their weights elsewhere.

    Weights count by their absolute value: negative lobes of kernels may cancel samples beyond an edge.
    """
    if valid.all():
        return np.ones((len(rows), len(columns)), dtype=bool)
    sizes = (Resampler1D(m.first, np.abs(m.weights)) for m in (rows, columns))
    return resample((~valid).astype(np.float32), *sizes) <= lost


def resample(image: Image, rows: Resampler1D, columns: Resampler1D) -> Image:
    """Apply a map of rows and a map of columns; (..., H, W) to (..., h, w)."""
    return columns.across(rows.down(image))
