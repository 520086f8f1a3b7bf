"""Muon: its steps on weights small enough to check by hand or by NumPy."""

from __future__ import annotations

import pytest
import torch
from otfm_pansharpen.model.training.muon import STEP_SIZE, Muon, orthogonal
from torch import nn


@pytest.mark.parametrize("shape", [(16, 144), (16, 16), (32, 9)])
def test_no_direction_is_left_behind(shape):
    """Singular values of one to a thousandth all come to about 1, along the same directions."""
    torch.manual_seed(1)
    left, right = (torch.linalg.qr(torch.randn(n, min(shape)))[0] for n in shape)
    matrix = left @ torch.diag(torch.logspace(0, -3, min(shape))) @ right.T
    along = left.T @ orthogonal(matrix) @ right
    strengths = torch.diag(along)
    assert float((along - torch.diag(strengths)).abs().max()) < 1e-3
    assert float(strengths[: min(shape) * 2 // 3].min()) > 0.5
    assert float(strengths.max()) < 1.3


def test_step_size_follows_the_rate_for_any_gradient():
    torch.manual_seed(2)
    sizes = []
    for scale in (1e-4, 1.0, 1e4):
        layer = nn.Conv2d(8, 8, 3)
        before = layer.weight.detach().clone()
        layer.weight.grad = scale * torch.randn_like(layer.weight)
        Muon(layer.parameters(), lr=0.01).step()
        sizes.append(float((layer.weight.detach() - before).square().mean().sqrt()))
    assert sizes == pytest.approx([0.01 * STEP_SIZE] * 3, rel=0.3)


def test_gradients_of_alternating_sign_are_averaged_away():
    torch.manual_seed(5)
    layer = nn.Conv2d(8, 8, 3)
    steady, noise = torch.linalg.qr(torch.randn(72, 16))[0].T.reshape(2, 8, 8, 3, 3)
    before, optimizer = layer.weight.detach().clone(), Muon(layer.parameters(), lr=0.01)
    for step in range(40):
        layer.weight.grad = steady + 3.0 * (-1.0) ** step * noise
        optimizer.step()
    moved = (before - layer.weight.detach()) / (40 * 0.01 * STEP_SIZE * 72**0.5)
    assert float((moved * steady).sum() / 8) > 0.8


def test_vectors_follow_adam():
    torch.manual_seed(3)
    ours, theirs = (nn.Parameter(torch.ones(5)) for _ in range(2))
    optimizers = Muon([ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99))
    for _ in range(4):
        ours.grad = theirs.grad = torch.randn(5)
        for optimizer in optimizers:
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_it_learns_what_a_convolution_does():
    torch.manual_seed(4)
    target, layer = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
    x = torch.randn(8, 4, 12, 12)
    optimizer, losses = Muon(layer.parameters(), lr=0.03), []
    for step in range(120):
        optimizer.param_groups[0]["lr"] = 0.03 * (1.0 - step / 120)
        loss = (layer(x) - target(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.01 * losses[0]
