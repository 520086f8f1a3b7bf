"""The Wald protocol: a pair one scale down, whose sharp truth is MS itself (Wald, Ranchin and Mangolini, 1997)."""

from __future__ import annotations

from ..geometry.resampling import centres, mtf_matrix, resample
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow


def reduced_pair(
    pair: PairWindow, ratio: float, transfer: TransferFunction, moved: tuple[float, float] = (0.0, 0.0)
) -> PairWindow:
    """PAN at the MS pixels, and MS blurred by `transfer` again and sampled in steps of `ratio`, on a nested grid.

    `moved` (row, column) displaces MS, in pixels of the reduced PAN, from where the grid says. The truth is `pair.ms`.
    """
    pan, covered = pair.pan_at_ms(transfer)
    origin = (ratio - 1.0) / 2.0
    lines = list(zip(covered.shape, moved))
    positions = [centres(int((n - 1 - origin) / ratio) + 1, origin + away, ratio) for n, away in lines]
    axes = zip(covered.shape, positions, (transfer.rows, transfer.columns))
    blur = [mtf_matrix(n, p, values, ratio) for n, p, values in axes]
    known = resample(covered.float(), *blur) > 0.999
    return PairWindow(pan, covered, resample(pair.ms, *blur), known, (origin, origin), (ratio, ratio))
