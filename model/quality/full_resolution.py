"""Quality of a result at full resolution, where no reference exists, on real grids.

The toolbox's conventions (model/quality/indices.py) fix where a 4x4 cell is sampled; here the geotransforms say it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.resampling import centres, mtf_resampler, nearest, resample
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .indices import BLOCK, Check, Image, hqnr, q2n_of_blocks, quality_of_blocks


@dataclass(frozen=True)
class FullResolution:
    """Indices without a reference: distortions in [0, 1], 0 the best; hqnr = (1 - d_lambda)(1 - d_s)."""

    d_lambda: float
    d_s: float

    @property
    def hqnr(self) -> float:
        return hqnr(self.d_lambda, self.d_s)


@dataclass(frozen=True)
class BlockQualities:
    """The parts of the indices for each whole block of valid pixels, row by row.

    rows, columns (blocks,)   the block's place, in blocks        spectral (blocks,)   Q2n of MS and the degraded result
    sharp, soft (bands, blocks)   Q of the result and PAN, and of interpolated MS and PAN as sharp as MS
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    spectral: Image
    sharp: Image
    soft: Image

    @classmethod
    def joined(cls, parts: Sequence[BlockQualities]) -> BlockQualities:
        """Blocks of several pieces; their places are those in each piece."""
        return cls(*(np.concatenate([getattr(p, f) for p in parts], axis=-1) for f in cls.__dataclass_fields__))

    @property
    def indices(self) -> FullResolution:
        """D_lambda (Khan et al., 2009) and D_s (Alparone et al., 2008) of all blocks together."""
        apart = np.abs(np.nanmean(self.sharp, axis=1) - np.nanmean(self.soft, axis=1))
        return FullResolution(1.0 - float(self.spectral.mean()), float(apart.mean()))


def interpolated_ms(pair: PairWindow) -> Image:
    """MS of a pair on the PAN grid by cubic convolution, (bands, H, W)."""
    return _to_pan(pair, pair.ms)


def low_pan(pair: PairWindow, transfer: TransferFunction) -> Image:
    """PAN as sharp as MS, on the PAN grid: blurred, sampled at the MS pixels, interpolated; (H, W)."""
    return _to_pan(pair, resample(pair.pan, *pair.mtf_resamplers(transfer)))


def full_resolution(
    pair: PairWindow, fused: NDArray[Any], transfer: TransferFunction, rounded: bool, check: Check = lambda: None
) -> FullResolution | None:
    """D_lambda, D_s and HQNR of `fused` (bands, H, W) over the whole blocks of valid pixels; None where there is none.

    `transfer` is the measured one, for MS and for PAN alike. `rounded` says that the data are integers. `check` is
    called often and may raise to stop.
    """
    blocks = block_qualities(pair, fused, transfer, rounded, check)
    return blocks.indices if blocks else None


def block_qualities(
    pair: PairWindow, fused: NDArray[Any], transfer: TransferFunction, rounded: bool, check: Check = lambda: None
) -> BlockQualities | None:
    """The parts of `full_resolution`, whose words hold here too, for each block."""
    lms, pan_low = interpolated_ms(pair), low_pan(pair, transfer)
    (height, width), (down, across) = pair.pan.shape, pair.spacing
    axes = ((height, transfer.rows, down), (width, transfer.columns, across))
    blur = (mtf_resampler(n, centres(n, 0.0, 1.0), values, step) for n, values, step in axes)
    fused_low = resample(fused, *blur)
    valid = _whole_blocks(pair)
    if not valid.any():
        return None
    images = [np.asarray(i, dtype=np.float64) for i in (lms, fused_low, fused, pair.pan, pan_low)]
    images = [np.rint(i) for i in images] if rounded else images
    lms_, fused_low_, fused_, pan_, pan_low_ = images
    spectral = q2n_of_blocks(lms_, fused_low_, valid=valid, check=check)
    soft, sharp, fine, low = (_block_rows(i, valid) for i in (lms_, fused_, pan_[None], pan_low_[None]))
    places = np.argwhere(valid[BLOCK - 1 :: BLOCK, BLOCK - 1 :: BLOCK])
    return BlockQualities(
        rows=places[:, 0],
        columns=places[:, 1],
        spectral=spectral,
        sharp=np.stack([quality_of_blocks(band, fine[0]) for band in sharp]),
        soft=np.stack([quality_of_blocks(band, low[0]) for band in soft]),
    )


def _to_pan(pair: PairWindow, image: Image) -> Image:
    return resample(image, *pair.cubic_resamplers(pair.window))


def _whole_blocks(pair: PairWindow) -> np.ndarray:
    """Validity (H, W), cleared in every block that touches an invalid pixel or the incomplete rim."""
    (height, width), lines = pair.pan.shape, zip(pair.positions_in_ms(pair.window), pair.ms_valid.shape)
    on_ms = np.outer(*((nearest(p) >= 0) & (nearest(p) < n) for p, n in lines))
    valid = replace(pair, band_valid=None).valid_on_pan(pair.window) & on_ms
    whole = np.zeros_like(valid)
    for top in range(0, height - BLOCK + 1, BLOCK):
        for left in range(0, width - BLOCK + 1, BLOCK):
            block = np.s_[top : top + BLOCK, left : left + BLOCK]
            whole[block] = valid[block].all()
    return whole


def _block_rows(image: Image, valid: np.ndarray) -> Image:
    """The valid blocks of (bands, H, W) laid side by side, (bands, BLOCK, BLOCK * blocks)."""
    rows, columns = (n // BLOCK for n in valid.shape)
    blocks = [
        np.s_[:, r * BLOCK : (r + 1) * BLOCK, c * BLOCK : (c + 1) * BLOCK] for r in range(rows) for c in range(columns)
    ]
    return np.concatenate([image[b] for b in blocks if valid[b[1:]].all()], axis=2)
