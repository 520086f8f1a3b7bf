"""The indices against published golden values and against independent packages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sewar
import torch
from helpers import toolbox
from otfm_pansharpen.model.quality import indices
from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis, spectral_angle_mapper

WORLDVIEW3 = (0.325, 0.355, 0.360, 0.350, 0.365, 0.360, 0.335, 0.315)
QUICKBIRD = (0.34, 0.32, 0.30, 0.22)
GOLDEN = {
    WORLDVIEW3: {
        "fused": (0.043702, 0.249788, 0.997140, 0.997825, 0.002750, 0.021970, 0.975340),
        "lms": (1.004620, 0.959360, 0.959926, 0.963314, 0.007514, 0.016530, 0.976080),
    },
    QUICKBIRD: {
        "fused": (0.043433, 0.261053, 0.996605, 0.997590, 0.002151, 0.017040, 0.980846),
        "lms": (0.671155, 0.937275, 0.964369, 0.964419, 0.009642, 0.016716, 0.973803),
    },
}


def golden_scene(bands):
    y, x = np.mgrid[:256, :256].astype(float)
    tau = 2 * np.pi
    base = np.sin(tau * x / 37) * np.cos(tau * y / 53) + 0.5 * np.sin(tau * x * y / 5000)
    base += 0.35 * np.sign(np.sin(tau * x / 61) * np.sin(tau * y / 47))
    truth = np.stack(
        [400 + 60 * b + (90 + 15 * b) * base + 25 * np.sin(tau * (x + b * y) / (23 + 3 * b)) for b in range(bands)]
    )
    wave = 6 * np.sin(tau * (3 * x + 2 * y) / 19)
    fused = np.stack([t + wave * (1 + 0.1 * b) + 0.02 * (t - t.mean()) for b, t in enumerate(truth)])
    return truth, fused, truth.mean(0)


@pytest.mark.parametrize("gains", list(GOLDEN), ids=["WorldView-3", "QuickBird"])
@pytest.mark.parametrize("which", ["fused", "lms"])
def test_golden_values(gains, which):
    truth, fused, pan = golden_scene(len(gains))
    lms = toolbox.interpolate(toolbox.degrade(truth, gains, 4), 4)
    pixels = {"fused": fused, "lms": lms}[which]
    low, everywhere = toolbox.mtf_filter(pixels, gains, 4), np.ones(pan.shape, dtype=bool)
    levels = lms, low, pixels, pan, toolbox.pan_low(pan, 4)
    rounded = indices.compare_blocks((np.rint(lms), np.rint(low), *levels[2:]), everywhere)  # as the toolbox has it
    blocks = replace(indices.compare_blocks(levels, everywhere), spectral=rounded.spectral)
    values = (
        indices.sam(truth, pixels),
        indices.ergas(truth, pixels, 4),
        indices.scc(truth, pixels),
        indices.q2n(np.rint(truth), np.rint(pixels)),
        indices.d_lambda(blocks),
        indices.d_s(blocks),
        indices.hqnr(blocks),
    )
    assert np.round(values, 6) == pytest.approx(GOLDEN[gains][which], abs=1.5e-6)


def test_mtf_kernel_is_the_toolbox_one():
    assert toolbox.mtf_kernel(0.34, 4).sum() == pytest.approx(0.99887, abs=5e-6)


def test_independent_packages_agree():
    truth, fused, _ = golden_scene(4)
    a, b = (torch.tensor(i)[None] for i in (truth, fused))
    assert indices.sam(truth, fused) == pytest.approx(np.degrees(float(spectral_angle_mapper(b, a))), rel=1e-5)
    theirs = float(error_relative_global_dimensionless_synthesis(b, a, ratio=4))
    assert indices.ergas(truth, fused, 4) == pytest.approx(theirs, rel=1e-5)
    last = [np.moveaxis(i, 0, 2) for i in (truth, fused)]
    assert indices.sam(truth, fused) == pytest.approx(np.degrees(sewar.sam(*last)), rel=1e-5)
    assert indices.ergas(truth, fused, 4) == pytest.approx(sewar.ergas(*last, r=0.25), rel=1e-5)


def test_perfect_result():
    truth, _, pan = golden_scene(3)
    assert indices.sam(truth, truth) == pytest.approx(0, abs=1e-5)
    assert indices.ergas(truth, truth, 2) == 0
    assert indices.q2n(truth, truth) == pytest.approx(1)
    assert indices.quality_of_blocks(pan, pan) == pytest.approx(1)


def test_invalid_pixels_do_not_count():
    truth, fused, _ = golden_scene(4)
    valid = np.ones((256, 256), dtype=bool)
    valid[:64] = False
    spoiled = fused.copy()
    spoiled[:, :64] = 9999
    assert indices.sam(truth, spoiled, valid) == pytest.approx(indices.sam(truth[:, 64:], fused[:, 64:]))
    assert indices.ergas(truth, spoiled, 4, valid) == pytest.approx(indices.ergas(truth[:, 64:], fused[:, 64:], 4))
    assert indices.q2n(truth, spoiled, valid=valid) == pytest.approx(indices.q2n(truth[:, 64:], fused[:, 64:]))
    other = fused.copy()
    other[:, :64] = -1
    assert indices.scc(truth, spoiled, valid) == indices.scc(truth, other, valid)
    assert indices.scc(truth, spoiled, valid) == pytest.approx(indices.scc(truth[:, 64:], fused[:, 64:]), rel=1e-2)


def test_blocks_are_compared_part_by_part_with_the_same_result(monkeypatch):
    truth, fused, _ = golden_scene(5)
    valid = np.ones((256, 256), dtype=bool)
    valid[40:90, 10:50] = False
    whole = indices.q2n(truth, fused, valid=valid)
    monkeypatch.setattr(indices, "AT_ONCE", 3 * 8 * 32**2)
    asked: list[None] = []
    assert indices.q2n(truth, fused, valid=valid, check=lambda: asked.append(None)) == pytest.approx(whole, abs=1e-12)
    assert len(asked) == 20  # 60 of 64 blocks are valid


def test_sam_leaves_out_zero_spectra():
    truth, fused, _ = golden_scene(3)
    dark = truth.copy()
    dark[:, :64] = 0.0
    assert indices.sam(dark, fused) == pytest.approx(indices.sam(truth[:, 64:], fused[:, 64:]))
    assert np.isnan(indices.sam(np.zeros_like(truth), fused))


def test_ergas_of_a_band_of_mean_zero_is_not_a_number():
    truth, fused, _ = golden_scene(3)
    truth[1] = 0.0
    assert np.isnan(indices.ergas(truth, fused, 4))


def test_scc_of_a_flat_image_is_not_a_number():
    truth, fused, _ = golden_scene(3)
    everywhere = np.ones((256, 256), bool)
    assert np.isnan(indices.scc(np.full_like(truth, 7.0), fused, everywhere))


@pytest.mark.parametrize("rounded", [True, False])
def test_q2n_rounds_integer_data_alone(rounded):
    truth, fused, _ = golden_scene(3)
    truth, fused = truth / 100.0, fused / 100.0
    images = indices.ComparedImages(truth, fused, np.ones((256, 256), bool), 4.0, rounded)
    expected = indices.q2n(np.rint(truth), np.rint(fused)) if rounded else indices.q2n(truth, fused)
    assert indices.measure_indices(images, ("q2n",))["q2n"] == pytest.approx(expected)
