"""Resampling of MS that moves bands and places."""

from __future__ import annotations

import numpy as np
import pytest
from otfm_pansharpen.model.geometry.alignment import EXTRA_NODES, Alignment
from otfm_pansharpen.model.geometry.grids import Window

SIDE = 96
EXTENT = Window(0, 0, SIDE, SIDE)


def waves(down=0.0, across=0.0):
    """Smooth image (1, SIDE, SIDE) whose content is moved, up to 0.6 of the Nyquist frequency."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    rows, columns = rows - down, columns - across
    parts = [
        np.sin(np.pi * f * (rows * np.cos(a) + columns * np.sin(a)) + a)
        for f, a in ((0.1, 0.3), (0.4, 1.2), (0.6, 2.5))
    ]
    return (100.0 + 10.0 * np.sum(parts, axis=0))[None].astype(np.float32)


def valid(*shape):
    return np.ones(shape or (1, SIDE, SIDE), dtype=bool)


def plane(down, across):
    """Coefficients of a field that changes by `down` from the top to the bottom and by `across` from left to right."""
    steps = np.linspace(-1.0, 2.0, 1 + EXTRA_NODES) - 0.5
    return tuple(np.stack(np.meshgrid(down * steps, across * steps, indexing="ij")).ravel().tolist())


@pytest.mark.parametrize("shift", [(0.3, -0.45), (1.5, 0.0), (-2.25, 3.6)])
def test_shift_of_a_band_is_undone(shift):
    """MS that has to move down by 0.3 shows its content 0.3 too high."""
    alignment = Alignment(shift[:1], shift[1:])
    inner = EXTENT.grown(-alignment.reach)
    moved, kept = alignment.correct(waves(-shift[0], -shift[1]), valid(), inner)
    expected = waves()[:, inner.top : inner.bottom, inner.left : inner.right]
    assert kept.all()
    assert np.abs(moved - expected).max() < 0.6  # of a contrast of 60


def test_field_is_undone():
    field = Alignment((0.0,), (0.0,), plane(1.0, -0.8), (1, 1), EXTENT)
    down, across = field.field_over(np.arange(SIDE) * 1.0, np.arange(SIDE) * 1.0)
    assert down[0, 0] == pytest.approx(-0.5)
    assert across[0, -1] == pytest.approx(-0.4)
    inner = EXTENT.grown(-field.reach)
    moved, _ = field.correct(waves(-down, -across), valid(), inner)
    expected = waves()[:, inner.top : inner.bottom, inner.left : inner.right]
    assert np.abs(moved - expected).max() < 0.6


@pytest.mark.promise(3)
def test_windows_have_the_bytes_of_the_whole():
    image = np.random.default_rng(1).normal(500.0, 90.0, (2, SIDE, SIDE)).astype(np.float32)
    alignment = Alignment((0.1, -0.6), (0.0, 0.3), plane(1.2, 0.7), (1, 1), EXTENT)
    reach = alignment.reach
    whole, _ = alignment.correct(image, valid(), EXTENT.grown(-reach))
    window = Window(reach + 11, reach + 23, 31, 17)
    around = window.grown(reach)
    cut = np.s_[:, around.top : around.bottom, around.left : around.right]
    part, _ = alignment.correct(image[cut], valid()[cut], window)
    assert np.array_equal(part, whole[:, 23 : 23 + 17, 11 : 11 + 31])


def test_band_in_its_place_keeps_its_bytes():
    image = np.concatenate([waves(), waves(-0.5)])
    moved, _ = Alignment((0.0, 0.5), (0.0, 0.0)).correct(image, valid(), EXTENT.grown(-5))
    assert np.array_equal(moved[0], image[0, 5:-5, 5:-5])


@pytest.mark.promise(5)
def test_gaps_move_with_their_band_and_do_not_leak():
    image, mask = np.concatenate([waves(), waves()]), valid(2, SIDE, SIDE)
    mask[:, 40:50, 30:60] = False
    image[~mask] = 1e6
    alignment = Alignment((0.0, 2.0), (0.0, 0.0))
    reach = alignment.reach
    moved, kept = alignment.correct(image, mask, EXTENT.grown(-reach))
    assert np.array_equal(kept[0], mask[0, reach:-reach, reach:-reach])
    assert np.array_equal(kept[1], mask[1, reach - 2 : -reach - 2, reach:-reach])
    assert moved[kept].max() < 140.0


@pytest.mark.parametrize(
    "parts",
    [
        {"down": (0.0,), "across": (0.0, 1.0)},
        {"down": (99.0,), "across": (0.0,)},
        {"down": (float("nan"),), "across": (0.0,)},
        {"down": (0.0,), "across": (0.0,), "field": (1.0,) * 5, "lattice": (1, 1)},
        {"down": (0.0,), "across": (0.0,), "field": (1.0,) * 32, "lattice": (1,)},
        {"down": (0.0,), "across": (0.0,), "extent": Window(0, 0, 0, 5)},
    ],
)
def test_alignment_that_cannot_be_is_refused(parts):
    with pytest.raises(ValueError, match="alignment"):
        Alignment(**parts)


@pytest.mark.promise(5)
@pytest.mark.parametrize("shift", [0.4, 0.6])
def test_pixel_is_valid_where_most_of_what_it_is_read_from_is(shift):
    mask = valid()
    mask[:, 40:50] = False
    alignment = Alignment((shift,), (0.0,))
    reach = alignment.reach
    _, kept = alignment.correct(waves(), mask, EXTENT.grown(-reach))
    moved = round(shift)
    assert np.array_equal(kept[0], mask[0, reach - moved : SIDE - reach - moved, reach:-reach])


@pytest.mark.promise(5)
def test_level_next_to_a_gap_is_kept():
    """Whatever the gap holds, and however bright the image is."""
    mask, image = valid(), np.full((1, SIDE, SIDE), 300.0, dtype=np.float32)
    mask[:, 40:50] = False
    image[~mask] = 1e6
    alignment = Alignment((0.4,), (0.3,))
    moved, kept = alignment.correct(image, mask, EXTENT.grown(-alignment.reach))
    assert np.abs(moved[kept] - 300.0).max() < 0.01
    assert (moved[~kept] == 0.0).all()
