"""Writing the result: complete and verified under its name, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from osgeo import gdal

from .errors import OutputError
from .grids import Grid, Window
from .rasters import Raster, said

GEOTIFF_DEFAULTS = {"TILED": "YES", "BIGTIFF": "IF_SAFER"}
LOSSY_TOLERANCE = 0.1  # of the mean value
PROBE = 64  # pixels along the side of the pieces that are read back


def driver_for(path: Path) -> gdal.Driver:
    """The GDAL driver that writes files with this extension. Raises OutputError where there is none."""
    extension = path.suffix.lstrip(".").lower()
    drivers = [gdal.GetDriver(i) for i in range(gdal.GetDriverCount())]
    fitting = [
        d
        for d in drivers
        if d.GetMetadataItem(gdal.DCAP_RASTER)
        and extension in (d.GetMetadataItem(gdal.DMD_EXTENSIONS) or "").lower().split()
        and (d.GetMetadataItem(gdal.DCAP_CREATE) or d.GetMetadataItem(gdal.DCAP_CREATECOPY))
    ]
    if not extension or not fitting:
        raise OutputError(
            f"GDAL cannot write a raster with the extension '{path.suffix}' ({path}). "
            "Use .tif or the extension of another raster format."
        )
    return next((d for d in fitting if d.ShortName == "GTiff"), fitting[0])


def check_target(path: Path, inputs: Sequence[str]) -> None:
    """Refuse a raster's target that no driver writes, is an input, is a folder, or cannot be written to.

    Raises OutputError.
    """
    driver_for(path)
    check_place(path, inputs)


def check_place(path: Path, inputs: Sequence[str]) -> None:
    """Refuse a target that is an input, is a folder, or cannot be written to. Raises OutputError."""
    for source in inputs:
        if os.path.exists(source) and os.path.realpath(source) == os.path.realpath(path):
            raise OutputError(f"The output {path} is the input {source}. Choose another output file.")
        if path.exists() and os.path.exists(source) and os.path.samefile(source, path):
            raise OutputError(f"The output {path} is the same file as the input {source}. Choose another output file.")
    if path.is_dir():
        raise OutputError(f"The output {path} is a folder. Give a file name.")
    if not path.parent.is_dir():
        raise OutputError(f"The folder {path.parent} of the output does not exist. Create it or choose another one.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"The folder {path.parent} of the output cannot be written to. Choose another one.")


def _shape_and_types(dataset: gdal.Dataset) -> tuple[int, int, int, list[str]]:
    """Width, height, band count and the name of each band's type."""
    numbers = range(1, dataset.RasterCount + 1)
    types = [gdal.GetDataTypeName(dataset.GetRasterBand(n).DataType) for n in numbers]
    return dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount, types


class RasterWriter:
    """A raster that is written by windows into a temporary folder beside its target and then moved there.

    Use as a context manager and call `finish`; without that call, nothing is left behind.
    """

    def __init__(
        self, path: Path, grid: Grid, like: Raster, crs: str, nodata: float | None, options: Sequence[str]
    ) -> None:
        """Create the raster with the type, bands and band properties of `like`."""
        self.path, self.grid, self.options = path, grid, tuple(options)
        self.driver = driver_for(path)
        self.folder = Path(tempfile.mkdtemp(prefix=f".{path.stem[:40]}-", suffix=".part", dir=path.parent))
        self.is_geotiff = self.driver.ShortName == "GTiff"
        self.draft = self.folder / (path.name if self.is_geotiff else "draft.tif")
        self.probes: dict[Window, np.ndarray] = {}
        given = dict(o.split("=", 1) for o in options if "=" in o) if self.is_geotiff else {}
        chosen = {**GEOTIFF_DEFAULTS, **{k.upper(): v for k, v in given.items()}}
        try:
            self.dataset = gdal.GetDriverByName("GTiff").Create(
                str(self.draft), grid.width, grid.height, len(like.bands), gdal.GetDataTypeByName(like.type),
                ["PHOTOMETRIC=MINISBLACK", "ALPHA=NO", *(f"{k}={v}" for k, v in chosen.items())],
            )  # fmt: skip
            if grid.georeferenced:
                self.dataset.SetGeoTransform(grid.transform)
            if crs:
                self.dataset.SetProjection(crs)
            for number, origin in enumerate(like.bands, start=1):
                self._describe(self.dataset.GetRasterBand(number), like.dataset.GetRasterBand(origin), nodata)
        except RuntimeError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise OutputError(f"{path} cannot be created: {said(error)}.") from error

    @staticmethod
    def _describe(band: gdal.Band, origin: gdal.Band, nodata: float | None) -> None:
        band.SetDescription(origin.GetDescription())
        band.SetColorInterpretation(origin.GetColorInterpretation())
        if nodata is not None:
            band.SetNoDataValue(nodata)
        if origin.GetScale() not in (None, 1.0) or origin.GetOffset() not in (None, 0.0):
            band.SetScale(origin.GetScale() if origin.GetScale() is not None else 1.0)
            band.SetOffset(origin.GetOffset() or 0.0)
        if origin.GetUnitType():
            band.SetUnitType(origin.GetUnitType())
        kept = {k: v for k, v in origin.GetMetadata().items() if not k.startswith("STATISTICS_")}
        if kept:
            band.SetMetadata(kept)

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write (bands, h, w) at a window of the output."""
        try:
            self.dataset.WriteArray(values, window.left, window.top)
        except RuntimeError as error:
            raise OutputError(f"{self.path} cannot be written: {said(error)}. Is the disk full?") from error
        height, width = min(PROBE, window.height), min(PROBE, window.width)
        probe = Window(window.right - width, window.bottom - height, width, height)
        if len(self.probes) < 2:
            self.probes[probe] = values[:, -height:, -width:].copy()
        else:
            self.probes.pop(list(self.probes)[1])
            self.probes[probe] = values[:, -height:, -width:].copy()

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Flush, read back, and move to the target. Raises OutputError; the old file is then still there."""
        try:
            self.dataset.SetMetadata({**self.dataset.GetMetadata(), **metadata})
            self.dataset.FlushCache()
            self.dataset = None
            self._verify(self.draft)
            if not self.is_geotiff:
                self._convert()
            files = sorted(p for p in self.folder.iterdir())
            for file in sorted(files, key=lambda p: p.name == self.path.name):  # the raster itself comes last
                os.replace(file, self.path.parent / file.name)
        except (RuntimeError, OSError) as error:
            raise OutputError(
                f"{self.path} cannot be written: {said(error)}. Is the disk full or the file in use?"
            ) from error

    def _convert(self) -> None:
        """Copy the draft into the format of the target."""
        final = self.folder / self.path.name
        draft = copy = gdal.Open(str(self.draft))
        wanted = _shape_and_types(draft)
        try:
            copy = self.driver.CreateCopy(str(final), draft, False, list(self.options))
            copy.FlushCache()
        finally:
            draft = copy = None  # files are let go of also where an error keeps this frame
        self.draft.unlink()
        if not self._holds(final, wanted):
            raise OutputError(
                f"The format {self.driver.ShortName} of {self.path} cannot hold the result's bands or data type "
                f"({wanted[2]} bands of {wanted[3][0]}). Use .tif."
            )

    def _holds(self, file: Path, wanted: tuple[int, int, int, list[str]]) -> bool:
        """Whether a converted file has the wanted shape and types and what was written."""
        check = gdal.Open(str(file))
        return _shape_and_types(check) == wanted and self._resembles(check)

    def _resembles(self, copy: gdal.Dataset) -> bool:
        """Whether the pieces kept read back but for the small errors of a lossy format: nothing clipped or wrapped."""
        for window, values in self.probes.items():
            found = copy.ReadAsArray(window.left, window.top, window.width, window.height).reshape(values.shape)
            error = np.nanmean(np.abs(found.astype(np.float64) - values))
            if error > LOSSY_TOLERANCE * max(np.nanmean(np.abs(values.astype(np.float64))), 1e-12):
                return False
        return True

    def _verify(self, file: Path) -> None:
        if not self._reads_back(file):
            raise OutputError(f"{self.path} does not read back as it was written. Is the disk full?")

    def _reads_back(self, file: Path) -> bool:
        """Whether the draft has its size and the pieces kept, bit for bit."""
        check = gdal.Open(str(file))
        if (check.RasterXSize, check.RasterYSize) != (self.grid.width, self.grid.height):
            return False
        for window, values in self.probes.items():
            found = check.ReadAsArray(window.left, window.top, window.width, window.height)
            if not np.array_equal(found.reshape(values.shape), values, equal_nan=values.dtype.kind == "f"):
                return False
        return True

    def __enter__(self) -> RasterWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dataset = None
        shutil.rmtree(self.folder, ignore_errors=True)
