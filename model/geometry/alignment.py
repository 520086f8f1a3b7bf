"""Alignment: the displacement of each band of MS from PAN, and the resampling of MS that corrects it.

The scene's shift is corrected by the placement of the grids, without resampling. What is left differs between bands,
whose detectors look at the ground from different places, and across the scene, with terrain and attitude.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .filters import Image, Mask, dilate
from .grids import Window
from .products import multiply
from .resampling import Matrix

Steps = NDArray[np.intp]

TAPS = 8  # MS pixels that are read along each axis; at 0.8 of the Nyquist frequency cubic convolution halves contrast
TAPER = 4.0  # of the Kaiser window over them; contrast stays within 2 % up to 0.7 of the Nyquist frequency
BITS = 10
STEPS = 2**BITS  # positions between two pixels for which weights are kept
ROWS = 48  # that are read at once, so that they stay in the cache
MAX_DISPLACEMENT = 16.0  # MS pixels; larger ones are not a residue
ANYWHERE = Window(0, 0, 1, 1)  # extent of a field that is 0
EXTRA_NODES = 3  # of a cubic spline, besides the intervals of its lattice


@dataclass(frozen=True)
class Alignment:
    """Displacement of MS, in MS pixels, that is left once the scene's shift is corrected.

    down, across   of each band that is read; 0 where a band is in its place
    field          coefficients of cubic B-splines for the displacement that all bands share, row by row: those down,
                   then those across; empty where it is 0
    lattice        intervals of these splines along the rows' and the columns' axis
    extent         the window of MS over which they are spread; its edge holds beyond
    """

    down: tuple[float, ...]
    across: tuple[float, ...]
    field: tuple[float, ...] = ()
    lattice: tuple[int, ...] = ()
    extent: Window = ANYWHERE

    def __post_init__(self) -> None:
        count = 2 * math.prod(n + EXTRA_NODES for n in self.lattice) if self.field else 0
        numbers = (*self.down, *self.across, *self.field)
        if len(self.down) != len(self.across) or len(self.field) != count or self.extent.empty:
            raise ValueError("an alignment has a displacement down and across per band, and a whole field or none")
        if not all(abs(v) <= MAX_DISPLACEMENT for v in numbers):
            raise ValueError(f"an alignment displaces by at most {MAX_DISPLACEMENT:g} MS pixels")

    @property
    def reach(self) -> int:
        """MS pixels around a pixel that it may be read from."""
        bands, field = (max((abs(v) for v in vs), default=0.0) for vs in (self.down + self.across, self.field))
        return math.ceil(bands + field) + TAPS // 2

    def field_over(self, rows: Matrix, columns: Matrix) -> Matrix:
        """Return the field (2, rows, columns), down and across, at MS rows and columns."""
        if not self.field:
            return np.zeros((2, 1, 1))
        starts, sizes = (self.extent.top, self.extent.left), (self.extent.height, self.extent.width)
        down, across = (spline_basis(p - s, n, k) for p, s, n, k in zip((rows, columns), starts, sizes, self.lattice))
        nodes = np.array(self.field).reshape(2, down.shape[1], across.shape[1])
        return multiply(multiply(down, nodes), across.T)

    def correct(self, values: Image, valid: Mask, window: Window) -> tuple[Image, Mask]:
        """Resample MS (bands, h, w) and its validity (1 or bands, h, w), which reach `reach` beyond `window` of MS.

        A pixel is valid where most of what it is interpolated from is; next to gaps the interpolation is linear.
        """
        reach = self.reach
        rows = np.arange(window.top - reach, window.bottom + reach, dtype=np.float64)
        columns = np.arange(window.left, window.right, dtype=np.float64)
        down, across = self.field_over(rows, columns)
        down = down[reach:-reach] if self.field else down
        inner = np.s_[reach : reach + window.height, reach : reach + window.width]
        parts = []
        for band, (image, shift) in enumerate(zip(values, zip(self.down, self.across))):
            band_valid = valid[band % len(valid)]
            if not self.field and shift == (0.0, 0.0):
                parts.append((image[inner], band_valid[inner]))
            else:
                displaced = down + shift[0], across + shift[1]
                parts.append(_move(image, band_valid, displaced, reach))
        moved, moved_valid = (np.stack(part) for part in zip(*parts))
        return moved, moved_valid[:1] if (moved_valid == moved_valid[:1]).all() else moved_valid


def spline_basis(positions: Matrix, length: int, intervals: int) -> Matrix:
    """Return the cubic B-splines (n, intervals + 3) over a length of pixels at positions (n,); its ends hold beyond."""
    places = np.clip(positions / max(length - 1, 1), 0.0, 1.0) * intervals
    distance = np.abs(places[:, None] - np.arange(-1.0, intervals + 2.0))
    near = 2.0 / 3.0 - distance**2 + 0.5 * distance**3
    return np.where(distance < 1.0, near, np.maximum(2.0 - distance, 0.0) ** 3 / 6.0)


def _move(image: Image, valid: Mask, displaced: tuple[Matrix, Matrix], reach: int) -> tuple[Image, Mask]:
    """Displace an image (down, across) along one axis after the other: the field is smooth."""
    # Where to read, relative to each pixel, in steps of 1 / STEPS: above it where MS has to move down.
    down, across = (np.rint(axis * -STEPS).astype(np.intp) for axis in displaced)

    def gather(plane: Image, kernel: Image) -> Image:
        return _gather(_gather(plane, across, 1, reach, kernel), down, 0, reach, kernel)

    moved = gather(image, _KAISER)
    if valid.all():
        return moved, np.ones(moved.shape, dtype=bool)
    share = gather(valid.astype(np.float32), _LINEAR)
    safe = gather((~dilate(~valid, TAPS // 2 + 1)).astype(np.float32), _LINEAR) > 1.0 - 1e-5
    near_gap = gather(np.where(valid, image, np.float32(0.0)), _LINEAR) / np.maximum(share, 1e-6)
    kept = share > 0.5 - 1e-5
    return np.where(safe, moved, np.where(kept, near_gap, np.float32(0.0))), kept


def _gather(image: Image, steps: Steps, axis: int, reach: int, kernel: Image) -> Image:
    """Read an image along an axis, which loses `reach` pixels at both ends, at `steps` (as the result, or one)."""
    shape = [n - 2 * reach * (axis == k) for k, n in enumerate(image.shape)]
    made = np.empty(shape, dtype=np.float32)
    for top in range(0, shape[0], ROWS):
        count = min(ROWS, shape[0] - top)
        part_steps = steps if steps.size == 1 else steps[top : top + count]
        pixels, weights = part_steps >> BITS, [w.take(part_steps & (STEPS - 1), mode="clip") for w in kernel]
        for pixel in range(int(pixels.min()), int(pixels.max()) + 1):
            first = reach + pixel - (len(kernel) // 2 - 1)
            total = np.zeros((count, shape[1]), dtype=np.float32)
            for place, weight in enumerate(weights, first):
                start = (top + place, 0) if axis == 0 else (top, place)
                total += weight * image[start[0] : start[0] + count, start[1] : start[1] + shape[1]]
            np.copyto(made[top : top + count], total, where=pixels == pixel)
    return made


def _make_kernel() -> Image:
    """Make the weights (TAPS, STEPS) between two pixels: a sinc under a Kaiser window."""
    distance = np.arange(TAPS)[:, None] - (TAPS // 2 - 1) - _BETWEEN
    window = np.i0(TAPER * np.sqrt(np.clip(1.0 - (distance / (TAPS / 2)) ** 2, 0.0, 1.0)))
    weights = np.sinc(distance) * window
    return np.asarray(weights / weights.sum(0), dtype=np.float32)


_BETWEEN = np.arange(STEPS) / STEPS
_KAISER, _LINEAR = _make_kernel(), np.stack([1.0 - _BETWEEN, _BETWEEN]).astype(np.float32)
