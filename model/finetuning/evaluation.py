"""How good a network is on the held-out blocks of a scene, at reduced and at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.grids import Window
from ..geometry.window_pair import PairWindow
from ..inference.piece import Piece
from ..inference.tile_fuser import TileFuser
from ..network.flow_network import FlowNetwork
from ..quality.full_resolution import FullResolution, full_resolution
from ..quality.indices import Image, QualityIndices, ergas, q2n, sam
from ..quality.wald import reduced_pair
from ..raster.band_names import rgb_bands
from ..scene.registration import measure_registration
from ..scene.statistics import SceneStatistics, measure_statistics
from .holdout import Check, TuningScene

LARGEST_FULL = 8  # blocks on which full resolution is evaluated


@dataclass(frozen=True)
class Crop:
    """A held-out block at full resolution for a picture: pan (H, W), ms (3, h, w) and sharp (3, H, W), red first."""

    pan: Image
    ms: Image
    sharp: Image


@dataclass(frozen=True)
class _Task:
    """A block to sharpen, and the truth where there is one."""

    piece: Piece
    truth: Image


class HoldoutEvaluator:
    """One scene's held-out blocks, prepared once for networks of one cell and halo."""

    def __init__(
        self, scene: TuningScene, network: FlowNetwork, device: torch.device, dtype: torch.dtype, check: Check
    ) -> None:
        self.scene, self.device, self.dtype, self.check = scene, device, dtype, check
        self.cell, self.halo = network.config.cell, network.config.halo
        reduced = [reduced_pair(w.pair, scene.ratio, scene.registration.transfer) for w in scene.windows]
        measured = measure_registration(reduced, align=False, check=check)
        transfer = measured.transfer if measured.reliable else scene.registration.transfer
        samples = [(r.ms, *r.pan_at_ms(transfer)) for r in reduced]
        self.statistics = measure_statistics(samples, scene.ratio, transfer)
        self.tasks = [
            self._task(r, block, self.statistics, window.pair.ms)
            for r, window in zip(reduced, scene.windows) for block in window.blocks
        ]  # fmt: skip
        held = [(w.pair, block) for w in scene.windows for block in w.blocks]
        self._shown = list(rgb_bands(scene.band_names))
        self.full = held[:: -(-len(held) // LARGEST_FULL)]

    def ergas(self, network: FlowNetwork) -> float:
        """ERGAS over the pixels of all blocks together."""
        truth, sharp = self._blocks(network)
        return ergas(truth, sharp, self.scene.ratio)

    def indices(self, network: FlowNetwork) -> QualityIndices:
        """All indices."""
        truth, sharp = self._blocks(network)
        rounded = (np.rint(truth), np.rint(sharp)) if self.scene.rounded else (truth, sharp)
        found = [q for q in (self._full(network, *held) for held in self.full) if q]
        lost = [float(np.mean([getattr(q, name) for q in found])) if found else np.nan for name in ("d_lambda", "d_s")]
        return QualityIndices(ergas(truth, sharp, self.scene.ratio), sam(truth, sharp), q2n(*rounded), *lost)

    def crops(self, network: FlowNetwork, count: int) -> list[Crop]:
        """The first `count` blocks at full resolution."""
        found = []
        for pair, block in self.full[:count]:
            part, sharp = self._sharpen_full(network, pair, block)
            ms, shown = pair.ms[:, block.top : block.bottom, block.left : block.right], self._shown
            found.append(Crop(*(np.asarray(i, dtype=np.float64) for i in (part.pan, ms[shown], sharp[shown]))))
        return found

    def _blocks(self, network: FlowNetwork) -> tuple[Image, Image]:
        """Truth and result of all blocks side by side, (bands, side, side x blocks)."""
        fuser = self._fuser(network, self.statistics)
        results = [task.piece.sharpened(fuser, self.check) for task in self.tasks]
        return np.concatenate([t.truth for t in self.tasks], axis=2), np.concatenate(results, axis=2)

    def _full(self, network: FlowNetwork, pair: PairWindow, block: Window) -> FullResolution | None:
        part, sharp = self._sharpen_full(network, pair, block)
        return full_resolution(part, sharp.astype(np.float32), self.scene.registration.transfer, self.scene.rounded)

    def _sharpen_full(self, network: FlowNetwork, pair: PairWindow, block: Window) -> tuple[PairWindow, Image]:
        """A block's pair, PAN cut to it, and its sharp bands at full resolution."""
        first = [int(np.ceil(o + s * (k - 0.5))) for o, s, k in zip(pair.first, pair.spacing, (block.top, block.left))]
        side = [int(s * n) for s, n in zip(pair.spacing, (block.height, block.width))]
        place = Window(first[1], first[0], side[1], side[0])
        task = self._task(pair, place, self.scene.statistics, pair.ms[:, :0])
        return pair.cropped(place), task.piece.sharpened(self._fuser(network, self.scene.statistics), self.check)

    def _task(self, pair: PairWindow, place: Window, statistics: SceneStatistics, truth: Image) -> _Task:
        """`place` is in PAN pixels of the pair, on which the truth (bands, H, W) lies."""
        self.check()
        piece = Piece.of(pair, place, statistics, self.cell, self.halo)
        known = np.asarray(truth[:, place.top : place.bottom, place.left : place.right], dtype=np.float64)
        return _Task(piece, known)

    def _fuser(self, network: FlowNetwork, statistics: SceneStatistics) -> TileFuser:
        return TileFuser(network, statistics, self.device, self.dtype, 1)


def mean_indices(found: Sequence[QualityIndices]) -> QualityIndices:
    """Means over scenes."""
    return QualityIndices(
        *(float(np.mean([getattr(f, name) for f in found])) for name in QualityIndices.__dataclass_fields__)
    )
