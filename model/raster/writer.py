"""Writing the result: complete and verified under its name, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from osgeo import gdal

from ..errors import OutputError
from ..geometry.grids import Grid, Window
from ..staging import MADE, staging
from .creation import creation_options, geotiff_options
from .delivery import deliver
from .gdal_errors import said
from .output_format import OutputForm, driver_for, written_directly
from .reader import Raster
from .trial import lossy_error

OWN_METADATA = ("STATISTICS_", "OTFM_", "AREA_OR_POINT")  # prefixes of what is the result's own, not that of MS
SMALLEST_OVERVIEW = 256  # pixels along the longer side
PROBE = 64  # pixels along the side of the pieces that are read back


def _kept(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """What of the metadata of MS holds for the result too."""
    return {k: v for k, v in (metadata or {}).items() if not k.startswith(OWN_METADATA)}


class RasterWriter:
    """A raster that is written by windows into a temporary folder beside its target and then moved there.

    Use as a context manager and call `finish`; without that call, nothing is left behind.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid,
        crs: str,
        like: Raster,
        form: OutputForm,
        model: Mapping[str, str] | None = None,
    ) -> None:
        """Create the raster with the bands and band properties of `like`; `model` is its sensor model (RPC)."""
        self.path, self.grid, self.form = path, grid, form
        self.driver = driver_for(path)
        self.stack = ExitStack()
        self.direct = written_directly(self.driver.ShortName, form)
        self.probes: dict[Window, np.ndarray] = {}
        try:
            self.staging = self.stack.enter_context(staging(path))
            folder = self.staging.folder
            self.made = folder if self.direct else folder / MADE
            self.draft = folder / (path.name if self.direct else "draft.tif")
            self.made.mkdir(exist_ok=True)
            self.dataset = gdal.GetDriverByName("GTiff").Create(
                str(self.draft), grid.width, grid.height, len(like.bands), gdal.GetDataTypeByName(form.type),
                geotiff_options(form, own=self.direct),
            )  # fmt: skip
            if grid.georeferenced:
                self.dataset.SetGeoTransform(grid.transform)
            if crs:
                self.dataset.SetProjection(crs)
            self.dataset.SetMetadata(_kept(like.described.GetMetadata()))
            if model:
                self.dataset.SetMetadata(dict(model), "RPC")
            for number, origin in enumerate(like.bands, start=1):
                self._describe(self.dataset.GetRasterBand(number), like.described.GetRasterBand(origin))
        except BaseException as error:  # an interrupt too leaves nothing behind
            self.dataset = None
            with self.stack:
                if isinstance(error, (RuntimeError, OSError)):
                    raise OutputError(f"{path} cannot be created: {said(error)}.") from error
                raise

    def _describe(self, band: gdal.Band, origin: gdal.Band) -> None:
        band.SetDescription(origin.GetDescription())
        if "PHOTOMETRIC" not in self.form.given:  # with which the user says what the bands are
            band.SetColorInterpretation(origin.GetColorInterpretation())
        if self.form.nodata is not None:
            band.SetNoDataValue(self.form.nodata)
        if origin.GetScale() not in (None, 1.0) or origin.GetOffset() not in (None, 0.0):
            band.SetScale(origin.GetScale() if origin.GetScale() is not None else 1.0)
            band.SetOffset(origin.GetOffset() or 0.0)
        if origin.GetUnitType():
            band.SetUnitType(origin.GetUnitType())
        for domain in ("", "IMAGERY"):  # the second holds wavelengths
            kept = _kept(origin.GetMetadata(domain))
            if kept:
                band.SetMetadata(kept, domain)

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write (bands, h, w) at a window of the output."""
        try:
            self.dataset.WriteArray(values, window.left, window.top)
            self._hand_over(window)
        except RuntimeError as error:
            raise OutputError(f"{self.path} cannot be written: {said(error)}. Is the disk full?") from error
        height, width = min(PROBE, window.height), min(PROBE, window.width)
        probe = Window(window.right - width, window.bottom - height, width, height)
        if len(self.probes) < 2:
            self.probes[probe] = values[:, -height:, -width:].copy()
        else:
            self.probes.pop(list(self.probes)[1])
            self.probes[probe] = values[:, -height:, -width:].copy()

    def _hand_over(self, window: Window) -> None:
        """Have whole blocks written at once, in the order of the windows: twice as fast as from GDAL's full cache."""
        width, height = self.dataset.GetRasterBand(1).GetBlockSize()
        across = window.left % width == 0 and (window.right % width == 0 or window.right == self.grid.width)
        down = window.top % height == 0 and (window.bottom % height == 0 or window.bottom == self.grid.height)
        if across and down:
            for number in range(1, self.dataset.RasterCount + 1):
                self.dataset.GetRasterBand(number).FlushCache()

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Flush, read back, and move to the target. Raises OutputError; the old file is then still there."""
        try:
            self.dataset.SetMetadata({**self.dataset.GetMetadata(), **metadata})
            self.dataset.FlushCache()
            self._add_statistics()
            if self.form.overviews and self.direct:
                self._add_overviews(self.dataset)
            self.dataset.FlushCache()
            self.dataset = None
            self._verify(self.draft, lossy=False)
            if not self.direct:
                self._convert()
                self._verify(self.made / self.path.name, self.form.lossy)
            deliver(list(self.made.iterdir()), self.path, self.staging)
        except (RuntimeError, OSError) as error:
            raise OutputError(
                f"{self.path} cannot be written: {said(error)}. Is the disk full or the file in use?"
            ) from error

    def _add_statistics(self) -> None:
        """Approximate statistics of every band, from which viewers choose the contrast."""
        for number in range(1, self.dataset.RasterCount + 1):
            try:
                self.dataset.GetRasterBand(number).ComputeStatistics(True)
            except RuntimeError:  # no valid pixel in the sample
                return

    def _add_overviews(self, dataset: gdal.Dataset) -> None:
        """Averages of 2 x 2 pixels, again and again."""
        levels: list[int] = []
        side = max(self.grid.width, self.grid.height)
        while side > SMALLEST_OVERVIEW:
            levels.append(2 ** (len(levels) + 1))
            side = -(-side // 2)
        if levels:
            dataset.BuildOverviews("AVERAGE", levels)

    def _convert(self) -> None:
        """Copy the draft into the format of the target."""
        final = str(self.made / self.path.name)
        draft = copy = gdal.Open(str(self.draft))
        try:
            copy = self.driver.CreateCopy(final, draft, False, creation_options(self.path, self.form))
            copy.FlushCache()
            if self.form.overviews and self.driver.ShortName != "COG":  # which has them already
                copy = None
                copy = gdal.Open(final, gdal.GA_Update if self.driver.ShortName == "GTiff" else gdal.GA_ReadOnly)
                self._add_overviews(copy)
        finally:
            draft = copy = None  # files are let go of also where an error keeps this frame
        self.draft.unlink()

    def _verify(self, file: Path, lossy: bool) -> None:
        """Compare the size and the pieces kept with what a file holds, bit for bit unless it is lossy."""
        check = gdal.Open(str(file))
        same = (check.RasterXSize, check.RasterYSize) == (self.grid.width, self.grid.height)
        for window, values in self.probes.items():
            found = check.ReadAsArray(window.left, window.top, window.width, window.height).reshape(values.shape)
            loss = lossy_error(found, values, self.form) if same else np.inf
            same = same and (loss == 0.0 or (lossy and loss <= 1.0))
        if not same:
            raise OutputError(f"{self.path} does not read back as it was written. Is the disk full?")

    def __enter__(self) -> RasterWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dataset = None
        self.stack.__exit__(kind, error, trace)
