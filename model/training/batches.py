"""A buffer of simulated examples, and the patches that a training step reads of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import TrainingError
from ..network.flow_network import NetworkConfig
from .dataset import Source, group_by_family
from .example import Example
from .simulation import simulate
from .simulation_config import SimulationConfig

MAX_LOST = 0.01  # absolute weight of a blur that may fall outside a patch or on invalid pixels


class ExampleBuffer:
    """The last `size` simulated examples; number n depends on the seed numbers and n alone."""

    def __init__(
        self,
        sources: Sequence[Source],
        simulation: SimulationConfig,
        network: NetworkConfig,
        size: int,
        seed: Sequence[int],
    ) -> None:
        self.simulation, self.network, self.seed = simulation, network, seed
        large = [s for s in sources if min(s.ms.shape[-2:]) >= simulation.crop]
        if not large:
            raise TrainingError(f"No scene is as large as {simulation.crop} pixels a side.")
        paired = [s for s in large if s.pan is not None]
        self.pools = [group_by_family(s) for s in (paired, [s for s in large if s.pan is None])]
        self.examples: deque[Example] = deque(maxlen=size)
        self.size = size
        self.next = 0

    def advance(self, first: int, check: Callable[[], None] = lambda: None) -> None:
        """Hold examples first .. first + size - 1; `check` is called between them and may raise to stop."""
        self.next = max(self.next, first)
        while self.next < first + self.size:
            check()
            self.examples.append(self._simulate(self.next))
            self.next += 1

    def _simulate(self, number: int) -> Example:
        rng = np.random.default_rng([*self.seed, number])
        families = self.pools[0 if rng.random() < self.simulation.paired_share else 1] or self.pools[0] or self.pools[1]
        weights = np.sqrt([len({s.place for s in family}) for family in families])  # many scenes of one place are one
        family = families[rng.choice(len(families), p=weights / weights.sum())]
        return simulate(family[rng.integers(len(family))], self.simulation, self.network, rng)

    def batch(self, count: int, patch: int, step: int) -> Batch:
        """Return `count` random patches of different examples."""
        return Batch.drawn(self.examples, count, patch, np.random.default_rng([*self.seed, step, 1]))


@dataclass(frozen=True)
class Batch(Example):
    """Patches of simulated scenes, stacked: the fields of `Example` with a first axis n.

    `known` (n, bands, k, k) marks the MS pixels whose whole blur lies inside the patch.
    """

    known: torch.Tensor

    @classmethod
    def drawn(cls, examples: Sequence[Example], count: int, patch: int, rng: np.random.Generator) -> Batch:
        """Draw `count` random patches, of different examples where there are enough."""
        picks = rng.choice(len(examples), size=count, replace=count > len(examples))
        return cls.cut([examples[i] for i in picks], patch, rng)

    @classmethod
    def cut(cls, examples: Sequence[Example], patch: int, rng: np.random.Generator) -> Batch:
        """Cut one random patch out of each example."""
        room = patch // 2 + 1
        parts = [_cut_patch(e, patch, room, *rng.integers(0, e.target.shape[-1] - patch + 1, 2)) for e in examples]
        return cls(*(torch.stack(column) for column in zip(*parts)))

    def degrade(self, sharp: torch.Tensor) -> torch.Tensor:
        """Blur and sample bands (n, bands, s, s) as the sensor does, to (n, bands, k, k)."""
        return self.rows @ sharp @ self.columns.transpose(2, 3)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


def _cut_patch(e: Example, patch: int, room: int, top: int, left: int) -> tuple[torch.Tensor, ...]:
    window = np.s_[:, top : top + patch, left : left + patch]
    rows, known_rows, first_row = _crop_map(e.rows, slice(top, top + patch), room)
    columns, known_columns, first_column = _crop_map(e.columns, slice(left, left + patch), room)
    ms = e.ms.new_zeros(len(e.ms), room, room)
    piece = e.ms[:, first_row : first_row + room, first_column : first_column + room]
    ms[:, : piece.shape[1], : piece.shape[2]] = piece
    known = (known_rows[:, None] & known_columns[None, :]).expand(len(ms), -1, -1)
    known = known & (rows.abs() @ (~e.valid[window]).float() @ columns.abs().transpose(1, 2) <= MAX_LOST)
    images = (e.lms[window], e.target[window], e.valid[window], e.guides[window])
    return (*images, e.injection, e.depth, e.scene, e.scale, ms, rows, columns, e.corrupt, known)


def _crop_map(matrix: torch.Tensor, patch: slice, room: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Crop a map (bands, k, s) to rows with their weight in the patch. Returns rows, their mask, the first number."""
    weight, matrix = matrix.abs().sum(2), matrix[:, :, patch]
    whole = ((weight > 0.0) & (weight - matrix.abs().sum(2) <= MAX_LOST)).all(0)
    indices = torch.nonzero(whole)[:, 0]
    first = int(indices[0]) if len(indices) else 0
    count = min(len(indices), room)
    placed = matrix.new_zeros(len(matrix), room, matrix.shape[2])
    placed[:, :count] = matrix[:, first : first + count]
    return placed, torch.arange(room) < count, first
