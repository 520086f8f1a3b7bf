"""One training example: what the network reads of a pair, as fusion builds it, and the answer."""

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

SMALLEST_SCALE = 0.02  # deviations of a band


@dataclass(frozen=True)
class Example:
    """A window of PAN in normalised units, for one group of bands.

    lms, target (bands, s, s)   valid (1, s, s)   where the target counts
    guides (2 bands + 1, s, s)   injection, scale (bands,)   depth (2 bands,)   scene (conditions - 1,)
                       as in `Guidance`
    ms (bands, k, k) is MS, and rows, columns (bands, k, s) are the maps from sharp to MS.
    `scale` is the deviation of the target's high-pass, by which errors are weighed.
    `corrupt` () is 1 where PAN was made not to fit.
    """

    lms: torch.Tensor
    target: torch.Tensor
    valid: torch.Tensor
    guides: torch.Tensor
    injection: torch.Tensor
    depth: torch.Tensor
    scene: torch.Tensor
    scale: torch.Tensor
    ms: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    corrupt: torch.Tensor

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
    """What fusion would hand to the network for the window `place` of the PAN of `pair`, and the answer.

    `group` are band indices, `degrade` the maps (len(group), k, s) from the sharp rows and columns to MS, `sharp`
    (bands, s, s) the truth in digital numbers; without one, the target is interpolated MS.
    """
    given = condition(pair, place, statistics)
    guides, lms = given.lifted(group)
    target = lms
    if sharp is not None:
        mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.ms_mean, statistics.ms_std))
        target = ((sharp - mean) / std)[list(group)]
    valid = torch.ones_like(guides[0], dtype=torch.bool) if given.valid is None else torch.from_numpy(given.valid)
    valid = valid.all(0) if valid.dim() == 3 else valid
    return Example(
        lms=lms,
        target=target,
        valid=valid[None],
        guides=guides,
        injection=torch.tensor([statistics.injection[b] for b in group]),
        depth=torch.tensor(statistics.depth(group)),
        scene=torch.tensor(statistics.condition(group)),
        scale=high_pass(target).std(dim=(1, 2)).clamp_min(SMALLEST_SCALE),
        ms=given.coarse[[len(given.pan) + 1 + b for b in group]],
        rows=degrade[0],
        columns=degrade[1],
        corrupt=torch.tensor(float(corrupt)),
    )


def draw_group(available: int, network: NetworkConfig, rng: np.random.Generator, ordered: bool = False) -> list[int]:
    """Band indices in random order, repeated where fewer are available; if `ordered`, a group that fusion will form."""
    if ordered:
        groups = grouped(network.order, network.bands)
        return list(groups[rng.integers(len(groups))].bands)
    order = rng.permutation(available)
    return [int(order[i % available]) for i in range(network.bands)]


def as_tensor(matrix: Matrix) -> torch.Tensor:
    """A map as float32."""
    return torch.from_numpy(matrix.astype(np.float32))
