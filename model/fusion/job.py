"""What a fusion is asked to do, and what it says it did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..geometry.grids import Extent
from ..geometry.transfer import TransferFunction
from ..notices import Notice
from ..options import BUNDLED, DEFAULT_SET
from ..raster.source import RasterSource


@dataclass(frozen=True)
class FusionJob:
    """What to do.

    `more_ms` are rasters of one band each that follow the one band of `ms`; the bands wanted of all are those of `ms`.
    `gain` None measures the transfer function of MS; a number stands for a Gaussian of that gain at Nyquist.
    `data_type` is GDAL's name of the output's type, empty for that of MS; `creation_options` are NAME=VALUE. `memory`
    is the budget in MB, 0 for `memory.default_budget`; `tile` is the side of a tile in PAN pixels, 0 for the largest
    that the budget allows.

    `adapt` are minutes for which the weights are tuned on the scene first, 0 for none; `adapt_steps`, where given,
    count in their place, and with `seed` make the run repeatable. `weights_out` keeps the tuned weights. `judged` says
    whether the log tells how good the result is; no pixel depends on it.
    """

    pan: RasterSource
    ms: RasterSource
    output: Path
    weights: Path = BUNDLED[DEFAULT_SET]
    extent: Extent | None = None
    device: str = "auto"
    precision: str = "auto"
    steps: int = 1
    tile: int = 0
    memory: int = 0
    gain: float | None = None
    align: bool = True
    creation_options: tuple[str, ...] = ()
    data_type: str = ""
    overviews: bool = False
    more_ms: tuple[RasterSource, ...] = ()
    adapt: float = 0.0
    adapt_steps: int | None = None
    seed: int = 1
    weights_out: Path | None = None
    judged: bool = True

    @property
    def transfer(self) -> TransferFunction | None:
        """The Gaussian of the gain that was given, None where the transfer function is to be measured."""
        return None if self.gain is None else TransferFunction.gaussian(self.gain)

    @property
    def adapts(self) -> bool:
        """Whether the weights are tuned on the scene first."""
        return self.adapt > 0.0 or bool(self.adapt_steps)


@dataclass(frozen=True)
class FusionResult:
    """What was done.

    `hqnr` is that of pieces of the scene, `ergas` of the same pieces made coarser by the ratio; None where the scene
    is too small. `bands` are the numbers of the bands of MS that the output holds. `sharpened` is False where PAN does
    not follow the bands, so that the result is interpolated MS.
    """

    output: Path
    device: str
    ratio: float
    shift: tuple[float, float]
    gain: float
    weights_sha256: str
    seconds: float
    hqnr: float | None
    ergas: float | None = None
    bands: tuple[int, ...] = ()
    notices: tuple[Notice, ...] = ()
    sharpened: bool = True
