"""What a fine-tuning is asked to do, and what it says it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..geometry.grids import Extent
from ..options import BUNDLED, DEFAULT_SET
from ..raster.source import RasterSource


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune; found by measurement, docs/finetuning.md, and saved with the weights.

    rate, floor      learning rate at which it begins and ends, along a cosine
    gain_spread      how far, relatively, simulated MTF gains lie from the measured one
    noise            share of the scene's own PAN noise that simulated pairs get
    ordered          how often the bands come in the groups that fusion forms; in random ones else, for variety
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
    """A scene; `extent` is (x least, y least, x most, y most) in PAN's system, None for all that both cover."""

    pan: RasterSource
    ms: RasterSource
    extent: Extent | None = None


@dataclass(frozen=True)
class FinetuneJob:
    """What to do, with pairs of one sensor. `steps`, where given, count in place of `minutes`."""

    pairs: tuple[TuningPair, ...]
    output: Path
    start: Path = BUNDLED[DEFAULT_SET]
    minutes: float = 3.0
    steps: int | None = None
    device: str = "auto"
    seed: int = 1
    keep: bool = True
    report: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Evaluation:
    """One evaluation on the held-out blocks: after how many steps and seconds, mean loss since the last, ERGAS."""

    step: int
    seconds: float
    loss: float
    ergas: float


@dataclass(frozen=True)
class FinetuneResult:
    """What was done. `improved` is False where the start weights were the best and were written unchanged.

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
