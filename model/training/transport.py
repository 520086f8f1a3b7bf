"""Unbalanced optimal transport: the pansharpening cost, the potential, and the semi-dual objective.

The semi-dual of unbalanced transport (Choi et al., "Generative Modeling through the Semi-dual Formulation of
Unbalanced Optimal Transport", NeurIPS 2023) is the game

    max over T, min over v:   mean Psi*(v(T(x)) - c(x, T(x))) + mean Psi*(-v(G))

of a map T and a potential v over sharp images G. Psi* is convex with Psi*(0) = 0 and Psi*'(0) = 1; its derivative at a
sample is that sample's marginal weight: 1 in balanced transport, less where the cost is out of proportion.
x is interpolated MS, y = T(x) the sharp estimate, G the target; every error is in units of `scale`, the deviation of
the target's high-pass. Costs and potentials have shape (n,), never (n, 1), which would broadcast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import leaky_relu, softplus

from ..geometry.filters import high_pass
from ..network.flow_network import Guidance
from .batches import Batch

MAX_ERROR = 8.0  # deviations, beyond which squared errors grow no more, so that outliers do not dominate


@dataclass(frozen=True)
class TransportConfig:
    """Weights of the cost and of the game; saved with the weights."""

    distance: float = 0.05  # of the transport term |y - x|^2 / 2, "tau"
    absolute: float = 1.0  # of absolute errors; alone they give the median, with too little of sparse details
    squares: float = 3.0  # of squared errors against the target
    spectral: float = 0.2  # of the term that the result, degraded, gives MS back
    spatial: float = 0.05  # of the term that details correlate with PAN's as much as they do at MS resolution
    smoothness: float = 0.2  # of the penalty on the potential's gradient at the targets (R1), "gamma"
    push: float = 0.07  # size of the potential's gradient against the cost's, at the map's last layer
    softness: tuple[float, float] = (0.2, 5.0)  # first and last scale a of Psi*, from loose marginals to tight ones


def compute_conjugate(z: torch.Tensor, softness: float) -> torch.Tensor:
    """Compute Psi*_a(z) = a (2 softplus(z / a) - 2 log 2), elementwise; Psi*(0) = 0, Psi*'(0) = 1."""
    return softness * (2.0 * softplus(z / softness) - 2.0 * math.log(2.0))


def marginal_weight(z: torch.Tensor, softness: float) -> torch.Tensor:
    """Compute Psi*_a'(z) = 2 sigmoid(z / a), in (0, 2), elementwise."""
    return 2.0 * torch.sigmoid(z / softness)


def softness_at(progress: float, ends: tuple[float, float]) -> float:
    """Compute the scale a of Psi* at `progress` in [0, 1], geometric between its ends.

    The scheduled divergence of Choi et al., "Analyzing and Improving Optimal-Transport-based Adversarial Networks"
    (ICLR 2024): from loose marginals to tight ones.
    """
    return float(ends[0] ** (1.0 - progress) * ends[1] ** progress)


def distance_cost(batch: Batch, y: torch.Tensor) -> torch.Tensor:
    """Compute |y - x|^2 / 2 in units of the scale, mean over valid pixels; (n,)."""
    return 0.5 * mean_over(((y - batch.lms) / _expand(batch.scale)).square(), batch.valid)


def pixel_cost(batch: Batch, y: torch.Tensor, absolute: float, squares: float) -> torch.Tensor:
    """Compute absolute |e| + squares e^2 of e = (y - G) / scale, mean over valid pixels; (n,)."""
    error = (y - batch.target) / _expand(batch.scale)
    return mean_over(absolute * error.abs() + squares * error.clamp(-MAX_ERROR, MAX_ERROR).square(), batch.valid)


def spectral_cost(batch: Batch, y: torch.Tensor) -> torch.Tensor:
    """Compute |D(y) - MS| in units of the scale, D the blur and sampling at the MS pixel centres; (n,)."""
    return mean_over((batch.degrade(y) - batch.ms).abs() / _expand(batch.scale), batch.known)


def spatial_cost(batch: Batch, y: torch.Tensor) -> torch.Tensor:
    """Compare the correlation of y's details with PAN's to that of x's with PAN's at MS sharpness; (n,).

    Details are what a box of HIGH_PASS_SIZE pixels removes. The absolute difference, mean over bands, is D_s with
    correlations instead of Q.
    """
    fine = _correlate_details(y, batch.given.low + batch.given.detail)
    coarse = _correlate_details(batch.lms, batch.given.low)
    return (fine - coarse).abs().mean(1)


def transport_cost(batch: Batch, y: torch.Tensor, config: TransportConfig) -> torch.Tensor:
    """Compute the cost c(x, y), regularised for pansharpening; (n,)."""
    return (
        config.distance * distance_cost(batch, y)
        + pixel_cost(batch, y, config.absolute, config.squares)
        + config.spectral * spectral_cost(batch, y)
        + config.spatial * spatial_cost(batch, y)
    )


class Potential(nn.Module):
    """The potential v(y | x, guides): the likeness of a patch to a true one, given its inputs.

    Strided 4 x 4 convolutions without normalisation, averaged over space. It reads y - x in units of the scale, so
    that its gradient there is `scale` times that in y.
    """

    def __init__(self, bands: int, width: int = 16) -> None:
        super().__init__()
        sizes = (4 * bands + 1, width, 2 * width, 3 * width)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(sizes, sizes[1:]))
        self.score = nn.Conv2d(sizes[-1], 1, 1)

    def forward(self, detail: torch.Tensor, x: torch.Tensor, given: Guidance) -> torch.Tensor:
        """Compute v, (n,), for `detail` = (y - x) / scale (n, bands, H, W); H and W are at least 8."""
        features = torch.cat([detail, x, given.guides], dim=1)
        for layer in self.layers:
            features = leaky_relu(layer(features), 0.2)
        return self.score(features).float().mean(dim=(1, 2, 3))


def potential_loss(
    potential: nn.Module, batch: Batch, y: torch.Tensor, cost: torch.Tensor, softness: float, smoothness: float
) -> torch.Tensor:
    """Compute mean Psi*(v(y) - c) + mean Psi*(-v(G)) + smoothness / 2 mean |scale grad_G v(G)|^2; ().

    The gradient is summed over a patch's pixels and divided by their number, so patches of all sizes weigh alike.
    `y` (n, bands, H, W) and `cost` (n,) are taken as constants.
    """
    estimate, truth = normalised(batch, y.detach()), normalised(batch, batch.target).requires_grad_(True)
    twice = Guidance(*(torch.cat([v, v]) for v in vars(batch.given).values()))
    v_estimate, v_truth = potential(torch.cat([estimate, truth]), torch.cat([batch.lms, batch.lms]), twice).chunk(2)
    gradient = torch.autograd.grad(v_truth.sum(), truth, create_graph=True)[0]
    penalty = gradient.square().sum(dim=(1, 2, 3)) * (gradient[0].numel() / truth.shape[1])
    game = compute_conjugate(v_estimate - _check_shape(cost.detach(), v_estimate), softness) + compute_conjugate(
        -v_truth, softness
    )
    return (game + 0.5 * smoothness * penalty).mean()


def normalised(batch: Batch, y: torch.Tensor) -> torch.Tensor:
    """Compute (y - x) / scale where the target counts, 0 elsewhere."""
    return (y - batch.lms) / _expand(batch.scale) * batch.valid


def balance(cost_gradient: torch.Tensor, potential_gradient: torch.Tensor, share: float) -> float:
    """Compute the factor eta that makes the potential's gradient `share` times as long as the cost's."""
    return share * float(cost_gradient.norm() / potential_gradient.norm().clamp_min(1e-12))


def _correlate_details(images: torch.Tensor, pan: torch.Tensor) -> torch.Tensor:
    """Correlate the details of images (n, bands, H, W) and of PAN (n, 1, H, W); (n, bands)."""
    a, b = high_pass(images), high_pass(pan)
    power = a.square().sum((2, 3)) * b.square().sum((2, 3))
    return (a * b).sum((2, 3)) / (power + 1e-6).sqrt()


def mean_over(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Average over all axes except the first where `counted`; 0 where nothing counts; (n,)."""
    counted = counted.expand_as(values).to(values.dtype)
    return (values * counted).sum((1, 2, 3)) / counted.sum((1, 2, 3)).clamp_min(1.0)


def _expand(values: torch.Tensor) -> torch.Tensor:
    return values[:, :, None, None]


def _check_shape(values: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return `values`. Raises ValueError unless `other` has their shape: broadcasting would mix samples."""
    if values.shape != other.shape:
        raise ValueError(f"costs of shape {tuple(values.shape)} do not match potentials of {tuple(other.shape)}")
    return values
