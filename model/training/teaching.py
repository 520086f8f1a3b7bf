"""Distillation: the target moves from the truth towards the mean result of trained networks.

Errors that the networks do not share fall out of their mean, which one network learns (Hinton,
Vinyals and Dean, 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..network.flow_network import FlowNetwork, Guidance, integrate
from .example import Example

ORIENTATIONS = 8  # four turns, each plain and mirrored


@dataclass(frozen=True)
class Teacher:
    """A trained network, its share in the mean, its number of random orientations, and its file's SHA-256."""

    network: FlowNetwork
    share: float
    orientations: int = 1
    sha256: str = ""


@dataclass(frozen=True)
class Teachers:
    """The ensemble; `weight` places the target between the truth (0) and their mean (1)."""

    members: Sequence[Teacher]
    weight: float
    half_precision: bool = False

    @torch.no_grad()
    def taught(self, example: Example, rng: np.random.Generator) -> Example:
        """Return the example with the target that the teachers and the truth give together."""
        mean, total = torch.zeros_like(example.target), sum(t.share for t in self.members)
        guidance = Guidance(*(v[None] for v in (example.guides, example.injection, example.depth, example.scene)))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half_precision):
            for teacher in self.members:
                for turn in rng.choice(ORIENTATIONS, size=teacher.orientations, replace=False).tolist():
                    seen = replace(guidance, guides=turned(guidance.guides, turn))
                    fused = integrate(teacher.network, turned(example.lms[None], turn), seen).float()
                    mean += teacher.share / total / teacher.orientations * turned_back(fused, turn)[0]
        return replace(example, target=example.target + self.weight * (mean - example.target))

    def settings(self) -> dict[str, object]:
        """Return the settings that decide the result, for the state and the header of the weights."""
        members = [{"sha256": t.sha256, "share": t.share, "orientations": t.orientations} for t in self.members]
        return {"weight": self.weight, "members": members}


def turned(images: torch.Tensor, turn: int) -> torch.Tensor:
    """Turn images (..., s, s) to one of the ORIENTATIONS; 0 leaves them unchanged."""
    images = torch.rot90(images, turn % 4, (-2, -1))
    return (images.flip(-1) if turn > 3 else images).contiguous()


def turned_back(images: torch.Tensor, turn: int) -> torch.Tensor:
    """Undo `turned`."""
    return torch.rot90(images.flip(-1) if turn > 3 else images, -(turn % 4), (-2, -1))
