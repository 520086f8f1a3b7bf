"""One training example: the inputs of the network, as fusion builds them, and the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.filters import high_pass
from ..geometry.grids import Window
from ..geometry.resampling import Matrix
from ..geometry.window_pair import PairWindow
from ..network.band_groups import grouped
from ..network.conditioning import condition
from ..network.flow_network import Guidance, NetworkConfig
from ..scene.statistics import SceneStatistics

MIN_SCALE = 0.02  # deviations of a band; divisors stay above it in flat windows


@dataclass(frozen=True)
class Example:
    """A window of PAN in normalised units, for one group of bands."""

    lms: torch.Tensor  # (bands, s, s)
    target: torch.Tensor  # (bands, s, s)
    valid: torch.Tensor  # (1, s, s), where the target counts
    guides: torch.Tensor  # (2 bands + 1, s, s), as in `Guidance`
    injection: torch.Tensor  # (bands,)
    depth: torch.Tensor  # (2 bands,)
    scene: torch.Tensor  # (conditions - 1,)
    scale: torch.Tensor  # (bands,), the deviation of the target's high-pass, by which errors are weighed
    ms: torch.Tensor  # (bands, k, k)
    rows: torch.Tensor  # (bands, k, s), map from the target to MS
    columns: torch.Tensor  # (bands, k, s)
    corrupt: torch.Tensor  # (), 1 where PAN was made not to fit

    @property
    def given(self) -> Guidance:
        """The condition of the flow; of a batch."""
        return Guidance(self.guides, self.injection, self.depth, self.scene)


def read_example(
    pair: PairWindow,
    place: Window,
    statistics: SceneStatistics,
    group: Sequence[int],
    degrade: tuple[torch.Tensor, torch.Tensor],
    sharp: torch.Tensor | None = None,
    corrupt: bool = False,
) -> Example:
    """Build the inputs that fusion gives the network for the window `place` of the PAN of `pair`, and the target.

    `group` are band indices, `degrade` the maps (len(group), k, s) from the target's rows and columns to MS, `sharp`
    the reference (bands, s, s) in digital numbers; without one, the target is interpolated MS.
    """
    conditions = condition(pair, place, statistics)
    guides, lms = conditions.interpolate_guides(group)
    target = lms
    if sharp is not None:
        mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.ms_mean, statistics.ms_std))
        target = ((sharp - mean) / std)[list(group)]
    mask = conditions.valid
    valid = torch.ones_like(guides[0], dtype=torch.bool) if mask is None else torch.from_numpy(mask)
    valid = valid.all(0) if valid.dim() == 3 else valid
    return Example(
        lms=lms,
        target=target,
        valid=valid[None],
        guides=guides,
        injection=torch.tensor([statistics.injection[b] for b in group]),
        depth=torch.tensor(statistics.depth(group)),
        scene=torch.tensor(statistics.condition(group)),
        scale=high_pass(target).std(dim=(1, 2)).clamp_min(MIN_SCALE),
        ms=conditions.coarse[[len(conditions.pan) + 1 + b for b in group]],
        rows=degrade[0],
        columns=degrade[1],
        corrupt=torch.tensor(float(corrupt)),
    )


def draw_group(available: int, network: NetworkConfig, rng: np.random.Generator, ordered: bool = False) -> list[int]:
    """Draw band indices in random order, repeated where there are too few; if `ordered`, a group that fusion forms."""
    if ordered:
        groups = grouped(network.order, network.bands)
        return list(groups[rng.integers(len(groups))].bands)
    order = rng.permutation(available)
    return [int(order[i % available]) for i in range(network.bands)]


def as_tensor(matrix: Matrix) -> torch.Tensor:
    """Convert a map to float32."""
    return torch.from_numpy(matrix.astype(np.float32))
