"""The bands of a scene in groups of as many as the network reads at once, each group one pass of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..scene.statistics import SceneStatistics
from .flow_network import NetworkConfig


@dataclass(frozen=True)
class Group:
    """Band indices that one pass of the network reads, of which it writes the first `written`."""

    bands: tuple[int, ...]
    written: int


def group_bands(statistics: SceneStatistics, config: NetworkConfig) -> list[Group]:
    """Split the bands into passes, alike bands together, whatever their order in the raster.

    Weights that were tuned on so many bands get them in the order they were tuned to.
    """
    tuned = len(config.order) == statistics.bands
    return grouped(config.order if tuned else usual_order(statistics), config.bands)


def usual_order(statistics: SceneStatistics) -> tuple[int, ...]:
    """Bands by how well they follow PAN, the best first."""
    keys = list(zip(statistics.correlation, statistics.ms_mean, statistics.ms_std))
    return tuple(sorted(range(statistics.bands), key=lambda b: keys[b], reverse=True))


def grouped(order: Sequence[int], size: int) -> list[Group]:
    """Groups of `size` along an order.

    A group with room left reads further bands as context, or repeats its own where there are too few.
    """
    count = -(-len(order) // size)
    groups = []
    for i in range(count):
        own = list(order[i * len(order) // count : (i + 1) * len(order) // count])
        others = [b for b in order if b not in own]
        filled = (own + others)[:size]
        filled += [own[k % len(own)] for k in range(size - len(filled))]
        groups.append(Group(tuple(filled), len(own)))
    return groups


def reordering(known: Sequence[str], names: Sequence[str], numbers: Sequence[int]) -> str | None:
    """The command that brings bands of these names, the `numbers` in their file, into the known order.

    None where they have that order, or where their names do not tell.
    """
    if sorted(known) != sorted(names) or list(known) == list(names) or len(set(names)) < len(names):
        return None
    return "gdal_translate " + " ".join(f"-b {numbers[names.index(name)]}" for name in known)
