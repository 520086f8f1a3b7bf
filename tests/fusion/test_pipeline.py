"""The pipeline on files: what comes out, and on which grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError
from otfm_pansharpen.model.fusion import measure
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.measure import MEASURING_SHARE
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource
from scipy.ndimage import zoom


def error(fused, truth, border=8):
    inner = (slice(None), slice(border, -border), slice(border, -border))
    return float(np.sqrt(np.mean((fused.astype(float)[inner] - truth[inner]) ** 2)))


def interpolated(pair, shape):
    ms = load_image(pair.ms).astype(float)
    factors = (shape[1] / ms.shape[1], shape[2] / ms.shape[2])
    return np.stack([zoom(band, factors, order=3, grid_mode=True, mode="nearest") for band in ms])


@pytest.mark.parametrize(
    ("bands", "ratio"), [(1, 4), (3, 2), (3, 4), (4, 2), (4, 2.5), (4, 3), (4, 4), (6, 2), (6, 4), (8, 4), (8, 2.5)]
)
def test_sharper_than_interpolation_for_any_band_count_and_ratio(tmp_path, bands, ratio):
    pair = Recipe(bands=bands, ratio=ratio, height=200, width=240).write(tmp_path)
    fused, result = run(pair, tmp_path)
    assert fused.shape == (bands, 200 if ratio != 3 else 198, 240)
    assert fused.dtype == np.uint16
    assert result.metrics.ratio == pytest.approx(ratio)
    truth = pair.reference[:, : fused.shape[1]]
    assert error(fused, truth) < 0.75 * error(interpolated(pair, fused.shape), truth)


@pytest.mark.promise(3)
@pytest.mark.parametrize("type_name", ["uint16", "float32"])
def test_tiles_cannot_be_seen(tmp_path, type_name):
    pair = Recipe(height=416, width=352, dtype=type_name, scale=1 if type_name == "uint16" else 1e-4).write(tmp_path)
    whole, _ = run(pair, tmp_path, tile=4096)
    limit = 1 if type_name == "uint16" else 1e-4 * (whole.max() - whole.min())
    for tile in (128, 256, 300):
        tiled, _ = run(pair, tmp_path, tile=tile)
        assert np.abs(tiled.astype(float) - whole.astype(float)).max() <= limit


@pytest.mark.promise(1)
def test_an_extent_gives_the_same_pixels(tmp_path):
    pair = Recipe(height=240, width=320).write(tmp_path)
    whole, _ = run(pair, tmp_path)
    part, _ = run(pair, tmp_path, "part.tif", extent=(5e5 + 2 * 37, 4e6 - 2 * 150, 5e5 + 2 * 219, 4e6 - 2 * 45))
    grid = gdal.Open(str(tmp_path / "part.tif")).GetGeoTransform()
    assert grid == (5e5 + 74, 2, 0, 4e6 - 90, 0, -2)
    assert part.shape == (4, 105, 182)
    assert np.abs(part.astype(int) - whole[:, 45:150, 37:219].astype(int)).max() <= 1


@pytest.mark.promise(4)
def test_same_input_same_bytes(tmp_path):
    pair = Recipe().write(tmp_path)
    run(pair, tmp_path, "a.tif")
    run(pair, tmp_path, "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_the_order_of_the_bands_changes_nothing(tmp_path):
    pair = Recipe(bands=6).write(tmp_path)
    plain, _ = run(pair, tmp_path)
    order = (4, 1, 6, 3, 2, 5)
    mixed = fuse(replace(job(pair, tmp_path / "m.tif"), ms=RasterSource(str(pair.ms), bands=order)))
    assert np.abs(load_image(mixed.output).astype(int) - plain[[b - 1 for b in order]].astype(int)).max() <= 1


def test_shift_is_corrected(tmp_path):
    pair = Recipe(height=320, width=320, shift=(1.6, -1.2)).write(tmp_path)
    with_it, result = run(pair, tmp_path)
    without, _ = run(pair, tmp_path, align="off")
    assert result.metrics.shift == pytest.approx((1.6, -1.2), abs=0.1)
    straight = Recipe(height=320, width=320).write(tmp_path)
    ideal, _ = run(straight, tmp_path)
    assert (
        error(with_it, pair.reference) < 1.15 * error(ideal, straight.reference) < 0.8 * error(without, pair.reference)
    )


def test_negative_values_that_the_sample_misses_stay(tmp_path):
    """Reflectances a little below zero, in a corner between the windows from which statistics are measured."""
    reference = np.tile(Recipe(bands=1, height=256, width=256).write(tmp_path).reference, (1, 8, 8)) / 1e4
    reference[:, 360:420, 360:420] -= reference[:, 360:420, 360:420].max() + 0.02
    ms = reference.reshape(1, 1024, 2, 1024, 2).mean((2, 4))
    save(tmp_path / "pan.tif", reference, "float32", (5e5, 2, 0, 4e6, 0, -2))
    save(tmp_path / "ms.tif", ms, "float32", (5e5, 4, 0, 4e6, 0, -4))
    fuse(
        FusionJob(RasterSource(str(tmp_path / "pan.tif")), RasterSource(str(tmp_path / "ms.tif")), tmp_path / "o.tif",
                  FusionOptions(precision="fp32", device="cpu"), extent=(5e5, 4e6 - 1024, 5e5 + 1024, 4e6))
    )  # fmt: skip
    assert load_image(tmp_path / "o.tif")[0, 370:410, 370:410].max() < -0.01


@pytest.mark.promise(9)
def test_cancel_works_while_ms_is_scanned(tmp_path, monkeypatch):
    pair = Recipe(ratio=2.0, height=512, width=512, dtype="int16").write(tmp_path)
    read: list[Window] = []
    real = Raster.read

    def noted(self, window):
        read.append(window)
        return real(self, window)

    monkeypatch.setattr(Raster, "read", noted)
    monkeypatch.setattr(measure, "SCAN_SIDE", 16)
    pieces = Window(0, 0, 256, 256).split(16)
    with pytest.raises(CancelledError):
        fuse(job(pair, tmp_path / "o.tif"), Progress(cancelled=lambda: len(set(read) & set(pieces)) == 5))
    assert read[-1] == pieces[4]
    assert temporaries(tmp_path) == []


def test_progress_moves_while_ms_is_scanned(tmp_path, monkeypatch):
    pair = Recipe(ratio=2.0, height=512, width=512, dtype="int16").write(tmp_path)
    monkeypatch.setattr(measure, "SCAN_SIDE", 64)
    shares: list[float] = []
    fuse(job(pair, tmp_path / "o.tif"), Progress(report=shares.append))
    assert shares == sorted(shares)
    assert sum(share <= MEASURING_SHARE for share in shares) >= len(Window(0, 0, 256, 256).split(64))


def test_a_pan_that_is_all_noise_does_not_blow_up_the_colours(tmp_path):
    pair = Recipe(ratio=8.0, height=240, width=240).write(tmp_path)
    noise = 1000.0 + 30.0 * np.random.default_rng(0).standard_normal((1, 240, 240))
    save(pair.pan, noise, transform=(5e5, 2, 0, 4e6, 0, -2))
    fused, result = run(pair, tmp_path)
    spread = pair.reference.std((1, 2))
    assert (np.abs(fused.mean((1, 2)) - pair.reference.mean((1, 2))) < 0.05 * spread).all()
    assert (fused.std((1, 2)) < 1.05 * spread).all()
    assert "not_sharpened" in [n.code for n in result.notices]


def test_ms_on_a_larger_area_and_off_the_grid(tmp_path):
    """The output has PAN's pixels where MS exists, also when MS starts elsewhere and does not nest."""
    pair = Recipe(height=240, width=240).write(tmp_path)
    ms = load_image(pair.ms)[:, 5:, 3:]
    save(pair.ms, ms, transform=(5e5 + 8 * 3, 8, 0, 4e6 - 8 * 5, 0, -8))
    fused, _ = run(pair, tmp_path)
    assert gdal.Open(str(tmp_path / "fused.tif")).GetGeoTransform() == (5e5 + 24, 2, 0, 4e6 - 40, 0, -2)
    assert fused.shape == (4, 220, 228)
    assert error(fused, pair.reference[:, 20:, 12:]) < 0.75 * error(
        interpolated(pair, pair.reference.shape), pair.reference
    )


def test_another_reference_system_is_reprojected(tmp_path):
    pair = Recipe(height=240, width=240).write(tmp_path)
    straight, _ = run(pair, tmp_path)
    gdal.Warp(str(tmp_path / "other.tif"), str(pair.ms), dstSRS="EPSG:32632", resampleAlg="cubic", dstNodata=0)
    lines: list[str] = []
    moved = replace(job(pair, tmp_path / "moved.tif"), ms=RasterSource(str(tmp_path / "other.tif")))
    fuse(moved, Progress(log=lines.append))
    assert any("reprojected" in line for line in lines)
    assert not any("0 in every band" in line for line in lines)
    result = gdal.Open(str(tmp_path / "moved.tif"))
    left = round((result.GetGeoTransform()[0] - 5e5) / 2)
    top = round((4e6 - result.GetGeoTransform()[3]) / 2)
    fused = result.ReadAsArray()
    there = straight[:, top : top + fused.shape[1], left : left + fused.shape[2]]
    inner = (slice(None), slice(60, -60), slice(60, -60))
    difference = np.abs(fused[inner].astype(float) - there[inner])
    assert np.median(difference) < 0.05 * straight.std()


@pytest.mark.slow
@pytest.mark.promise(1)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bands=st.integers(1, 9),
    ratio=st.sampled_from([1.5, 2, 2.5, 3, 4, 5]),
    height=st.integers(60, 130),
    width=st.integers(60, 130),
    type_name=st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"]),
    tile=st.sampled_from([64, 128]),
    seed=st.integers(0, 5),
)
@example(bands=1, ratio=2.5, height=60, width=60, type_name="uint8", tile=64, seed=0)
def test_any_pair_gives_pans_grid_and_mss_type(tmp_path, bands, ratio, height, width, type_name, tile, seed):
    scale = {"uint8": 0.08, "float32": 1e-4}.get(type_name, 1.0)
    pair = Recipe(bands, ratio, height, width, type_name, seed=seed, scale=scale).write(tmp_path)
    fused, result = run(pair, tmp_path, tile=tile)
    cover = [int(n / ratio) * ratio for n in (height, width)]
    assert fused.shape == (bands, *(int(np.floor(c + 0.5)) for c in cover))
    assert fused.dtype == np.dtype(type_name)
    assert np.isfinite(fused).all()
    assert result.metrics.ratio == pytest.approx(ratio)
    assert error(fused, pair.reference[:, : fused.shape[1], : fused.shape[2]]) < pair.reference.std()
