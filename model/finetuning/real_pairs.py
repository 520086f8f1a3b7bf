"""Examples of real pairs at full resolution, without a reference: inputs as fusion will read them after tuning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import TrainingError
from ..geometry.filters import Mask
from ..geometry.grids import Window
from ..geometry.resampling import Matrix
from ..geometry.window_pair import PairWindow
from ..network.flow_network import NetworkConfig
from ..scene.statistics import SceneStatistics, measure_statistics
from ..training.batches import MAX_LOST, Batch
from ..training.dataset import Source
from ..training.example import Example, as_tensor, draw_group, read_example

TRIES = 12  # random squares of a pair with gaps, from which the one with fewest gaps is taken


class RealPairBuffer:
    """`count` random squares of `side` PAN pixels of the pairs; their target is a placeholder, interpolated MS."""

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
