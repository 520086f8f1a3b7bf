"""Reader of rasters by windows through GDAL, with the validity of every pixel."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, gdal_array

from ..errors import InputError
from ..geometry.alignment import Alignment
from ..geometry.grids import NO_GEOREFERENCE, GeoTransform, Grid, Window, find_flips
from .bands import (
    MAX_VALUE,
    choose_bands,
    choose_offset,
    combine_masks,
    find_common_type,
    is_within,
    refuse_blocks,
    refuse_types,
    widen_signed_bytes,
)
from .gdal_errors import quote_messages
from .pixel_types import FLOAT_TYPES, INTEGER_TYPES
from .reprojection import Plane, Warper, is_same_system
from .sensor_geometry import FRAME, SYSTEM, SensorModel, relate_models
from .source import RasterSource
from .source_files import Stamp, confined, damage_raised, open_delivered, refuse_changed_files, stamps, suggest_cure
from .truncation import refuse_truncated_files


class Raster:
    """An open raster, also a context manager. Call its methods from one thread at a time, within `gdal_exceptions`.

    bands       numbers of the bands that are wanted
    read_bands  numbers of those that are read: the wanted ones and the others of the image, because measurements on
                a scene must not depend on the choice of bands
    offsets     (len(read_bands),) values that are taken off before pixels become float32
    files       size and time of every file behind it, as it was opened
    alignment   displacement of the bands that `read_padded` corrects; None corrects nothing
    alpha       number of the band that marks gaps as alpha; `false_alpha` of one that only claims to
    """

    def __init__(self, source: RasterSource, role: str, dataset: gdal.Dataset | None = None) -> None:
        """`role` (PAN, MS) names the raster in messages; `dataset` is open already where it is given.

        Raises InputError where it cannot be used.
        """
        self.source, self.role = source, role
        self.reprojected, self._flips = False, (False, False)
        self.model: SensorModel | None = None
        self.files: Stamp = {}
        self.alignment: Alignment | None = None
        self._confinement = ExitStack()
        self.dataset = dataset or self._open()
        try:
            self._describe()
        except RuntimeError as error:
            self.close()
            raise InputError(
                f"{role} {source.name} cannot be read: {quote_messages(error)}. The file may be truncated or damaged."
            ) from error
        except InputError:
            self.close()
            raise

    def _open(self) -> gdal.Dataset:
        """Open the source; images of products without the files next to them, until `close`. Raises InputError."""
        source, role = self.source, self.role
        try:
            if source.delivered:
                self._confinement.enter_context(confined())
                return open_delivered(source.gdal_name)
            return gdal.OpenEx(source.gdal_name, gdal.OF_RASTER, open_options=list(source.open_options))
        except RuntimeError as error:
            self._confinement.close()
            cure = suggest_cure(source.gdal_name)
            raise InputError(f"{role} {source.name} cannot be opened: {quote_messages(error)}. {cure}.") from error
        except InputError as error:
            self._confinement.close()
            raise InputError(f"{role} {source.name} {error}.") from error

    def close(self) -> None:
        """Release the files, also where an error still refers to this object."""
        self._planes: dict[int, Plane] = {}
        self.dataset = self.model = None
        self._confinement.close()

    def __enter__(self) -> Raster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _describe(self) -> None:
        """Check what is open and read its grid, bands, type and system."""
        self.files = stamps(self.source.gdal_name)
        refuse_truncated_files(self.role, self.files)
        if self.dataset.RasterCount == 0:
            raise InputError(f"{self.role} {self.source.name} holds no raster bands; choose one of its subdatasets.")
        self.dataset = widen_signed_bytes(self.dataset)
        self.bands, self.read_bands, self.alpha, self.false_alpha = choose_bands(self.dataset, self.source, self.role)
        self.left_out = () if self.source.bands or self.alpha is None else (self.alpha,)
        self.type = find_common_type(self.dataset, self.bands)
        refuse_types(self.dataset, self.read_bands, f"{self.role} {self.source.name}")
        refuse_blocks(self.dataset, self.bands[0], f"{self.role} {self.source.name}")
        self._planes = {b: Plane(self.dataset.GetRasterBand(b)) for b in self.read_bands}
        self._flags = {b: self._read_mask_flags(b) for b in self.read_bands}
        self._nodata = {b: self._list_nodata(b) for b in self.read_bands}
        self.offsets = np.array([choose_offset(self.dataset.GetRasterBand(b)) for b in self.read_bands])
        self.grid = Grid.of(self.dataset)
        self.crs = self.source.crs or self.dataset.GetProjection()
        self.unmeasured = self.source.unmeasured
        if self.dataset.GetMetadata("RPC") and not self.crs and self.grid.transform in (NO_GEOREFERENCE, FRAME):
            self.model = SensorModel(self.source.name, self.dataset, self.source.height)
            self.grid, self.crs = replace(self.grid, transform=FRAME), ""
        elif self.dataset.GetGCPCount() and not self.grid.georeferenced:
            self._refuse_placement("ground control points")

    def _refuse_placement(self, means: str) -> None:
        cure = "Warp both rasters to a map projection first, for example with gdal:warpreproject."
        raise InputError(f"{self.role} {self.source.name} is placed by {means} only. {cure}")

    @property
    def bits(self) -> int | None:
        """Bits of the wanted bands' values, where the file says that they are fewer than the type's."""
        bits = [self.dataset.GetRasterBand(b).GetMetadataItem("NBITS", "IMAGE_STRUCTURE") for b in self.bands]
        return max(int(b) for b in bits if b) if all(bits) and self.type in INTEGER_TYPES else None

    def has_same_crs(self, other: Raster) -> bool:
        """Tell whether both use one reference system; one that has none is taken to use the other's."""
        return is_same_system(self.crs, other.crs, self.grid)

    def place_on(self, pan: Raster) -> None:
        """Place this raster on PAN's by the sensor models of both, or reproject it. Raises InputError."""
        if pan.model and self.model:
            relation = relate_models(pan.model, replace(self.model, height=pan.model.used_height))
            if relation.is_straight(self.grid):
                self.grid = replace(self.grid, transform=relation.transform)
            else:
                warper = Warper(self.role, self.source.name, SYSTEM, SYSTEM, pan.grid, relation.warp_options(pan.grid))
                self._warp(warper, relation.as_points(self.dataset))
            self.unmeasured = pan.model.to_frame_polygons(self.unmeasured) if self.unmeasured else ""
        elif pan.model or self.model:
            (pan if pan.model else self)._refuse_placement("rational polynomial coefficients (RPC)")
        elif not self.has_same_crs(pan):
            self._warp(Warper(self.role, self.source.name, self.crs, pan.crs, pan.grid), self.dataset)
            self.crs = pan.crs
        self.orient(pan.grid)

    def orient(self, pan: Grid) -> None:
        """Read rows and columns in the order of PAN's, where the file has them in the other one. Raises InputError."""
        self._flips = find_flips(pan, self.grid)
        self.grid = self.grid.flipped(*self._flips)

    def _warp(self, warper: Warper, dataset: gdal.Dataset) -> None:
        """Read this raster, as `dataset` has it, through GDAL's warper, window by window."""
        alike = all(f == gdal.GMF_ALL_VALID or f & gdal.GMF_PER_DATASET for f in self._flags.values())
        plain = not any(self._list_unmasked_nodata(b) for b in self.read_bands)
        # GDAL's masks follow an alpha band in rasters of two and of four bands.
        if alike and plain and (self.alpha is None or any(f & gdal.GMF_ALPHA for f in self._flags.values())):
            planes = warper.warp_together(dataset, self.read_bands)
        else:
            planes, others = {}, self._list_all_nodata()
            for number in self.read_bands:
                mark: int | str | None = self.alpha
                if mark is None and self._flags[number] & gdal.GMF_PER_DATASET:
                    mark = f"mask,{number}"  # as alpha: GDAL's warper ignores masks of bands with a nodata value
                nodata = self._nodata[number]
                plane = warper.warp_alone(dataset, number, mark, nodata)
                marked = None if nodata or not others else warper.warp_alone(dataset, number, mark, others)
                planes[number] = replace(plane, marked=marked)
        self._planes, self.reprojected = planes, True
        self.grid = Grid.of(planes[self.read_bands[0]].datasets[-1])

    def make_output_grid(self, window: Window) -> Grid:
        """Return the grid of a raster that holds a window; without a georeference where RPC alone place this one."""
        grid = self.grid.cropped(window)
        return replace(grid, transform=NO_GEOREFERENCE) if self.model else grid

    @property
    def state(self) -> tuple[object, ...]:
        """Properties that decide the values that are read; equal where none of them has changed.

        QGIS may write statistics next to a raster (.aux.xml), so other properties are compared, not that file.
        """
        files = sorted(entry for entry in self.files.items() if not entry[0].endswith(".aux.xml"))
        properties = self.read_bands, self.alpha, self._nodata, self._flags, self.offsets.tolist()
        return tuple(files), replace(self.source, bands=()), self.grid, self.crs, str(properties)

    def refuse_changes(self) -> None:
        """Refuse files behind this raster that have changed since it was opened. Raises InputError."""
        refuse_changed_files(self.role, self.files)

    def leave_out(self, numbers: tuple[int, ...]) -> None:
        """Read these bands no more: they have no valid pixel, and a scene is measured on the others."""
        kept = [i for i, b in enumerate(self.read_bands) if b not in numbers]
        self.read_bands = tuple(self.read_bands[i] for i in kept)
        self.offsets = self.offsets[kept]
        if not self._list_all_nodata():
            self._planes = {b: replace(self._planes[b], marked=None) for b in self.read_bands}

    @property
    def outputs(self) -> tuple[int, ...]:
        """Index of each wanted band among those that are read, -1 where it is not read."""
        return tuple(self.read_bands.index(b) if b in self.read_bands else -1 for b in self.bands)

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read values (bands, h, w) float32, minus `offsets`, and validity of a window inside the raster.

        A pixel of a band is valid where it is finite, below MAX_VALUE, not nodata of that band, and not masked. Others
        read as 0. Validity is (1, h, w) where all bands share it, else (bands, h, w).
        """
        rows, columns = self._flips
        left = self.grid.width - window.right if columns else window.left
        top = self.grid.height - window.bottom if rows else window.top
        box = (left, top, window.width, window.height)
        values = np.empty((len(self.read_bands), window.height, window.width), dtype=np.float32)
        masks: list[NDArray[np.bool_] | None] = []  # None: nothing marks gaps in the band
        marks: list[NDArray[np.bool_] | None] = []  # None: the band declares nodata itself, or no band does
        with self.reading(window):
            shared, all_nodata = self._read_shared_mask(box), self._list_all_nodata()
            for index, number in enumerate(self.read_bands):
                exact, reached, clear = self._planes[number].read(box)
                masks.append(self._read_band_mask(number, exact, reached, box))
                others = [] if self._nodata[number] else all_nodata
                marks.append((is_within(exact, others) if clear is None else ~clear) if others else None)
                with np.errstate(over="ignore"):  # values that float32 cannot hold are not valid
                    values[index] = exact - self.offsets[index] if self.offsets[index] else exact
        valid = combine_masks(masks, marks, shared, values.shape[1:])
        if not valid.all():
            values[np.broadcast_to(~valid, values.shape)] = 0.0
        if rows or columns:
            order = np.s_[:, :: -1 if rows else 1, :: -1 if columns else 1]
            values, valid = np.ascontiguousarray(values[order]), np.ascontiguousarray(valid[order])
        return values, valid

    @contextmanager
    def reading(self, window: Window) -> Iterator[None]:
        """Raise damage that GDAL reports while a window is read inside the block, as InputError."""
        try:
            with damage_raised():
                yield
        except RuntimeError as error:
            raise InputError(
                f"{self.role} {self.source.name} cannot be read at row {window.top}, column {window.left}: "
                f"{quote_messages(error)}. The file may be truncated or damaged."
            ) from error

    def _read_shared_mask(self, box: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Read the mask that the file has for all its bands together: a mask band, or alpha."""
        if self.reprojected:
            return None
        if self.alpha is not None:
            return np.asarray(self.dataset.GetRasterBand(self.alpha).ReadAsArray(*box) != 0)
        for number in self.read_bands:
            flags = self._flags[number]
            if flags & gdal.GMF_PER_DATASET and not flags & gdal.GMF_ALPHA:
                return np.asarray(self._planes[number].band.GetMaskBand().ReadAsArray(*box) != 0)
        return None

    def _read_band_mask(
        self, number: int, exact: np.ndarray, reached: NDArray[np.bool_] | None, box: tuple[int, ...]
    ) -> NDArray[np.bool_] | None:
        """Mark the pixels of one band that are valid by itself; None where nothing marks gaps."""
        masks = [] if reached is None else [reached]
        if exact.dtype.kind == "f":
            masks.append(np.abs(exact) < MAX_VALUE)
        if self._list_unmasked_nodata(number) and not self.reprojected:
            masks.append(~is_within(exact, self._list_unmasked_nodata(number)))
        if self._flags[number] & gdal.GMF_NODATA and not self.reprojected:
            masks.append(self._planes[number].band.GetMaskBand().ReadAsArray(*box) != 0)
        return functools.reduce(np.logical_and, masks) if masks else None

    def _list_nodata(self, number: int) -> list[tuple[float, float]]:
        """Return the ranges (least, largest) that are nodata of one band, by its user or by its file."""
        counts = self._flags[number] & (gdal.GMF_NODATA | gdal.GMF_PER_DATASET)
        value = self.dataset.GetRasterBand(number).GetNoDataValue()
        ignored = value is None or not counts or number in self.source.ignored_nodata
        return self.source.declared(number) + ([] if ignored else [(value, value)])

    def _list_unmasked_nodata(self, number: int) -> list[tuple[float, float]]:
        """Return nodata that GDAL's mask of a band omits: the user's, and the file's where there is a mask band too."""
        return self._nodata[number] if self._flags[number] & gdal.GMF_PER_DATASET else self.source.declared(number)

    def _list_all_nodata(self) -> list[tuple[float, float]]:
        """Return nodata of any band that is read, except NaN, which is not a measurement in other bands either."""
        return sorted({r for b in self.read_bands for r in self._nodata[b] if not np.isnan(r[0])})

    def _read_mask_flags(self, number: int) -> int:
        """Return GDAL's mask flags of a band, without nodata switched off and without alpha that is an image."""
        flags = int(self.dataset.GetRasterBand(number).GetMaskFlags())
        if flags == gdal.GMF_NODATA and number in self.source.ignored_nodata:
            return int(gdal.GMF_ALL_VALID)
        return int(gdal.GMF_ALL_VALID) if flags & gdal.GMF_ALPHA and self.alpha is None else flags

    def read_padded(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read as `read` does, aligned, for a window that may reach beyond the raster: its edge pixels are repeated."""
        if self.alignment is None:
            return self._read_repeated(window)
        return self.alignment.correct(*self._read_repeated(window.grown(self.alignment.reach)), window)

    def align(self, alignment: Alignment | None) -> None:
        """Correct the displacement of the bands from now on. Raises InputError where it is that of other bands."""
        if alignment is not None and len(alignment.down) != len(self.read_bands):
            count = f"{len(alignment.down)} bands, but {len(self.read_bands)} are read"
            raise InputError(f"The alignment of {self.role} {self.source.name} is that of {count}. Plan it again.")
        self.alignment = alignment

    def _read_repeated(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read a window and repeat the raster's edge pixels where it reaches beyond."""
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
            return values[:, pick[0], pick[1]], valid[:, pick[0], pick[1]]
        margins = ((0, 0), *zip(before, after))
        return np.pad(values, margins, "edge"), np.pad(valid, margins, "edge")

    def strip_bytes(self, rows: int) -> int:
        """Return the bytes of the blocks over `rows` full rows; 0 for blocks up to half as wide as the raster.

        Neighbouring windows share wide blocks: a cache that does not hold them reads every row again for each window.
        """
        band = self._planes[self.read_bands[0]].band
        width, height = band.GetBlockSize()
        if 2 * width <= self.grid.width:
            return 0
        return int(self.dataset.RasterCount * width * (rows + height) * gdal.GetDataTypeSize(band.DataType) // 8)

    @property
    def reopened(self) -> RasterSource:
        """Source that reads the same bands again, before any reprojection."""
        return replace(self.source, bands=self.bands, context=self.read_bands)

    def sensor_model(self, window: Window) -> dict[str, str]:
        """Return the rational polynomial coefficients (RPC) for a window of the raster; empty where it has none."""
        model = dict(self.dataset.GetMetadata("RPC") or {})
        for key, start in (("LINE_OFF", window.top), ("SAMP_OFF", window.left)):
            if key in model:
                model[key] = repr(float(model[key]) - start)
        return model

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands that are read, empty where the file names none."""
        return tuple(self.dataset.GetRasterBand(b).GetDescription() for b in self.read_bands)

    @property
    def bad_bands(self) -> tuple[int, ...]:
        """Numbers of the bands that the bad band list (bbl) of an ENVI header marks with 0."""
        listed = self.dataset.GetMetadataItem("bbl", "ENVI") or self.dataset.GetMetadataItem("bbl") or ""
        marks = [mark.strip() for mark in listed.strip("{} ").split(",")]
        good = [mark not in ("0", "0.0") for mark in marks]
        return tuple(n for n, g in enumerate(good, start=1) if not g) if len(good) == self.dataset.RasterCount else ()

    @property
    def nodata(self) -> float | None:
        """Nodata value of the first wanted band that has one."""
        counted = [b for b in self.bands if b not in self.source.ignored_nodata]
        values = [self.dataset.GetRasterBand(b).GetNoDataValue() for b in counted]
        declared = [low for b in self.bands for low, high in self.source.declared(b) if low == high]
        return next((v for v in [*values, *declared] if v is not None), None)

    @property
    def may_have_gaps(self) -> bool:
        """True where any pixel could be invalid."""
        marked = any(self.source.declared(b) for b in self.read_bands) or self.alpha is not None or self.reprojected
        return marked or self.type in FLOAT_TYPES or any(f != gdal.GMF_ALL_VALID for f in self._flags.values())


def in_memory(source: RasterSource, role: str, values: NDArray[Any], transform: GeoTransform) -> Raster:
    """Make a raster of an array (bands, h, w); messages call it `source.name`. Raises InputError."""
    values = values.astype(np.int16) if values.dtype == np.int8 else values  # GDAL before 3.7 takes it for unsigned
    bands, height, width = values.shape
    gdal_type = gdal_array.NumericTypeCodeToGDALTypeCode(values.dtype)
    if gdal_type is None or gdal.GetDataTypeName(gdal_type) not in INTEGER_TYPES + FLOAT_TYPES:
        raise InputError(f"{role} is of type {values.dtype}; use one of {', '.join(INTEGER_TYPES + FLOAT_TYPES)}.")
    dataset = gdal.GetDriverByName("MEM").Create("", width, height, bands, gdal_type)
    dataset.SetGeoTransform(transform)
    dataset.WriteArray(values)
    return Raster(source, role, dataset)
