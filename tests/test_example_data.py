"""The example data: made by their script, small, and better sharpened than interpolated."""

from __future__ import annotations

import example_data
import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Pair, load_image
from otfm_pansharpen.model.quality.indices import ergas
from scipy.ndimage import map_coordinates

FILES = example_data.FOLDER


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    return folder, example_data.make(folder)


@pytest.mark.slow
def test_the_files_are_what_the_script_makes(made):
    """Except pixels that another version of numpy or scipy rounds otherwise."""
    for name in ("pan.tif", "ms.tif"):
        ours, again = (load_image(f / name).astype(int) for f in (FILES, made[0]))
        assert ours.shape == again.shape
        assert (ours != again).mean() < 0.001
    assert sum(f.stat().st_size for f in FILES.iterdir()) < 2_000_000


def test_sharpening_halves_the_error_of_interpolation(made, tmp_path):
    truth = made[1].astype(float)
    fused, _ = run(Pair(FILES / "pan.tif", FILES / "ms.tif", truth), tmp_path)
    points = np.mgrid[: truth.shape[1], : truth.shape[2]] / example_data.RATIO  # centres of first pixels coincide
    ms = load_image(FILES / "ms.tif").astype(float)
    cubic = np.stack([map_coordinates(band, points, mode="nearest") for band in ms])
    inner = (slice(None), slice(8, -8), slice(8, -8))
    assert ergas(truth[inner], fused[inner], 2) < 0.5 * ergas(truth[inner], cubic[inner], 2)
