"""Job, options and result of a fusion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..geometry.grids import Extent
from ..geometry.transfer import TransferFunction
from ..notices import Notice
from ..options import ALIGNMENTS, BUNDLED, DEFAULT_SET
from ..raster.source import RasterSource


@dataclass(frozen=True)
class FusionOptions:
    """Options of a fusion that fit any pair.

    General `weights` give way to those that know the sensor, as `weights_for` says (one of WEIGHTS_FOR).
    `gain` None measures the transfer function of MS; a number stands for a Gaussian of that gain at Nyquist.
    `data_type` is GDAL's name of the output's type, empty for that of MS; `creation_options` are NAME=VALUE. `memory`
    is the budget in MB, 0 for `plan.choose_budget`; `tile` is the side of a tile in PAN pixels, 0 for the largest
    that the budget allows.

    `align` is auto (bands and places), scene (one shift) or off.

    `adapt` are minutes for which the weights are tuned on the scene first, 0 for none; `adapt_steps`, where given,
    count instead, and with `seed` make the run repeatable. `estimate_quality` logs one; no pixel depends on it.

    `stretch` makes a picture of 8 bits: for each band of the output, the values that become black and white.
    """

    weights: Path = BUNDLED[DEFAULT_SET]
    weights_for: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    steps: int = 1
    tile: int = 0
    memory: int = 0
    gain: float | None = None
    align: str = "auto"
    creation_options: tuple[str, ...] = ()
    data_type: str = ""
    overviews: bool = False
    adapt: float = 0.0
    adapt_steps: int | None = None
    seed: int = 1
    estimate_quality: bool = True
    stretch: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise InputError(
                f"align is {self.align!r}, which is none of {', '.join(ALIGNMENTS)}. Give one of these words."
            )

    @property
    def transfer(self) -> TransferFunction | None:
        """Gaussian of the given gain, None where the transfer function is to be measured."""
        return None if self.gain is None else TransferFunction.gaussian(self.gain)

    @property
    def adapts(self) -> bool:
        """True where the weights are tuned on the scene first."""
        return self.adapt > 0.0 or bool(self.adapt_steps)


DEFAULT_OPTIONS = FusionOptions()


@dataclass(frozen=True)
class FusionJob:
    """A pair to sharpen, and its output.

    `more_ms` are rasters of one band each that follow the one band of `ms`; the bands wanted of all are those of `ms`.
    `weights_out` keeps weights that were tuned on the scene.
    """

    pan: RasterSource
    ms: RasterSource
    output: Path
    options: FusionOptions = DEFAULT_OPTIONS
    extent: Extent | None = None
    more_ms: tuple[RasterSource, ...] = ()
    weights_out: Path | None = None


@dataclass(frozen=True)
class SceneMetrics:
    """Measurements of a scene.

    `shift` is that of MS against PAN in PAN pixels (rows, columns), `gain` the MTF gain of MS at Nyquist. `hqnr` is
    that of pieces of the scene, `ergas` of the same pieces made coarser by the ratio; None where the scene is too
    small.

    `band_shifts` is what each band that was read was moved by besides, `local_shift` how much the shift varies across
    the scene, `residual` what is left on average; in PAN pixels, None where it was not measured.
    """

    ratio: float
    shift: tuple[float, float]
    gain: float
    hqnr: float | None = None
    ergas: float | None = None
    band_shifts: tuple[tuple[float, float], ...] = ()
    local_shift: float = 0.0
    residual: float | None = None


@dataclass(frozen=True)
class FusionResult:
    """Result of a fusion.

    `bands` are the numbers of the bands of MS that the output holds. `sharpened` is False where PAN does not follow
    the bands, so that the result is interpolated MS.
    """

    output: Path
    device: str
    metrics: SceneMetrics
    weights_sha256: str
    seconds: float
    bands: tuple[int, ...] = ()
    notices: tuple[Notice, ...] = ()
    sharpened: bool = True
