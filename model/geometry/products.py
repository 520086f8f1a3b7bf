"""Products of matrices that are the same to the last bit on any number of threads.

BLAS sums in another order where it takes more threads, and the last bits of a sum decide pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_PRODUCTS = 2**18  # multiplications of a piece. OpenBLAS takes several threads only for more.
SUMMED = 256  # columns that are summed at once. Every BLAS sums so few in one go.


def multiply(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return first (..., m, k) @ second (..., k, n), in pieces that BLAS computes on the calling thread."""
    (rows, count), columns = first.shape[-2:], second.shape[-1]
    batch = np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    result = np.empty((*batch, rows, columns), np.result_type(first, second))
    wide = max(min(MAX_PRODUCTS // (8 * max(count, 1)), columns), 1)
    for down in _split_length(rows, max(MAX_PRODUCTS // (max(count, 1) * wide), 1)):
        for across in _split_length(columns, wide):
            np.matmul(first[..., down, :], second[..., :, across], out=result[..., down, across])
    return result


def inner_products(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return first (a, n) @ second.T for second (b, n), where n may be millions."""
    count = first.shape[1] // SUMMED
    end = count * SUMMED
    one, other = (v[:, :end].reshape(len(v), count, SUMMED).swapaxes(0, 1) for v in (first, second))
    return (one @ other.swapaxes(1, 2)).sum(0) + first[:, end:] @ second[:, end:].T


def inverse_root(gram: NDArray[np.float64], weak: float = 0.0) -> NDArray[np.float64]:
    """Return rows (k, n) with rows @ gram @ rows.T = 1, so that rows.T @ rows is the inverse of gram (n, n).

    They come from Gram-Schmidt, the strongest left first; what has at most the power `weak` is left out. LAPACK's
    solvers depend on the number of threads.
    """
    left, rows, chosen = gram, np.eye(len(gram)), np.zeros((0, len(gram)))
    for _ in range(len(gram)):
        best = int(left.diagonal().argmax())
        power = float(left[best, best])
        if not power > weak:
            break
        chosen = np.concatenate([chosen, rows[best : best + 1] / np.sqrt(power)])
        share = left[best] / power
        rows, left = rows - np.outer(share, rows[best]), left - np.outer(share, left[best])
        left[best], left[:, best] = 0.0, 0.0
    return chosen


def _split_length(length: int, limit: int) -> Iterator[slice]:
    """Yield even parts of a length, each of at most `limit`."""
    count = -(-length // limit)
    yield from (slice(length * i // count, length * (i + 1) // count) for i in range(count))
