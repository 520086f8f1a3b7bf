"""Between plan and run: the quality of the result, estimated on pieces of the scene.

One scale down, by the comparison of `quality/comparison.py`; at full resolution, where there is no reference, by HQNR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..geometry.grids import Window
from ..geometry.window_pair import PairWindow
from ..inference.piece import NetworkPiece, read_reduced
from ..inference.tile_fuser import Check, TileFuser
from ..network.flow_network import FlowNetwork
from ..network.weights import load_weights
from ..quality.classical import CLASSICAL
from ..quality.comparison import INJECTION, NETWORK, Figures, ReducedScene, compared_bands
from ..quality.full_resolution import block_qualities, interpolate_ms
from ..quality.indices import BLOCK, BlockQualities, hqnr
from ..raster.pixel_types import INTEGER_TYPES
from ..scene.statistics import SceneStatistics
from .check import CheckedPair
from .job import FusionJob
from .plan import FusionPlan, NetworkSetup, choose_engine

MAX_FULL_PIECES = 4
CLEARLY_WORSE = 1.05  # times the injection's error; within it, a small scene does not show which is better
FULL_SIDE = 256  # PAN pixels of a piece at full resolution


def is_injection_better(network: float, injection: float) -> bool:
    """Decide by the ERGAS of both one scale down whether the injection alone is delivered."""
    return network > CLEARLY_WORSE * injection


@dataclass(frozen=True)
class QualityEstimate:
    """Quality of a result, estimated on `compared` of `bands` bands.

    errors   ERGAS on the scene made `ratio` times coarser, by method: of the network, of the injection of PAN's detail
             that it starts from, of interpolation, of the classical methods; empty where the scene is too small
    hqnr, interpolated_hqnr   of `pieces` pieces at full resolution; None where none can be measured
    """

    ratio: float
    compared: int
    bands: int
    errors: Mapping[str, float] = field(default_factory=dict)
    hqnr: float | None = None
    interpolated_hqnr: float | None = None
    pieces: int = 0

    @property
    def ergas(self) -> float | None:
        """ERGAS of the delivered result."""
        return self.errors[NETWORK if self.network_share else INJECTION] if self.errors else None

    @property
    def network_share(self) -> float:
        """1, or 0 where the injection alone is clearly better."""
        return 0.0 if self.errors and is_injection_better(self.errors[NETWORK], self.errors[INJECTION]) else 1.0

    @property
    def classical(self) -> str:
        """The best classical method."""
        return min(CLASSICAL, key=lambda name: np.nan_to_num(self.errors[name], nan=np.inf))


def estimate_reduced(
    pair: CheckedPair, plan: FusionPlan, network: FlowNetwork, pieces: Sequence[PairWindow], check: Check
) -> QualityEstimate:
    """Evaluate the plan one scale down on pieces of its scene, their shift corrected."""
    bands = compared_bands(plan.outputs)
    estimate = QualityEstimate(plan.placement.ratio, len(bands), len(plan.outputs))
    scene = ReducedScene.of(
        pieces, plan.placement.ratio, plan.statistics.transfer, plan.outputs, plan.offsets,
        float(pair.pan.offsets[0]), pair.ms.type in INTEGER_TYPES,
    )  # fmt: skip
    if scene is None or not float(scene.reference[:, scene.valid].mean(1).min()) > 0.0:  # by which ERGAS divides
        return estimate
    try:
        figures = compare_network(scene, network, plan.engine, check, ("ergas",))
    except ValueError:  # too few pixels
        return estimate
    figures |= scene.compare_methods(("ergas",), check)
    return replace(estimate, errors={name: each["ergas"] for name, each in figures.items()})


def compare_network(
    scene: ReducedScene, network: FlowNetwork, engine: NetworkSetup, check: Check, names: Sequence[str] = ()
) -> dict[str, Figures]:
    """Figures one scale down of the network and of the injection that it starts from. ValueError for too few pixels."""
    statistics, pieces = read_reduced(scene, network.config, engine.steps, check)
    figures: dict[str, Figures] = {}
    for name, share in ((NETWORK, 1.0), (INJECTION, 0.0)):
        fuser = _make_fuser(network, statistics, engine, scene.bands, share)
        figures[name] = scene.measure(scene.joined([p.sharpened(fuser, check) for p in pieces]), names)
    return figures


def compare_job(scene: ReducedScene, job: FusionJob, check: Check) -> Figures:
    """Figures one scale down of what a job's weights deliver. ValueError for too few pixels."""
    weights = load_weights(job.options.weights)
    figures = compare_network(scene, weights.network, choose_engine(job, weights)[0], check)
    return figures[INJECTION if is_injection_better(*(f["ergas"] for f in figures.values())) else NETWORK]


def estimate_full(
    estimate: QualityEstimate,
    pair: CheckedPair,
    plan: FusionPlan,
    network: FlowNetwork,
    pieces: Sequence[PairWindow],
    check: Check,
) -> QualityEstimate:
    """Evaluate the plan at full resolution too, on the middles of some of the pieces."""
    bands, transfer = compared_bands(plan.outputs), plan.statistics.transfer
    fuser = _make_fuser(network, plan.statistics, plan.engine, bands, plan.network_share)
    rounded = pair.ms.type in INTEGER_TYPES
    made: list[BlockQualities] = []
    soft: list[BlockQualities] = []
    for piece in pieces[:: -(-len(pieces) // MAX_FULL_PIECES)] if pieces else []:
        middle = _crop_middle(piece)
        if min(middle.width, middle.height) < BLOCK:
            continue
        fused = NetworkPiece.of(piece, middle, plan.statistics, fuser.cell, fuser.halo).sharpened(fuser, check)
        part = replace(piece.cropped(middle), ms=piece.ms[bands], band_valid=None)
        for qualities, result in ((made, fused), (soft, interpolate_ms(part))):
            qualities.append(block_qualities(part, result, transfer, rounded, check))
    count = sum(len(blocks.rows) > 0 for blocks in made)
    if not count:
        return estimate
    figures = [hqnr(BlockQualities.joined(side)) for side in (made, soft)]
    return replace(estimate, hqnr=figures[0], interpolated_hqnr=figures[1], pieces=count)


def _make_fuser(
    network: FlowNetwork, statistics: SceneStatistics, engine: NetworkSetup, bands: Sequence[int], share: float
) -> TileFuser:
    return TileFuser(network, statistics, engine.torch_devices[0], engine.dtype, engine.steps, bands, share)


def _crop_middle(piece: PairWindow) -> Window:
    """Return a square in the middle of the PAN over a piece's MS, in pixels of the piece."""
    lines = zip(piece.first, piece.spacing, piece.ms_valid.shape, piece.pan.shape)
    top, left = ((max(int(np.ceil(f - 0.5 * s)), 0), min(int(f + s * (n - 0.5)), size)) for f, s, n, size in lines)
    side = min(FULL_SIDE, top[1] - top[0], left[1] - left[0])
    return Window((left[0] + left[1] - side) // 2, (top[0] + top[1] - side) // 2, side, side)
