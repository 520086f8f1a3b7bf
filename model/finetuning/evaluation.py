"""Evaluation of a network on the held-out blocks of a scene, at reduced and at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.grids import Window
from ..geometry.window_pair import PairWindow
from ..inference.piece import NetworkPiece, read_reduced
from ..inference.tile_fuser import TileFuser
from ..network.flow_network import FlowNetwork
from ..quality.comparison import Figures, ReducedScene
from ..quality.full_resolution import block_qualities
from ..quality.indices import BlockQualities, Check, Image, measure_indices
from ..raster.bands import rgb_bands
from ..scene.statistics import SceneStatistics
from .holdout import TuningScene

MAX_FULL_BLOCKS = 8  # blocks evaluated at full resolution; more take time from the steps


@dataclass(frozen=True)
class Crop:
    """A held-out block at full resolution for a picture: pan (H, W), ms (3, h, w) and sharp (3, H, W), red first."""

    pan: Image
    ms: Image
    sharp: Image


class HoldoutEvaluator:
    """One scene's held-out blocks, prepared once for networks of one cell and halo."""

    def __init__(
        self, scene: TuningScene, network: FlowNetwork, device: torch.device, dtype: torch.dtype, check: Check
    ) -> None:
        self.scene, self.device, self.dtype, self.check = scene, device, dtype, check
        self.cell, self.halo = network.config.cell, network.config.halo
        bands, blocks = range(scene.statistics.bands), [w.blocks for w in scene.windows]
        reduced = ReducedScene.of(
            [w.pair for w in scene.windows], scene.ratio, scene.registration.transfer, bands, scene.offsets, 0.0,
            scene.rounded, blocks,
        )  # fmt: skip
        if reduced is None:
            raise ValueError("no held-out pixel can be compared")
        self.reduced = reduced
        self.statistics, self.pieces = read_reduced(reduced, network.config, 1, check)
        held = [(w.pair, block) for w in scene.windows for block in w.blocks]
        self.full = held[:: -(-len(held) // MAX_FULL_BLOCKS)]

    def indices(self, network: FlowNetwork) -> Figures:
        """Compute all indices: those with a reference over the pixels of all blocks together."""
        scene = self.scene
        blocks = [
            block_qualities(*self._sharpen_full(network, *held), scene.registration.transfer, scene.rounded, self.check)
            for held in self.full
        ]
        fuser = self._make_fuser(network, self.statistics, self.reduced.bands)
        reduced = self.reduced.joined([p.sharpened(fuser, self.check) for p in self.pieces])
        return {**self.reduced.measure(reduced), **measure_indices(BlockQualities.joined(blocks))}

    def crops(self, network: FlowNetwork, count: int) -> list[Crop]:
        """Return the first `count` blocks at full resolution."""
        crops, shown = [], list(rgb_bands(self.scene.band_names))
        for pair, block in self.full[:count]:
            part, fused = self._sharpen_full(network, pair, block)
            ms = pair.ms[:, block.top : block.bottom, block.left : block.right]
            crops.append(Crop(*(np.asarray(i, dtype=np.float64) for i in (part.led.pan, ms[shown], fused[shown]))))
        return crops

    def _sharpen_full(self, network: FlowNetwork, pair: PairWindow, block: Window) -> tuple[PairWindow, Image]:
        """Fuse a block at full resolution. Returns its pair, PAN cut to it, and its fused bands."""
        first = [int(np.ceil(o + s * (k - 0.5))) for o, s, k in zip(pair.first, pair.spacing, (block.top, block.left))]
        side = [int(s * n) for s, n in zip(pair.spacing, (block.height, block.width))]
        window = Window(first[1], first[0], side[1], side[0])
        piece = NetworkPiece.of(pair, window, self.scene.statistics, self.cell, self.halo)
        return pair.cropped(window), piece.sharpened(self._make_fuser(network, self.scene.statistics), self.check)

    def _make_fuser(
        self, network: FlowNetwork, statistics: SceneStatistics, bands: Sequence[int] | None = None
    ) -> TileFuser:
        return TileFuser(network, statistics, self.device, self.dtype, 1, bands)


def mean_indices(found: Sequence[Figures]) -> Figures:
    """Average the indices of scenes."""
    return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}
