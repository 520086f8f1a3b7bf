"""Simulated sensors: consistent pairs, every knob with the effect that its name promises."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from helpers.scenes import landscape
from helpers.training import CALM
from otfm_pansharpen.model.errors import TrainingError
from otfm_pansharpen.model.geometry.filters import estimate_noise, high_pass
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.flow_network import NetworkConfig
from otfm_pansharpen.model.scene.statistics import USUAL_TRANSFER
from otfm_pansharpen.model.scene.transfer_measurement import DEFAULT_GAIN
from otfm_pansharpen.model.training import sensor_effects
from otfm_pansharpen.model.training.batches import ExampleBuffer
from otfm_pansharpen.model.training.dataset import Source
from otfm_pansharpen.model.training.simulation import simulate
from otfm_pansharpen.model.training.simulation_config import SimulationConfig

NETWORK = NetworkConfig()


@pytest.fixture(scope="module")
def sources():
    ms = torch.tensor(landscape(5, 160, 160), dtype=torch.float32)
    return [Source("pair", "a", ms, ms.mean(0)), Source("ms", "b", ms.flip(1))]


def one(source, seed, **changes):
    config = replace(CALM, **changes)
    return simulate(source, config, NETWORK, np.random.default_rng(seed))


def test_it_repeats_and_varies(sources):
    assert torch.equal(one(sources[0], 5).lms, one(sources[0], 5).lms)
    assert not torch.equal(one(sources[0], 5).lms, one(sources[0], 6).lms)


@pytest.mark.parametrize(("noise", "limit"), [(0.0, 0.02), (0.08, 0.07)])
@pytest.mark.parametrize("seed", range(30))
def test_pairs_are_consistent(sources, seed, noise, limit):
    """The target degraded by the maps is MS, except noise and quantisation."""
    config = SimulationConfig(crop=64, noise=noise)
    example = simulate(sources[seed % 2], config, NETWORK, np.random.default_rng(seed))
    degraded = example.rows @ example.target @ example.columns.transpose(1, 2)
    assert all(torch.isfinite(v).all() for v in vars(example).values())
    if example.valid.all():
        assert (degraded - example.ms).abs().mean() < limit
    assert example.lms.shape == (4, 64, 64)
    assert example.guides.shape == (9, 64, 64)
    assert example.depth.shape == (8,)


@pytest.mark.parametrize("seed", range(5))
def test_a_calm_sensor_is_exact(sources, seed):
    example = one(sources[0], seed)
    degraded = example.rows @ example.target @ example.columns.transpose(1, 2)
    assert torch.allclose(degraded, example.ms, atol=1e-4)
    assert example.valid.all()
    assert example.corrupt == 0


@pytest.mark.parametrize("seed", range(8))
def test_a_pan_per_band_differs_between_bands_and_fits_each(sources, seed):
    example = one(sources[seed % 2], seed, guides_share=1.0, ratio_shares=(1.0, 0.0, 0.0))
    degraded = example.rows @ example.target @ example.columns.transpose(1, 2)
    assert all(torch.isfinite(v).all() for v in vars(example).values())
    assert torch.allclose(degraded, example.ms, atol=1e-4)
    assert example.guides.shape == (9, 64, 64)
    pan, low = example.guides[:4], example.guides[4:8]
    assert bool((pan - low).std(dim=(1, 2)).min() > 0.01)  # PAN is sharper than the same at MS sharpness
    differing = [(a, b) for a in range(4) for b in range(a) if not torch.equal(example.target[a], example.target[b])]
    for a, b in differing:
        assert not torch.allclose(pan[a], pan[b], atol=1e-2)
        assert not torch.allclose(low[a], low[b], atol=1e-2)


def test_pans_per_band_follow_their_bands_better_than_one_pan(sources):
    def fit(share):
        examples = [one(sources[1], s, guides_share=share, ratio_shares=(1.0, 0.0, 0.0)) for s in range(12)]
        details = [(high_pass(e.guides[:4]).flatten(1), high_pass(e.target).flatten(1)) for e in examples]
        return np.mean([float(torch.cosine_similarity(pan, band, dim=1).mean()) for pan, band in details])

    assert fit(1.0) > fit(0.0) + 0.02


def test_gaps_do_not_count_and_are_filled(sources):
    examples = [one(sources[0], seed, hole_share=1.0) for seed in range(12)]
    assert any(not e.valid.all() for e in examples)
    assert all(e.valid.float().mean() > 0.2 for e in examples)
    assert all(torch.isfinite(e.lms).all() and e.lms.abs().max() < 30 for e in examples)


@pytest.mark.parametrize("seed", range(8))
def test_pixels_that_may_not_be_learnt_from_do_not_count(sources, seed):
    """No invalid pixel of the dark half is a valid target, for any crop and orientation."""
    dark = sources[0].ms.clone()
    dark[:, :, :80] = 0.0
    valid = torch.ones(160, 160, dtype=torch.bool)
    valid[:, :80] = False
    example = one(replace(sources[0], ms=dark, valid=valid), seed, crop=128, synthetic_share=0.0, shrunk_share=0.3)
    inside = example.valid[0]
    assert 0.1 < inside.float().mean() < 0.7
    assert example.target[:, inside].amin() > example.target[:, ~inside].amin() + 0.1


@pytest.mark.parametrize(("exact_share", "gain"), [(1.0, 0.55), (0.0, DEFAULT_GAIN)])
def test_reported_transfer_is_the_true_or_the_measured_one(sources, exact_share, gain):
    """Few valid pixels at a large ratio: nothing can be measured, and the default is used, as in fusion."""
    valid = torch.ones(160, 160, dtype=torch.bool)
    valid[50:110, 50:110] = False
    fixed = {"gain": (0.55, 0.55), "gaussian_share": 1.0, "ratio_shares": (0.0, 0.0, 1.0), "crop": 128}
    condition = one(replace(sources[0], valid=valid), 3, **fixed, exact_share=exact_share, shrunk_share=0.0).scene[2:10]
    expected = 2.0 * (np.array(TransferFunction.gaussian(gain).summary()) - 2 * USUAL_TRANSFER)
    assert condition.numpy() == pytest.approx(expected, abs=1e-6)


def test_only_the_ratios_asked_for_are_drawn(sources):
    ratios = [one(sources[0], s, ratios=(2.5, 2.5, 2.5), ratio_shares=(1.0, 0.0, 0.0)).scene[0] for s in range(6)]
    assert np.allclose(ratios, np.log2(2.5) - 1.5)


@pytest.mark.parametrize("level", [1.0, 6.0])
def test_noise_is_measured_where_the_image_is_flat(level):
    pan = landscape(1, 320, 320)[0] / 50
    pan[:160] = 10.0
    noisy = pan + level * np.random.default_rng(1).standard_normal((320, 320))
    valid = np.ones((320, 320), bool)
    assert estimate_noise([(noisy, valid)]) == pytest.approx(level, rel=0.2)
    assert estimate_noise([(noisy, ~valid)]) == 0.0


def test_a_corrupt_pan_fits_less(sources):
    def fit(share):
        examples = [one(sources[0], seed, corrupt_share=share, synthetic_share=0.0) for seed in range(16)]
        assert all(e.corrupt == share for e in examples)
        return np.mean([float(np.corrcoef(e.guides[0].flatten(), e.target.mean(0).flatten())[0, 1]) for e in examples])

    assert fit(1.0) < fit(0.0) - 0.05


def test_stray_light_softens_pan_and_spares_its_mean():
    pan = torch.randn(64, 64)
    soft = sensor_effects.scatter(pan, np.array([0.1, 0.1, 0.1, 0.1]))
    assert 0.55 < float(soft.std() / pan.std()) < 0.75
    assert float(soft.mean()) == pytest.approx(float(pan.mean()), abs=0.02)


def test_saturation_clips_the_share_asked_for():
    planes = torch.randn(2, 50, 50)
    clipped = sensor_effects.saturate(planes, 0.1)
    for before, after in zip(planes, clipped, strict=True):
        assert (after == after.max()).float().mean() == pytest.approx(0.1, abs=0.01)
        assert torch.equal(after[after < after.max()], before[after < after.max()])


def test_clouds_of_pan_lie_elsewhere():
    rng = np.random.default_rng(2)
    dark = torch.zeros(3, 64, 64)
    dark[:, 0, 0] = 1.0
    cloudy = sensor_effects.clouds(dark, 1, (3, -2), rng)
    ms, pan = cloudy[0], cloudy[2]
    assert ms.max() > 0.5
    assert torch.allclose(ms[3:, :-2], pan[:-3, 2:], atol=0.5 * float(ms.max()))
    assert torch.corrcoef(torch.stack([ms[3:, :-2].flatten(), pan[:-3, 2:].flatten()]))[0, 1] > 0.99
    assert torch.corrcoef(torch.stack([ms.flatten(), pan.flatten()]))[0, 1] < 0.98


def test_clouds_of_several_pans_lie_in_one_place():
    dark = torch.zeros(5, 64, 64)
    dark[:, 0, 0] = 1.0
    cloudy = sensor_effects.clouds(dark, 3, (3, -2), np.random.default_rng(2))
    assert torch.equal(cloudy[2], cloudy[3])
    assert torch.equal(cloudy[2], cloudy[4])
    assert torch.equal(cloudy[0], cloudy[1])
    assert not torch.equal(cloudy[1], cloudy[2])


def test_sharpen_raises_detail_and_leaves_the_rest():
    line = torch.arange(64.0)
    slow, fast = ((line * cycles * 2.0 * np.pi / 64.0).sin().expand(64, 64) for cycles in (2, 24))
    flat = torch.full((64, 64), 3.0)
    assert torch.allclose(sensor_effects.sharpen(flat, 1.0, 0.5), flat, atol=1e-5)
    inner = np.s_[4:-4, 4:-4]
    shares = [float(sensor_effects.sharpen(i, 1.0, 0.5)[inner].std() / i[inner].std()) for i in (slow, fast)]
    assert shares == pytest.approx([1.01, 1.5], abs=0.03)
    assert torch.equal(sensor_effects.sharpen(fast, 1.0, 0.0), fast)


@pytest.mark.parametrize("seed", range(12))
def test_bright_objects_are_few_small_and_bright(seed):
    """Outside the objects all contrasts shrink alike, and the objects lie at the same pixels of all planes."""
    planes = torch.randn(3, 96, 96, generator=torch.Generator().manual_seed(seed)) * torch.tensor(
        [[[1.0]], [[5.0]], [[0.2]]]
    )
    result = sensor_effects.bright_objects(planes, np.random.default_rng(seed))
    assert torch.equal(result, sensor_effects.bright_objects(planes, np.random.default_rng(seed)))
    mean = planes.mean(dim=(1, 2), keepdim=True)
    even = (result - mean).abs().flatten(1).median(1).values / (planes - mean).abs().flatten(1).median(1).values
    added = result - mean - even.mean() * (planes - mean)
    objects = added.abs() > 0.1 * planes.std(dim=(1, 2), keepdim=True)
    assert float(even.max()) < 1.02
    assert 0 < objects[0].sum() <= 8 * 12**2
    assert bool((objects == objects[0]).float().mean() > 0.99)


def test_haze_lowers_contrast():
    planes = torch.randn(3, 64, 64)
    hazy = sensor_effects.haze(planes, 1.0, np.random.default_rng(0))
    assert (hazy - sensor_effects.haze(planes * 0, 1.0, np.random.default_rng(0))).std() < 0.9 * planes.std()


@pytest.mark.parametrize("ratio", [2.0, 3.0])
def test_weights_of_a_sensor_learn_its_ratio_and_transfer(ratio):
    """A scene without PAN has no sensor's transfer function, and adds none."""
    ms, transfer = torch.tensor(landscape(3, 200, 200), dtype=torch.float32), TransferFunction.gaussian(0.17)
    pan, valid = (
        landscape(1, int(200 * ratio), int(200 * ratio)),
        [np.ones((int(200 * k),) * 2, bool) for k in (ratio, 1)],
    )
    pair = PairWindow(pan, valid[0], ms.numpy(), valid[1], (0.5, 0.5), (ratio, ratio))
    scenes = [Source("pair", "a", ms, ms.mean(0), pair, transfer), Source("ms", "a", ms.flip(1))]
    config = SimulationConfig.of_sensor(scenes)
    assert config.transfers == (transfer,)
    for seed in range(4):
        example = simulate(scenes[0], replace(config, exact_share=1.0), NETWORK, np.random.default_rng(seed))
        assert example.ms.shape[-1] == pytest.approx(config.crop / ratio, abs=1.0)


@pytest.mark.parametrize("ratios", [(), (2.0, 4.0)])
def test_weights_of_a_sensor_need_pairs_of_one_ratio(ratios):
    ms = torch.tensor(landscape(3, 200, 200), dtype=torch.float32)
    valid = np.ones((200, 200), bool)
    pairs = [PairWindow(ms.numpy(), valid, ms.numpy(), valid, (0.5, 0.5), (r, r)) for r in ratios]
    with pytest.raises(TrainingError, match="one ratio"):
        SimulationConfig.of_sensor([Source("a", "a", ms, ms[0], pair) for pair in pairs])


def test_every_knob_is_described():
    lines = {line.split(":")[0].strip(): line for line in inspect.getsource(SimulationConfig).splitlines()}
    assert [field.name for field in fields(SimulationConfig) if "  # " not in lines[field.name]] == []


def test_smooth_products_have_a_soft_target_and_a_low_gain(sources):
    crisp = [one(sources[0], seed) for seed in range(12)]
    smooth = [one(sources[0], seed, smooth_share=1.0, smooth=(0.9, 0.9)) for seed in range(12)]

    def sharpness(examples):
        return np.mean([float((e.target[:, 1:] - e.target[:, :-1]).abs().mean()) for e in examples])

    assert sharpness(smooth) < 0.95 * sharpness(crisp)


def test_dates_of_one_place_count_as_one_place():
    ms = torch.rand(3, 64, 64)
    dates = [Source(f"farm_20{year}0601", "one place", ms) for year in range(10, 20)]
    towns = [Source(f"town{number}", "many places", ms) for number in range(9)]
    buffer = ExampleBuffer([*dates, *towns], replace(CALM, crop=64), NETWORK, 1, [1])
    drawn = []
    with patch("otfm_pansharpen.model.training.batches.simulate", lambda source, *rest: drawn.append(source.family)):
        for number in range(400):
            buffer._simulate(number)
    assert drawn.count("one place") / len(drawn) == pytest.approx(1 / 4, abs=0.07)
