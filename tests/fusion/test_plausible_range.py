"""Valid pixels are not clipped at the floor or at saturation where MS has none there; MS pixels keep their means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save, sense
from otfm_pansharpen.model.fusion.plausible_range import PlausibleRange
from otfm_pansharpen.model.fusion.tiles import Finish
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.raster.pixel_types import PixelEncoder

MS_GRID = (5e5, 8.0, 0.0, 4e6, 0.0, -8.0)


def held(plane, extremes, limits=(0.0, 65535.0), step=1.0):
    plausible = PlausibleRange.of([extremes], limits, step, 4.0, [0.0])
    values = torch.tensor(plane, dtype=torch.float32)[None].clone()
    plausible.hold(values, [0])
    return values[0].numpy()


def undershoot(ground):
    """Return a plain of `ground` with wells 60 below it and a rim 20 above."""
    plane = np.full((60, 60), ground)
    plane[20:40, 20:40] += 20.0
    plane[25:35, 25:35] = ground - 60.0
    return plane


def test_hold_keeps_values_above_the_floor_without_a_step():
    result = held(undershoot(40.0), (30.0, 900.0))
    assert result.min() >= 1.0
    ramp = held(np.linspace(-80.0, 120.0, 3600).reshape(60, 60), (30.0, 900.0))
    assert np.abs(np.diff(ramp[30])).max() < 2.0 * 200.0 / 3600.0 + 0.1


def test_hold_keeps_local_means():
    plane = undershoot(60.0)
    result = held(plane, (50.0, 900.0))
    assert result[10:50, 10:50].mean() == pytest.approx(plane[10:50, 10:50].mean(), abs=1.0)


def test_hold_leaves_even_dark_ground_unchanged():
    """Ground darker than anything that was sampled stays unchanged."""
    assert held(np.full((60, 60), 7.0), (30.0, 900.0)) == pytest.approx(np.full((60, 60), 7.0), abs=1e-3)


def test_hold_leaves_ground_at_the_floor_at_the_floor():
    """Ground that is 0, though no sample showed it, does not become 1."""
    ground = 0.2 * np.random.default_rng(0).standard_normal((60, 60))
    assert held(ground, (30.0, 900.0)) == pytest.approx(ground, abs=1e-3)


def test_hold_at_saturation_mirrors_the_floor():
    assert held(255.0 - undershoot(40.0), (10.0, 230.0), (0.0, 255.0)).max() <= 254.0


def test_range_of_a_band_that_reaches_the_floor_holds_nothing():
    plausible = PlausibleRange.of([(0.0, 900.0)], (0.0, 65535.0), 1.0, 4.0, [0.0])
    assert plausible.low == (0.0,)
    assert plausible.low_knee == (-math.inf,)
    assert plausible.high_knee == (math.inf,)


@pytest.fixture
def dark_roofs(tmp_path):
    """Write an 11-bit scene, dark except some bright roofs, whose MS has no pixel below 6."""
    pair = Recipe(height=240, width=240).write(tmp_path)
    rng = np.random.default_rng(4)
    reference = 14.0 + 0.004 * pair.reference + 2.0 * rng.standard_normal((1, 240, 240))
    for _ in range(60):
        top, left = rng.integers(0, 220, 2)
        roof = rng.uniform(300, 1800, (4, 1, 1))
        reference[:, top : top + rng.integers(3, 20), left : left + rng.integers(3, 20)] = roof
    save(pair.pan, reference.mean(0)[None])
    ms = np.maximum(sense(reference, 4.0, 0.35), 6.0)
    save(pair.ms, ms, transform=MS_GRID)
    return pair


def test_fuse_leaves_no_valid_pixel_at_the_floor(dark_roofs, tmp_path):
    fused, result = run(dark_roofs, tmp_path)
    assert load_image(dark_roofs.ms).min() >= 6
    assert fused.min() >= 1
    assert "result_clipped" not in [n.code for n in result.notices]


def test_fuse_keeps_the_mean_of_dark_ms_pixels(dark_roofs, tmp_path):
    """Undershoot next to roofs is not clipped away at the cost of the mean."""
    fused, _ = run(dark_roofs, tmp_path, data_type="Float32")
    means = fused.reshape(4, 60, 4, 60, 4).mean((2, 4))
    ms = load_image(dark_roofs.ms).astype(float)
    dark = ms < 30.0
    assert means[dark].mean() == pytest.approx(ms[dark].mean(), rel=0.05)


def test_fuse_tiles_are_held_as_the_whole_is(dark_roofs, tmp_path):
    whole, _ = run(dark_roofs, tmp_path, "whole.tif")
    tiled, _ = run(dark_roofs, tmp_path, "tiled.tif", tile=64)
    assert np.abs(whole.astype(int) - tiled.astype(int)).max() <= 1


def test_fuse_warns_of_many_clipped_values(dark_roofs, tmp_path):
    """MS that reaches 255 itself in a few pixels lets roofs of an 8-bit result go beyond it."""
    ms = load_image(dark_roofs.ms).astype(float)
    save(dark_roofs.ms, np.minimum(ms, 300.0), transform=MS_GRID)
    _, result = run(dark_roofs, tmp_path, data_type="Byte")
    notice = next(n for n in result.notices if n.code == "result_clipped")
    assert max(notice.numbers.values()) > 57


def test_finish_counts_clipped_values_of_valid_pixels_alone():
    tile = Window(0, 0, 8, 8)
    valid = np.ones((8, 8), bool)
    valid[:, :4] = False
    numbers = torch.full((1, 8, 8), 100.0)
    numbers[0, 0] = -50.0  # four valid pixels and four in a gap
    finish = Finish(PlausibleRange((0.0,), (-math.inf,), (255.0,), (math.inf,), 1), PixelEncoder("Byte", 0.0, 0.0))
    finish(numbers, valid, tile, tile, [0])
    assert finish.clipped == {0: 4}


def test_range_is_in_the_numbers_that_were_read():
    """A distant offset, taken off where values are read, moves the limits with them."""
    plausible = PlausibleRange.of([(30.0, 65000.0)], (0.0, 65535.0), 1.0, 4.0, [500.0])
    assert (plausible.low, plausible.low_knee) == ((-499.0,), (-470.0,))
    assert (plausible.high, plausible.high_knee) == ((65034.0,), (64500.0,))


@pytest.mark.parametrize("ratio", [1.5, 2.0, 2.5, 3.0, 4.0])
def test_neighbourhood_covers_an_ms_pixel(ratio):
    side = PlausibleRange.of([(30.0, 900.0)], (0.0, 65535.0), 1.0, ratio, [0.0]).side
    assert side % 2 == 1
    assert ratio <= side < ratio + 2.0


def test_hold_leaves_an_empty_band_unchanged():
    """The output's first band has no pixel in MS; its numbers are those of no band."""
    plausible = PlausibleRange.of([(30.0, 900.0)], (0.0, 65535.0), 1.0, 4.0, [0.0])
    values = torch.full((2, 9, 9), -50.0)
    plausible.hold(values, [-1, 0])
    assert (values[0] == -50.0).all()
    assert (values[1] >= 0.0).all()
