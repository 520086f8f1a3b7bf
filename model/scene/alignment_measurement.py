"""Measurement of the displacement of each band of MS from PAN, and of the field that they share across the scene.

In each block of a window, the details of a band are fitted by those of PAN and their two derivatives (Lucas and Kanade,
1981). Every band has a contrast of its own in every block, so it may be negative, as that of near infrared over plants.
PAN is then moved to where a band is expected, until nothing is left; interpolated MS would be aliased.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.alignment import Alignment
from ..geometry.filters import HIGH_PASS_SIZE, Image, Mask, high_pass, whole_boxes
from ..geometry.grids import Window
from ..geometry.resampling import Matrix
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .displacement_field import BlockShifts, field_at, fit_field, locate, to_alignment
from .parallel import parallel_map
from .registration import Shift

BLOCKS = 400  # about, of a scene
MIN_SIDE, MAX_SIDE = 16, 32  # MS pixels of a block
MIN_SHARE = 0.4  # of a block's pixels that count
DERIVATIVE_STEP = 0.125  # MS pixels on both sides
MAX_STEP = 1.5  # MS pixels; what a block shows beyond it is not a measurement
BLOCK_ERROR = 0.1  # PAN pixels; error of a block that its noise does not show
GRAIN = 0.125  # MS pixels to which PAN is moved; bands that are nearer share its details
MAX_FIELD = 6.0  # MS pixels; more is not a residue of the scene's shift
ROUNDS = 4  # of moving PAN and measuring again, at most; bands that stay at their step end them
WELL_MEASURED = 0.1  # PAN pixels; standard error of a band that is placed by itself
MAX_BAND_SCATTER = 3.0  # of a band's blocks, in their errors; beyond it they show moving clouds
MAX_FIELD_SCATTER = 1.7  # of most bands within a block; beyond it they do not share a field
CONTENT_ERROR = 0.1  # PAN pixels; error of a band half of whose details are not PAN's, as vegetation differs
MAX_CONTENT_ERROR = 0.2
ERRORS = 2.0  # standard errors beyond which a displacement is corrected
MIN_CORRECTION = 0.05  # PAN pixels; less cannot be seen
MAX_SPREAD = 0.3  # PAN pixels between most bands: one that cannot be measured is placed with them

Check = Callable[[], None]


@dataclass(frozen=True)
class AlignmentMeasurement:
    """Displacement of MS that the scene's shift leaves, in PAN pixels (row, column).

    alignment       what is corrected; None where nothing has to be
    bands, left     displacement of each band, and what the correction leaves of it
    places          MS rows and columns of the blocks of the sample, (2, n)
    before, after   displacement of these blocks, all bands together, (2, n)
    variation       largest difference of the field between two blocks; 0 without a field
    """

    alignment: Alignment | None
    bands: tuple[Shift, ...]
    left: tuple[Shift, ...]
    places: Matrix
    before: Matrix
    after: Matrix
    variation: float

    @property
    def max_band_shift(self) -> float:
        """Largest displacement of a band that is corrected."""
        return max((math.hypot(*b) for b in self.bands if self.alignment), default=0.0)

    @property
    def residue(self) -> float:
        """Mean over the bands of what is left."""
        return float(np.mean([math.hypot(*b) for b in self.left])) if self.left else 0.0

    @property
    def local_residue(self) -> float:
        """Distance that 90 % of the blocks keep from the usual displacement."""
        if not self.after.size:
            return 0.0
        return float(np.quantile(np.hypot(*(self.after - np.median(self.after, axis=1)[:, None])), 0.9))


def measure_alignment(
    windows: Sequence[PairWindow], extent: Window, transfer: TransferFunction, check: Check = lambda: None
) -> AlignmentMeasurement:
    """Measure bands and field over windows that are placed with the scene's shift.

    `extent` are the MS pixels that PAN covers. `check` is called often and may raise to stop.
    """
    scene = _Scene(windows, extent, transfer, check)
    state, seen = scene.place(True)
    if state.lattice and not state.is_field_trusted(seen):
        state, seen = scene.place(False)
    return state.conclude(seen, scene.spacing, extent)


@dataclass(frozen=True)
class _Displacements:
    """Displacements of bands (2, bands) with their errors, and the coefficients of a field, in MS pixels."""

    bands: Matrix
    errors: Matrix
    coefficients: Matrix
    lattice: tuple[int, ...]
    field: Matrix

    @classmethod
    def fit(cls, seen: BlockShifts, extent: Window, with_field: bool) -> _Displacements:
        """Fit bands and, on top, the field that they share; both twice, as each is measured without the other."""
        field, coefficients = np.zeros_like(seen.centres), np.zeros((2, 0))
        lattice: tuple[int, ...] = ()
        for again in (True, False):
            lines = [[locate(s - f, v) for s, v in zip(*a)] for f, *a in zip(field, seen.shifts, seen.variances)]
            bands, errors = (np.array([[each[i] for each in line] for line in lines]) for i in (0, 1))
            if with_field and again:
                coefficients, lattice = fit_field(*seen.common(bands), seen.centres, extent)
                field = field_at(coefficients, lattice, seen.centres, extent)
        return cls(bands, errors, coefficients, lattice if coefficients.size else (), field)

    def over(self, seen: BlockShifts) -> Matrix:
        """Return the displacement (2, bands, blocks) that it stands for."""
        return self.bands[..., None] + self.field[:, None] + np.zeros_like(seen.shifts)

    def is_field_trusted(self, seen: BlockShifts) -> bool:
        """Return whether the field is plausible and most bands follow it: clouds move differently in each."""
        if np.abs(self.coefficients).max() > MAX_FIELD:
            return False
        residues = seen.shifts - self.bands[..., None]
        scatter = seen.disagreement(residues - seen.common(self.bands)[0][:, None])
        return float(np.median(scatter, axis=1).max()) < MAX_FIELD_SCATTER

    def conclude(self, seen: BlockShifts, spacing: Matrix, extent: Window) -> AlignmentMeasurement:
        """Decide what is corrected: where it exceeds its standard error and could be seen."""
        share = np.array([np.median(a[a > 0.0]) if (a > 0.0).any() else 0.0 for a in seen.agreement])
        content = np.minimum(CONTENT_ERROR * np.sqrt((1.0 - share) / np.maximum(share, 1e-6)), MAX_CONTENT_ERROR)
        bands, errors = self.bands * spacing, self.errors * spacing
        scatter = seen.disagreement(seen.shifts - self.over(seen))
        cloudy = (scatter >= MAX_BAND_SCATTER).any(0)
        good = ((errors < WELL_MEASURED) & (np.abs(self.bands) < MAX_FIELD)).all(0) & ~cloudy
        good &= 2 * cloudy.sum() < cloudy.size  # else the others show the same clouds
        notable = np.hypot(*bands) > np.maximum(ERRORS * np.hypot(np.hypot(*errors), content), MIN_CORRECTION)
        placed = np.where(good & notable, bands, 0.0)
        if 2 * good.sum() >= good.size and float(np.ptp(placed[:, good], axis=1).max()) < MAX_SPREAD:
            placed[:, ~good] = placed[:, good].mean(1)[:, None]
        final = replace(self, bands=placed / spacing)
        corrects = bool(placed.any() or self.lattice)
        after = seen.shifts - final.over(seen)
        before, left = (replace(seen, shifts=s).common(np.zeros_like(bands))[0] * spacing for s in (seen.shifts, after))
        return AlignmentMeasurement(
            alignment=to_alignment(final.bands, self.coefficients, self.lattice, extent) if corrects else None,
            bands=_pairs(np.where(good, bands, placed)),
            left=_pairs(np.where(good, bands - placed, 0.0)),
            places=seen.centres,
            before=before,
            after=left,
            variation=float(np.hypot(*np.ptp(self.field * spacing, axis=1))) if self.lattice else 0.0,
        )


def _pairs(columns: Matrix) -> tuple[Shift, ...]:
    return tuple((float(down), float(across)) for down, across in columns.T)


class _Scene:
    """Windows of a scene, placed with its shift, whose PAN is moved to where bands and field are, again and again."""

    def __init__(self, windows: Sequence[PairWindow], extent: Window, transfer: TransferFunction, check: Check) -> None:
        self.windows, self.extent, self.transfer, self.check = windows, extent, transfer, check
        self.spacing = np.array(windows[0].spacing)[:, None]
        self.side = min(max(math.sqrt(sum(w.ms_valid.size for w in windows) / BLOCKS), MIN_SIDE), MAX_SIDE)
        self.templates = parallel_map(lambda w: _Template.of(w, transfer, self.side), windows)
        self.centres = np.concatenate([t.centres for t in self.templates], axis=1)

    def place(self, with_field: bool) -> tuple[_Displacements, BlockShifts]:
        """Fit bands and field; returns them and the displacements of the blocks."""
        expected = np.zeros((len(self.windows), 2, len(self.windows[0].ms)))
        for _ in range(ROUNDS):
            seen = self._measure(expected)
            state = _Displacements.fit(seen, self.extent, with_field)
            before, expected = expected, np.stack([self._expect(w, state) for w in self.windows])
            if np.array_equal(before, expected):
                break
        return state, seen

    def _expect(self, window: PairWindow, state: _Displacements) -> Matrix:
        """Return where the bands are expected in the middle of a window (2, bands), in steps of GRAIN."""
        middle = np.array(window.ms_corner)[:, None] + np.array(window.ms_valid.shape)[:, None] / 2.0
        field = field_at(state.coefficients, state.lattice, middle, self.extent)
        return np.asarray(np.rint(np.clip(state.bands + field, -MAX_FIELD, MAX_FIELD) / GRAIN) * GRAIN)

    def _measure(self, expected: Matrix) -> BlockShifts:
        """Measure the displacement of blocks, with PAN moved to where bands are expected, (windows, 2, bands)."""
        self.check()
        parts = parallel_map(lambda number: self._measure_window(number, expected[number]), range(len(self.windows)))
        shifts, variances, agreement = (np.concatenate([p[i] for p in parts], axis=-1) for i in range(3))
        return BlockShifts(shifts, variances + (BLOCK_ERROR / self.spacing[..., None]) ** 2, agreement, self.centres)

    def _measure_window(self, number: int, expected: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Measure one window; bands that are expected at one place share PAN's details."""
        window, base = self.windows[number], self.templates[number]
        parts: dict[int, tuple[Matrix, Matrix, Matrix]] = {}
        for place in np.unique(expected, axis=1).T:
            bands = np.flatnonzero((expected == place[:, None]).all(0))
            down, across = place * self.spacing[:, 0]
            moved = _Template.of(window.shifted((down, across)), self.transfer, self.side) if place.any() else base
            for band, (shifts, *rest) in zip(bands, moved.measure(window.ms[bands])):
                parts[band] = (shifts + place[:, None], *rest)
        shifts, variances, agreement = (np.stack(p) for p in zip(*(parts[b] for b in sorted(parts))))
        return shifts.swapaxes(0, 1), variances.swapaxes(0, 1), agreement


@dataclass(frozen=True)
class _Template:
    """PAN's details over a window: themselves, and their derivatives down and across, (3, n) at the pixels of `mask`.

    blocks (n,)   the number of each pixel's block        centres (2, blocks)   MS rows and columns
    inverse       of their products (blocks, 3, 3); `counts` (blocks,) is 0 where too few pixels count
    """

    details: Matrix
    mask: Mask
    blocks: NDArray[np.int64]
    centres: Matrix
    inverse: Matrix
    counts: Matrix

    @classmethod
    def of(cls, window: PairWindow, transfer: TransferFunction, side: float) -> _Template:
        """Collect the details of PAN in blocks of about `side` MS pixels."""
        steps = [DERIVATIVE_STEP * s for s in window.spacing]
        moves = ((0.0, 0.0), (-steps[0], 0.0), (steps[0], 0.0), (0.0, -steps[1]), (0.0, steps[1]))
        samples = [window.shifted(move).pan_at_ms(transfer) for move in moves]
        mask = whole_boxes(np.logical_and.reduce([valid for _, valid in samples]))
        pan, above, below, before, behind = (
            high_pass(image.reshape(-1, *image.shape[-2:]).mean(0))[mask].astype(np.float64) for image, _ in samples
        )
        details = np.stack([pan, *((b - a) / (2.0 * DERIVATIVE_STEP) for a, b in ((above, below), (before, behind)))])
        places, shape = mask.nonzero(), [max(round(n / side), 1) for n in mask.shape]
        rows, columns = (p * n // max(m, 1) for p, n, m in zip(places, shape, mask.shape))
        blocks, count = rows * shape[1] + columns, shape[0] * shape[1]
        counts = np.bincount(blocks, minlength=count).astype(np.float64)
        corners = [c + HIGH_PASS_SIZE // 2 for c in window.ms_corner]
        centres = np.stack(
            [c + np.bincount(blocks, p, count) / np.maximum(counts, 1.0) for c, p in zip(corners, places)]
        )
        counts[counts < MIN_SHARE * mask.size / count] = 0.0
        gram = np.array([[np.bincount(blocks, a * b, count) for b in details] for a in details]).transpose(2, 0, 1)
        gram = np.where(counts[:, None, None] > 0.0, gram, 0.0)
        size = np.trace(gram, axis1=1, axis2=2)[:, None, None]
        inverse = np.linalg.inv(gram + (1e-9 * size + 1e-30 + (size <= 0.0)) * np.eye(3))
        return cls(details, mask, blocks, centres, inverse, np.where(size[:, 0, 0] > 0.0, counts, 0.0))

    def measure(self, ms: Image) -> Iterator[tuple[Matrix, Matrix, Matrix]]:
        """Fit bands (bands, h, w) in each block; yields shifts, variances and agreement of `BlockShifts` for each."""
        count = len(self.counts)
        for band in high_pass(ms):
            values = band[self.mask].astype(np.float64)
            products = np.stack([np.bincount(self.blocks, values * d, count) for d in self.details], axis=1)
            power = np.bincount(self.blocks, values * values, count)
            fit = np.einsum("kij,kj->ki", self.inverse, products)
            explained = np.einsum("ki,ki->k", fit, products)
            noise = np.maximum(power - explained, 1e-9 * power) / np.maximum(self.counts - 3.0, 1.0)
            with np.errstate(all="ignore"):
                shifts = (fit[:, 1:] / fit[:, :1]).T
                shared = self.inverse[:, 0, 1:].T
                spread = np.diagonal(self.inverse, axis1=1, axis2=2).T
                variances = (spread[1:] + shifts**2 * spread[0] - 2.0 * shifts * shared) * noise / fit[:, 0] ** 2
                share = explained / power
            known = (self.counts > 0.0) & np.isfinite(variances).all(0) & (np.abs(shifts).max(0) < MAX_STEP)
            known &= (power > 0.0) & (variances > 0.0).all(0)
            yield np.where(known, shifts, 0.0), np.where(known, variances, np.inf), np.where(known, share, 0.0)
