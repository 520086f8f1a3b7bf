"""Quality of a result at full resolution, where no reference exists, on real grids.

The toolbox's conventions (model/quality/indices.py) fix where a 4x4 cell is sampled; here the geotransforms do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.filters import Mask
from ..geometry.resampling import centres, mtf_resampler, nearest, resample
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .indices import BlockQualities, Check, Image, compare_blocks, measure_indices


def interpolate_ms(pair: PairWindow) -> Image:
    """Interpolate MS of a pair on the PAN grid by cubic convolution, (bands, H, W)."""
    return _interpolate_to_pan(pair, pair.ms)


def low_pan(pair: PairWindow, transfer: TransferFunction) -> Image:
    """Make PAN as sharp as MS, on the PAN grid: blurred, sampled at the MS pixels, interpolated; as `pair.pans`."""
    return _interpolate_to_pan(pair, pair.pan_at_ms(transfer)[0])


def full_resolution(
    pair: PairWindow, fused: NDArray[Any], transfer: TransferFunction, rounded: bool
) -> dict[str, float]:
    """Compute D_lambda, D_s and HQNR of `fused` (bands, H, W) by name; NaN where there are no blocks."""
    return measure_indices(block_qualities(pair, fused, transfer, rounded))


def block_qualities(
    pair: PairWindow,
    fused: NDArray[Any],
    transfer: TransferFunction,
    rounded: bool,
    check: Check = lambda: None,
    valid: Mask | None = None,
) -> BlockQualities:
    """Compare `fused` (bands, H, W) with PAN and MS on each whole block of pixels that are valid in all, and `valid`.

    `transfer` is the measured one, for MS and PAN. `rounded` marks integer data. `check` is
    called often and may raise to stop.
    """
    (height, width), (down, across) = pair.pan_valid.shape, pair.spacing
    axes = ((height, transfer.rows, down), (width, transfer.columns, across))
    blur = (mtf_resampler(n, centres(n, 0.0, 1.0), values, step) for n, values, step in axes)
    fused = fused.astype(np.float32)
    low = resample(fused, *blur)
    compared = _find_valid(pair) if valid is None else _find_valid(pair) & valid
    images = (interpolate_ms(pair), low, fused, pair.pans, low_pan(pair, transfer))
    lms, low, fine, pan, pan_low = (np.rint(i) if rounded else i for i in images)
    return compare_blocks((lms, low, fine, pan, pan_low), compared, check)


def _interpolate_to_pan(pair: PairWindow, image: Image) -> Image:
    return resample(image, *pair.cubic_resamplers(pair.window))


def _find_valid(pair: PairWindow) -> Mask:
    lines = zip(pair.positions_in_ms(pair.window), pair.ms_valid.shape)
    on_ms = np.outer(*((nearest(p) >= 0) & (nearest(p) < n) for p, n in lines))
    return replace(pair, band_valid=None).valid_on_pan(pair.window) & on_ms
