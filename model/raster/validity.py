"""Validity of pixels, from masks and nodata values."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def combine_masks(
    masks: list[NDArray[np.bool_] | None],
    marks: list[NDArray[np.bool_] | None],
    shared: NDArray[np.bool_] | None,
    shape: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Combine masks to validity (1, h, w), or (bands, h, w) where bands differ.

    A band without declared nodata has a gap where its value is nodata of others and none of those bands is valid.
    Such stacks share their footprint, but a value that is nodata in one band may be a measurement in another.
    """
    common = np.ones(shape, dtype=bool) if shared is None else shared
    declaring = [m for m, mark in zip(masks, marks) if m is not None and mark is None]
    if any(mark is not None for mark in marks):
        nowhere = ~np.logical_or.reduce(declaring)
        alone = [None if mark is None else ~(nowhere & mark) for mark in marks]
        masks = [a if m is None else m if a is None else m & a for m, a in zip(masks, alone)]
    present = [m for m in masks if m is not None]
    if not present:
        return common[None]
    if len(present) == len(masks) and all(np.array_equal(m, present[0]) for m in present[1:]):
        return (common & present[0])[None]
    full = np.stack([common if m is None else common & m for m in masks])
    return full[:1] if (full == full[:1]).all() else full


def is_within(exact: np.ndarray, ranges: Iterable[tuple[float, float]]) -> NDArray[np.bool_]:
    """Mark the values in one of the ranges (least, largest)."""
    inside = np.zeros(exact.shape, dtype=bool)
    for low, high in ranges:
        inside |= (exact == low) if low == high else (exact >= low) & (exact <= high)
    return inside
