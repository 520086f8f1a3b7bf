"""A scene is measured once, as long as its files stay unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.fusion import measure as measuring


@pytest.fixture
def measured(monkeypatch):
    """Return a list with one entry for each time that a scene is measured."""
    times, real = [], measuring.measure

    def counted(*arguments):
        times.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(measuring, "measure", counted)
    return times


def change_sidecar(path, change):
    """Change what the sidecar of a raster says of its first band."""
    dataset = gdal.Open(str(path))
    change(dataset.GetRasterBand(1))
    dataset.FlushCache()


def test_cached_measurement_serves_other_extents_unchanged(tmp_path, measured):
    pair = Recipe(shift=(0.0, 1.0)).write(tmp_path)
    part, _ = run(pair, tmp_path, "part.tif", extent=(5e5, 4e6 - 200, 5e5 + 200, 4e6))
    change_sidecar(pair.ms, lambda band: band.ComputeStatistics(False))  # as QGIS does
    assert pair.ms.with_name("ms.tif.aux.xml").exists()
    whole, result = run(pair, tmp_path, "whole.tif")
    assert len(measured) == 1
    assert result.metrics.shift == pytest.approx((0.0, 1.0), abs=0.1)
    assert np.array_equal(part, whole[:, :100, :100])
    measuring._CACHE.clear()
    again, _ = run(pair, tmp_path, "again.tif")
    assert np.array_equal(again, whole)


def test_scene_is_measured_again_after_a_file_or_option_changed(tmp_path, measured):
    pair = Recipe().write(tmp_path)
    run(pair, tmp_path)
    run(pair, tmp_path, align="off")
    assert len(measured) == 2
    save(pair.ms, load_image(pair.ms) * 1.5, transform=(5e5, 8, 0, 4e6, 0, -8))
    fused, _ = run(pair, tmp_path)
    assert len(measured) == 3
    change_sidecar(pair.ms, lambda band: band.SetNoDataValue(700))
    run(pair, tmp_path)
    assert len(measured) == 4
    assert fused.mean() == pytest.approx(1.5 * pair.reference.mean(), rel=0.02)


@pytest.mark.promise(4)
def test_scene_of_sources_other_than_files_is_never_cached(tmp_path, measured):
    """As a mosaic on disk of rasters in a store: that one has changed, no file tells."""
    pair = Recipe().write(tmp_path)
    hidden, mosaic = "/vsimem/behind.tif", tmp_path / "mosaic.vrt"
    gdal.Translate(hidden, str(pair.ms))
    gdal.Translate(str(mosaic), hidden, format="VRT")
    pair = replace(pair, ms=mosaic)
    run(pair, tmp_path)
    changed = gdal.Open(hidden, gdal.GA_Update)
    changed.WriteArray(changed.ReadAsArray() // 2)
    del changed
    run(pair, tmp_path)
    assert len(measured) == 2
    gdal.Unlink(hidden)


def test_a_band_without_pixels_stays_empty_the_second_time(tmp_path, measured):
    pair = Recipe(nodata=0).write(tmp_path)
    ms = load_image(pair.ms)
    ms[1] = 0
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8), nodata=0)
    first, _ = run(pair, tmp_path)
    second, _ = run(pair, tmp_path)
    assert len(measured) == 1
    assert np.array_equal(first, second)
    assert (second[1] == 0).all()
    assert (second[0] > 0).all()


def test_a_scene_with_undeclared_fill_is_measured_each_time(tmp_path, measured):
    """How much fill is too much depends on the extent."""
    pair = Recipe().write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :, :14] = 0
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8))
    for _ in range(2):
        _, result = run(pair, tmp_path)
        assert "undeclared_nodata" in [n.code for n in result.notices]
    assert len(measured) == 2
