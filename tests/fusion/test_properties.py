"""Properties that hold for any window, mask and type."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.pixel_types import NUMPY_TYPES, PixelEncoder, value_limits
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource

IN_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(IN_FOLDER, max_examples=300)
@given(left=st.integers(-30, 40), top=st.integers(-30, 40), width=st.integers(1, 60), height=st.integers(1, 60))
def test_a_window_beyond_the_raster_repeats_its_edge(tmp_path, left, top, width, height):
    whole = np.arange(2 * 23 * 31).reshape(2, 23, 31)
    path = tmp_path / "image.tif"
    if not path.exists():
        save(path, whole, nodata=100)
    with gdal_exceptions(), Raster(RasterSource(str(path)), "MS") as raster:
        values, valid = raster.read_padded(Window(left, top, width, height))
    rows, columns = np.clip(np.arange(top, top + height), 0, 22), np.clip(np.arange(left, left + width), 0, 30)
    expected = whole[:, rows][:, :, columns]
    valid = np.broadcast_to(valid, expected.shape)
    assert np.array_equal(valid, expected != 100)
    assert np.array_equal(values[valid], expected[valid])


@pytest.mark.promise(5)
@settings(IN_FOLDER, max_examples=25)
@given(
    ratio=st.sampled_from([2, 3, 4]),
    share=st.floats(0.0, 0.5),
    pan_share=st.floats(0.0, 0.5),
    tile=st.sampled_from([64, 1024]),
    seed=st.integers(0, 1000),
)
def test_gaps_are_those_of_either_raster_and_no_others(tmp_path, ratio, share, pan_share, tile, seed):
    rng = np.random.default_rng(seed)
    pair = Recipe(2, ratio, 24 * ratio, 30 * ratio, seed=seed % 5).write(tmp_path)
    gaps = (rng.random((2, 2, 3)) < rng.choice([0.0, share], (2, 1, 1))).repeat(12, 1).repeat(10, 2)
    gaps |= rng.random(gaps.shape) < 0.01
    gaps[:, :12, :10] = False  # enough is left to measure statistics
    pan_gaps = (rng.random((1, 2, 3)) < rng.choice([0.0, pan_share])).repeat(12 * ratio, 1).repeat(10 * ratio, 2)
    pan_gaps[:, : 12 * ratio, : 10 * ratio] = False
    ms, pan = np.where(gaps, 7, load_image(pair.ms)), np.where(pan_gaps, 5, load_image(pair.pan))
    pixel = 2.0 * ratio
    save(pair.ms, ms, transform=(5e5, pixel, 0, 4e6, 0, -pixel), nodata=7)
    save(pair.pan, pan, transform=(5e5, 2, 0, 4e6, 0, -2), nodata=5)
    fused, _ = run(pair, tmp_path, tile=tile)
    expected = pan_gaps | gaps.repeat(ratio, 1).repeat(ratio, 2)
    assert np.array_equal(fused == 7, expected)


@pytest.mark.promise(6)
@settings(max_examples=500)
@given(
    type_name=st.sampled_from(sorted(set(NUMPY_TYPES) - {"Int8", "Float16"})),
    values=st.lists(st.floats(-(2.0**40), 2.0**40, width=32), min_size=1, max_size=20),
    nodata=st.sampled_from([None, 0, 7, 255]),
    seed=st.integers(0, 99),
)
def test_values_are_the_nearest_of_the_type_and_never_nodata(type_name, values, nodata, seed):
    array = np.array(values, dtype=np.float32)[None, None]
    valid = np.random.default_rng(seed).random(array.shape[1:]) < 0.7
    encoder = PixelEncoder(type_name, None if nodata is None else float(nodata), None)
    encoded = encoder.encode(array.copy(), valid, range(len(array)))
    low, high = value_limits(type_name)
    nearest = np.clip(array.astype(np.float64), low, high)
    assert encoded.dtype == NUMPY_TYPES[type_name]
    if nodata is not None:
        assert (encoded[:, ~valid] == nodata).all()
        assert (encoded[:, valid] != nodata).all()
    counted = valid if nodata is not None else np.ones_like(valid)
    error = np.abs(encoded.astype(np.float64) - nearest)[:, counted]
    step = 0.5 + (1.0 if nodata is not None else 0.0) if NUMPY_TYPES[type_name].kind != "f" else 1e-30
    assert (error <= step).all()


def test_limits_are_those_of_the_type():
    assert value_limits("Byte") == (0, 255)
    assert value_limits("Int16") == (-32768, 32767)
    assert value_limits("Float32")[1] == pytest.approx(3.4e38, rel=1e-2)
