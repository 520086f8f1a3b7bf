"""Whether two reference systems are one, and reading a raster in another one through GDAL's warper."""

from __future__ import annotations

import math
from typing import Any

from osgeo import gdal, osr

from ..errors import InputError
from ..geometry.grids import RATIO_TOLERANCE, Grid

SAME_PLACE = 1e-3  # pixels by which two systems may differ and still be one
PROBES = (0.0, 0.5, 1.0)  # of a raster's width and height, where two systems are compared


def same_system(first: str, second: str, grid: Grid) -> bool:
    """Whether two systems (WKT) put a grid's pixels in one place, however they are written.

    The same zone may be compound, carry a null shift of its datum, or name its ellipsoid alone.
    """
    if not first or not second or first == second:
        return True
    one, other = (_horizontal(wkt) for wkt in (first, second))
    if one.IsSame(other):
        return True
    if one.IsLocal() or other.IsLocal():
        return False
    try:
        moved = _transformed(one, other, grid)
    except RuntimeError:
        return False
    return moved is not None and moved < SAME_PLACE * min(grid.pixel_size)


def _horizontal(wkt: str) -> Any:
    system = osr.SpatialReference(wkt)
    if system.IsCompound():
        system.StripVertical()
    system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return system


def _transformed(one: Any, other: Any, grid: Grid) -> float | None:
    """The largest distance, in map units, between points of a grid and what they become in another system."""
    t = grid.transform
    spots = [(c * grid.width, r * grid.height) for c in PROBES for r in PROBES]
    points = [(t[0] + c * t[1] + r * t[2], t[3] + c * t[4] + r * t[5]) for c, r in spots]
    found = osr.CoordinateTransformation(one, other).TransformPoints(points)
    distances = [math.hypot(x - a, y - b) for (a, b), (x, y, *_) in zip(points, found)]
    return max(distances) if all(math.isfinite(d) for d in distances) else None


def warp(
    dataset: gdal.Dataset, role: str, path: str, systems: tuple[str, str], pan: Grid, nodata: float | str | None
) -> gdal.Dataset:
    """A dataset in PAN's system, read as it is needed, whose last band is alpha; `systems` are its own and PAN's.

    `nodata` is the one value that marks gaps, None where masks of the file do, "none" where nothing does. Pixels have
    the shape of PAN's, so that both ratios are alike. Raises InputError.
    """
    options: dict[str, Any] = {} if nodata is None else {"srcNodata": nodata}
    try:
        across, down = pan.pixel_size
        if abs(across / down - 1.0) > RATIO_TOLERANCE:
            usual = gdal.AutoCreateWarpedVRT(dataset, systems[0], systems[1], gdal.GRA_NearestNeighbour)
            size, stretch = abs(usual.GetGeoTransform()[1]), math.sqrt(across / down)
            options |= {"xRes": size * stretch, "yRes": size / stretch}
        return gdal.Warp(
            "",
            dataset,
            format="VRT",
            srcSRS=systems[0],
            dstSRS=systems[1],
            resampleAlg="cubic",
            dstAlpha=True,
            **options,
        )
    except RuntimeError as error:
        raise InputError(
            f"{role} {path} cannot be reprojected to PAN's system: {str(error).strip().rstrip('.')}. Check that its "
            "reference system is the right one (Layer, Set CRS), or reproject it first with gdal:warpreproject."
        ) from error


def refuse_local(role: str, path: str, wkt: str, other: str) -> None:
    """Raises InputError where one system is local and the other is not: nothing relates the two."""
    systems = [osr.SpatialReference(w) for w in (wkt, other)]
    local = [s.IsLocal() for s in systems]
    if any(local) and not all(local):
        which = role if local[0] else "PAN"
        name = systems[0 if local[0] else 1].GetName() or "unnamed"
        raise InputError(
            f"The reference system of {which} is a local one ('{name}'), which nothing relates to that of the other "
            f"raster ({path}). Assign the right system to {which} (Layer, Set CRS, or gdal_edit.py -a_srs), or the "
            "same local one to both."
        )
