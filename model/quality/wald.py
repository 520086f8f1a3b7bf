"""The Wald protocol: a pair one scale down, whose sharp truth is MS itself (Wald, Ranchin and Mangolini, 1997)."""

from __future__ import annotations

from ..geometry.resampling import centres, covered, mtf_resampler, resample
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow


def reduced_pair(
    pair: PairWindow, ratio: float, transfer: TransferFunction, moved: tuple[float, float] = (0.0, 0.0)
) -> PairWindow:
    """PAN at the MS pixels, and MS blurred by `transfer` again and sampled in steps of `ratio`, on a nested grid.

    `moved` (row, column) displaces MS, in pixels of the reduced PAN, from where the grid says. The truth is `pair.ms`.
    """
    pan, valid = pair.pan_at_ms(transfer)
    origin = (ratio - 1.0) / 2.0
    lines = list(zip(valid.shape, moved))
    positions = [centres(int((n - 1 - origin) / ratio) + 1, origin + away, ratio) for n, away in lines]
    axes = zip(valid.shape, positions, (transfer.rows, transfer.columns))
    rows, columns = (mtf_resampler(n, p, values, ratio) for n, p, values in axes)
    known = covered(valid, rows, columns, 0.001)
    return PairWindow(pan, valid, resample(pair.ms, rows, columns), known, (origin, origin), (ratio, ratio))
