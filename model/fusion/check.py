"""The first step: check the pair and choose the output. All that can be refused is refused here."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace

from ..errors import InputError
from ..geometry.grids import Grid, Placement, Window, register
from ..options import DATA_TYPES
from ..raster.delivery import check_space
from ..raster.output_format import OutputForm
from ..raster.pixel_types import FLOAT_TYPES, NUMPY_TYPES, holds
from ..raster.reader import Raster
from ..raster.source import SAME_RASTER
from ..raster.trial import check_format
from ..raster.windows import output_window
from .job import FusionJob


@dataclass(frozen=True)
class CheckedPair:
    """Two open rasters that can be fused, the placement of MS on PAN by georeference, and the output."""

    pan: Raster
    ms: Raster
    placement: Placement
    window: Window  # PAN pixels of the output
    form: OutputForm  # how its values are kept

    @property
    def grid(self) -> Grid:
        """Grid of the output."""
        return self.pan.make_output_grid(self.window)

    @property
    def rounds(self) -> bool:
        """True where fractions of MS become whole numbers."""
        return self.ms.type in FLOAT_TYPES and self.form.type not in FLOAT_TYPES and not self.form.stretch

    @property
    def crs(self) -> str:
        """WKT of the output."""
        return self.pan.crs or self.ms.crs


def check_pair(pan: Raster, ms: Raster, job: FusionJob) -> CheckedPair:
    """Place MS on PAN and choose the output's window, type and nodata. Raises InputError, with the numbers."""
    stretch = _check_stretch(job.options.stretch, len(ms.bands))
    type_name = "Byte" if stretch else job.options.data_type or ms.type
    if type_name not in NUMPY_TYPES:
        raise InputError(f"The data type {type_name} is unknown; choose one of {', '.join(DATA_TYPES)}.")
    if os.path.realpath(pan.source.gdal_name) == os.path.realpath(ms.source.gdal_name) and pan.grid == ms.grid:
        raise InputError(SAME_RASTER.format(name=pan.source.name))
    placement = register(pan.grid, ms.grid)
    bits = ms.bits if type_name == ms.type and not stretch else None  # 11-bit data stay 11-bit data
    highest = None if bits is None else 2.0**bits - 1.0
    form = OutputForm(type_name, choose_nodata(type_name, ms, pan), highest=highest, stretch=stretch)
    return CheckedPair(pan, ms, placement, output_window(pan, placement, job.extent), form)


def choose_nodata(type_name: str, ms: Raster, pan: Raster) -> float | None:
    """Choose the value of gaps: MS's, else PAN's where the type holds it, else NaN or 0 where there can be gaps."""
    for value in (ms.nodata, pan.nodata):
        if value is not None and holds(type_name, value):
            return float(value)
    if not ms.may_have_gaps and not pan.may_have_gaps:
        return None
    return float("nan") if type_name in FLOAT_TYPES else 0.0


def _check_stretch(stretch: tuple[tuple[float, float], ...], bands: int) -> tuple[tuple[float, float], ...]:
    """Return the stretch if it fits the bands. Raises InputError."""
    if stretch and len(stretch) != bands:
        raise InputError(
            f"The stretch has {len(stretch)} ranges, but {bands} bands are written. Give one for each band."
        )
    for low, high in stretch:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(
                f"A band cannot be stretched from {low:g} to {high:g}. Choose minimum and maximum in the properties of "
                "the layer (Symbology)."
            )
    return stretch


def check_output(pair: CheckedPair, job: FusionJob) -> CheckedPair:
    """Complete the form of the output by the options of the job. Raises OutputError where it cannot be written."""
    form = replace(pair.form, options=job.options.creation_options, overviews=job.options.overviews, stretch=())
    form = replace(check_format(job.output, pair.grid, pair.crs, pair.ms, form), stretch=pair.form.stretch)
    if form.highest is not None and form.highest == form.nodata:
        form = replace(form, highest=form.highest - 1.0)  # clipped pixels must not become gaps
    check_space(job.output, pair.grid, len(pair.ms.bands), form)
    return replace(pair, form=form)
