"""A shift of many pixels, found at MS resolution: where the details of MS explain PAN's best, over a wide search.

For every whole offset of MS pixels the multiple correlation of high-passed PAN with the high-passed MS bands is taken
by Fourier transforms, over all windows of a scene together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import avg_pool2d, pad

from ..geometry.window_pair import PairWindow
from .detail_correlation import FIRST_TRANSFER
from .statistics import HIGH_PASS_SIZE, MINIMUM_PIXELS

WIDE_REACH = 50  # PAN pixels searched in each direction
CLEAR_PEAK = 1.25  # the peak's correlation over the largest one elsewhere
PEAK_RADIUS = 3  # MS pixels around the peak that belong to it
LEAST_CORRELATION = 0.4
WEAK_DIRECTION = 1e-4  # of the strongest combination of bands; weaker ones are noise


def find_coarse_shift(windows: Sequence[PairWindow]) -> tuple[float, float] | None:
    """The shift (row, column) of MS in PAN pixels, to whole MS pixels; None where no offset is clearly the best.

    The PAN of `windows` reaches WIDE_REACH and the blur beyond their MS.
    """
    spacing = windows[0].spacing
    reach = (int(WIDE_REACH / spacing[0]), int(WIDE_REACH / spacing[1]))
    explained = power = torch.zeros(())
    for window in windows:
        shared = _explained(window, reach)
        if shared is not None:
            explained, power = explained + shared[0], power + shared[1]
    if power.dim() == 0:
        return None
    score = (explained / power.clamp_min(float(power.max()) * 1e-9)).clamp(0.0, 1.0).sqrt()
    best = int(score.argmax())
    row, column = divmod(best, score.shape[1])
    elsewhere = score.clone()
    rows, columns = (slice(max(i - PEAK_RADIUS, 0), i + PEAK_RADIUS + 1) for i in (row, column))
    elsewhere[rows, columns] = 0.0
    at_edge = row in (0, score.shape[0] - 1) or column in (0, score.shape[1] - 1)
    peak = float(score[row, column])
    if at_edge or peak < LEAST_CORRELATION or peak < CLEAR_PEAK * float(elsewhere.max()):
        return None
    return (row - reach[0]) * spacing[0], (column - reach[1]) * spacing[1]


def _explained(window: PairWindow, reach: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor] | None:
    """For every offset within reach, (2 reach + 1, 2 reach + 1): PAN's power that MS explains, and all of it."""
    if min(window.ms_valid.shape) < HIGH_PASS_SIZE:
        return None
    wide = _extended(window, reach)
    pan, pan_valid = wide.pan_at_ms(FIRST_TRANSFER)
    counted = _whole(window.ms_valid)
    if int(counted.sum()) < MINIMUM_PIXELS:
        return None
    basis = _basis(_high_pass(window.ms.double()) * counted)
    if basis is None:
        return None
    sharp = _high_pass(pan.double()[None])[0] * _whole(pan_valid)
    size = (sharp.shape[0], sharp.shape[1])
    spectrum = torch.fft.rfft2(sharp, size)
    rows, columns = 2 * reach[0] + 1, 2 * reach[1] + 1

    def slid(image: torch.Tensor, over: torch.Tensor) -> torch.Tensor:
        """Sum of image x over at every offset."""
        found = torch.fft.irfft2(over * torch.fft.rfft2(image, size).conj(), size)
        return found[..., :rows, :columns]

    explained = slid(basis, spectrum).square().sum(0)
    power = slid(counted.double(), torch.fft.rfft2(sharp.square(), size)).clamp_min(0.0)
    return explained, power


def _extended(window: PairWindow, reach: tuple[int, int]) -> PairWindow:
    """The same PAN under MS pixels that reach further on every side, all taken for valid."""
    ms_valid = pad(torch.ones_like(window.ms_valid), (reach[1], reach[1], reach[0], reach[0]), value=True)
    corner = (window.ms_corner[0] - reach[0], window.ms_corner[1] - reach[1])
    empty = window.ms.new_zeros(0, *ms_valid.shape)
    return PairWindow(
        window.pan, window.pan_valid, empty, ms_valid, window.origin, window.spacing, window.pan_corner, corner
    )


def _high_pass(image: torch.Tensor) -> torch.Tensor:
    """(n, h, w) less its box mean, border dropped."""
    edge = HIGH_PASS_SIZE // 2
    return image[:, edge:-edge, edge:-edge] - avg_pool2d(image[None], HIGH_PASS_SIZE, 1)[0]


def _whole(valid: torch.Tensor) -> torch.Tensor:
    """Where the high-pass reads valid pixels alone."""
    return avg_pool2d(valid.float()[None, None], HIGH_PASS_SIZE, 1)[0, 0] > 1.0 - 0.5 / HIGH_PASS_SIZE**2


def _basis(details: torch.Tensor) -> torch.Tensor | None:
    """Orthonormal combinations of the bands' details (bands, h, w); None where there is none."""
    flat = details.flatten(1)
    spread = flat.norm(dim=1)
    flat = flat[spread > 0.0] / spread[spread > 0.0, None]
    if not len(flat):
        return None
    values, vectors = torch.linalg.eigh(flat @ flat.T)
    strong = values > WEAK_DIRECTION * values.max()
    combined = (vectors[:, strong] / values[strong].sqrt()).T @ flat
    return combined.unflatten(1, details.shape[1:])
