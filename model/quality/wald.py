"""The Wald protocol: a pair one scale down, whose sharp truth is MS itself (Wald, Ranchin and Mangolini, 1997)."""

from __future__ import annotations

from ..geometry.resampling import centres, mtf_matrix, resample
from ..geometry.window_pair import PairWindow


def reduced_pair(pair: PairWindow, ratio: float, gain: float, moved: tuple[float, float] = (0.0, 0.0)) -> PairWindow:
    """PAN at the MS pixels, and MS blurred with its own `gain` and sampled in steps of `ratio`, on a nested grid.

    `moved` (row, column) displaces MS, in pixels of the reduced PAN, from where the grid says. The truth is `pair.ms`.
    """
    pan, covered = pair.pan_at_ms(gain)
    origin = (ratio - 1.0) / 2.0
    lines = list(zip(covered.shape, moved))
    positions = [centres(int((n - 1 - origin) / ratio) + 1, origin + away, ratio) for n, away in lines]
    blur = [mtf_matrix(n, p, gain, ratio) for n, p in zip(covered.shape, positions)]
    known = resample(covered.float(), *blur) > 0.999
    return PairWindow(pan, covered, resample(pair.ms, *blur), known, (origin, origin), (ratio, ratio))
