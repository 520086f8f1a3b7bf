"""Placing MS on PAN's grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.geometry.grids import Grid, Window, register

PAN = Grid(400, 300, (1000.0, 15.0, 0.0, 5000.0, 0.0, -15.0))


def shifted(grid, dx, dy):
    t = grid.transform
    return Grid(grid.width, grid.height, (t[0] + dx, t[1], t[2], t[3] + dy, t[4], t[5]))


def coarse(ratio, width=200, height=150, dx=0.0, dy=0.0):
    return Grid(width, height, (1000.0 + dx, 15.0 * ratio, 0.0, 5000.0 + dy, 0.0, -15.0 * ratio))


@pytest.mark.promise(1)
def test_nested_grid():
    placement = register(PAN, coarse(2))
    assert placement.origin == (0.5, 0.5)
    assert placement.spacing == (2, 2)
    assert placement.overlap == Window(0, 0, 400, 300)


def test_landsat_grid_is_half_a_pixel_from_nesting():
    placement = register(PAN, coarse(2, dx=-7.5, dy=7.5))
    assert placement.origin == (0.0, 0.0)
    assert placement.overlap == Window(0, 0, 400, 300)


@pytest.mark.promise(1)
def test_fractional_ratio_and_smaller_ms():
    placement = register(PAN, coarse(2.5, width=40, height=20, dx=150, dy=-75))
    assert placement.ratio == pytest.approx(2.5)
    assert placement.overlap == Window(10, 5, 100, 50)


@pytest.mark.promise(1)
def test_both_south_up():
    pan = Grid(400, 300, (1000.0, 15.0, 0.0, 500.0, 0.0, 15.0))
    ms = Grid(200, 150, (1000.0, 30.0, 0.0, 500.0, 0.0, 30.0))
    assert register(pan, ms).overlap == Window(0, 0, 400, 300)


def test_both_rotated_by_the_same_angle():
    c, s = math.cos(0.3), math.sin(0.3)
    pan = Grid(400, 300, (0.0, 2 * c, 2 * s, 0.0, 2 * s, -2 * c))
    ms = Grid(100, 75, (0.0, 8 * c, 8 * s, 0.0, 8 * s, -8 * c))
    assert register(pan, ms).origin == pytest.approx((1.5, 1.5))


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (Grid(800, 600, (1000.0, 7.5, 0.0, 5000.0, 0.0, -7.5)), ["swapped", "15", "7.5"]),
        (coarse(1.2), ["1.2", "1.5"]),
        (coarse(40), ["40", "16"]),
        (coarse(2, dx=1e6), ["do not overlap", "1000", "1001000"]),
        (Grid(200, 150, (1000.0, 30.0, 3.0, 5000.0, 3.0, -30.0)), ["rotated", "warpreproject"]),
        (Grid(200, 150, (1000.0, 30.0, 0.0, 5000.0, 0.0, -75.0)), ["2.000 across", "5.000 down"]),
        (Grid(200, 150, (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)), ["MS has no georeference"]),
    ],
)
def test_refusals_name_the_numbers(ms, words):
    with pytest.raises(InputError) as caught:
        register(PAN, ms)
    assert all(word in str(caught.value) for word in words), caught.value


def test_no_georeference_on_both_means_the_same_area():
    plain = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    assert register(Grid(400, 300, plain), Grid(100, 75, plain)).origin == (1.5, 1.5)


eighths = st.integers(-320, 320).map(lambda n: n / 8)


@settings(max_examples=200, deadline=None)
@given(st.integers(12, 64).map(lambda n: n / 8), eighths, eighths, st.integers(5, 60), st.integers(5, 60))
def test_output_pixels_are_exactly_those_whose_centres_lie_in_ms(ratio, dx, dy, width, height):
    left, top = dx, -dy
    columns = [c for c in range(PAN.width) if left <= c + 0.5 <= left + ratio * width]
    rows = [r for r in range(PAN.height) if top <= r + 0.5 <= top + ratio * height]
    ms = coarse(ratio, width, height, dx * 15, dy * 15)
    if columns and rows:
        assert register(PAN, ms).overlap == Window(columns[0], rows[0], len(columns), len(rows))
    else:
        with pytest.raises(InputError, match="do not overlap"):
            register(PAN, ms)


@pytest.mark.promise(1)
def test_cropping_keeps_the_pixels():
    part = PAN.cropped(Window(10, 20, 30, 40))
    assert part.transform == (1150.0, 15.0, 0.0, 4700.0, 0.0, -15.0)
    assert PAN.cropped(Window(0, 0, 30, 40)).transform is PAN.transform
    assert PAN.covering((1150.0, 4100.0, 1600.0, 4700.0)) == Window(10, 20, 30, 40)
    assert shifted(PAN, 15, 0).covering((1150.0, 4100.0, 1600.0, 4700.0)) == Window(9, 20, 30, 40)


@pytest.mark.filterwarnings("error")  # numpy would warn on stderr
@pytest.mark.parametrize("step", [1e300, 1e-310, math.inf, math.nan, 0.0])
def test_pixels_of_damaged_headers_have_no_size(step):
    grid = Grid(100, 80, (0.0, step, 0.0, 80.0, 0.0, -step))
    with pytest.raises(InputError, match="no size that makes sense"):
        grid.covering((0.0, 0.0, 10.0, 10.0))


@pytest.mark.promise(1)
@pytest.mark.parametrize("side", [0, 1, 2, 3])
def test_extent_covers_pixels_whose_centres_it_holds(side):
    grid = Grid(100, 80, (0.0, 1.0, 0.0, 80.0, 0.0, -1.0))
    beyond = np.array([20.46, 30.46, 60.54, 70.54])  # each by 0.04 beyond a centre
    assert grid.covering((beyond[0], beyond[1], beyond[2], beyond[3])) == Window(20, 9, 41, 41)
    short = beyond.copy()
    short[side] += 0.08 if side < 2 else -0.08
    window = grid.covering((short[0], short[1], short[2], short[3]))
    assert (window.width, window.height) == ((40, 41) if side in (0, 2) else (41, 40))


@pytest.mark.parametrize("ratio", [1.5, 16.0])
@pytest.mark.parametrize("pixel", [1 / 21600, 1 / 3600 / 7, 0.1 / 3, 8.983152841195215e-06])
def test_ratios_at_the_limits_are_fused_in_degrees(ratio, pixel):
    """Pixels in degrees have no round size, and text with twelve digits rounds once more."""
    for digits in (12, 17):
        fine, coarse = (float(f"{size:.{digits}g}") for size in (pixel, pixel * ratio))
        pan = Grid(480, 480, (12.3, fine, 0.0, 45.6, 0.0, -fine))
        ms = Grid(round(480 / ratio), round(480 / ratio), (12.3, coarse, 0.0, 45.6, 0.0, -coarse))
        assert register(pan, ms).ratio == pytest.approx(ratio)


@pytest.mark.parametrize("ratio", [1.499, 16.001])
def test_a_refused_ratio_is_shown_outside_the_limits(ratio):
    pan, ms = Grid(480, 480, (0, 1e-5, 0, 45, 0, -1e-5)), Grid(30, 30, (0, ratio * 1e-5, 0, 45, 0, -ratio * 1e-5))
    with pytest.raises(InputError, match=rf"The ratio of the pixel sizes is {ratio:.3f}, but only 1\.5 to 16"):
        register(pan, ms)


def test_pixels_twice_as_wide_as_high_are_fused_in_degrees():
    step = 1 / 21600
    pan, ms = Grid(99, 99, (0, step, 0, 60, 0, -step)), Grid(33, 16, (0, 3 * step, 0, 60, 0, -6.0000000001 * step))
    assert register(pan, ms).spacing == pytest.approx((6.0, 3.0))
