"""Displacement of bands and of places, fitted robustly to the displacements of single blocks.

Every band has a displacement of its own. On top of it all bands share a field: none, affine, or cubic splines with a
penalty on their bends (Eilers and Marx, 1996). How well blocks are predicted that were left out decides between these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.alignment import EXTRA_NODES, Alignment, spline_basis
from ..geometry.filters import lower_median
from ..geometry.grids import Window
from ..geometry.products import multiply
from ..geometry.resampling import Matrix

ROUNDS = 3  # of reweighting a field; measured to suffice
BAND_ROUNDS = 8  # of reweighting a band's displacement
OUTLIER = 4.0  # usual errors from which on a block does not count: moving clouds, water, cars
USUAL = 1.4826  # standard deviation over the median distance from the middle, of a normal distribution
NODE_BLOCKS = 1.6  # blocks along an axis for each interval of the splines
MAX_INTERVALS = 8  # along an axis
STIFFNESS = (3.0, 0.3, 0.03, 0.003)  # weight of bends over that of the blocks of an interval, from smooth to fine
MIN_BLOCKS = 12  # for a field
CLEARLY = 1.0  # standard errors by which a finer field has to predict blocks better, and at least
MIN_GAIN = 0.2  # of the squared error of the best field
NEIGHBOURS = 4.0  # blocks that err together
MAX_SCORE = 9.0  # times the usual squared error; larger ones count as this
DIGITS = 4  # decimals of coefficients in MS pixels: the last bits of LAPACK depend on the number of threads
NOTHING = 1e-12  # weight of outliers, so that sums of weights are not 0


@dataclass(frozen=True)
class BlockShifts:
    """Displacements of the blocks of a scene in MS pixels.

    shifts, variances   (2, bands, blocks), down and across; a variance is infinite where nothing was measured
    agreement           (bands, blocks), share of the band's details that PAN explains
    centres             (2, blocks), MS rows and columns
    """

    shifts: Matrix
    variances: Matrix
    agreement: Matrix
    centres: Matrix

    def common(self, bands: Matrix) -> tuple[Matrix, Matrix]:
        """Return what all bands share (2, blocks) once `bands` (2, bands) is taken off, and its variance (blocks,)."""
        weights = 1.0 / self.variances
        total = weights.sum(1)
        shared = (weights * (self.shifts - bands[..., None])).sum(1) / np.maximum(total, NOTHING)
        known = np.isfinite(self.variances).sum(1)
        return shared, np.where(known > 0, known / np.maximum(total, NOTHING), np.inf).mean(0)

    def disagreement(self, residues: Matrix) -> Matrix:
        """Return the usual size of residues (2, bands, blocks) in their standard errors, (2, bands)."""
        scaled = np.abs(residues) / np.sqrt(self.variances)
        known = np.isfinite(self.variances)
        return np.array([[_usual(s[k]) if k.any() else np.inf for s, k in zip(*axis)] for axis in zip(scaled, known)])


def locate(values: Matrix, variances: Matrix) -> tuple[float, float]:
    """Return the robust mean of values (n,) and its standard error, from their scatter; infinite for too few."""
    known = np.isfinite(variances)
    values, weights = values[known], 1.0 / variances[known]
    if len(values) < 3:
        return 0.0, np.inf
    order = values.argsort(kind="stable")
    below = weights[order].cumsum()
    middle = float(values[order][np.searchsorted(below, 0.5 * below[-1])])
    for _ in range(BAND_ROUNDS):
        trust = weights * _trust((values - middle) * np.sqrt(weights))
        middle = float((trust * values).sum() / trust.sum())
    return middle, float(np.sqrt((trust**2 * (values - middle) ** 2).sum()) / trust.sum())


def fit_field(shared: Matrix, variances: Matrix, centres: Matrix, extent: Window) -> tuple[Matrix, tuple[int, ...]]:
    """Fit a field to displacements (2, n) with variances (n,) at MS places (2, n).

    Returns coefficients (2, nodes) and the lattice of `Alignment`, none where no field predicts blocks clearly better.
    """
    known = np.isfinite(variances)
    nothing: tuple[Matrix, tuple[int, ...]] = np.zeros((2, 0)), (0, 0)
    if known.sum() < MIN_BLOCKS:
        return nothing
    shared, weights, centres = shared[:, known], 1.0 / variances[known], centres[:, known]
    area = np.prod([np.ptp(c) + 1.0 for c in centres]) / known.sum()
    sizes = extent.height, extent.width
    cells: tuple[int, ...] = tuple(int(np.clip(n / np.sqrt(area) / NODE_BLOCKS, 1, MAX_INTERVALS)) for n in sizes)
    designs = {n: _make_design(centres, extent, n) for n in {(1, 1), cells}}
    planes = [_make_plane((1, 1))[:, :1], _make_plane((1, 1))]
    fits: list[tuple[tuple[Matrix, Matrix], Matrix, tuple[int, ...]]] = [
        (_fit(shared, weights, designs[1, 1] @ p, np.zeros((p.shape[1],) * 2)), p, (1, 1)) for p in planes
    ]
    bends = _make_bends(cells)
    fits += [
        (_fit(shared, weights, designs[cells], s / (cells[0] * cells[1]) * bends), np.eye(len(bends)), cells)
        for s in STIFFNESS
    ]
    errors = [(weights * fit[1] ** 2).sum(0) for fit, _, _ in fits]
    limit = MAX_SCORE * min(float(lower_median(e)) for e in errors)
    scores = [np.minimum(e, limit) for e in errors]
    best = int(np.argmin([s.mean() for s in scores]))
    for number in range(best):
        worse = scores[number] - scores[best]
        error = CLEARLY * float(worse.std()) * np.sqrt(NEIGHBOURS / len(worse))
        if worse.mean() <= max(error, MIN_GAIN * float(scores[best].mean())):
            best = number
            break
    if best == 0:
        return nothing
    (coefficients, _), back, lattice = fits[best]
    return np.asarray(np.round(coefficients @ back.T, DIGITS), dtype=np.float64), lattice


def field_at(coefficients: Matrix, lattice: Sequence[int], centres: Matrix, extent: Window) -> Matrix:
    """Return a field (2, n) at MS places (2, n)."""
    if not coefficients.size:
        return np.zeros_like(centres)
    return multiply(coefficients, _make_design(centres, extent, lattice).T)


def to_alignment(bands: Matrix, coefficients: Matrix, lattice: Sequence[int], extent: Window) -> Alignment:
    """Make an alignment of displacements (2, bands) and of a field's coefficients."""
    down, across = (tuple(np.round(axis, DIGITS).tolist()) for axis in bands)
    return Alignment(down, across, tuple(coefficients.ravel().tolist()), tuple(lattice), extent)


def _fit(shared: Matrix, weights: Matrix, design: Matrix, penalty: Matrix) -> tuple[Matrix, Matrix]:
    """Fit coefficients (2, k) to displacements (2, n) robustly; also the errors (2, n) of blocks if left out."""
    trust = weights
    for _ in range(ROUNDS):
        weighed = design * trust[:, None]
        gram = weighed.T @ design + trust.sum() * penalty
        inverse = np.linalg.inv(gram + 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram)))
        coefficients = shared @ weighed @ inverse
        used = np.einsum("nk,nk->n", weighed @ inverse, design)
        errors = (shared - coefficients @ design.T) / np.maximum(1.0 - used, 0.05)
        trust = weights * _trust(np.hypot(*errors) * np.sqrt(weights))
    return coefficients, errors


def _trust(scaled: Matrix) -> Matrix:
    """Return Tukey's weights of errors (n,), whose usual size is measured."""
    return np.clip(1.0 - (scaled / (OUTLIER * max(_usual(np.abs(scaled)), NOTHING))) ** 2, 0.0, None) ** 2 + NOTHING


def _usual(distances: Matrix) -> float:
    return USUAL * float(lower_median(distances))


def _make_design(centres: Matrix, extent: Window, lattice: Sequence[int]) -> Matrix:
    """Return all products of the splines along both axes at MS places (2, n), (n, nodes)."""
    axes = zip(centres, (extent.top, extent.left), (extent.height, extent.width), lattice)
    down, across = (spline_basis(c - start, size, n) for c, start, size, n in axes)
    return np.einsum("nr,nc->nrc", down, across).reshape(len(down), -1)


def _make_plane(lattice: Sequence[int]) -> Matrix:
    """Return the coefficients (nodes, 3) of 1, of the row and of the column."""
    nodes = np.meshgrid(*(np.arange(n + EXTRA_NODES) - 0.5 * (n + EXTRA_NODES - 1) for n in lattice), indexing="ij")
    return np.stack([np.ones(nodes[0].size), *(axis.ravel() for axis in nodes)], axis=1)


def _make_bends(lattice: Sequence[int]) -> Matrix:
    """Return the matrix (nodes, nodes) of the squared second differences of coefficients, 0 for a plane."""
    first, second = ([np.diff(np.eye(n + EXTRA_NODES), k, axis=0) for n in lattice] for k in (1, 2))
    whole = [np.eye(n + EXTRA_NODES) for n in lattice]
    parts = np.kron(second[0], whole[1]), np.kron(whole[0], second[1]), np.sqrt(2.0) * np.kron(*first)
    return np.asarray(sum(p.T @ p for p in parts))
