"""Full-resolution adaptation: real pairs as they are, with no sharp target to compare with.

What can be asked of a result without a target: degraded by the pair's MTF it gives MS back, its details correlate with
PAN's as much as they do at MS resolution, and it stays near the map that training with targets found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import TrainingError
from ..geometry.resampling import centres, cubic_matrix, resample
from ..geometry.window_pair import PairWindow
from ..network.flow_network import NetworkConfig
from ..scene.statistics import SceneStatistics, high_pass, measure_statistics
from .batches import Batch
from .dataset import Source
from .simulation import Example, draw_group
from .transport import mean_over, spatial_cost, spectral_cost

TRIES = 12  # random places of which the one with fewest gaps is taken


@dataclass(frozen=True)
class AdaptationConfig:
    """Weights of the terms; `scenes` is how many pieces of pairs are kept, `side` their side in PAN pixels.

    every   one step in so many is of this kind
    """

    every: int = 2
    spectral: float = 1.0
    spatial: float = 0.3
    nearness: float = 1.0
    scenes: int = 48
    side: int = 256


class PairPool:
    """Pieces of real pairs in the form of examples; their target is a placeholder (lms)."""

    def __init__(
        self, sources: Sequence[Source], network: NetworkConfig, config: AdaptationConfig, seed: Sequence[int]
    ) -> None:
        families: dict[str, list[tuple[PairWindow, SceneStatistics]]] = {}
        for source in sources:
            if source.pair is not None and min(source.pair.pan.shape) >= config.side:
                low, valid = source.pair.pan_at_ms(source.gain)
                found = measure_statistics([(source.pair.ms, low, valid)], source.pair.ratio, source.gain)
                families.setdefault(source.family, []).append((source.pair, found))
        if not families:
            raise TrainingError("No scene has a PAN at full resolution to adapt to.")
        self.seed = list(seed)
        rng = np.random.default_rng([*self.seed, 3])
        kinds = list(families.values())
        self.examples = []
        for number in range(config.scenes):
            kind = kinds[number % len(kinds)]
            self.examples.append(_piece(*kind[rng.integers(len(kind))], network, config.side, rng))

    def batch(self, count: int, patch: int, step: int) -> Batch:
        """`count` random patches."""
        rng = np.random.default_rng([*self.seed, step, 4])
        picks = rng.choice(len(self.examples), size=count, replace=count > len(self.examples))
        return Batch.cut([self.examples[i] for i in picks], patch, rng)


def _piece(
    pair: PairWindow, found: SceneStatistics, network: NetworkConfig, side: int, rng: np.random.Generator
) -> Example:
    """What the network reads of a random square of a pair."""
    group = draw_group(found.bands, network.bands, rng)
    mean, std = (torch.tensor(v)[:, None, None] for v in (found.ms_mean, found.ms_std))
    ms, pan = (pair.ms - mean) / std, (pair.pan - found.pan_mean) / found.pan_std
    maps = pair.mtf_matrices(found.gain)
    intensity = (torch.tensor(found.intensity)[:, None, None] * ms).sum(0)
    coarse = torch.stack([resample(pan, *maps), intensity, *ms[group]])
    corner = _corner(pair.pan_valid, side, rng)
    spots = [centres(side, (c - o) / s, 1.0 / s) for c, o, s in zip(corner, pair.origin, pair.step)]
    fine = resample(coarse, *(cubic_matrix(n, s) for n, s in zip(ms.shape[1:], spots)))
    cut = np.s_[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    nearest = [np.clip(np.rint(s), 0, n - 1).astype(np.int64) for s, n in zip(spots, ms.shape[1:])]
    down = [torch.from_numpy(m[:, c : c + side].astype(np.float32)) for m, c in zip(maps, corner)]
    rows, columns = (m.expand(len(group), -1, -1) for m in down)
    return Example(
        lms=fine[2:],
        target=fine[2:],
        valid=(pair.pan_valid[cut] & pair.ms_valid[np.ix_(*nearest)])[None],
        guides=torch.stack([pan[cut], fine[0], fine[1]]),
        injection=torch.tensor([found.injection[b] for b in group]),
        depth=torch.tensor(found.depth(group)),
        scene=torch.tensor(found.condition(group)),
        scale=torch.ones(len(group)),
        ms=ms[group],
        rows=rows,
        columns=columns,
        corrupt=torch.tensor(0.0),
    )


def _corner(valid: torch.Tensor, side: int, rng: np.random.Generator) -> list[int]:
    """Row and column of a random square of a PAN of which `valid` (H, W) tells; of some, the one with fewest gaps."""
    corners = [[int(rng.integers(0, n - side + 1)) for n in valid.shape] for _ in range(1 if valid.all() else TRIES)]
    return max(corners, key=lambda c: int(valid[c[0] : c[0] + side, c[1] : c[1] + side].sum()))


def adaptation_loss(batch: Batch, y: torch.Tensor, anchor: torch.Tensor, config: AdaptationConfig) -> torch.Tensor:
    """Weighted sum of the three terms, in units of the details of `anchor`, the result of the map to stay near; ()."""
    scale = high_pass(anchor).std(dim=(2, 3)).clamp_min(0.02)
    scaled = replace(batch, scale=scale)
    near = mean_over((y - anchor).abs() / scale[:, :, None, None], batch.valid).mean()
    return (
        config.spectral * spectral_cost(scaled, y).mean()
        + config.spatial * spatial_cost(scaled, y).mean()
        + config.nearness * near
    )
