"""Between plan and run: how good the result is on pieces of the scene, before all of it is made.

One scale down there is a reference: pieces are made coarser by the scene's own ratio and transfer function, so that MS
itself is the truth (Wald's protocol). At full resolution there is none, and HQNR tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.filters import dilate
from ..geometry.grids import Window
from ..geometry.window_pair import PairWindow
from ..inference.piece import Piece
from ..inference.tile_fuser import Check, TileFuser
from ..network.flow_network import FlowNetwork
from ..quality.classical import CLASSICAL, Prepared, interpolation, prepare
from ..quality.full_resolution import full_resolution, interpolated_ms
from ..quality.indices import BLOCK, Image, ergas, hqnr
from ..quality.wald import reduced_pair
from ..raster.pixel_types import INTEGER_TYPES
from ..scene.statistics import SceneStatistics, measure_statistics
from .check import CheckedPair
from .plan import FusionPlan

MOST_BANDS = 8  # spread over all: of 64, Q2n would take longer than all else together
MOST_FULL = 4  # pieces at full resolution
FULL_SIDE = 256  # PAN pixels of a piece there
RIM = 12  # pixels of a reduced piece that are left out at its sides, where the network sees no surroundings,
RIM_SHARE = 6  # or one so many times smaller than the side of a small piece
SMALLEST_SIDE = 8  # MS pixels of a reduced piece


@dataclass(frozen=True)
class Reduced:
    """ERGAS on the pieces made `ratio` times coarser: of the network, of the injection of PAN's detail that it starts
    from, of interpolation, of the best classical method."""

    ratio: float
    network: float
    injection: float
    interpolated: float
    classical: float
    method: str

    @property
    def ergas(self) -> float:
        """That of what is delivered."""
        return float(np.fmin(self.network, self.injection))

    @property
    def network_share(self) -> float:
        """1, or 0 where the injection alone is better."""
        return 0.0 if self.injection < self.network else 1.0


@dataclass(frozen=True)
class Full:
    """HQNR of the pieces at full resolution, and that of interpolated MS there."""

    hqnr: float
    interpolated: float
    pieces: int


@dataclass(frozen=True)
class Judgement:
    """How good the result is, judged on `judged` of `bands` bands; None where the scene is too small to tell."""

    reduced: Reduced | None
    full: Full | None
    judged: int
    bands: int


def judge_reduced(
    pair: CheckedPair, plan: FusionPlan, network: FlowNetwork, pieces: Sequence[PairWindow], check: Check
) -> Reduced | None:
    """Evaluate the plan one scale down on pieces of its scene, their shift corrected; None where they are too small."""
    return _Judging(pair, plan, network, _bands(plan), check).reduced(pieces)


def judge(
    pair: CheckedPair,
    plan: FusionPlan,
    network: FlowNetwork,
    pieces: Sequence[PairWindow],
    reduced: Reduced | None,
    check: Check,
) -> Judgement:
    """Evaluate the plan at full resolution too."""
    bands = _bands(plan)
    full = _Judging(pair, plan, network, bands, check).full(pieces)
    return Judgement(reduced, full, len(bands), len(plan.outputs))


def _bands(plan: FusionPlan) -> list[int]:
    """At most MOST_BANDS of the bands of the output, spread over them, by their places in the statistics."""
    live = [band for band in plan.outputs if band >= 0]
    return [live[i] for i in np.linspace(0, len(live) - 1, min(len(live), MOST_BANDS)).round().astype(int)]


@dataclass(frozen=True)
class _Judging:
    pair: CheckedPair
    plan: FusionPlan
    network: FlowNetwork
    bands: list[int]
    check: Check

    def reduced(self, pieces: Sequence[PairWindow]) -> Reduced | None:
        """The figures one scale down; None where too few pixels are left, or where ERGAS divides by nothing."""
        transfer, ratio = self.plan.statistics.transfer, self.plan.placement.ratio
        large = [p for p in pieces if min(p.ms_valid.shape) >= SMALLEST_SIDE * ratio]
        small = [reduced_pair(p, ratio, transfer) for p in large]
        if not small:
            return None
        try:
            statistics = measure_statistics(
                [(s.ms, *s.pan_at_ms(transfer)) for s in small], ratio, transfer, self.check
            )
        except ValueError:  # too few pixels
            return None
        fusers, parts, truth = [self._fuser(statistics, share) for share in (1.0, 0.0)], [], []
        sharp: tuple[list[Image], list[Image]] = ([], [])
        for piece, coarse in zip(large, small):
            counted = _counted(coarse, ratio)
            given = Piece.of(coarse, coarse.window, statistics, fusers[0].cell, fusers[0].halo)
            parts.append(prepare(self._exact(coarse), transfer, counted))
            truth.append(self._numbers(piece.ms[self.bands])[:, counted])
            for fuser, found in zip(fusers, sharp):
                found.append(self._numbers(given.sharpened(fuser, self.check))[:, counted])
        whole, reference = Prepared.joined(parts), np.concatenate(truth, axis=1)
        if not whole.valid.any() or not reference.shape[1] or not float(reference.mean(1).min()) > 0.0:
            return None

        errors = {"interpolation": ergas(reference, interpolation(whole)[:, whole.valid_fine], ratio)}
        for name, method in CLASSICAL.items():
            self.check()
            errors[name] = ergas(reference, method(whole)[:, whole.valid_fine], ratio)
        best = min(CLASSICAL, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
        network, injection = (ergas(reference, np.concatenate(found, axis=1), ratio) for found in sharp)
        return Reduced(ratio, network, injection, errors["interpolation"], errors[best], best)

    def full(self, pieces: Sequence[PairWindow]) -> Full | None:
        """The figures at full resolution; None where no piece holds a block of valid pixels."""
        transfer = self.plan.statistics.transfer
        fuser = self._fuser(self.plan.statistics, self.plan.network_share)
        rounded = self.pair.ms.type in INTEGER_TYPES
        ours: list[tuple[float, float]] = []
        plain: list[tuple[float, float]] = []
        for piece in pieces[:: -(-len(pieces) // MOST_FULL)] if pieces else []:
            place = _middle(piece)
            if min(place.width, place.height) < BLOCK:
                continue
            sharp = Piece.of(piece, place, self.plan.statistics, fuser.cell, fuser.halo).sharpened(fuser, self.check)
            part = replace(piece.cropped(place), ms=piece.ms[self.bands], band_valid=None)
            images = sharp.astype(np.float32), interpolated_ms(part)
            made, soft = (full_resolution(part, image, transfer, rounded, self.check) for image in images)
            if made and soft and np.isfinite((made.hqnr, soft.hqnr)).all():
                ours.append((made.d_lambda, made.d_s))
                plain.append((soft.d_lambda, soft.d_s))
        if not ours:
            return None
        return Full(hqnr(*np.mean(ours, axis=0)), hqnr(*np.mean(plain, axis=0)), len(ours))

    def _fuser(self, statistics: SceneStatistics, share: float) -> TileFuser:
        engine, device = self.plan.engine, self.plan.engine.torch_devices[0]
        return TileFuser(self.network, statistics, device, engine.dtype, engine.steps, self.bands, share)

    def _numbers(self, image: Image) -> Image:
        """Images of the judged bands in the numbers of the file: offsets were taken off as they were read."""
        return np.asarray(image, dtype=np.float64) + np.array(self.plan.offsets)[self.bands, None, None]

    def _exact(self, coarse: PairWindow) -> PairWindow:
        """A reduced pair of the judged bands in the numbers of the file."""
        ms = self._numbers(coarse.ms[self.bands])
        return replace(coarse, ms=ms, pan=coarse.pan.astype(np.float64) + float(self.pair.pan.offsets[0]))


def _counted(coarse: PairWindow, ratio: float) -> np.ndarray:
    """Where a reduced piece is compared with the truth, (H, W): away from its sides and from gaps."""
    valid = coarse.valid_on_pan(coarse.window)
    inside, reach = np.zeros_like(valid), 2 * round(ratio)
    rim = min(RIM, min(valid.shape) // RIM_SHARE)
    inside[rim : valid.shape[0] - rim, rim : valid.shape[1] - rim] = True
    return np.asarray(inside & ~dilate(~valid, reach))


def _middle(piece: PairWindow) -> Window:
    """A square in the middle of the PAN over a piece's MS, in pixels of the piece."""
    lines = zip(piece.first, piece.spacing, piece.ms_valid.shape, piece.pan.shape)
    top, left = ((max(int(np.ceil(f - 0.5 * s)), 0), min(int(f + s * (n - 0.5)), size)) for f, s, n, size in lines)
    side = min(FULL_SIDE, top[1] - top[0], left[1] - left[0])
    return Window((left[0] + left[1] - side) // 2, (top[0] + top[1] - side) // 2, side, side)
