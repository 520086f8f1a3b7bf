"""Muon: steps whose matrices are orthogonal, so that no direction of a layer's weights is left behind.

After Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024). It learns more in the few hundred
steps of a fine-tuning than AdamW does (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

MOMENTUM = 0.9
STEP_SIZE = 0.3  # root mean square of a matrix's change, in learning rates; AdamW's is about as large
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of the quintic that takes singular values to about 1
ITERATIONS = 5
BETAS = (0.9, 0.99)  # of Adam, which the vectors follow


class Muon(torch.optim.Optimizer):
    """Muon for weights of convolutions (out, in, 3, 3), as matrices (out, in x 9); Adam for all else."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float = 1e-3) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Follow the current gradients."""
        for group in self.param_groups:
            for value in group["params"]:
                if value.grad is not None:
                    change = self._step_matrix if value.dim() == 4 else self._step_vector
                    value.sub_(change(value, value.grad), alpha=group["lr"])

    def _step_matrix(self, value: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Compute the change of a convolution's weights at a learning rate of 1, by Nesterov's momentum."""
        state = self.state[value]
        mean = state.setdefault("mean", torch.zeros_like(value))
        mean.lerp_(gradient, 1.0 - MOMENTUM)
        matrix = orthogonal(gradient.lerp(mean, MOMENTUM).flatten(1))
        return (STEP_SIZE * max(matrix.shape) ** 0.5 * matrix).view(value.shape)

    def _step_vector(self, value: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Compute the change of other weights at a learning rate of 1 (Kingma and Ba, 2015)."""
        state = self.state[value]
        mean, square = (state.setdefault(name, torch.zeros_like(value)) for name in ("mean", "square"))
        state["steps"] = state.get("steps", 0) + 1
        mean.lerp_(gradient, 1.0 - BETAS[0])
        square.lerp_(gradient.square(), 1.0 - BETAS[1])
        unbiased = [moment / (1.0 - beta ** state["steps"]) for moment, beta in zip((mean, square), BETAS)]
        return unbiased[0] / (unbiased[1].sqrt() + 1e-8)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Take the singular values of a matrix (m, n) to about 1, between 0.7 and 1.2, and keep its directions."""
    first, third, fifth = NEWTON_SCHULZ
    x = matrix / matrix.norm().clamp_min(1e-12)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = first * x + (third * square + fifth * square @ square) @ x
    return x
