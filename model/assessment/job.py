"""Job and result of an assessment: plain data that can go to another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..raster.source import RasterSource

# Colours of the block maps, from bad to good, also for colour-blind readers: value, colour, words.
SHADES = (
    (0.5, (215, 48, 39), "0.5 or less: bad"),
    (0.75, (254, 224, 144), "0.75"),
    (0.9, (171, 217, 233), "0.9"),
    (1.0, (49, 54, 149), "1: perfect"),
)


@dataclass(frozen=True)
class AssessJob:
    """Sharpened rasters `fused` of one PAN and MS; `report` is an HTML file, `maps` a folder for block maps or None.

    `names` are theirs, in their order; without them the names of the files are used. `more_ms` are further bands of MS,
    one raster each.
    """

    pan: RasterSource
    ms: RasterSource
    fused: tuple[RasterSource, ...]
    report: Path
    maps: Path | None = None
    names: tuple[str, ...] = ()
    more_ms: tuple[RasterSource, ...] = ()


@dataclass(frozen=True)
class BandFigures:
    """One band of a result."""

    name: str
    bias: float  # mean difference of the result, degraded to MS, from MS, as a share of the mean of MS
    error: float  # root of the mean squared difference, as a share of the same
    detail: float  # contrast of PAN's detail over that in MS at reduced resolution; 1 is equal


@dataclass(frozen=True)
class AssessedRaster:
    """Measurements of one result, of interpolation, or of a classical method."""

    name: str
    indices: Mapping[str, float]  # those without a reference, by the names of `INDICES`
    angle: float  # mean angle in degrees between MS and the result degraded to MS
    shift: tuple[float, float] | None  # (row, column) of its detail from PAN's; None for yardsticks
    bands: tuple[BandFigures, ...]
    seams: tuple[tuple[str, float], ...] = ()  # PAN column or row, and its step in usual ones
    notes: tuple[str, ...] = ()  # whole sentences on what was done to fit the raster to PAN and MS
    stretched: bool = False  # True where its values were those of MS stretched to 8 bits


@dataclass(frozen=True)
class Verdict:
    """Verdict on one result: its quality, its faults with their cures, and the codes of the faults."""

    name: str
    sentences: tuple[str, ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssessResult:
    """Result of an assessment; `figures` begin with the results in the order of the job, the yardsticks follow.

    `reduced` are the indices at reduced resolution, where MS is the reference, by the method's name.
    """

    report: Path
    verdicts: tuple[Verdict, ...]
    figures: tuple[AssessedRaster, ...]
    reduced: Mapping[str, Mapping[str, float]]
    maps: tuple[str, ...]
    seconds: float
