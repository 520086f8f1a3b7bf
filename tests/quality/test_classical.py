"""The classical methods on scenes where their answer is known, and their solver against an independent one."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from helpers.scenes import landscape
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.quality.classical import CLASSICAL, Prepared, non_negative, prepare
from otfm_pansharpen.model.quality.indices import ergas
from scipy.optimize import nnls

RATIO, TRANSFER = 4.0, TransferFunction.gaussian(0.3)
SHARES = np.array([0.4, 0.8, 1.3])


def pair_of(pan, shares=SHARES):
    """A pair whose bands are shares of PAN, seen by a sensor whose blur is the one that the methods assume."""
    height, width = (int(n / RATIO) for n in pan.shape)
    empty, nested = np.zeros((len(shares), height, width)), ((RATIO - 1) / 2,) * 2
    pair = PairWindow(
        pan, np.ones(pan.shape, bool), empty, np.ones((height, width), bool), nested,
        (RATIO, RATIO),
    )  # fmt: skip
    low = pair.pan_at_ms(TRANSFER)[0]
    return replace(pair, ms=shares[:, None, None] * low)


@pytest.mark.parametrize("name", list(CLASSICAL))
def test_bands_that_are_shares_of_pan_are_recovered(name):
    pan = landscape(1, 128, 160)[0].astype(float)
    inside = np.zeros(pan.shape, dtype=bool)
    inside[16:-16, 16:-16] = True
    truth, prepared = SHARES[:, None, None] * pan, prepare(pair_of(pan), TRANSFER, inside)
    error, plain = (ergas(truth, i, RATIO, inside) for i in (CLASSICAL[name](prepared), prepared.lms))
    assert plain > 2.0
    by_means = name in ("Brovey", "GSA")  # these match PAN to the bands by its mean over the scene, which blur moves
    assert error < (0.02 if by_means else 1e-5) * plain


def test_pieces_that_are_joined_are_one_scene():
    reference = landscape(3, 128, 160)
    whole = prepare(pair_of(reference.mean(0).astype(float)), TRANSFER, np.ones(reference.shape[1:], dtype=bool))
    noisy = replace(whole, ms=whole.ms + np.random.default_rng(0).normal(0.0, 40.0, whole.ms.shape))
    fine = {"pan", "pan_low", "pan_measured", "lms", "valid_fine"}
    parts = []
    for first, last in ((0, 24), (24, 40)):
        cut = {f.name: getattr(noisy, f.name)[..., (1, 4)[f.name in fine] * first : (1, 4)[f.name in fine] * last]
               for f in fields(Prepared)}  # fmt: skip
        parts.append(Prepared(**cut))
    joined = Prepared.joined(parts)
    for method in CLASSICAL.values():
        from_whole, from_parts = method(noisy), method(joined)
        assert from_parts[:, :, :96] == pytest.approx(from_whole[:, :, :96], rel=1e-6)
        assert from_parts[:, :, 128:192] == pytest.approx(from_whole[:, :, 96:], rel=1e-6)
        assert joined.valid_fine.sum() == from_whole[0].size


def test_non_negative_least_squares_agree_with_scipy():
    rng = np.random.default_rng(3)
    bound = 0
    for count in (1, 2, 5, 9):
        for _ in range(20):
            design, target = rng.normal(size=(3 * count, count)), rng.normal(size=3 * count)
            expected = nnls(design, target)[0]
            bound += int((expected == 0.0).sum())
            assert non_negative(design, target) == pytest.approx(expected, abs=1e-9)
    assert bound > 50  # else no bound was met
