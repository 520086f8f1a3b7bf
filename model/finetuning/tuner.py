"""The steps of fine-tuning: regression on pairs made from the scene, in turn with its pairs at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..geometry.filters import high_pass
from ..network.flow_network import FlowNetwork
from ..training.batches import ExampleBuffer
from ..training.dataset import Source
from ..training.example import MIN_SCALE
from ..training.learner import Learner, UpdateRule
from ..training.muon import Muon
from ..training.simulation_config import SimulationConfig
from ..training.trainer import cosine, draw_times, regression_loss
from ..training.transport import TransportConfig, spectral_cost
from .job import Recipe
from .real_pairs import RealPairBuffer

COST = TransportConfig()  # of the regression, as in training


class Tuner(Learner):
    """A network that learns a scene. `steps`, along which the learning rate falls, may change on the way."""

    def __init__(
        self,
        start: FlowNetwork,
        order: tuple[int, ...],
        recipe: Recipe,
        simulation: SimulationConfig,
        sources: Sequence[Source],
        patch: int,
        seed: int,
        device: torch.device,
        half_precision: bool,
    ) -> None:
        """Prepare tuning. `order` is that of the scene's bands, `patch` the side of a training patch in PAN pixels."""
        torch.manual_seed(seed)
        super().__init__(
            replace(start.config, order=order), UpdateRule(ema=recipe.ema, half_precision=half_precision), device
        )
        self.start_from(start)
        self.optimizer = Muon(self.network.parameters())
        self.recipe, self.patch, self.seed, self.steps = recipe, patch, seed, 1
        config = self.network.config
        self.buffer = ExampleBuffer(sources, simulation, config, recipe.pool, [seed, 0])
        side = min(recipe.full_side, *(min(s.pair.pan_valid.shape) for s in sources if s.pair))
        self.real = RealPairBuffer(sources, config, recipe.full_examples, side, [seed, 0], recipe.ordered)

    def advance(self) -> torch.Tensor:
        """Train one step. Returns its loss, ()."""
        full = self.step % self.recipe.full_every == 1
        loss = self._compute_full_loss() if full else self._compute_regression_loss()
        loss.backward()
        fallen = cosine(self.recipe.rate, self.recipe.floor, min(self.step / self.steps, 1.0))
        self.update(fallen * min((self.step + 1) / self.recipe.warmup, 1.0))
        return loss.detach()

    def _compute_regression_loss(self) -> torch.Tensor:
        """Compute the pixel and spectral cost on pairs whose reference is MS itself; ()."""
        count = self.recipe.batch
        self.buffer.advance(self.step // self.recipe.renewal)
        batch = self.buffer.batch(count, self.patch, self.step).to(self.device)
        rng = np.random.default_rng([self.seed, 0, self.step, 2])
        time = draw_times(count, self.recipe.flow_share, rng).to(self.device)
        return regression_loss(batch, self.estimate(batch, time), time, COST)

    def _compute_full_loss(self) -> torch.Tensor:
        """Compute the spectral cost at full resolution, in units of the result's own details; ()."""
        batch = self.real.batch(self.recipe.batch, self.patch, self.step).to(self.device)
        y = self.estimate(batch, batch.lms.new_zeros(len(batch.lms)))
        scale = high_pass(y.detach()).std(dim=(2, 3)).clamp_min(MIN_SCALE)
        return self.recipe.full_weight * spectral_cost(replace(batch, scale=scale), y).mean()
