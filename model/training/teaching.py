"""Training taught by an ensemble: the target is drawn from the truth towards the mean of what trained networks make.

Errors that the networks do not share fall out of their mean, and what is left of them is learnt by one network
(distillation; Hinton, Vinyals and Dean, 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..network.flow_network import FlowNetwork, Guidance, integrate
from .example import Example

ORIENTATIONS = 8  # four turns, each as it is and mirrored


@dataclass(frozen=True)
class Teacher:
    """A trained network, its share in the mean, in how many random orientations it looks, and its file's SHA-256."""

    network: FlowNetwork
    share: float
    orientations: int = 1
    sha256: str = ""


@dataclass(frozen=True)
class Teachers:
    """The ensemble; `weight` is how far the target goes from the truth (0) to their mean (1)."""

    members: Sequence[Teacher]
    weight: float
    half_precision: bool = False

    @torch.no_grad()
    def taught(self, example: Example, rng: np.random.Generator) -> Example:
        """The example with the target that the teachers and the truth give together."""
        mean, total = torch.zeros_like(example.target), sum(t.share for t in self.members)
        numbers = Guidance(*(v[None] for v in (example.guides, example.injection, example.depth, example.scene)))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half_precision):
            for teacher in self.members:
                for turn in rng.choice(ORIENTATIONS, size=teacher.orientations, replace=False).tolist():
                    given = replace(numbers, guides=turned(numbers.guides, turn))
                    sharp = integrate(teacher.network, turned(example.lms[None], turn), given).float()
                    mean += teacher.share / total / teacher.orientations * turned_back(sharp, turn)[0]
        return replace(example, target=example.target + self.weight * (mean - example.target))

    def settings(self) -> dict[str, object]:
        """What decides the result, for the state and the header of the weights."""
        members = [{"sha256": t.sha256, "share": t.share, "orientations": t.orientations} for t in self.members]
        return {"weight": self.weight, "members": members}


def turned(images: torch.Tensor, turn: int) -> torch.Tensor:
    """Images (..., s, s) in one of the ORIENTATIONS; 0 leaves them as they are."""
    images = torch.rot90(images, turn % 4, (-2, -1))
    return (images.flip(-1) if turn > 3 else images).contiguous()


def turned_back(images: torch.Tensor, turn: int) -> torch.Tensor:
    """The inverse of `turned`."""
    return torch.rot90(images.flip(-1) if turn > 3 else images, -(turn % 4), (-2, -1))
