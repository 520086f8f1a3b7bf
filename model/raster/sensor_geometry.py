"""Sensor geometry: rasters that only rational polynomial coefficients (RPC) place, related by them.

A raster's frame has its pixels as units, x to the right and y up from the upper left corner, as in QGIS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, ogr

from ..errors import InputError
from ..geometry.grids import MAX_RATIO, MAX_SKEW, MIN_RATIO, Extent, GeoTransform, Grid

FRAME: GeoTransform = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
SYSTEM = 'LOCAL_CS["pixels of PAN",UNIT["pixel",1]]'
LATTICE = 9  # points along each side; models are smooth
STRAIGHT = 0.03  # PAN pixels that an affine map may miss; a larger error would be visible in the shift
ROUND_RATIO = 0.05  # difference from a whole ratio that resampling removes
PRECISION = ("RPC_PIXEL_ERROR_THRESHOLD=0.001", "RPC_MAX_ITERATIONS=50")  # pixels; GDAL's own are 0.1 and 10
RESAMPLING_ERROR = 0.005  # MS pixels by which GDAL's warper may miss

Points = NDArray[np.float64]  # (n, 2), as (column, row) or (longitude, latitude)


@dataclass(frozen=True)
class SensorModel:
    """The RPC of a raster at a height in metres above the ellipsoid; messages call it `name`."""

    name: str
    dataset: gdal.Dataset
    height: float | None = None

    @property
    def used_height(self) -> float:
        """The height, that at which the model is centred where none is given."""
        return float(self.dataset.GetMetadata("RPC").get("HEIGHT_OFF", 0.0)) if self.height is None else self.height

    @cached_property
    def _transformer(self) -> Any:
        try:
            return gdal.Transformer(self.dataset, None, ["METHOD=RPC", f"RPC_HEIGHT={self.used_height}", *PRECISION])
        except (RuntimeError, ValueError) as error:
            raise InputError(f"The RPC of {self.name} cannot be used: {error}. Get the product again.") from error

    def to_ground(self, pixels: Points) -> Points:
        """Return degrees of (columns, rows); not a number where there are none."""
        return self._transform(pixels, 0)

    def to_pixels(self, ground: Points) -> Points:
        """Return (columns, rows) of degrees; not a number where there are none."""
        return self._transform(ground, 1)

    def _transform(self, points: Points, inverse: int) -> Points:
        moved, done = self._transformer.TransformPoints(inverse, points.tolist())
        result = np.array(moved, dtype=np.float64)[:, :2]
        result[~np.array(done, dtype=bool) | ~np.isfinite(result).all(1)] = np.nan
        return result

    def find_place_in(self, whole: SensorModel) -> GeoTransform:
        """Return where a window of a raster lies in the frame of the whole, by the offsets of their models."""
        own, other = (model.dataset.GetMetadata("RPC") for model in (self, whole))
        column, row = (float(other[key]) - float(own[key]) for key in ("SAMP_OFF", "LINE_OFF"))
        return column, 1.0, 0.0, -row, 0.0, -1.0

    def to_frame(self, extent: Extent) -> Extent:
        """Return the extent in the raster's frame of one in degrees. Raises InputError."""
        pixels = self.to_pixels(_spread(*extent))
        if np.isnan(pixels).any():
            raise InputError(
                f"The extent {extent} (degrees) has no place in the sensor geometry of {self.name}. Choose another one."
            )
        (left, top), (right, bottom) = pixels.min(0), pixels.max(0)
        return float(left), float(-bottom), float(right), float(-top)

    def to_frame_polygons(self, polygons: str) -> str:
        """Return polygons (hexadecimal WKB) in the raster's frame of those in degrees."""
        shape = ogr.CreateGeometryFromWkb(bytes.fromhex(polygons))
        waiting = [shape]
        while waiting:
            part = waiting.pop()
            waiting += [part.GetGeometryRef(i) for i in range(part.GetGeometryCount())]
            if part.GetPointCount():
                pixels = self.to_pixels(np.array(part.GetPoints())[:, :2])
                for number, (column, row) in enumerate(np.nan_to_num(pixels, nan=-1.0)):
                    part.SetPoint_2D(number, column, -row)
        return bytes(shape.ExportToWkb()).hex()


@dataclass(frozen=True)
class Relation:
    """Points of MS and of PAN, each (column, row), that show the same ground, and the affine map that fits them best.

    transform   of MS in PAN's frame         miss   largest distance from the map in PAN pixels
    """

    ms: Points
    pan: Points
    transform: GeoTransform
    miss: float

    def is_straight(self, ms: Grid) -> bool:
        """Tell whether the affine map is exact and turns MS by nothing but a flip."""
        _, across, skew_x, _, skew_y, down = self.transform
        skew = max(abs(skew_x) * ms.height, abs(skew_y) * ms.width)
        return self.miss <= STRAIGHT and skew <= MAX_SKEW and min(abs(across), abs(down)) > skew / max(ms.width, 1)

    def as_points(self, dataset: gdal.Dataset) -> gdal.Dataset:
        """Return a raster as a VRT with these points as ground control points in PAN's frame."""
        gcps = [gdal.GCP(x, -y, 0.0, column, row) for (x, y), (column, row) in zip(self.pan, self.ms)]
        return gdal.Translate("", dataset, format="VRT", GCPs=gcps, outputSRS=SYSTEM)

    def warp_options(self, pan: Grid) -> dict[str, Any]:
        """Return options of GDAL's warper that resample MS to pixels that PAN's pixels nest in, over PAN."""
        _, a, b, _, c, d = self.transform
        ratio = math.sqrt(abs(a * d - b * c))
        step = round(ratio) if abs(ratio / round(ratio) - 1.0) < ROUND_RATIO else ratio
        columns, rows = (math.ceil(size / step) for size in (pan.width, pan.height))
        return {
            "tps": True, "errorThreshold": RESAMPLING_ERROR, "outputBounds": (0.0, -rows * step, columns * step, 0.0),
            "width": columns, "height": rows,
        }  # fmt: skip


def _spread(left: float, top: float, right: float, bottom: float) -> Points:
    """Return LATTICE x LATTICE points over a rectangle."""
    columns, rows = np.meshgrid(np.linspace(left, right, LATTICE), np.linspace(top, bottom, LATTICE))
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def _bounds(points: Points) -> tuple[Points, Points]:
    """Return the least and the largest coordinates of points; not numbers where no point has a place."""
    placed = points[np.isfinite(points).all(1)]
    return (placed.min(0), placed.max(0)) if len(placed) else (np.full(2, np.nan), np.full(2, np.nan))


def relate_models(pan: SensorModel, ms: SensorModel) -> Relation:
    """Relate the pixels of two rasters by their models. Raises InputError where these contradict each other."""
    pan_width, pan_height = pan.dataset.RasterXSize, pan.dataset.RasterYSize
    ms_width, ms_height = ms.dataset.RasterXSize, ms.dataset.RasterYSize
    (left, top), (right, bottom) = _bounds(pan.to_pixels(ms.to_ground(_spread(0, 0, ms_width, ms_height))))
    low, high = _bounds(ms.to_pixels(pan.to_ground(_spread(0, 0, pan_width, pan_height))))
    low, high = np.maximum(low, 0.0), np.minimum(high, (ms_width, ms_height))
    transform, miss = FRAME, math.inf
    if (low + 1.0 < high).all():  # false where a model has no values
        points = _spread(*low, *high)
        targets = pan.to_pixels(ms.to_ground(points))
        if np.isfinite(targets).all():
            design = np.column_stack([points, np.ones(len(points))])
            (a, d), (b, e), (c, f) = np.linalg.lstsq(design, targets, rcond=None)[0]
            miss = float(np.abs(design @ [[a, d], [b, e], [c, f]] - targets).max())
            transform = (float(c), float(a), float(b), float(-f), float(-d), float(-e))
    ratio = math.sqrt(abs(transform[1] * transform[5] - transform[2] * transform[4]))
    if not math.isfinite(miss) or not MIN_RATIO <= round(ratio, 3) <= MAX_RATIO:
        size = f"an MS pixel is {ratio:.3f} PAN pixels wide, and " if math.isfinite(miss) else ""
        raise InputError(
            f"The RPCs of PAN {pan.name} and MS {ms.name} contradict each other: by them {size}MS covers PAN's "
            f"columns {left:.0f} to {right:.0f} and rows {top:.0f} to {bottom:.0f}, but PAN has {pan_width} x "
            f"{pan_height} pixels and MS {ms_width} x {ms_height}. Give each raster its own RPC file, or orthorectify "
            "both."
        )
    return Relation(points, targets, transform, miss)
