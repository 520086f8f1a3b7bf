"""What an assessment is asked, and what it found: plain data that can go to another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..raster.source import RasterSource

# Colours of the block maps, from bad to good, for those who cannot tell red from green too: value, colour, words.
SHADES = (
    (0.5, (215, 48, 39), "0.5 or less: bad"),
    (0.75, (254, 224, 144), "0.75"),
    (0.9, (171, 217, 233), "0.9"),
    (1.0, (49, 54, 149), "1: perfect"),
)


@dataclass(frozen=True)
class AssessJob:
    """Sharpened rasters `fused` of one PAN and MS; `report` is an HTML file, `maps` a folder for block maps or None.

    `names` are what to call them, in their order; without names they are called by their files.
    """

    pan: RasterSource
    ms: RasterSource
    fused: tuple[RasterSource, ...]
    report: Path
    maps: Path | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class BandFigures:
    """One band of a result.

    bias     mean difference of the result, degraded to MS, from MS, as a share of the mean of MS
    error    root of the mean squared difference, as a share of the same
    detail   contrast of PAN's detail in the result, relative to that of PAN's detail in MS one scale down; 1 is as much
    """

    name: str
    bias: float
    error: float
    detail: float


@dataclass(frozen=True)
class Assessed:
    """What was measured of one result, of interpolation, or of a classical method.

    indices  those without a reference, by the names of `quality.indices.INDICES`
    angle    mean angle in degrees between MS and the result degraded to MS
    shift    (row, column) PAN pixels by which the result's detail lies off PAN's; None for yardsticks
    seams    steps that run straight through the image, in deviations of its unexplained part: (PAN column or row, step)
    notes    how the raster was made to fit, whole sentences
    stretched   whether its values were those of MS stretched to 8 bits, before they were made to fit
    """

    name: str
    indices: Mapping[str, float]
    angle: float
    shift: tuple[float, float] | None
    bands: tuple[BandFigures, ...]
    seams: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    stretched: bool = False


@dataclass(frozen=True)
class Verdict:
    """On one result: how good it is, what is wrong with it and what to do, and the codes of its faults."""

    name: str
    sentences: tuple[str, ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssessResult:
    """What was found; `figures` begin with the results in the order of the job, the yardsticks follow.

    `reduced` are the indices one scale down, where MS is the reference, by the method's name.
    """

    report: Path
    verdicts: tuple[Verdict, ...]
    figures: tuple[Assessed, ...]
    reduced: Mapping[str, Mapping[str, float]]
    maps: tuple[str, ...]
    seconds: float
