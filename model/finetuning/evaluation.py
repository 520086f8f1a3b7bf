"""How good a network is on the held-out blocks of a scene, at reduced and at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import pad

from ..geometry.grids import Window
from ..geometry.window_pair import PairWindow
from ..inference.tile_fuser import TileFuser
from ..network.conditioning import Conditions, condition
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
    """A block to sharpen: what the network reads around it, where it lies in that, and the truth where there is one."""

    conditions: Conditions
    place: Window
    truth: Image


class HoldoutEvaluator:
    """One scene's held-out blocks, prepared once for networks of one cell and halo."""

    def __init__(
        self, scene: TuningScene, network: FlowNetwork, device: torch.device, dtype: torch.dtype, check: Check
    ) -> None:
        self.scene, self.device, self.dtype, self.check = scene, device, dtype, check
        self.cell, self.halo = network.config.cell, network.config.halo
        reduced = [reduced_pair(w.pair, scene.ratio, scene.registration.gain) for w in scene.windows]
        measured = measure_registration(reduced, align=False, check=check)
        gain = measured.gain if measured.reliable else scene.registration.gain
        samples = [(r.ms, *r.pan_at_ms(gain)) for r in reduced]
        self.statistics = measure_statistics(samples, scene.ratio, gain)
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
        results = [self._sharpen(fuser, task) for task in self.tasks]
        return np.concatenate([t.truth for t in self.tasks], axis=2), np.concatenate(results, axis=2)

    def _full(self, network: FlowNetwork, pair: PairWindow, block: Window) -> FullResolution | None:
        part, sharp = self._sharpen_full(network, pair, block)
        return full_resolution(part, torch.from_numpy(sharp).float(), self.scene.registration.gain, self.scene.rounded)

    def _sharpen_full(self, network: FlowNetwork, pair: PairWindow, block: Window) -> tuple[PairWindow, Image]:
        """A block's pair, PAN cut to it, and its sharp bands at full resolution."""
        first = [int(np.ceil(o + s * (k - 0.5))) for o, s, k in zip(pair.first, pair.spacing, (block.top, block.left))]
        side = [int(s * n) for s, n in zip(pair.spacing, (block.height, block.width))]
        place = Window(first[1], first[0], side[1], side[0])
        task = self._task(pair, place, self.scene.statistics, pair.ms[:, :0])
        return pair.cropped(place), self._sharpen(self._fuser(network, self.scene.statistics), task)

    def _task(self, pair: PairWindow, place: Window, statistics: SceneStatistics, truth: torch.Tensor) -> _Task:
        """`place` is in PAN pixels of the pair, on which the truth (bands, H, W) lies."""
        self.check()
        around = place.grown(self.halo).clipped(Window(0, 0, *reversed(pair.pan.shape)))
        whole = replace(around, width=around.width + -around.width % self.cell,
                        height=around.height + -around.height % self.cell)  # fmt: skip
        conditions = condition(_extended(pair, self.cell), whole, statistics)
        inner = Window(place.left - around.left, place.top - around.top, place.width, place.height)
        known = np.asarray(truth[:, place.top : place.bottom, place.left : place.right], dtype=np.float64)
        return _Task(conditions, inner, known)

    def _fuser(self, network: FlowNetwork, statistics: SceneStatistics) -> TileFuser:
        return TileFuser(network, statistics, self.device, self.dtype, 1)

    def _sharpen(self, fuser: TileFuser, task: _Task) -> Image:
        self.check()
        return fuser.fuse(task.conditions, task.place, _as_they_are, self.check).astype(np.float64)


def mean_indices(found: Sequence[QualityIndices]) -> QualityIndices:
    """Means over scenes."""
    return QualityIndices(
        *(float(np.mean([getattr(f, name) for f in found])) for name in QualityIndices.__dataclass_fields__)
    )


def _as_they_are(values: torch.Tensor, valid: torch.Tensor | None, bands: Sequence[int]) -> Image:
    """Digital numbers neither rounded nor clipped."""
    return values.numpy()


def _extended(pair: PairWindow, cell: int) -> PairWindow:
    """The pair with PAN's last rows and columns repeated, so that the last cell is whole."""
    pan, valid = (
        pad(i.float()[None], (0, cell - 1, 0, cell - 1), mode="replicate")[0] for i in (pair.pan, pair.pan_valid)
    )
    return replace(pair, pan=pan, pan_valid=valid > 0)
