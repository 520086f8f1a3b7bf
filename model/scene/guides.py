"""Guides of a scene: the one PAN that it is registered by, and the weights that make the PAN of each band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..geometry.filters import block_means
from ..geometry.guides import measure_guides
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .detail_correlation import FIRST_TRANSFER
from .registration import Shift
from .scene_match import BOX


def lead_windows(windows: Sequence[PairWindow]) -> list[PairWindow]:
    """Replace guides of the windows by the combination of them that follows a band best; one PAN stays unchanged.

    Structures of BOX MS pixels decide, so a shift that is not yet known does not matter.
    """
    if not _has_guides(windows):
        return list(windows)
    samples = [(w.ms, *w.pan_at_ms(FIRST_TRANSFER)) for w in windows]
    coarse = [(block_means(m, BOX), block_means(g, BOX), block_means(v, BOX) > 0.99) for m, g, v in samples]
    guides = measure_guides(coarse)
    return [replace(w, guides=guides).led for w in windows]


def add_guides(
    windows: Sequence[PairWindow], transfer: TransferFunction, shift: Shift = (0.0, 0.0), bad: Sequence[int] = ()
) -> list[PairWindow]:
    """Add the weights of the guides to windows of a scene; one PAN stays unchanged.

    `shift` is that of the windows, and `bad` are bands that get no PAN.
    """
    if not _has_guides(windows):
        return list(windows)
    guides = measure_guides([(w.ms, *w.shifted(shift).pan_at_ms(transfer)) for w in windows]).without(bad)
    return [replace(w, guides=guides) for w in windows]


def _has_guides(windows: Sequence[PairWindow]) -> bool:
    return any(w.pan.ndim > 2 for w in windows)
