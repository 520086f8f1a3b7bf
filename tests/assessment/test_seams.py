"""Seams: steps beyond which the level stays another, distinguished from straight edges on the ground."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.scenes import sense
from otfm_pansharpen.model.assessment.faults import AssessedPiece, seams
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from scipy.ndimage import gaussian_filter

SIZE, RATIO = 128, 2
TRANSFER = TransferFunction.gaussian(0.5)


def parcels(seed):
    """Return (3, SIZE, SIZE) of fields, whose edges run straight through most of the scene, and textured ground."""
    rng = np.random.default_rng(seed)
    ground = 800 + 300 * np.stack([gaussian_filter(rng.standard_normal((SIZE, SIZE)), 4) for _ in range(3)])
    for _ in range(6):
        edge, axis = int(rng.integers(12, SIZE - 12)), int(rng.integers(1, 3))
        place = [slice(None)] * 3
        place[axis] = slice(edge, edge + int(rng.integers(6, 60)))
        ground[tuple(place)] *= rng.uniform(0.6, 1.5, (3, 1, 1))
    return gaussian_filter(ground, (0, 0.6, 0.6)) + rng.normal(0, 2, ground.shape)


def piece_of(reference, result):
    pan = np.tensordot([0.3, 0.3, 0.4], reference, 1)
    ms = sense(reference, RATIO, 0.5)
    valid, ms_valid = np.ones(pan.shape, bool), np.ones(ms.shape[1:], bool)
    origin = (RATIO - 1) / 2
    pair = PairWindow(pan, valid, ms, ms_valid, (origin, origin), (float(RATIO), float(RATIO)))
    return AssessedPiece(pair, result, valid)


def test_straight_edges_on_the_ground_are_not_seams():
    false = [seams([piece_of(r, r)], TRANSFER) for r in map(parcels, range(100))]
    assert sum(map(bool, false)) <= 1, [f for f in false if f]


@pytest.mark.parametrize("axis", [1, 2])
def test_seam_is_found_among_straight_edges(axis):
    found = 0
    for seed in range(20):
        reference = parcels(seed)
        seamed = reference.copy()
        seamed[(slice(None), slice(67, None)) if axis == 1 else (..., slice(67, None))] += 0.4 * reference.std()
        places = [place for place, _ in seams([piece_of(reference, seamed)], TRANSFER)]
        found += f"{'row' if axis == 1 else 'column'} 67" in places
    assert found >= 17
