"""Details of images at MS resolution, and least squares between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .filters import HIGH_PASS_SIZE, Image, Mask, high_pass, whole_boxes
from .products import inner_products, inverse_root
from .resampling import Matrix

RIDGE = 1e-3  # share of the mean band variance; keeps collinear bands from cancelling each other
MIN_DEVIATION = 1e-12  # of the mean; rounding alone gives a constant band less


def pixels(images: Image, valid: Mask) -> Matrix:
    """Return the valid pixels of images (n, h, w) as float64, (n, pixels)."""
    return images.reshape(len(images), -1)[:, np.flatnonzero(valid)].astype(np.float64)


def details(images: Image, valid: Mask) -> Matrix:
    """Return high-passed images (n, h, w) where whole boxes are valid (h, w), (n, pixels)."""
    if min(valid.shape) < HIGH_PASS_SIZE:
        return np.zeros((len(images), 0))
    return pixels(high_pass(images), whole_boxes(valid))


def explain(bands: Matrix, pan: Matrix) -> tuple[Matrix, float]:
    """Fit least-squares weights (bands,) of zero-mean `bands` (bands, n) to `pan` (n,); also multiple correlation.

    The correlation is adjusted for the number of bands (Wherry, 1931): few samples follow anything by chance.
    """
    gram = inner_products(bands, bands)
    root = inverse_root(gram + RIDGE * max(float(gram.diagonal().mean()), 1e-30) * np.eye(len(gram)))
    weights = root.T @ (root @ (bands * pan).sum(1))
    combined = np.einsum("b,bn->n", weights, bands)
    norm = math.sqrt(float((combined**2).sum()) * float((pan**2).sum()))
    share = min(max(float((combined * pan).sum()) / norm, 0.0), 1.0) ** 2 if norm > 0 else 0.0
    free = len(pan) - len(bands) - 1
    adjusted = 1.0 - (1.0 - share) * (len(pan) - 1) / free if free > 0 else 0.0
    return weights, math.sqrt(max(adjusted, 0.0))


def compute_moments(values: Matrix) -> tuple[Matrix, Matrix]:
    """Return mean and deviation of each plane of (planes, n); a constant one has no deviation and is left unscaled."""
    mean, deviation = values.mean(1), values.std(1, ddof=1)
    return mean, np.where(deviation > MIN_DEVIATION * np.abs(mean), deviation, 1.0)


def standardise(planes: Image, mean: Matrix, std: Matrix) -> Matrix:
    """Take the mean off planes (n, h, w) and divide them by their deviation, (n,) each."""
    return (planes - mean[:, None, None]) / std[:, None, None]


def collect_details(windows: Sequence[tuple[Matrix, Matrix, Mask]]) -> tuple[Matrix, Matrix]:
    """Return high-passed MS (bands, n) and PAN (pans, n) of all windows."""
    parts = [[details(images, valid) for images in (ms, pan)] for ms, pan, valid in windows]
    bands, pans = (np.concatenate(p, axis=1) for p in zip(*parts))
    return bands, pans
