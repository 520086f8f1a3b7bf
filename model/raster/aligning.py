"""Alignment of an open MS with PAN: measured on windows of the pair, and corrected in whatever is read from then on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Optional, TypeVar

from ..geometry.filters import dilate
from ..geometry.grids import Placement
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from ..scene.alignment_measurement import AlignmentMeasurement, measure_alignment
from ..scene.fill_values import FillValue, without_fill
from ..scene.registration import Registration, measure_registration, measure_sharpness
from .reader import Raster
from .windows import find_shared

MAX_LOSS = 0.02  # of the correlation of details with PAN's; interpolation costs less than that
Check = Callable[[], None]
Pair = TypeVar("Pair", PairWindow, Optional[PairWindow])
Fills = tuple[Sequence[FillValue], Sequence[FillValue]]


def align_pair(
    ms: Raster,
    windows: Sequence[PairWindow],
    placement: Placement,
    registration: Registration,
    transfer: TransferFunction | None = None,
    check: Check = lambda: None,
) -> tuple[Registration, AlignmentMeasurement | None]:
    """Measure what the scene's shift leaves, and have `ms` correct it; returns the registration that then holds.

    `windows` are placed with the shift of `registration`. Where nothing has to be corrected, it stays. None where
    nothing can be measured.
    """
    if not any(w.ms_valid.any() for w in windows):
        return registration, None
    seen = measure_alignment(windows, find_shared(ms, placement), registration.transfer, check)
    ms.align(seen.alignment)
    if seen.alignment is None:
        return registration, seen if registration.reliable else None
    measure = measure_registration if seen.alignment.field or not registration.reliable else measure_sharpness
    again = measure(correct_windows(ms, windows), transfer=transfer, check=check)
    if not again.reliable or again.correlation < registration.correlation - MAX_LOSS:
        ms.align(None)
        return registration, None
    down, across = registration.shift
    local = tuple(None if s is None else (s[0] + down, s[1] + across) for s in again.local) or registration.local
    unshifted = registration.correlation_unshifted
    left_out = again.left_out or registration.left_out
    shift = registration.shift
    return replace(again, shift=shift, local=local, left_out=left_out, correlation_unshifted=unshifted), seen


def correct_windows(ms: Raster, windows: Sequence[PairWindow]) -> list[PairWindow]:
    """Read MS of the windows again as it is aligned now; what is next to pixels that they leave out is left out too."""
    if ms.alignment is None:
        return list(windows)
    corrected = []
    for window in windows:
        values, valid = ms.read_padded(window.ms_place)
        kept = ~dilate(~window.ms_valid, ms.alignment.reach)
        band_valid = valid & kept if len(valid) > 1 else None
        corrected.append(replace(window, ms=values, ms_valid=valid.all(0) & kept, band_valid=band_valid))
    return corrected


def read_without_fill(ms: Raster, read: Callable[[], Pair], fills: Fills) -> Pair:
    """Read a window, undeclared fill left out; it is recognised before MS is aligned, which mixes it with the image."""
    alignment = ms.alignment
    ms.align(None)
    try:
        window = read()
    finally:
        ms.align(alignment)
    return window and correct_windows(ms, [without_fill(window, *fills)])[0]
