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
    """Settings of fine-tuning, measured (docs/finetuning.md) and saved with the weights.

    rate, floor      first and last learning rate, along a cosine
    gain_spread      relative deviation of simulated MTF gains from the measured one
    noise            share of the scene's own PAN noise that simulated pairs get
    ordered          share of examples whose bands come in the groups of fusion; the others are random, for variety
    full_every       one step in so many reads the pair at full resolution    full_weight   of the spectral cost there
    full_examples    squares of the pair that are kept for that    full_side   their side in PAN pixels
    """

    rate: float = 1e-3
    floor: float = 1e-5
    batch: int = 8
    pool: int = 16
    renewal: int = 2
    warmup: int = 20
    ema: float = 0.99
    flow_share: float = 0.1
    gain_spread: float = 0.05
    noise: float = 0.5
    shift: float = 0.05
    ordered: float = 0.7
    full_every: int = 4
    full_weight: float = 0.25
    full_examples: int = 8
    full_side: int = 192


@dataclass(frozen=True)
class TuningPair:
    """A scene; `extent` is (x min, y min, x max, y max) in PAN's system, None for all that both cover."""

    pan: RasterSource
    ms: RasterSource
    extent: Extent | None = None


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
    """An evaluation on the held-out blocks: steps and seconds before it, mean loss since the last, ERGAS."""

    step: int
    seconds: float
    loss: float
    ergas: float


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
