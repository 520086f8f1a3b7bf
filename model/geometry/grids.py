"""Position of the MS grid relative to the PAN grid, from their geotransforms alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError

GeoTransform = tuple[float, float, float, float, float, float]
Extent = tuple[float, float, float, float]  # x min, y min, x max, y max, in a raster's reference system

NO_GEOREFERENCE: GeoTransform = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
MIN_RATIO = 1.5
MAX_RATIO = 16.0
RATIO_DIGITS = 3  # decimals by which ratios are compared and shown: pixels in degrees have no round sizes
RATIO_TOLERANCE = 0.02  # difference of the ratios along both axes, where only sizes relate the rasters
MAX_UNEVENNESS = 2.0  # quotient of the ratios along both axes with a georeference: pixels in degrees are rarely square
EDGE_TOLERANCE = 1e-3  # PAN pixels; rounding of geotransforms must not cost a row
MAX_COORDINATE = 1e12  # map units; nothing on Earth is beyond it, and arithmetic with it is safe
MIN_AREA = 1e-30  # of a pixel, in square map units; arithmetic with its inverse is safe
MAX_SKEW = 0.1  # PAN pixels over the whole raster


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: its upper left one and its size. It may reach beyond the raster."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Column after the last."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """Row after the last."""
        return self.top + self.height

    @property
    def empty(self) -> bool:
        """True where it holds no pixel."""
        return self.width <= 0 or self.height <= 0

    def grown(self, by: int) -> Window:
        """Return the window with `by` more pixels on each side."""
        return Window(self.left - by, self.top - by, self.width + 2 * by, self.height + 2 * by)

    def halves(self, across: bool) -> tuple[Window, Window]:
        """Return the left and the right half, or the upper and the lower one."""
        if across:
            left = replace(self, width=self.width // 2)
            return left, replace(self, left=left.right, width=self.width - left.width)
        upper = replace(self, height=self.height // 2)
        return upper, replace(self, top=upper.bottom, height=self.height - upper.height)

    def split(self, side: int) -> list[Window]:
        """Cut the window into squares of `side` pixels, smaller at its right and lower edge."""
        return [
            Window(left, top, side, side).clipped(self)
            for top in range(self.top, self.bottom, side)
            for left in range(self.left, self.right, side)
        ]

    def clipped(self, other: Window) -> Window:
        """Return the part within `other`; `empty` where there is none."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Window(left, top, min(self.right, other.right) - left, min(self.bottom, other.bottom) - top)


@dataclass(frozen=True)
class Grid:
    """A raster's size in pixels and its geotransform (GDAL's six numbers)."""

    width: int
    height: int
    transform: GeoTransform

    @classmethod
    def of(cls, dataset: Any) -> Grid:
        """Return the grid of a raster that GDAL has opened."""
        return cls(dataset.RasterXSize, dataset.RasterYSize, tuple(dataset.GetGeoTransform()))

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Length of a pixel's sides along a row and along a column, in map units."""
        t = self.transform
        return math.hypot(t[1], t[4]), math.hypot(t[2], t[5])

    @property
    def georeferenced(self) -> bool:
        """True where its pixels have places on the ground."""
        return self.transform != NO_GEOREFERENCE

    @property
    def window(self) -> Window:
        """All its pixels."""
        return Window(0, 0, self.width, self.height)

    def cropped(self, window: Window) -> Grid:
        """Return the grid of a window: bit for bit the same pixels where the window starts at (0, 0)."""
        t = self.transform
        if (window.left, window.top) == (0, 0):
            return Grid(window.width, window.height, t)
        x = t[0] + window.left * t[1] + window.top * t[2]
        y = t[3] + window.left * t[4] + window.top * t[5]
        return Grid(window.width, window.height, (x, t[1], t[2], y, t[4], t[5]))

    def flipped(self, rows: bool, columns: bool) -> Grid:
        """Return the same pixels with their rows, their columns or both in the other order."""
        x, a, b, y, c, d = self.transform
        down, across = (self.height if rows else 0), (self.width if columns else 0)
        corner_x, corner_y = x + down * b + across * a, y + down * d + across * c
        a, c = (-a, -c) if columns else (a, c)
        b, d = (-b, -d) if rows else (b, d)
        return Grid(self.width, self.height, (corner_x, a, b, corner_y, c, d))

    def corners(self) -> list[tuple[float, float]]:
        """Return the map coordinates of the four corners."""
        t = self.transform
        pixels = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return [(t[0] + c * t[1] + r * t[2], t[3] + c * t[4] + r * t[5]) for c, r in pixels]

    def covering(self, bounds: Extent) -> Window:
        """Return the window of pixels whose centres lie within map bounds, not clipped to the raster."""
        t = self.transform
        to_pixels = np.linalg.inv(_extract_linear(t))
        x0, y0, x1, y1 = bounds
        points = np.array([[x - t[0], y - t[3]] for x in (x0, x1) for y in (y0, y1)]) @ to_pixels.T
        left, top = np.ceil(points.min(0) - 0.5 - EDGE_TOLERANCE).astype(int)
        right, bottom = np.floor(points.max(0) - 0.5 + EDGE_TOLERANCE).astype(int) + 1
        return Window(int(left), int(top), int(right - left), int(bottom - top))

    def describe(self) -> str:
        """Return size and extent in words."""
        xs, ys = zip(*self.corners())
        extent = f"x {min(xs):.10g} to {max(xs):.10g}, y {min(ys):.10g} to {max(ys):.10g}"
        return f"{self.width} x {self.height} pixels, {extent}"


@dataclass(frozen=True)
class Placement:
    """MS on PAN's grid, all in PAN pixels as (row, column).

    origin   centre of MS pixel (0, 0) as PAN pixel index (the centre of PAN pixel k is k)
    spacing  size of an MS pixel         overlap   PAN pixels whose centres lie in MS
    """

    origin: tuple[float, float]
    spacing: tuple[float, float]
    overlap: Window

    @property
    def ratio(self) -> float:
        """MS pixel size over PAN pixel size."""
        return math.sqrt(self.spacing[0] * self.spacing[1])

    def moved(self, shift: tuple[float, float]) -> Placement:
        """Displace MS by `shift` (row, column) PAN pixels; what it covers by georeference stays."""
        return replace(self, origin=(self.origin[0] + shift[0], self.origin[1] + shift[1]))


def find_flips(pan: Grid, ms: Grid) -> tuple[bool, bool]:
    """Return whether the rows and the columns of MS run against those of PAN, as of files stored bottom-up.

    Neither does where MS is turned by any other angle than 0 and 180 degrees. Raises InputError.
    """
    (across, skew_x), (skew_y, down) = np.linalg.inv(_extract_linear(pan.transform)) @ _extract_linear(ms.transform)
    if max(abs(skew_x) * ms.height, abs(skew_y) * ms.width) > MAX_SKEW:
        return False, False
    return bool(down < 0.0), bool(across < 0.0)


def register(pan: Grid, ms: Grid) -> Placement:
    """Place MS on PAN's grid. Raises InputError, with the numbers, where the two cannot be fused."""
    for role, grid in (("PAN", pan), ("MS", ms)):
        if not all(math.isfinite(v) and abs(v) < MAX_COORDINATE for v in grid.transform):
            raise InputError(f"The geotransform of {role}, {grid.transform}, is out of range. Georeference it again.")
    if pan.georeferenced != ms.georeferenced:
        missing, present = ("PAN", "MS") if ms.georeferenced else ("MS", "PAN")
        raise InputError(
            f"{missing} has no georeference but {present} has one, so they cannot be laid over each other. "
            f"Georeference {missing}, or remove the georeference of {present} if both cover the same area."
        )
    # The affine map from MS pixels (column, row) to PAN pixels.
    between, offset = np.diag([pan.width / ms.width, pan.height / ms.height]), np.zeros(2)
    if pan.georeferenced:
        to_pan = np.linalg.inv(_extract_linear(pan.transform))
        between = to_pan @ _extract_linear(ms.transform)
        offset = to_pan @ np.array([ms.transform[0] - pan.transform[0], ms.transform[3] - pan.transform[3]])
    (across, skew_x), (skew_y, down) = between
    skew = max(abs(skew_x) * ms.height, abs(skew_y) * ms.width)
    if skew > MAX_SKEW or across <= 0 or down <= 0:
        angle = math.degrees(math.atan2(skew_y, across))
        raise InputError(
            f"MS is rotated or sheared against PAN, by {angle:.3f} degrees or {skew:.1f} PAN pixels over the raster. "
            "Bring both to the same orientation first, for example with gdal:warpreproject."
        )
    _check_ratio(pan, ms, float(across), float(down))
    step = (float(down), float(across))
    corner = (float(offset[1]), float(offset[0]))
    bounds = []
    for start, size, count, limit in zip(corner, step, (ms.height, ms.width), (pan.height, pan.width)):
        low = max(0, math.ceil(start - 0.5 - EDGE_TOLERANCE))
        bounds.append((low, min(limit, math.floor(start + size * count - 0.5 + EDGE_TOLERANCE) + 1)))
    (top, bottom), (left, right) = bounds
    if bottom <= top or right <= left:
        places = f"PAN has {pan.describe()}; MS has {ms.describe()}"
        raise InputError(f"PAN and MS do not overlap: {places}. Check the reference systems of both layers.")
    origin = (corner[0] + 0.5 * step[0] - 0.5, corner[1] + 0.5 * step[1] - 0.5)
    return Placement(origin, step, Window(left, top, right - left, bottom - top))


def _check_ratio(pan: Grid, ms: Grid, across: float, down: float) -> None:
    sizes = f"PAN pixels are {pan.pixel_size[0]:.6g}, MS pixels {ms.pixel_size[0]:.6g} map units wide"
    if not pan.georeferenced:
        sizes = f"PAN has {pan.width} x {pan.height} pixels, MS {ms.width} x {ms.height}, neither has a georeference"
    ratio = round(math.sqrt(across * down), RATIO_DIGITS)
    if ratio < 1.0 / MIN_RATIO:
        raise InputError(f"PAN and MS seem to be swapped: {sizes}. PAN is the raster with the smaller pixels.")
    if not MIN_RATIO <= ratio <= MAX_RATIO:
        limits = f"{MIN_RATIO} to {MAX_RATIO:g}"
        raise InputError(f"The ratio of the pixel sizes is {ratio:.3f}, but only {limits} can be fused: {sizes}.")
    uneven = round(max(across / down, down / across), RATIO_DIGITS)
    if uneven > (MAX_UNEVENNESS if pan.georeferenced else 1.0 + RATIO_TOLERANCE):
        raise InputError(
            f"The ratio is {across:.3f} across but {down:.3f} down, so the rasters do not belong together: {sizes}."
        )


def _extract_linear(transform: GeoTransform) -> np.ndarray:
    matrix = np.array([[transform[1], transform[2]], [transform[4], transform[5]]])
    area = abs(transform[1] * transform[5] - transform[2] * transform[4])
    if not np.abs(matrix).max() < MAX_COORDINATE or area < MIN_AREA:
        raise InputError(f"The geotransform {transform} gives the pixels no size that makes sense.")
    return matrix
