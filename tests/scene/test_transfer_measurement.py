"""The transfer function is measured on pairs of a known one, and not invented where nothing shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.scenes import landscape, sense
from otfm_pansharpen.model.errors import CancelledError
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.scene import transfer_measurement
from otfm_pansharpen.model.scene.transfer_measurement import DEFAULT_GAIN, measure_transfer

SHARPENED = (1.05, 1.09, 1.16, 1.23, 1.28, 1.20, 0.95, 0.62, 0.26, 0.1)
STEEP = (1.0, 1.0, 0.96, 0.86, 0.72, 0.54, 0.32, 0.19, 0.08, 0.04)
TRANSFERS = {
    "sharpened down the rows": TransferFunction(SHARPENED, STEEP),
    "sharpened along the columns": TransferFunction(STEEP, SHARPENED),
    "Gaussian": TransferFunction.gaussian(0.05),
}
UP_TO_90 = slice(0, 9)  # of FREQUENCIES: up to 0.9 of the MS Nyquist frequency
FULL_CLOUD = 3000.0  # as bright as the brightest ground

parametrize_transfer = pytest.mark.parametrize("transfer", list(TRANSFERS.values()), ids=list(TRANSFERS))
parametrize_ratio = pytest.mark.parametrize("ratio", [2.0, 4.0])


def pair_of(pan, scene, ratio, transfer, shift=(0.0, 0.0)):
    """PAN (H, W) and the MS that a sensor of this transfer function makes of a scene (bands, H, W)."""
    ms = sense(scene, ratio, shift=shift, transfer=transfer).astype(np.float32)
    valid = [np.ones(i.shape[-2:], bool) for i in (pan, ms)]
    half = (ratio - 1) / 2
    return PairWindow(pan.astype(np.float32), valid[0], ms, valid[1], (half, half), (ratio, ratio))


def made(transfer, ratio=2.0, side=100, seed=3, **changes):
    """A pair of side x side MS pixels."""
    scene = landscape(4, int(side * ratio), int(side * ratio), seed)
    return pair_of(scene.mean(0), scene, ratio, transfer, **changes)


def furthest(measured, transfer):
    """The largest error over both axes, up to 0.9 of Nyquist."""
    pairs = zip((measured.rows, measured.columns), (transfer.rows, transfer.columns), strict=True)
    return max(float(np.abs(np.subtract(a, b)[UP_TO_90]).max()) for a, b in pairs)


@parametrize_ratio
@parametrize_transfer
def test_true_function_is_measured(transfer, ratio):
    measured = measure_transfer([made(transfer, ratio)])
    assert furthest(measured, transfer) < 0.05


@parametrize_ratio
def test_aliased_function_is_found_on_several_windows(ratio):
    """Aliasing of a gain of 0.3 is noise that a larger sample averages out."""
    transfer = TransferFunction.gaussian(DEFAULT_GAIN)
    assert furthest(measure_transfer([made(transfer, ratio, seed=seed) for seed in range(10, 14)]), transfer) < 0.05


@parametrize_ratio
@parametrize_transfer
def test_residual_shift_does_not_soften_the_function(transfer, ratio):
    assert furthest(measure_transfer([made(transfer, ratio, shift=(0.5, -0.5))]), transfer) < 0.05


@parametrize_ratio
@parametrize_transfer
def test_noise_of_pan_does_not_lower_the_function(transfer, ratio):
    pair = made(transfer, ratio)
    noise = np.random.default_rng(1).standard_normal(pair.pan.shape, dtype=np.float32)
    assert furthest(measure_transfer([replace(pair, pan=pair.pan + 0.1 * pair.pan.std() * noise)]), transfer) < 0.05


@parametrize_ratio
def test_clouds_that_moved_do_not_mislead(ratio):
    """A bank of cloud over a fifth of the scene, which MS sees 1.5 MS pixels lower and one further left than PAN."""
    transfer, size = TRANSFERS["sharpened down the rows"], int(100 * ratio)
    scene = landscape(4, size, size, 3)

    def under_cloud(pixels, down, left):
        y, x = np.mgrid[:size, :size].astype(float)
        share = np.clip((50.0 * ratio - np.hypot(y - down, x + left)) / (2.0 * ratio), 0.0, 1.0)
        assert 0.19 < (share > 0.0).mean() < 0.22
        return pixels + share * (FULL_CLOUD - pixels)

    pan, seen_by_ms = under_cloud(scene.mean(0), 0.0, 0.0), under_cloud(scene, 1.5 * ratio, ratio)
    assert furthest(measure_transfer([pair_of(pan, seen_by_ms, ratio, transfer)]), transfer) < 0.05


@pytest.mark.parametrize("width", [4, 8])
def test_striped_mask_still_gives_a_measurement(width):
    """Slanted gaps every 33 MS pixels, as Landsat 7 has them since its scan line corrector failed."""
    transfer = TRANSFERS["sharpened down the rows"]
    pair = made(transfer)

    def recorded(shape, pixel):
        y, x = (pixel * (i + 0.5) for i in np.mgrid[: shape[-2], : shape[-1]])
        return (y + 0.14 * x) % 33.0 >= width

    pan_valid, ms_valid = recorded(pair.pan.shape, 0.5), recorded(pair.ms.shape, 1.0)
    gaps = {"pan": pair.pan * pan_valid, "ms": pair.ms * ms_valid, "pan_valid": pan_valid, "ms_valid": ms_valid}
    measured = measure_transfer([replace(pair, **gaps)])
    assert furthest(measured, transfer) < 0.1


def test_pan_per_band_is_measured_by_its_mean():
    transfer = TRANSFERS["Gaussian"]
    pair = made(transfer)
    shares = np.array([0.4, 0.8, 1.2, 1.6])[:, None, None]
    assert furthest(measure_transfer([replace(pair, pan=shares * pair.pan)]), transfer) < 0.05


def test_larger_scene_is_measured_better():
    large, small = (measure_transfer([made(TRANSFERS["sharpened down the rows"], side=side)]) for side in (160, 24))
    assert furthest(small, TRANSFERS["sharpened down the rows"]) > furthest(large, TRANSFERS["sharpened down the rows"])


def without_pixels(pair):
    return replace(pair, ms_valid=np.zeros_like(pair.ms_valid))


def with_flat_pan(pair):
    return replace(pair, pan=np.full_like(pair.pan, 700.3))


def with_flat_ms(pair):
    return replace(pair, ms=np.full_like(pair.ms, 0.7))


@pytest.mark.parametrize(
    "spoil", [without_pixels, with_flat_pan, with_flat_ms, lambda pair: with_flat_ms(with_flat_pan(pair))]
)
def test_scene_without_evidence_gets_the_default(spoil):
    measured = measure_transfer([spoil(made(TRANSFERS["Gaussian"]))])
    assert measured == TransferFunction.gaussian(DEFAULT_GAIN)


def test_scene_smaller_than_a_segment_gets_the_default():
    for windows in ([], [made(TRANSFERS["Gaussian"], side=19)]):
        assert measure_transfer(windows) == TransferFunction.gaussian(DEFAULT_GAIN)


@pytest.mark.parametrize("noise", [0.5, 30.0])
def test_water_over_most_of_a_scene_does_not_mislead(noise):
    """Six of seven windows show noise alone, which is not related in PAN and MS."""
    transfer, random = TRANSFERS["sharpened down the rows"], np.random.default_rng(2)

    def water(pixels):
        return 300.0 + noise * random.standard_normal(pixels.shape, dtype=np.float32)

    pair = made(transfer)
    windows = [replace(pair, pan=water(pair.pan), ms=water(pair.ms)) for _ in range(6)]
    measured = measure_transfer([*windows[:3], pair, *windows[3:]])
    assert furthest(measured, transfer) < 0.05


def test_flat_part_of_a_scene_does_not_mislead():
    """Half of the windows lie over water of one value."""
    transfer = TRANSFERS["sharpened down the rows"]
    flat = with_flat_ms(with_flat_pan(made(transfer)))
    measured = measure_transfer([flat, made(transfer), flat])
    assert furthest(measured, transfer) < 0.05


def test_measurement_can_be_stopped():
    def stop():
        raise CancelledError

    with pytest.raises(CancelledError):
        measure_transfer([made(TRANSFERS["Gaussian"])], stop)


def spectra(shared, ms_power, segments=6):
    """Make segments that agree, except the last one: its cross-spectrum and power of MS in units of PAN's power."""
    at = transfer_measurement._Frequencies.of(32)
    power = np.ones((segments, *at.radius.shape))
    crossed, of_ms = power.copy(), power.copy()
    crossed[-1], of_ms[-1] = shared, ms_power
    return crossed, power, of_ms, at


@pytest.mark.parametrize(
    ("shared", "ms_power", "shift", "agrees"),
    [
        (1.0, 1.0, 0.0, True),
        (1.5, 2.25, 0.9, True),
        (1.7, 2.89, 0.0, False),  # of another contrast
        (0.6, 0.36, 0.0, False),
        (1.0, 1.0, 1.1, False),  # moved
        (0.65, 1.0, 0.0, False),  # incoherent
    ],
)
def test_segments_that_do_not_show_the_scene_are_left_out(shared, ms_power, shift, agrees):
    crossed, power, of_ms, at = spectra(shared, ms_power)
    shifts = np.zeros((6, 2))
    shifts[-1, 1] = shift
    kept = transfer_measurement._select_agreeing(crossed, power, of_ms, shifts, at)
    assert kept.tolist() == [True] * 5 + [agrees]


def test_noise_is_at_most_seven_tenths_of_the_power_of_pan():
    crossed, power, of_ms, _ = spectra(1.0, 1.0)
    ratio, error = transfer_measurement._average(power, 0.5 * crossed, of_ms, np.full(6, 2.0), np.ones(6))
    assert ratio == pytest.approx(np.full(ratio.shape, 0.5 / 0.3))
    assert np.isfinite(error).all()


@parametrize_ratio
@parametrize_transfer
def test_function_falls_towards_nyquist(transfer, ratio):
    found = measure_transfer([made(transfer, ratio)])
    for values in (found.rows, found.columns):
        assert 0.4 * values[-2] <= values[-1] <= values[-2]
