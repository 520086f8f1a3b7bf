"""Comparison of reference systems, and reading a raster in another one through GDAL's warper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, osr

from ..errors import InputError
from ..geometry.grids import RATIO_TOLERANCE, Grid
from ..wording import format_value
from .gdal_errors import quote_messages

SAME_PLACE = 1e-3  # pixels by which two equal systems may differ
PROBES = (0.0, 0.5, 1.0)  # of a raster's width and height, where two systems are compared


def is_same_system(first: str, second: str, grid: Grid) -> bool:
    """Tell whether two systems (WKT) put a grid's pixels in one place, however they are written.

    The same zone may be compound, carry a null shift of its datum, or name its ellipsoid alone.
    """
    if not first or not second or first == second:
        return True
    one, other = (parse_horizontal(wkt) for wkt in (first, second))
    if one.IsSame(other):
        return True
    if one.IsLocal() or other.IsLocal():
        return False
    try:
        moved = _measure_displacement(one, other, grid)
    except RuntimeError:
        return False
    return moved is not None and moved < SAME_PLACE * min(grid.pixel_size)


def parse_horizontal(wkt: str) -> Any:
    """Parse a reference system, without heights, whose first axis points east."""
    system = osr.SpatialReference(wkt)
    if system.IsCompound():
        system.StripVertical()
    system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return system


def _measure_displacement(one: Any, other: Any, grid: Grid) -> float | None:
    """Return the largest distance, in map units, between points of a grid and their positions in another system."""
    t = grid.transform
    spots = [(c * grid.width, r * grid.height) for c in PROBES for r in PROBES]
    points = [(t[0] + c * t[1] + r * t[2], t[3] + c * t[4] + r * t[5]) for c, r in spots]
    moved = osr.CoordinateTransformation(one, other).TransformPoints(points)
    distances = [math.hypot(x - a, y - b) for (a, b), (x, y, *_) in zip(points, moved)]
    return max(distances) if all(math.isfinite(d) for d in distances) else None


@dataclass(frozen=True)
class Plane:
    """Source of the pixels of one band: its band, and the alpha band that a reprojection gave it.

    marked     the same reprojection with nodata of other bands, for a band that declares none
    datasets   kept open for the reprojection; the last one holds the pixels
    """

    band: gdal.Band
    alpha: gdal.Band | None = None
    marked: Plane | None = None
    datasets: tuple[gdal.Dataset, ...] = ()

    def read(self, box: tuple[int, ...]) -> tuple[np.ndarray, NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Read values of a window, where a reprojection reaches, and where its pixels are not nodata of other bands."""
        values = self.band.ReadAsArray(*box)
        reached = None if self.alpha is None else self.alpha.ReadAsArray(*box) != 0
        if self.marked is None or self.marked.alpha is None:
            return values, reached, None
        clear = np.asarray(self.marked.alpha.ReadAsArray(*box) != 0)
        np.copyto(values, self.marked.band.ReadAsArray(*box), where=clear)  # not mixed with nodata of neighbours
        return values, reached, clear


@dataclass(frozen=True)
class Warper:
    """Warper of a raster's bands into PAN's system, as they are read; messages call it `role` and `name`.

    `options` of gdal.Warp replace the choice of a grid.
    """

    role: str
    name: str
    crs: str
    pan_crs: str
    pan: Grid
    options: Mapping[str, Any] = field(default_factory=dict)

    def warp_together(self, dataset: gdal.Dataset, numbers: tuple[int, ...]) -> dict[int, Plane]:
        """Reproject bands that share their gaps. Raises InputError."""
        warped = self._warp(dataset, None)
        alpha = warped.GetRasterBand(warped.RasterCount)
        return {b: Plane(warped.GetRasterBand(b), alpha, datasets=(warped,)) for b in numbers}

    def warp_alone(
        self, dataset: gdal.Dataset, number: int, mark: int | str | None, nodata: Iterable[tuple[float, float]]
    ) -> Plane:
        """Reproject one band by itself, to keep its own gaps, with the band `mark` as its alpha. Raises InputError."""
        values = {v for ends in nodata for v in ends}
        if len(values) > 1:
            raise InputError(
                f"{self.role} {self.name} has another reference system than PAN and several nodata values for "
                f"band {number} ({', '.join(map(format_value, sorted(values)))}), which cannot be kept apart while it "
                "is reprojected. Reproject it first, for example with gdal:warpreproject."
            )
        numbers = [number] if mark is None else [number, mark]
        single = gdal.Translate("", dataset, format="VRT", bandList=numbers, maskBand="none")
        if mark is not None:
            single.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
        warped = self._warp(single, values.pop() if values else ("none" if mark is None else None))
        return Plane(warped.GetRasterBand(1), warped.GetRasterBand(warped.RasterCount), datasets=(single, warped))

    def _warp(self, dataset: gdal.Dataset, nodata: float | str | None) -> gdal.Dataset:
        """Make a dataset whose last band is alpha. Pixels have the shape of PAN's, so that both ratios are alike.

        `nodata` is the one value that marks gaps, None where masks of the file do, "none" where nothing does.
        """
        self._refuse_local()
        options: dict[str, Any] = {**self.options, **({} if nodata is None else {"srcNodata": nodata})}
        try:
            across, down = self.pan.pixel_size
            if abs(across / down - 1.0) > RATIO_TOLERANCE and not self.options:
                usual = gdal.AutoCreateWarpedVRT(dataset, self.crs, self.pan_crs, gdal.GRA_NearestNeighbour)
                size, stretch = abs(usual.GetGeoTransform()[1]), math.sqrt(across / down)
                options |= {"xRes": size * stretch, "yRes": size / stretch}
            return gdal.Warp(
                "", dataset, format="VRT", srcSRS=self.crs, dstSRS=self.pan_crs, resampleAlg="cubic", dstAlpha=True,
                **options,
            )  # fmt: skip
        except RuntimeError as error:
            raise InputError(
                f"{self.role} {self.name} cannot be reprojected to PAN's system: {quote_messages(error)}. Check that "
                "its reference system is the right one (Layer, Set CRS), or reproject it first with gdal:warpreproject."
            ) from error

    def _refuse_local(self) -> None:
        """Refuse one local system and one that is not: nothing relates the two. Raises InputError."""
        own, pan = (osr.SpatialReference(wkt) for wkt in (self.crs, self.pan_crs))
        if bool(own.IsLocal()) != bool(pan.IsLocal()):
            which, local = (self.role, own) if own.IsLocal() else ("PAN", pan)
            system = local.GetName() or "unnamed"
            raise InputError(
                f"The reference system of {which} is a local one ('{system}'), which nothing relates to that of the "
                f"other raster ({self.name}). Assign the right system to {which} (Layer, Set CRS, or gdal_edit.py "
                "-a_srs), or the same local one to both."
            )
