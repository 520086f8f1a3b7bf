"""A rare bright object on a dark, even scene, as a ship on open sea, neither rings nor glows beyond itself."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, save, sense
from otfm_pansharpen.model.options import BUNDLED
from scipy.ndimage import binary_dilation, gaussian_filter

SIDE = 480
SHIP_VALUES = np.array([400.0, 700.0, 1600.0, 900.0])  # of the objects
SEA = np.array([200.0, 180.0, 140.0, 80.0])
OBJECTS = ((100, 120, 4, 14), (250, 300, 6, 6), (380, 150, 10, 3), (300, 80, 20, 8))  # row, column, height, width


@pytest.mark.parametrize("weights", sorted(BUNDLED))
@pytest.mark.parametrize("ratio", [2, 4])
def test_fuse_bright_object_overshoots_by_a_tenth_at_most(tmp_path, weights, ratio):
    rng = np.random.default_rng(0)
    waves = 12.0 * gaussian_filter(rng.standard_normal((SIDE, SIDE)), 2) + rng.standard_normal((SIDE, SIDE))
    reference = SEA[:, None, None] * (1.0 + waves / 200.0)
    ships = np.zeros((SIDE, SIDE), dtype=bool)
    for top, left, height, width in OBJECTS:
        ships[top : top + height, left : left + width] = True
    reference[:, ships] = SHIP_VALUES[:, None]
    reference = gaussian_filter(reference, (0, 0.5, 0.5))
    pair = Recipe(ratio=ratio).write(tmp_path)
    save(pair.pan, (reference.mean(0) + rng.standard_normal((SIDE, SIDE)))[None])
    ms = sense(reference, ratio, 0.3)
    save(pair.ms, ms + 0.7 * rng.standard_normal(ms.shape), transform=(5e5, 2.0 * ratio, 0, 4e6, 0, -2.0 * ratio))
    fused, _ = run(pair, tmp_path, weights=BUNDLED[weights])
    near, contrast = binary_dilation(ships, iterations=8), SHIP_VALUES - SEA
    assert np.all(fused[:, near].max(1) - reference[:, near].max(1) <= 0.1 * contrast)
    assert np.all(reference[:, near].min(1) - fused[:, near].min(1) <= 0.1 * contrast)
