"""PAN of one scene with MS of another is refused; water, clouds and noise are not taken for another scene."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.scene.scene_match import match_scenes

PAN_GRID = (5e5, 2.0, 0.0, 4e6, 0.0, -2.0)
MS_GRID = (5e5, 8.0, 0.0, 4e6, 0.0, -8.0)


@pytest.fixture
def exchanged(tmp_path):
    """PAN of one place and MS of another, on grids that fit."""
    (tmp_path / "other").mkdir()
    pair = Recipe(height=400, width=400, seed=1).write(tmp_path)
    other = Recipe(height=400, width=400, seed=2).write(tmp_path / "other")
    other.ms.replace(pair.ms)
    return pair


def test_fuse_refuses_pan_of_another_scene(exchanged, tmp_path):
    with pytest.raises(InputError) as caught:
        run(exchanged, tmp_path)
    sentence = str(caught.value)
    assert "do not show the same scene" in sentence
    assert "correlate by 0.0" in sentence
    assert "ALIGN=off" in sentence
    assert not (tmp_path / "fused.tif").exists()


def test_fuse_align_off_overrides_and_says_not_sharpened(exchanged, tmp_path):
    fused, result = run(exchanged, tmp_path, align="off")
    assert fused.shape == (4, 400, 400)
    assert not result.sharpened
    assert "not_sharpened" in [n.code for n in result.notices]


def test_fuse_takes_open_water_without_structures(tmp_path):
    """Noise proves nothing: a scene of open sea is fused, with a word that nothing could be measured."""
    rng = np.random.default_rng(0)
    pair = Recipe(height=400, width=400).write(tmp_path)
    save(pair.pan, 300.0 + 8.0 * rng.standard_normal((1, 400, 400)), transform=PAN_GRID)
    save(pair.ms, 300.0 + 8.0 * rng.standard_normal((4, 100, 100)), transform=MS_GRID)
    _, result = run(pair, tmp_path)
    assert "not_measurable" in [n.code for n in result.notices]


def test_fuse_takes_a_scene_half_under_moved_clouds(tmp_path):
    pair = Recipe(height=640, width=640).write(tmp_path)
    for path, step, move in ((pair.pan, 1, 0), (pair.ms, 4, 12)):
        values = load_image(path).astype(float)
        rows, columns = np.mgrid[: values.shape[1], : values.shape[2]] * step
        cover = np.sin((rows + move) / 37.0) * np.sin((columns - move) / 53.0) + 0.3 * np.sin((rows + columns) / 11.0)
        cloudy = np.where(cover > 0.0, 2500.0 + 900.0 * cover, values)
        save(path, cloudy, transform=PAN_GRID if step == 1 else MS_GRID)
    _, result = run(pair, tmp_path)
    assert result.sharpened


def test_fuse_takes_haze_that_leaves_a_tenth_of_the_contrast(tmp_path):
    rng = np.random.default_rng(3)
    pair = Recipe(height=400, width=400).write(tmp_path)
    for path in (pair.pan, pair.ms):
        values = load_image(path)
        hazy = 2000.0 + 0.1 * (values - values.mean()) + 20.0 * rng.standard_normal(values.shape)
        save(path, hazy, transform=PAN_GRID if path == pair.pan else MS_GRID)
    assert run(pair, tmp_path)[1].sharpened


def window_of(pan, ms, ms_valid):
    """Make a window of PAN (h, w) and MS (bands, h, w), both at MS pixels, at a ratio of 4."""
    fine, valid = (np.kron(i, np.ones((4, 4))).astype(i.dtype) for i in (pan, ms_valid))
    return PairWindow(fine, valid.astype(bool), ms, ms_valid, (1.5, 1.5), (4.0, 4.0))


def blobs(seed, count, size):
    small = np.random.default_rng(seed).normal(900.0, 90.0, (count, size // 4, size // 4))
    return small.repeat(4, 1).repeat(4, 2) + np.random.default_rng(seed + 1).normal(0.0, 9.0, (count, size, size))


def test_gaps_of_both_rasters_are_not_structures():
    """A collar with a slanting edge, of the same distant value in both."""
    pan, ms = blobs(1, 1, 80)[0], blobs(5, 3, 80)
    rows, columns = np.mgrid[:80, :80]
    valid = columns > 20 + rows // 3
    pan[~valid], ms[:, ~valid] = 9000.0, 9000.0
    assert match_scenes([window_of(pan, ms, valid)]).contradicts


@pytest.mark.parametrize(("side", "contradicts"), [(24, False), (80, True)])
def test_few_structures_do_not_prove_another_scene(side, contradicts):
    window = window_of(blobs(4, 1, side)[0], blobs(54, 1, side), np.ones((side, side), bool))
    assert match_scenes([window]).contradicts == contradicts
