"""A piece of a pair in memory, fused in one go to digital numbers without rounding or clipping."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.grids import Window
from ..geometry.window_pair import PairWindow
from ..network.conditioning import Conditions, condition
from ..network.flow_network import NetworkConfig
from ..quality.comparison import ReducedScene
from ..scene.statistics import SceneStatistics, measure_statistics
from .tile_fuser import Check, TileFuser


@dataclass(frozen=True)
class NetworkPiece:
    """The network's conditions around a window of PAN, and the place of the window in them."""

    conditions: Conditions
    place: Window

    @classmethod
    def of(cls, pair: PairWindow, place: Window, statistics: SceneStatistics, cell: int, halo: int) -> NetworkPiece:
        """Prepare the window `place` of the PAN of `pair`, with the halo as far as the pair has it."""
        around = place.grown(halo).clipped(pair.window)
        whole = replace(around, width=around.width + -around.width % cell, height=around.height + -around.height % cell)
        inner = Window(place.left - around.left, place.top - around.top, place.width, place.height)
        return cls(condition(_extend(pair, cell), whole, statistics), inner)

    def sharpened(self, fuser: TileFuser, check: Check) -> NDArray[np.float64]:
        """Fuse the window to (bands, H, W)."""
        check()
        return fuser.fuse(self.conditions, self.place, check).numpy().astype(np.float64)


def read_reduced(
    scene: ReducedScene, config: NetworkConfig, steps: int, check: Check
) -> tuple[SceneStatistics, list[NetworkPiece]]:
    """Measure statistics of a scene at reduced resolution, and prepare each piece that is compared there.

    Raises ValueError where the scene has too few pixels for statistics.
    """
    samples = [(p.ms, *p.pan_at_ms(scene.transfer)) for p in scene.pairs]
    statistics = measure_statistics(samples, scene.ratio, scene.transfer, check)
    halo = config.halo * steps
    return statistics, [
        NetworkPiece.of(scene.pairs[n], place, statistics, config.cell, halo) for n, place in scene.places
    ]


def _extend(pair: PairWindow, cell: int) -> PairWindow:
    """Repeat PAN's last rows and columns, so that the last cell is whole."""
    more = (0, cell - 1), (0, cell - 1)
    pan = np.pad(pair.pan.astype(np.float32), [(0, 0)] * (pair.pan.ndim - 2) + [*more], "edge")
    return replace(pair, pan=pan, pan_valid=np.pad(pair.pan_valid, more, "edge"))
