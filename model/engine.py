"""The network at work on a device: band groups, one tile at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .conditions import Conditions
from .grids import Window
from .network import Guidance, integrate
from .scene import SceneStatistics
from .weights import Weights


@dataclass(frozen=True)
class Group:
    """Band indices that one pass of the network reads, of which it writes the first `written`."""

    bands: tuple[int, ...]
    written: int


def group_bands(statistics: SceneStatistics, size: int) -> list[Group]:
    """Split the bands into passes of `size`, alike bands together, whatever their order in the raster.

    A pass with room left reads further bands as context, or repeats its own where there are too few.
    """
    keys = list(zip(statistics.correlation, statistics.ms_mean, statistics.ms_std))
    order = sorted(range(statistics.bands), key=lambda b: keys[b], reverse=True)
    count = -(-len(order) // size)
    groups = []
    for i in range(count):
        own = order[i * len(order) // count : (i + 1) * len(order) // count]
        others = [b for b in order if b not in own]
        filled = (own + others)[:size]
        filled += [own[k % len(own)] for k in range(size - len(filled))]
        groups.append(Group(tuple(filled), len(own)))
    return groups


class Engine:
    """One scene's network: weights, statistics and band groups on a device."""

    def __init__(
        self, weights: Weights, statistics: SceneStatistics, device: torch.device, dtype: torch.dtype, steps: int
    ) -> None:
        self.device, self.dtype, self.steps, self.statistics = device, dtype, steps, statistics
        self.network = weights.network.to(device).channels_last()
        self.groups = group_bands(statistics, weights.network.config.bands)
        self.halo = weights.network.config.halo * steps

    @torch.inference_mode()
    def fuse(self, conditions: Conditions, place: Window, check: Callable[[], None]) -> torch.Tensor:
        """Sharp bands (bands, h, w) in digital numbers for the window `place` of the conditions, on the CPU.

        `check` is called between band groups and may raise to stop.
        """
        guides = conditions.guides.to(self.device)[None]
        inner = (slice(None), slice(place.top, place.bottom), slice(place.left, place.right))
        result = torch.empty(self.statistics.bands, place.height, place.width)
        for group in self.groups:
            check()
            lms = conditions.lms[list(group.bands)].to(self.device)[None]
            given = self._guidance(guides, group.bands)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                sharp = integrate(self.network, lms, given, self.steps)
            for k, band in enumerate(group.bands[: group.written]):
                values = sharp[0][inner][k].float().cpu()
                result[band] = values * self.statistics.ms_std[band] + self.statistics.ms_mean[band]
        return result

    def _guidance(self, guides: torch.Tensor, bands: tuple[int, ...]) -> Guidance:
        """What the flow of one band group is conditioned on; `guides` is (1, 3, H, W)."""

        def row(values: list[float]) -> torch.Tensor:
            return torch.tensor([values], device=self.device)

        found = self.statistics
        injection = [found.injection[b] for b in bands]
        return Guidance(guides, row(injection), row(found.depth(bands)), row(found.condition(bands)))
