"""Values as people have them, through QGIS layers: scenes at night, and dim ones of few levels."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.field import COARSE, FINE, SIDE, sharpen
from helpers.qgis import Listener
from helpers.scenes import load_image, save
from qgis.core import QgsApplication, QgsProcessingContext


def night(pair, dark):
    """Lamps over ground that counts few photons, or none where it is `dark`; 0 is a measured value."""
    rng = np.random.default_rng(5)
    truth = rng.poisson(0.7, (3, SIDE, SIDE)).astype(float)
    for row, column in rng.integers(5, SIDE - 8, (80, 2)):
        truth[:, row : row + 3, column : column + 3] += rng.uniform(100, 900, (3, 1, 1))
    if dark == "areas":
        truth[:, 40:120, 60:200] = np.minimum(truth[:, 40:120, 60:200], rng.random((SIDE, SIDE))[40:120, 60:200] > 0.97)
    elif dark == "border":
        truth[:, :1] = 0.0
    ms = truth.reshape(3, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4))
    save(pair.pan, truth.mean(0, keepdims=True), "uint16", FINE)
    save(pair.ms, ms, "uint16", COARSE)
    pair.reference = truth
    return pair


@pytest.mark.parametrize("dark", ["nowhere", "border", "areas"])
def test_zeros_at_night_are_measured_values(algorithm, pair, tmp_path, dark):
    night(pair, dark)
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert "is not declared as nodata" not in log
    lamps = pair.reference > 100
    assert fused[lamps].mean() > 0.7 * pair.reference[lamps].mean()
    assert abs(fused.mean() / pair.reference.mean() - 1) < 0.1


def test_a_dim_scene_of_few_levels_is_sharpened(algorithm, pair, tmp_path):
    for path, grid in ((pair.pan, FINE), (pair.ms, COARSE)):
        save(path, np.clip((load_image(path) - 700.0) / 150, 0, 15).round(), "uint8", grid)
    fused, log = sharpen(algorithm, pair, tmp_path / "o.tif")
    truth = np.clip((pair.reference - 700) / 150, 0, 15)
    assert "is not declared as nodata" not in log
    assert np.abs(fused - truth).mean() < 0.35 * truth.std()


def test_a_black_collar_around_a_dim_scene_is_still_reported(algorithm, pair, tmp_path):
    for path, grid in ((pair.pan, FINE), (pair.ms, COARSE)):
        values = np.clip((load_image(path) - 100.0) / 100, 1, 255).round()
        values[:, :, : values.shape[2] // 8] = 0
        save(path, values, "uint8", grid)
    _, log = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert "0 is not declared as nodata" in log


def test_assessing_a_result_at_night_leaves_no_gaps_out(algorithm, pair, tmp_path):
    night(pair, "areas")
    sharpen(algorithm, pair, tmp_path / "o.tif")
    assess = QgsApplication.processingRegistry().algorithmById("otfm:assess").create()
    parameters = {
        "PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [str(tmp_path / "o.tif")], "REPORT": str(tmp_path / "r.html")
    }  # fmt: skip
    assert assess.run(parameters, QgsProcessingContext(), Listener(), {}, False)[1]
    assert "left out as gaps" not in (tmp_path / "r.html").read_text()
