"""The one PAN by which a pair with several guides is registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..geometry.filters import block_means
from ..geometry.window_pair import PairWindow
from .detail_correlation import FIRST_TRANSFER
from .scene_match import BOX
from .statistics import measure_guides


def lead_windows(windows: Sequence[PairWindow]) -> list[PairWindow]:
    """Replace guides of the windows by the combination of them that follows a band best; one PAN stays unchanged.

    Structures of BOX MS pixels decide, so a shift that is not yet known does not matter.
    """
    if all(w.pan.ndim == 2 for w in windows):
        return list(windows)
    samples = [(w.ms, *w.pan_at_ms(FIRST_TRANSFER)) for w in windows]
    coarse = [(block_means(m, BOX), block_means(g, BOX), block_means(v, BOX) > 0.99) for m, g, v in samples]
    guides = measure_guides(coarse)
    return [replace(w, guides=guides).led for w in windows]
