"""Shift and sharpness are read off the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.scenes import landscape, sense
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.scene import registration as alignment
from otfm_pansharpen.model.scene.detail_correlation import FIRST_TRANSFER, MAX_SHIFT, Correlation
from otfm_pansharpen.model.scene.registration import ROUGH_SHARE, measure_registration
from otfm_pansharpen.model.scene.transfer_measurement import DEFAULT_GAIN, measure_transfer


def window(ratio=4, gain=0.3, shift=(0.0, 0.0), seed=3, noise=0.0, side=320, water=0):
    reference = landscape(4, side, side, seed)
    reference[:, :, side - water :] = 300.0
    ms, pan = sense(reference, ratio, gain, shift).astype(np.float32), reference.mean(0).astype(np.float32)
    rng = np.random.default_rng(seed)
    ms = ms + noise * ms.std() * rng.standard_normal(ms.shape, dtype=np.float32)
    half = (ratio - 1) / 2
    valid = [np.ones(i.shape[-2:], bool) for i in (pan, ms)]
    return PairWindow(pan, valid[0], ms, valid[1], (half, half), (ratio, ratio))


@pytest.mark.parametrize("shift", [(0, 0), (1.5, -0.7), (-2.8, 3.0), (0.3, 0.25)])
def test_shift_is_recovered(shift):
    registration = measure_registration([window(shift=shift)])
    assert registration.reliable
    assert registration.shift == pytest.approx(shift, abs=0.1)


@pytest.mark.parametrize("ratio", [2, 4])
@pytest.mark.parametrize("gain", [0.06, 0.3, 0.5])
def test_gain_is_recovered(gain, ratio):
    registration = measure_registration([window(ratio=ratio, gain=gain)])
    assert registration.transfer.gain == pytest.approx(gain, rel=0.2)


def test_shift_off_is_not_corrected():
    registration = measure_registration([window(shift=(2.0, 0.0))], align=False)
    assert registration.shift == (0.0, 0.0)


def test_transfer_parameter_is_kept():
    transfer = TransferFunction.gaussian(0.15, 0.4)
    assert measure_registration([window()], transfer=transfer).transfer == transfer


def test_nothing_is_invented_without_evidence_in_the_scene():
    pair = window()
    noise = np.random.default_rng(0).standard_normal(pair.ms.shape, dtype=np.float32)
    registration = measure_registration(
        [PairWindow(pair.pan, pair.pan_valid, noise, pair.ms_valid, pair.origin, pair.spacing)]
    )
    assert not registration.reliable
    assert registration.shift == (0.0, 0.0)
    assert registration.transfer == TransferFunction.gaussian(DEFAULT_GAIN)


@pytest.fixture
def searches(monkeypatch):
    """Searches that a run makes: the whole shift in the middle and the reach of each."""
    asked: list[tuple[tuple[int, int], int]] = []
    real = alignment._vote_shift

    def noted(curve, transfer, around, reach):
        asked.append((around, reach))
        return real(curve, transfer, around, reach)

    monkeypatch.setattr(alignment, "_vote_shift", noted)
    return asked


@pytest.mark.parametrize("shift", [(3.4, -2.6), (-4.3, 4.4), (0.3, 0.1)])
def test_few_windows_get_a_wide_search_all_a_narrow_one(searches, shift):
    windows = [window(shift=shift, seed=seed, side=200) for seed in range(16)]
    assert measure_registration(windows).shift == pytest.approx(shift, abs=0.1)
    through, (around, reach) = searches
    assert through == ((0, 0), MAX_SHIFT)
    assert reach < MAX_SHIFT
    assert max(map(abs, around)) + reach <= MAX_SHIFT


@pytest.mark.parametrize(("few", "others", "ratio"), [((-3.5, 3.0), (2.0, 1.0), 4), ((-4.0, -4.0), (4.0, 4.0), 2)])
def test_the_few_windows_that_are_asked_first_do_not_decide(few, others, ratio):
    """All are searched if the others do not see the shift of those few, or see it at the edge of the search."""
    shifts = [few if seed % ROUGH_SHARE == 0 else others for seed in range(16)]
    windows = [window(ratio, shift=shift, seed=seed, side=50 * ratio) for seed, shift in enumerate(shifts)]
    assert measure_registration(windows).shift == pytest.approx(others, abs=0.1)


def test_all_windows_are_searched_where_most_of_the_few_are_flat(searches):
    """Three of the four lie over water."""
    windows = [window(2, shift=(1.0, -0.5), seed=seed, side=100) for seed in range(16)]
    for seed in range(0, 15, ROUGH_SHARE):
        windows[seed] = replace(
            windows[seed], ms=np.random.default_rng(seed).random(windows[seed].ms.shape, dtype=np.float32)
        )
    assert measure_registration(windows).shift == pytest.approx((1.0, -0.5), abs=0.1)
    assert searches[-1] == ((0, 0), MAX_SHIFT)


def test_gaps_do_not_mislead():
    pair = window(shift=(1.0, -1.0))
    pair.pan[:, :90] = 0
    pair.pan_valid[:, :90] = False
    pair.ms[:, 50:] = 0
    pair.ms_valid[50:] = False
    assert measure_registration([pair]).shift == pytest.approx((1.0, -1.0), abs=0.1)


def with_clouds(pair, moved, centres):
    """Bright discs of 60 PAN pixels at `centres`, which MS sees `moved` (row, column) PAN pixels away from PAN."""
    (height, width), ratio = pair.pan.shape, int(pair.spacing[0])
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    seen = []
    for dy, dx in ((0.0, 0.0), moved):
        distance = np.min([np.hypot(rows - y - dy, columns - x - dx) for y, x in centres], axis=0)
        seen.append((np.clip(60.0 - distance, 0, 1) * 9000.0).astype(np.float32))
    coarse = seen[1].reshape(height // ratio, ratio, width // ratio, ratio).mean((1, 3))
    return replace(pair, pan=pair.pan + seen[0], ms=pair.ms + coarse)


@pytest.mark.parametrize("moved", [(3.0, 0.0), (-2.0, 2.5)])
def test_clouds_that_moved_do_not_mislead(moved):
    pair = with_clouds(window(shift=(0.5, -0.4), side=640), moved, [(130, 150), (420, 500)])
    registration = measure_registration([pair])
    assert registration.shift == pytest.approx((0.5, -0.4), abs=0.1)
    assert 0.1 < registration.left_out < 0.7


def test_bright_clouds_that_moved_do_not_outvote_the_ground():
    """Half a pixel is near enough for their blocks to be kept; their contrast must not count."""
    pair = with_clouds(window(side=640), (0.45, 0.0), [(130, 150), (420, 500)])
    assert measure_registration([pair]).shift == pytest.approx((0.0, 0.0), abs=0.2)


def test_water_does_not_make_a_scene_unreliable():
    """Half the scene has no detail but noise."""
    pair = window(shift=(1.2, 0.8), side=480, water=240)
    rng = np.random.default_rng(1)
    pan, ms = (i + 15.0 * rng.standard_normal(i.shape, dtype=np.float32) for i in (pair.pan, pair.ms))
    registration = measure_registration([replace(pair, pan=pan, ms=ms)])
    assert registration.reliable
    assert registration.shift == pytest.approx((1.2, 0.8), abs=0.1)
    assert 0.2 < registration.left_out < 0.6


def test_training_measures_transfer_as_fusion_does():
    """A few strong edges are sharper than the rest of the scene."""
    crisp, soft = window(gain=0.5), window(gain=0.2, seed=4)
    pair = replace(
        soft,
        pan=np.concatenate([soft.pan, 5.0 * crisp.pan]),
        ms=np.concatenate([soft.ms, 5.0 * crisp.ms], 1),
        pan_valid=np.concatenate([soft.pan_valid, crisp.pan_valid]),
        ms_valid=np.concatenate([soft.ms_valid, crisp.ms_valid]),
    )
    transfer = measure_transfer([pair])
    assert transfer.gain == pytest.approx(0.5, rel=0.1)
    assert transfer == measure_registration([pair], align=False).transfer


def test_shift_left_uncorrected_is_not_a_distortion():
    assert measure_registration([window(shift=(1.5, -0.7))] * 3, align=False).distortion < 0.2


def test_local_shifts_show_where_the_scene_is_distorted():
    plain, bent, flat = window(), window(shift=(0.0, 1.5), seed=4), window(seed=5)
    flat = replace(flat, ms=np.random.default_rng(0).random(flat.ms.shape, dtype=np.float32))
    registration = measure_registration([plain, plain, plain, bent, flat])
    assert registration.shift == pytest.approx((0.0, 0.0), abs=0.1)
    assert registration.local[0] == pytest.approx((0.0, 0.0), abs=0.15)
    assert registration.local[3] == pytest.approx((0.0, 1.5), abs=0.25)
    assert registration.local[4] is None
    assert registration.distortion == pytest.approx(1.5, abs=0.25)
    assert measure_registration([plain]).distortion < 0.1


def test_what_lies_in_a_gap_of_pan_counts_at_no_shift():
    """Pixels next to a gap of PAN, whose blur reads into it, are left out with it."""
    pair = window()
    valid = np.ones_like(pair.pan_valid)
    rows = slice(pair.pan.shape[0] // 2 - 4, pair.pan.shape[0] // 2 + 4)
    valid[rows] = False
    wild = pair.pan.copy()
    wild[rows] = 1e5
    holed = Correlation([replace(pair, pan=wild, pan_valid=valid)])
    clean = Correlation([pair])
    for shift in (-MAX_SHIFT, 0.0, MAX_SHIFT):
        peak = np.abs(clean.pan(FIRST_TRANSFER, (shift, 0.0))).max() * float(pair.pan.std())
        assert np.abs(holed.pan(FIRST_TRANSFER, (shift, 0.0))).max() * float(wild[valid].std()) < 2.0 * peak


def test_windows_of_different_grids_are_read_by_their_own_grid():
    """Windows of one scene share their phase where the grids are nested, and differ in it where they are not."""
    pair = window()
    other = replace(pair.shifted((1.3, -0.6)), pan=pair.pan[::-1])
    finer = replace(pair, spacing=(3.98, 3.98))
    windows = [pair, pair, finer, pair, other]
    together = Correlation(windows).pan(FIRST_TRANSFER, (0.4, -1.1))
    separate = [Correlation([w]).pan(FIRST_TRANSFER, (0.4, -1.1)) for w in windows]
    assert together == pytest.approx(np.concatenate(separate), abs=1e-5)


@pytest.mark.parametrize("ratio", [2, 4])
def test_transfer_is_measured_between_scattered_clouds(ratio):
    """Small clouds touch every segment; MS sees them 1.5 of its pixels lower and one further left than PAN."""
    side, rng = 200 * ratio, np.random.default_rng(4)
    scene, rows, columns = landscape(4, side, side, 4), *np.mgrid[:side, :side].astype(np.float64)
    centres = rng.uniform(0, side, (9, 2))

    def under_clouds(pixels, down, left):
        distance = np.min([np.hypot(rows - y - down, columns - x + left) for y, x in centres], axis=0)
        share = np.clip((12.0 * ratio - distance) / (2.0 * ratio), 0.0, 1.0)
        return pixels + share * (3000.0 - pixels)

    transfer = TransferFunction(
        (1.05, 1.09, 1.16, 1.23, 1.28, 1.20, 0.95, 0.62, 0.26, 0.1), TransferFunction.gaussian(0.1).rows
    )
    pan = under_clouds(scene.mean(0), 0.0, 0.0).astype(np.float32)
    ms = sense(under_clouds(scene, 1.5 * ratio, ratio), ratio, transfer=transfer).astype(np.float32)
    valid, half = [np.ones(i.shape[-2:], bool) for i in (pan, ms)], (ratio - 1) / 2
    registration = measure_registration([PairWindow(pan, valid[0], ms, valid[1], (half, half), (ratio, ratio))])
    assert 0.1 < registration.left_out < 0.6
    for axis in ("rows", "columns"):
        assert np.abs(np.subtract(getattr(registration.transfer, axis), getattr(transfer, axis))[:9]).max() < 0.06


def test_blocks_that_are_left_out_are_masked_in_their_windows():
    """The first window is kept; of the second one a block is left out."""
    windows = [window(seed=3), window(seed=4)]
    curve = Correlation(windows)
    kept = np.ones(int(curve.blocks.max()) + 1, bool)
    kept[int(curve.blocks[curve.window_numbers == 1].min())] = False
    curve.keep_blocks(kept)
    first, second = (w.ms_valid for w in curve.mask_left_out(windows))
    assert first.all()
    (top, left), (bottom, right) = np.argwhere(~second).min(0), np.argwhere(~second).max(0)
    assert not second[top : bottom + 1, left : right + 1].any()
    assert 15 < bottom - top < 40
    assert 15 < right - left < 40
