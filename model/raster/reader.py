"""Resampler1D rasters by windows through GDAL, with the validity of every pixel."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, gdal_array, osr

from ..errors import InputError
from ..geometry.grids import GeoTransform, Grid, Window

INTEGER_TYPES = ("Byte", "UInt16", "Int16", "UInt32", "Int32", "Int8")
FLOAT_TYPES = ("Float32", "Float64")
LARGEST_BLOCK = 2**30  # bytes
LARGEST_VALUE = 1e30  # beyond it, a float is a nodata mark that was not declared, not a measurement
_exceptions_lock = threading.Lock()


@contextmanager
def gdal_exceptions() -> Iterator[None]:
    """GDAL errors as Python exceptions inside the block; the process-wide state is as before afterwards."""
    with _exceptions_lock:
        before = gdal.GetUseExceptions()
        gdal.UseExceptions()
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        yield
    finally:
        gdal.PopErrorHandler()
        if not before:
            gdal.DontUseExceptions()


@dataclass(frozen=True)
class RasterSource:
    """What to open: all plain data, so that it can cross threads.

    path           anything GDAL opens               open_options   NAME=VALUE
    bands          numbers from 1; empty for all but alpha
    nodata         values that a user declared beside the file's own
    nodata_ranges  (least, largest) values between which a user declared all to be nodata
    own_nodata     whether the file's own nodata value counts
    crs            WKT that replaces the file's own; empty to keep it
    """

    path: str
    open_options: tuple[str, ...] = ()
    bands: tuple[int, ...] = ()
    nodata: tuple[float, ...] = ()
    nodata_ranges: tuple[tuple[float, float], ...] = ()
    own_nodata: bool = True
    crs: str = ""


def said(error: Exception) -> str:
    """GDAL's words as part of a sentence."""
    return str(error).strip().rstrip(".")


class Raster:
    """An open raster, also a context manager. Call its methods from one thread at a time, within `gdal_exceptions`."""

    def __init__(self, source: RasterSource, role: str, dataset: gdal.Dataset | None = None) -> None:
        """`role` (PAN, MS) names the raster in messages; `dataset` is open already where it is given.

        Raises InputError where it cannot be used.
        """
        self.source, self.asked, self.role = source, source, role
        self._original: gdal.Dataset | None = None
        self.left_out: tuple[int, ...] = ()  # alpha bands that the user did not ask for
        try:
            self.dataset = dataset or gdal.OpenEx(source.path, gdal.OF_RASTER, open_options=list(source.open_options))
        except RuntimeError as error:
            raise InputError(f"{role} {source.path} cannot be opened: {said(error)}.") from error
        try:
            self._describe()
        except RuntimeError as error:
            self.close()
            raise InputError(
                f"{role} {source.path} cannot be read: {said(error)}. The file may be truncated or damaged."
            ) from error
        except InputError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the files, also where an error still refers to this object."""
        self.dataset = self._original = None

    def __enter__(self) -> Raster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _describe(self) -> None:
        """Check what is open and read its grid, bands, type and system."""
        if self.dataset.RasterCount == 0:
            raise InputError(f"{self.role} {self.source.path} holds no raster bands; choose one of its subdatasets.")
        self.bands = self._choose_bands()
        kinds = [self.dataset.GetRasterBand(b).DataType for b in self.bands]
        self.type = gdal.GetDataTypeName(functools.reduce(gdal.DataTypeUnion, kinds))  # holds the values of all bands
        self._check_blocks()
        self._flags = {b: self._mask_flags(self.dataset.GetRasterBand(b)) for b in self.bands}
        self._alpha = self._unseen_alpha()
        if self.type not in INTEGER_TYPES + FLOAT_TYPES:
            raise InputError(f"{self.role} {self.source.path} has bands of type {self.type}; real numbers are needed.")
        self.grid = Grid(self.dataset.RasterXSize, self.dataset.RasterYSize, tuple(self.dataset.GetGeoTransform()))
        by_points, by_model = self.dataset.GetGCPCount() > 0, bool(self.dataset.GetMetadata("RPC"))
        if (by_points or by_model) and not self.grid.georeferenced:
            means = "ground control points" if by_points else "rational polynomial coefficients (RPC)"
            raise InputError(
                f"{self.role} {self.source.path} is placed by {means} only. Warp both rasters to a map projection "
                "first, for example with gdal:warpreproject."
            )
        self.crs = self.source.crs or self.dataset.GetProjection()

    def _check_blocks(self) -> None:
        """A block is read as a whole: one of gigabytes is a damaged header, or no file for reading by windows."""
        together = self.dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") == "PIXEL"
        count = self.dataset.RasterCount if together else 1
        band = self.dataset.GetRasterBand(self.bands[0])
        width, height = band.GetBlockSize()
        size = width * height * count * gdal.GetDataTypeSize(band.DataType) // 8
        if size > LARGEST_BLOCK:
            raise InputError(
                f"{self.role} {self.source.path} is stored in blocks of {width} x {height} pixels with {count} "
                f"band(s), {size / 1e9:.1f} GB each, too large to be read piece by piece. If the file is not damaged, "
                "convert it first: gdal_translate -co TILED=YES -co INTERLEAVE=BAND -co BIGTIFF=IF_SAFER."
            )

    def _choose_bands(self) -> tuple[int, ...]:
        count = self.dataset.RasterCount
        missing = [b for b in self.source.bands if not 1 <= b <= count]
        if missing:
            raise InputError(f"{self.role} {self.source.path} has {count} bands; band {missing[0]} does not exist.")
        if self.source.bands:
            return self.source.bands
        alpha = gdal.GCI_AlphaBand
        bands = tuple(b for b in range(1, count + 1) if self.dataset.GetRasterBand(b).GetColorInterpretation() != alpha)
        if not bands:
            raise InputError(f"{self.role} {self.source.path} has no band but alpha.")
        self.left_out = tuple(b for b in range(1, count + 1) if b not in bands)
        return bands

    def same_crs(self, other: Raster) -> bool:
        """Whether both use one reference system; one that has none is taken to use the other's."""
        if not self.crs or not other.crs or self.crs == other.crs:
            return True
        return bool(osr.SpatialReference(self.crs).IsSame(osr.SpatialReference(other.crs)))

    def reproject(self, crs: str) -> None:
        """Read this raster as GDAL's warper brings it to `crs`, window by window."""
        if self.source.nodata_ranges or len(self.source.nodata) > 1 or not self.source.own_nodata:
            raise InputError(
                f"{self.role} {self.source.path} has another reference system than PAN and several nodata values set "
                "on the layer, which cannot be kept apart while it is reprojected. Reproject it first, for example "
                "with gdal:warpreproject."
            )
        declared = {"srcNodata": self.source.nodata[0]} if self.source.nodata else {}  # else gaps would mix with pixels
        try:
            warped = gdal.Warp(
                "",
                self.dataset,
                format="VRT",
                srcSRS=self.crs,
                dstSRS=crs,
                resampleAlg="cubic",
                dstAlpha=True,
                **declared,
            )
        except RuntimeError as error:
            raise InputError(
                f"{self.role} {self.source.path} cannot be reprojected to PAN's system: {said(error)}."
            ) from error
        self.source = replace(self.source, bands=self.bands, crs=crs)
        self._original, self.dataset = self.dataset, warped  # the warped dataset reads from the original
        self._describe()

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values (bands, h, w) float32 and validity (h, w) of a window inside the raster.

        A pixel is valid where it is finite and below LARGEST_VALUE, no nodata, and not masked, in every chosen band;
        others read as 0.
        """
        place = (window.left, window.top, window.width, window.height)
        values = np.empty((len(self.bands), window.height, window.width), dtype=np.float32)
        valid = np.ones((window.height, window.width), dtype=bool)
        try:
            for index, number in enumerate(self.bands):
                band = self.dataset.GetRasterBand(number)
                exact = band.ReadAsArray(*place)
                valid &= self._valid(number, exact, place, first=index == 0)
                with np.errstate(over="ignore"):  # what float32 cannot hold is no valid pixel
                    values[index] = exact
            if self._alpha:
                valid &= self.dataset.GetRasterBand(self._alpha).ReadAsArray(*place) != 0
        except RuntimeError as error:
            where = f"at row {window.top}, column {window.left}"
            raise InputError(
                f"{self.role} {self.source.path} cannot be read {where}: {said(error)}. "
                "The file may be truncated or damaged."
            ) from error
        if not valid.all():
            values[:, ~valid] = 0.0
        return values, valid

    def _valid(self, number: int, exact: np.ndarray, place: tuple[int, ...], first: bool) -> np.ndarray:
        is_float = exact.dtype.kind == "f"
        valid = np.abs(exact) < LARGEST_VALUE if is_float else np.ones(exact.shape, dtype=bool)
        for value in self.source.nodata:
            valid &= exact != value
        for least, largest in self.source.nodata_ranges:
            valid &= (exact < least) | (exact > largest)
        flags = self._flags[number]
        shared = flags & gdal.GMF_PER_DATASET
        if flags != gdal.GMF_ALL_VALID and (first or not shared):
            valid &= self.dataset.GetRasterBand(number).GetMaskBand().ReadAsArray(*place) != 0
        return valid

    def _mask_flags(self, band: gdal.Band) -> int:
        """GDAL's mask flags of a band; all valid where a nodata value is all there is and it does not count."""
        flags = int(band.GetMaskFlags())
        return gdal.GMF_ALL_VALID if flags == gdal.GMF_NODATA and not self.source.own_nodata else flags

    def _unseen_alpha(self) -> int | None:
        """An alpha band that GDAL's masks leave out: they follow it in rasters of two and of four bands alone."""
        if any(f & gdal.GMF_ALPHA for f in self._flags.values()):
            return None
        numbers = (b for b in range(1, self.dataset.RasterCount + 1) if b not in self.bands)
        alpha = gdal.GCI_AlphaBand
        return next((b for b in numbers if self.dataset.GetRasterBand(b).GetColorInterpretation() == alpha), None)

    def read_padded(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """As `read`, for a window that may reach beyond the raster: its edge pixels are repeated."""
        full = self.grid.window
        rows = np.clip(np.arange(window.top, window.bottom), 0, full.height - 1)
        columns = np.clip(np.arange(window.left, window.right), 0, full.width - 1)
        inside = Window(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)
        values, valid = self.read(inside)
        if inside == window:
            return values, valid
        before = (inside.top - window.top, inside.left - window.left)
        after = (window.bottom - inside.bottom, window.right - inside.right)
        if min(*before, *after) < 0:  # the window lies wholly beyond an edge
            pick = np.ix_(rows - inside.top, columns - inside.left)
            return values[:, pick[0], pick[1]], valid[pick]
        margins = tuple(zip(before, after))
        return np.pad(values, ((0, 0), *margins), "edge"), np.pad(valid, margins, "edge")

    def strip_bytes(self, rows: int) -> int:
        """Bytes of the blocks over `rows` full rows; 0 where a block is no wider than half the raster.

        Windows side by side share such blocks: a cache that does not hold them reads every row again for each window.
        """
        band = self.dataset.GetRasterBand(self.bands[0])
        width, height = band.GetBlockSize()
        if 2 * width <= self.grid.width:
            return 0
        return self.dataset.RasterCount * width * (rows + height) * gdal.GetDataTypeSize(band.DataType) // 8

    @property
    def reopened(self) -> RasterSource:
        """What to open to get the same bands again, before any reprojection."""
        return replace(self.asked, bands=self.bands)

    @property
    def reprojected(self) -> bool:
        """Whether it is read in another reference system than its file's."""
        return self._original is not None

    @property
    def described(self) -> gdal.Dataset:
        """The dataset that holds names and metadata of the bands: the one of the file, not of its reprojection."""
        return self._original or self.dataset

    @property
    def nodata(self) -> float | None:
        """The nodata value of the first chosen band that has one."""
        own = [self.dataset.GetRasterBand(b).GetNoDataValue() for b in self.bands]
        declared = own if self.source.own_nodata else []
        return next((v for v in [*declared, *self.source.nodata] if v is not None), None)

    @property
    def may_have_gaps(self) -> bool:
        """Whether any pixel could be invalid."""
        flags = self._flags.values()
        told = bool(self.source.nodata or self.source.nodata_ranges)
        told = told or self._alpha is not None
        return told or self.type in FLOAT_TYPES or any(f != gdal.GMF_ALL_VALID for f in flags)


def in_memory(source: RasterSource, role: str, values: NDArray[Any], transform: GeoTransform) -> Raster:
    """A raster whose pixels are an array (bands, h, w); `source.path` is what messages call it. Raises InputError."""
    bands, height, width = values.shape
    kind = gdal_array.NumericTypeCodeToGDALTypeCode(values.dtype)
    if kind is None or gdal.GetDataTypeName(kind) not in INTEGER_TYPES + FLOAT_TYPES:
        raise InputError(f"{role} is of type {values.dtype}; use one of {', '.join(INTEGER_TYPES + FLOAT_TYPES)}.")
    dataset = gdal.GetDriverByName("MEM").Create("", width, height, bands, kind)
    dataset.SetGeoTransform(transform)
    dataset.WriteArray(values)
    return Raster(source, role, dataset)
