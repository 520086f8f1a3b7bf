"""Unbalanced optimal transport: the formulas where their values are known, and small games with known ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from otfm_pansharpen.model.network.flow_network import NetworkConfig
from otfm_pansharpen.model.training.batches import Batch
from otfm_pansharpen.model.training.transport import (
    Potential,
    TransportConfig,
    balance,
    compute_conjugate,
    distance_cost,
    marginal_weight,
    normalised,
    pixel_cost,
    potential_loss,
    softness_at,
    spatial_cost,
    spectral_cost,
    transport_cost,
)
from torch import nn

BANDS = NetworkConfig.bands


def batch(lms, target, ratio=2):
    """Make patches (n, bands, s, s) whose MS is the mean of `ratio` x `ratio` pixels."""
    n, bands, side, _ = lms.shape
    k = side // ratio
    rows = torch.kron(torch.eye(k), torch.full((1, ratio), 1.0 / ratio)).expand(n, bands, k, side)
    pan = (target.mean(1, keepdim=True) + torch.randn(n, 1, side, side)).expand(-1, bands, -1, -1)
    low = lms.mean(1, keepdim=True)
    return Batch(
        lms=lms,
        target=target,
        valid=torch.ones(n, 1, side, side, dtype=torch.bool),
        guides=torch.cat([pan, low.expand(-1, bands, -1, -1), low], 1),
        injection=torch.ones(n, bands),
        depth=torch.ones(n, 2 * bands),
        scene=torch.zeros(n, 3),
        scale=torch.full((n, bands), 0.5),
        ms=rows @ target @ rows.transpose(2, 3),
        rows=rows,
        columns=rows,
        corrupt=torch.zeros(n),
        known=torch.ones(n, bands, k, k, dtype=torch.bool),
    )


@pytest.fixture
def patches():
    torch.manual_seed(3)
    target = torch.randn(6, BANDS, 16, 16)
    return batch(target + 0.3 * torch.randn_like(target), target)


@pytest.mark.parametrize("softness", [0.2, 1.0, 5.0])
def test_conjugate_is_normalised_convex_and_its_slope_is_weight(softness):
    z = torch.linspace(-8, 8, 81, dtype=torch.float64).requires_grad_(True)
    value = compute_conjugate(z, softness)
    slope = torch.autograd.grad(value.sum(), z)[0]
    assert abs(value[40].item()) < 1e-12
    assert float(slope[40]) == pytest.approx(1.0)
    assert torch.allclose(slope, marginal_weight(z, softness))
    assert (slope.diff() > 0).all() or softness == 0.2  # saturates to rounding where it is narrow
    assert value.min() > -2.0 * softness  # bounded below, so the potential cannot drift


def test_conjugate_tends_to_balanced_transport():
    z = torch.linspace(-2, 2, 9)
    assert torch.allclose(compute_conjugate(z, 1e4), z, atol=1e-2)


def test_softness_is_scheduled_between_its_ends():
    ends = (0.2, 5.0)
    assert softness_at(0.0, ends) == pytest.approx(0.2)
    assert softness_at(0.5, ends) == pytest.approx(1.0)
    assert softness_at(1.0, ends) == pytest.approx(5.0)


def test_costs_are_one_number_a_patch_and_vanish_at_the_truth(patches):
    truth = patches.target
    for cost in (
        pixel_cost(patches, truth, 1.0, 3.0),
        spectral_cost(patches, truth),
        distance_cost(patches, patches.lms),
        spatial_cost(replace(patches, guides=patches.guides[:, [*range(BANDS, 2 * BANDS)] * 2 + [-1]]), patches.lms),
    ):
        assert cost.shape == (6,)
        assert torch.allclose(cost, torch.zeros(6), atol=1e-6)
    assert (transport_cost(patches, patches.lms, TransportConfig()) > 0.1).all()


def test_costs_have_known_values(patches):
    y = patches.target + 0.25  # half a deviation everywhere
    assert torch.allclose(pixel_cost(patches, y, 1.0, 3.0), torch.full((6,), 0.5 + 3.0 * 0.25), atol=1e-5)
    assert torch.allclose(spectral_cost(patches, y), torch.full((6,), 0.5), atol=1e-5)
    assert torch.allclose(distance_cost(patches, patches.lms + 0.25), torch.full((6,), 0.125), atol=1e-5)


def test_gaps_cost_nothing(patches):
    valid = patches.valid.clone()
    valid[:, :, :8] = False
    y = patches.target.clone()
    y[:, :, :8] += 100.0
    assert torch.allclose(pixel_cost(replace(patches, valid=valid), y, 1.0, 1.0), torch.zeros(6), atol=1e-6)
    assert (normalised(replace(patches, valid=valid), y)[:, :, :8] == 0).all()


def test_spatial_cost_sees_wrong_detail(patches):
    pan = patches.guides[:, :BANDS]
    batch_of_pan = replace(patches, guides=torch.cat([pan, pan, pan[:, :1]], 1), lms=pan)
    assert (spatial_cost(batch_of_pan, pan) < 1e-3).all()
    assert (spatial_cost(batch_of_pan, torch.randn_like(pan)) > 0.5).all()


def test_potential_is_one_number_per_patch_and_costs_must_match(patches):
    potential = Potential(BANDS)
    value = potential(normalised(patches, patches.target), patches.lms, patches.given)
    assert value.shape == (6,)
    potential_loss(potential, patches, patches.lms, torch.ones(6), 1.0, 0.1)
    with pytest.raises(ValueError, match="do not match"):
        potential_loss(potential, patches, patches.lms, torch.ones(6, 1), 1.0, 0.1)


def test_potential_is_not_moved_through_the_map(patches):
    y = patches.lms.clone().requires_grad_(True)
    cost = pixel_cost(patches, y, 1.0, 1.0)
    potential_loss(Potential(BANDS), patches, y, cost, 1.0, 0.1).backward()
    assert y.grad is None


def test_penalty_is_the_square_of_the_slope(patches):
    class Slope(nn.Module):
        """Compute v = 3 x mean of the detail, whose gradient is 3 / (pixels x bands) at every patch size."""

        def forward(self, detail, x, given):
            return 3.0 * detail.mean(dim=(1, 2, 3))

    arguments = (Slope(), patches, patches.target, torch.zeros(6), 1.0)
    penalty = potential_loss(*arguments, 2.0) - potential_loss(*arguments, 0.0)
    assert penalty.item() == pytest.approx(9.0 / BANDS, rel=1e-5)


def test_balance_makes_gradients_of_the_share_asked_for():
    cost, value = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 20.0])
    eta = balance(cost, value, 0.1)
    assert (eta * value).norm() == pytest.approx(0.1 * 5.0)


class Mean(nn.Module):
    """A potential that sees y itself: quadratic in its mean."""

    def __init__(self, scale):
        super().__init__()
        self.weights, self.scale = nn.Parameter(torch.zeros(3)), scale

    def forward(self, detail, x, given):
        y = (x + self.scale * detail).mean(dim=(1, 2, 3))
        return self.weights[0] + self.weights[1] * y + self.weights[2] * y.square()


def constant(values):
    return values[:, None, None, None].expand(-1, 1, 8, 8)


def test_the_translation_between_two_gaussians_is_recovered():
    """Unpaired samples of N(0, 0.5) and N(2, 0.5): the optimal map adds 2."""
    torch.manual_seed(0)
    potential, move = Mean(0.5), nn.Parameter(torch.zeros(()))
    critic = torch.optim.Adam(potential.parameters(), lr=0.03, betas=(0.5, 0.9))
    mover = torch.optim.Adam([move], lr=0.03)
    for _ in range(600):
        drawn = batch(constant(0.5 * torch.randn(64)), constant(2.0 + 0.5 * torch.randn(64)))
        y = drawn.lms + move
        critic.zero_grad()
        potential_loss(potential, drawn, y, distance_cost(drawn, y), 20.0, 0.05).backward()
        critic.step()
        mover.zero_grad()
        (distance_cost(drawn, y) - potential(normalised(drawn, y), drawn.lms, drawn.given)).mean().backward()
        mover.step()
    assert float(move.detach()) == pytest.approx(2.0, abs=0.25)


def test_marginal_weights_fall_for_outliers():
    """One pair in eight cannot be matched at any reasonable cost: the potential settles and gives it less mass."""
    torch.manual_seed(0)
    potential = Mean(0.5)
    critic = torch.optim.Adam(potential.parameters(), lr=0.03, betas=(0.5, 0.9))
    drawn = batch(constant(torch.zeros(64)), constant(0.2 * torch.randn(64)))
    cost = torch.where(torch.arange(64) % 8 == 0, 6.0, 0.5)
    for _ in range(200):
        critic.zero_grad()
        potential_loss(potential, drawn, drawn.lms, cost, 1.0, 0.05).backward()
        critic.step()
    value = potential(normalised(drawn, drawn.lms), drawn.lms, drawn.given).detach()
    weights = marginal_weight(value - cost, 1.0)
    assert weights[cost > 1].max() < 0.1 * weights[cost < 1].min()
    assert 0.5 < weights[cost < 1].mean() < 1.0
