"""Displacement of bands and places, and what is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.scenes import landscape
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.scene.alignment_measurement import measure_alignment
from scipy.ndimage import gaussian_filter, map_coordinates

RATIO, SIDE = 4, 640
SMALL = SIDE // RATIO


def scene(moves, contrast=(1.0, 0.8, 1.1, -0.7), noise=(0.0, 0.0, 0.0, 0.0)):
    """Return a window whose bands are PAN with some contrast, moved by fields (2, SMALL, SMALL) in PAN pixels."""
    pan = landscape(1, SIDE, SIDE, 5)[0]
    centres = (RATIO - 1) / 2 + RATIO * np.arange(SMALL)
    places = np.stack(np.meshgrid(centres, centres, indexing="ij"))
    rng, blurred = np.random.default_rng(2), gaussian_filter(pan, 1.9)
    ms = [
        c * map_coordinates(blurred, places + m, order=3, mode="nearest")
        + (n * blurred.std() * rng.standard_normal((SMALL, SMALL)))
        for m, c, n in zip(moves, contrast, noise)
    ]
    valid = np.ones((SIDE, SIDE), bool), np.ones((SMALL, SMALL), bool)
    images = pan.astype(np.float32), np.stack(ms).astype(np.float32)
    return PairWindow(images[0], valid[0], images[1], valid[1], (1.5, 1.5), (4.0, 4.0))


def measure(pair):
    return measure_alignment([pair], Window(0, 0, SMALL, SMALL), TransferFunction.gaussian(0.3))


def fixed(*moves):
    return [np.array(m)[:, None, None] + np.zeros((2, SMALL, SMALL)) for m in moves]


def test_bands_of_any_contrast_are_measured():
    moves = ((0.8, 0.0), (-0.8, 0.3), (0.0, 0.0), (1.5, -1.0))
    seen = measure(scene(fixed(*moves)))
    assert np.array(seen.bands) == pytest.approx(np.array(moves), abs=0.05)
    assert seen.residue < 0.05
    assert seen.variation == 0.0


def test_band_of_noise_is_placed_with_the_others():
    seen = measure(scene(fixed(*((0.6, 0.4),) * 3, (0.0, 0.0)), contrast=(1.0, 1.0, 1.0, 0.0), noise=(0, 0, 0, 1.0)))
    assert np.array(seen.alignment.down) * RATIO == pytest.approx(0.6, abs=0.05)
    assert np.array(seen.alignment.across) * RATIO == pytest.approx(0.4, abs=0.05)


def test_field_is_followed_on_top_of_bands():
    rows, columns = np.mgrid[:SMALL, :SMALL] / SMALL
    wave = np.stack([2.0 * np.sin(5.0 * rows + columns), 1.5 * np.cos(4.0 * columns)])
    moves = [m + wave for m in fixed((0.0, 0.0), (0.7, 0.0), (0.0, -0.5), (0.0, 0.0))]
    seen = measure(scene(moves))
    field = seen.alignment.field_over(np.arange(SMALL) * 1.0, np.arange(SMALL) * 1.0) * RATIO
    away = [
        np.hypot(*(field + np.array([d, a])[:, None, None] * RATIO - m))
        for d, a, m in zip(seen.alignment.down, seen.alignment.across, moves)
    ]
    assert np.median(away) < 0.15
    assert np.quantile(np.hypot(*seen.after), 0.9) < 0.4 < np.quantile(np.hypot(*seen.before), 0.9)


def test_clouds_that_move_apart_are_no_field():
    """Each band sees clouds at another place, as they are high above the ground."""
    rows, columns = np.mgrid[:SMALL, :SMALL] / SMALL
    cloud = ((rows - 0.5) ** 2 + (columns - 0.4) ** 2 < 0.06)[None]
    moves = [cloud * np.array([2.0 * k, 0.0])[:, None, None] for k in (-1.0, 0.4, 1.0, -0.3)]
    seen = measure(scene(moves))
    assert seen.variation == 0.0
    assert np.abs(np.array(seen.alignment.down if seen.alignment else [0.0])).max() * RATIO < 0.1


def test_field_is_followed_past_a_band_that_does_not():
    rows, columns = np.mgrid[:SMALL, :SMALL] / SMALL
    wave = np.stack([2.0 * np.sin(3.0 * rows), 1.5 * columns])
    own = np.stack([1.5 * np.cos(40.0 * columns), 1.5 * np.sin(45.0 * rows)])
    seen = measure(scene([wave, wave, wave, wave + own]))
    assert seen.variation > 1.5
    assert np.quantile(np.hypot(*seen.after), 0.9) < 0.5 < np.quantile(np.hypot(*seen.before), 0.9)


def test_band_is_not_moved_where_most_see_moving_clouds():
    """Nor are the others moved along with it."""
    rng = np.random.default_rng(4)
    clouds = rng.uniform(-2.5, 2.5, (3, 2, 10, 10)).repeat(SMALL // 10, 2).repeat(SMALL // 10, 3)
    seen = measure(scene([*clouds, *fixed((1.75, -0.7))]))
    assert [np.hypot(*band) for band in seen.bands[:3]] == pytest.approx([0.0] * 3, abs=0.05)
    assert seen.alignment is None or max(map(abs, seen.alignment.down[:3])) * RATIO < 0.05


def test_scene_without_detail_is_left_alone():
    pair = scene(fixed(*((0.0, 0.0),) * 4), contrast=(0.0,) * 4)
    assert measure(pair).alignment is None
