"""The job and the result of a fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..geometry.grids import Extent
from ..options import BUNDLED, DEFAULT_SET
from ..raster.source import RasterSource


@dataclass(frozen=True)
class Recipe:
    """Settings of fine-tuning, measured (docs/finetuning.md) and saved with the weights."""

    rate: float = 1e-3  # first learning rate
    floor: float = 1e-5  # last learning rate, along a cosine
    batch: int = 8
    pool: int = 16
    renewal: int = 2
    warmup: int = 20
    ema: float = 0.99
    flow_share: float = 0.1
    gain_spread: float = 0.05  # relative deviation of simulated MTF gains from the measured one
    noise: float = 0.5  # share of the scene's own PAN noise that simulated pairs get
    shift: float = 0.05
    ordered: float = 0.7  # share of examples with bands in the groups of fusion; the others are random, for variety
    full_every: int = 4  # one step in so many reads the pair at full resolution
    full_weight: float = 0.25  # of the spectral cost there
    full_examples: int = 8  # squares of the pair that are kept for that
    full_side: int = 192  # their side in PAN pixels


@dataclass(frozen=True)
class TuningPair:
    """A scene; `extent` is (x min, y min, x max, y max) in PAN's system, None for all that both cover.

    `more_ms` are rasters of one band each that follow the one band of `ms`.
    """

    pan: RasterSource
    ms: RasterSource
    extent: Extent | None = None
    more_ms: tuple[RasterSource, ...] = ()


@dataclass(frozen=True)
class FinetuneJob:
    """A fine-tuning on pairs of one sensor. `steps`, where given, count instead of `minutes`.

    `sensor` is its name; empty for the one in the metadata of each scene.
    """

    pairs: tuple[TuningPair, ...]
    output: Path
    start: Path = BUNDLED[DEFAULT_SET]
    minutes: float = 3.0
    steps: int | None = None
    device: str = "auto"
    seed: int = 1
    sensor: str = ""
    keep: bool = True
    report: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on the held-out blocks: steps and seconds before it, mean loss since the last, ERGAS, score.

    The score is ERGAS relative to the start, plus 0.06 for each 0.01 of HQNR that is lost. `part` is the share of the
    way from the start weights to those after the steps.
    """

    step: int
    seconds: float
    loss: float
    ergas: float
    score: float = 1.0
    part: float = 1.0


@dataclass(frozen=True)
class FinetuneResult:
    """The result. `improved` is False where the start weights were the best and were written unchanged.

    `before` and `after` are the indices of the held-out blocks by the names of `quality.indices.INDICES`.
    """

    output: Path
    before: Mapping[str, float]
    after: Mapping[str, float]
    improved: bool
    steps: int
    seconds: float
    weights_sha256: str
    evaluations: tuple[Evaluation, ...]
    chosen: int = 0  # number of the evaluation whose weights are written
