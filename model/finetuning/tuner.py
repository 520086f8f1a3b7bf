"""The steps of fine-tuning: regression on pairs made from the scene, in turn with its pairs at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..errors import TrainingError
from ..geometry.filters import Mask, high_pass
from ..geometry.grids import Window
from ..geometry.resampling import Matrix
from ..geometry.window_pair import PairWindow
from ..network.flow_network import FlowNetwork, NetworkConfig
from ..scene.statistics import SceneStatistics, measure_statistics
from ..training.batches import MAX_LOST, Batch, ExampleBuffer
from ..training.dataset import Source
from ..training.example import MIN_SCALE, Example, as_tensor, draw_group, read_example
from ..training.learner import Learner, UpdateRule
from ..training.muon import Muon
from ..training.simulation_config import SimulationConfig
from ..training.trainer import cosine, draw_times, regression_loss
from ..training.transport import TransportConfig, spectral_cost
from .job import Recipe

COST = TransportConfig()  # of the regression, as in training
TRIES = 12  # random squares of a pair with gaps, from which the one with fewest gaps is taken


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


class RealPairBuffer:
    """Real pairs at full resolution, without a reference: inputs as fusion will read them after tuning.

    It holds `count` random squares of `side` PAN pixels. Their target is a placeholder, interpolated MS.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        network: NetworkConfig,
        count: int,
        side: int,
        seed: Sequence[int],
        ordered_share: float = 0.0,
    ) -> None:
        """`ordered_share` of them have a group that fusion forms. Raises TrainingError where no source is so large."""
        pairs = []
        for source in sources:
            if source.pair is not None and min(source.pair.pan_valid.shape) >= side:
                pair, transfer = source.pair, source.transfer
                sample = pair.ms, *pair.pan_at_ms(transfer)
                pairs.append((pair, measure_statistics([sample], pair.ratio, transfer, guides=pair.guides)))
        if not pairs:
            raise TrainingError(f"No scene has a PAN of {side} pixels a side at full resolution to tune on.")
        self.seed = list(seed)
        rng = np.random.default_rng([*self.seed, 3])
        self.examples = []
        for _ in range(count):
            pair, statistics = pairs[rng.integers(len(pairs))]
            group = draw_group(statistics.bands, network, rng, bool(rng.random() < ordered_share))
            self.examples.append(_read_square(pair, statistics, group, side, rng))

    def batch(self, count: int, patch: int, step: int) -> Batch:
        """Return `count` random patches."""
        return Batch.drawn(self.examples, count, patch, np.random.default_rng([*self.seed, step, 4]))


def _read_square(
    pair: PairWindow, statistics: SceneStatistics, group: list[int], side: int, rng: np.random.Generator
) -> Example:
    """Build the network's inputs for a random square of a pair."""
    top, left = _draw_corner(pair.pan_valid, side, rng)
    maps = zip(pair.mtf_resamplers(statistics.transfer), pair.pan.shape[-2:], (top, left))
    rows, columns = (as_tensor(_cut(m.dense(n), slice(c, c + side))).expand(len(group), -1, -1) for m, n, c in maps)
    return read_example(pair, Window(left, top, side, side), statistics, group, (rows, columns))


def _cut(matrix: Matrix, square: slice) -> Matrix:
    """Cut the columns of a map (k, n) to a square; rows whose kernel reaches beyond it become 0."""
    part = matrix[:, square]
    part[np.abs(matrix).sum(1) - np.abs(part).sum(1) > MAX_LOST] = 0.0
    return part


def _draw_corner(valid: Mask, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw row and column of a random square of a PAN with the mask `valid` (H, W); among TRIES, with fewest gaps."""
    tries = [
        (int(rng.integers(0, valid.shape[0] - side + 1)), int(rng.integers(0, valid.shape[1] - side + 1)))
        for _ in range(1 if valid.all() else TRIES)
    ]
    return max(tries, key=lambda c: int(valid[c[0] : c[0] + side, c[1] : c[1] + side].sum()))
