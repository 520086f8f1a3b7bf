"""Groups of bands, each read by the network in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..scene.statistics import SceneStatistics
from .flow_network import NetworkConfig


@dataclass(frozen=True)
class Group:
    """The band indices that one pass of the network reads; it writes the first `written` of them."""

    bands: tuple[int, ...]
    written: int


def group_bands(statistics: SceneStatistics, config: NetworkConfig) -> list[Group]:
    """Split the bands into passes, similar bands together, whatever their order in the raster.

    Weights that were tuned on as many bands get them in the order of tuning.
    """
    tuned = len(config.order) == statistics.bands
    return grouped(config.order if tuned else order_by_correlation(statistics), config.bands)


def order_by_correlation(statistics: SceneStatistics) -> tuple[int, ...]:
    """Order bands by their correlation with PAN, the highest first."""
    keys = list(zip(statistics.correlation, statistics.ms_mean, statistics.ms_std))
    return tuple(sorted(range(statistics.bands), key=lambda b: keys[b], reverse=True))


def grouped(order: Sequence[int], size: int) -> list[Group]:
    """Form groups of `size` along an order.

    A group with room left reads further bands as context, or repeats its own where there are too few.
    """
    count = -(-len(order) // size)
    groups = []
    for i in range(count):
        written = list(order[i * len(order) // count : (i + 1) * len(order) // count])
        others = [b for b in order if b not in written]
        filled = (written + others)[:size]
        filled += [written[k % len(written)] for k in range(size - len(filled))]
        groups.append(Group(tuple(filled), len(written)))
    return groups


def reordering(known: Sequence[str], names: Sequence[str], numbers: Sequence[int]) -> str | None:
    """Return the command that brings bands of these names, the `numbers` in their file, into the known order.

    None where they have that order, or where their names do not decide.
    """
    if sorted(known) != sorted(names) or list(known) == list(names) or len(set(names)) < len(names):
        return None
    return "gdal_translate " + " ".join(f"-b {numbers[names.index(name)]}" for name in known)
