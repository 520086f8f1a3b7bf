"""Test that PAN and MS show the same scene at all.

Two images of one place share structures of several MS pixels, even where clouds, water, haze or a residual shift change
their finest details. Noise, as over open sea, has no such structures, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.details import details, explain
from ..geometry.filters import block_means
from ..geometry.window_pair import PairWindow
from .detail_correlation import FIRST_TRANSFER
from .statistics import MIN_PIXELS

BOX = 4  # MS pixels along the side of a structure
MIN_CORRELATION = 0.3  # of structures; eleven scenes of three sensors have 0.98 and more, scenes exchanged at most 0.14
MIN_STRUCTURE = 0.5  # deviation of structures over that of details; white noise has 1 / BOX


@dataclass(frozen=True)
class SceneMatch:
    """Correlation of structures of MS with those of PAN, in [0, 1], and a flag that both exceed noise."""

    correlation: float
    structured: bool

    @property
    def contradicts(self) -> bool:
        """True where PAN and MS show different scenes."""
        return self.structured and self.correlation < MIN_CORRELATION


def match_scenes(windows: Sequence[PairWindow], check: Callable[[], None] = lambda: None) -> SceneMatch:
    """Compare structures of PAN and MS over sample windows of one scene. `check` may raise to stop."""
    fine, coarse = [], []
    for window in windows:
        check()
        pan, valid = window.pan_at_ms(FIRST_TRANSFER)
        images = np.concatenate([pan.reshape(-1, *valid.shape)[:1], window.ms]).astype(np.float64)
        fine.append(details(images, valid))
        coarse.append(details(block_means(images, BOX), block_means(valid, BOX) > 0.99))
    textures, structures = (np.concatenate(parts, axis=1) for parts in (fine, coarse))
    if structures.shape[1] < MIN_PIXELS:
        return SceneMatch(0.0, False)
    share = structures.std(1, ddof=1) / np.maximum(textures.std(1, ddof=1), 1e-30)
    structured = min(float(share[0]), float(share[1:].max())) >= MIN_STRUCTURE
    return SceneMatch(explain(structures[1:], structures[0])[1], structured)
