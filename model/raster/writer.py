"""Writer of the result: complete and verified under its name, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from ..errors import OutputError
from ..geometry.grids import Grid, Window
from ..staging import MADE, staging
from .bands import copy_metadata, describe_band
from .delivery import deliver
from .gdal_errors import gdal_messages, quote_messages
from .output_format import OutputForm, choose_driver, creation_options, geotiff_options, is_written_directly
from .reader import Raster

OWN_METADATA = ("STATISTICS_", "OTFM_", "AREA_OR_POINT")  # prefixes of metadata that are not copied from MS
MIN_OVERVIEW = 256  # pixels along the longer side; smaller images get no further overview
PROBE = 64  # pixels along the side of the pieces that are read back
LOSSY_TOLERANCE = 0.1  # mean error of a lossy codec, as a share of the mean value


class RasterWriter:
    """A raster that is written by windows into a temporary folder next to its target and then moved there.

    Use as a context manager and call `finish`; without that call, nothing is left behind.
    """

    def __init__(
        self, path: Path, grid: Grid, crs: str, like: Raster, form: OutputForm, model: Mapping[str, str] | None = None
    ) -> None:
        """Create the raster with the bands and band properties of `like`; `model` is its sensor model (RPC)."""
        self.path, self.grid, self.form = path, grid, form
        self.driver = choose_driver(path)
        self.stack = ExitStack()
        self.direct = is_written_directly(self.driver.ShortName, form)
        self.probes: dict[Window, np.ndarray] = {}
        try:
            self.staging = self.stack.enter_context(staging(path))
            folder = self.staging.folder
            self.made = folder if self.direct else folder / MADE
            self.draft = folder / (path.name if self.direct else "draft.tif")
            self.file = self.made / path.name
            self.made.mkdir(exist_ok=True)
            self.dataset = gdal.GetDriverByName("GTiff").Create(
                str(self.draft), grid.width, grid.height, len(like.bands), gdal.GetDataTypeByName(form.type),
                geotiff_options(form, own=self.direct),
            )  # fmt: skip
            if grid.georeferenced:
                self.dataset.SetGeoTransform(grid.transform)
            if crs:
                self.dataset.SetProjection(crs)
            metadata = like.dataset.GetMetadata() or {}
            kept = {k: v for k, v in metadata.items() if not k.startswith(OWN_METADATA)}
            if model and not grid.georeferenced:
                kept["OTFM_GEOMETRY"] = "sensor geometry of PAN, placed by its RPC"
            self.dataset.SetMetadata(kept)
            if model:
                self.dataset.SetMetadata(dict(model), "RPC")
            for number, origin in enumerate(like.bands, start=1):
                self._describe(self.dataset.GetRasterBand(number), like.dataset.GetRasterBand(origin))
        except BaseException as error:  # an interrupt too leaves nothing behind
            self.dataset = None
            with self.stack:
                if isinstance(error, (RuntimeError, OSError)):
                    raise OutputError(f"{path} cannot be created: {quote_messages(error)}.") from error
                raise

    def _describe(self, band: gdal.Band, origin: gdal.Band) -> None:
        describe_band(band, origin, OWN_METADATA)
        if "PHOTOMETRIC" not in self.form.given:  # by it the user declares the meaning of the bands
            meaning = origin.GetColorInterpretation()  # a band that is written is an image, whatever its file declares
            band.SetColorInterpretation(gdal.GCI_Undefined if meaning == gdal.GCI_AlphaBand else meaning)
        if self.form.nodata is not None:
            band.SetNoDataValue(self.form.nodata)
        if self.form.stretch:  # a picture has no physical values
            band.SetScale(1.0)
            band.SetOffset(0.0)

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write (bands, h, w) at a window of the output."""
        try:
            self.dataset.WriteArray(values, window.left, window.top)
            self._hand_over(window)
        except RuntimeError as error:
            raise OutputError(f"{self.path} cannot be written: {quote_messages(error)}. Is the disk full?") from error
        height, width = min(PROBE, window.height), min(PROBE, window.width)
        probe = Window(window.right - width, window.bottom - height, width, height)
        if len(self.probes) == 2:
            self.probes.popitem()  # the first and the last one stay
        self.probes[probe] = values[:, -height:, -width:].copy()

    def _hand_over(self, window: Window) -> None:
        """Flush whole blocks at once, in the order of the windows: twice as fast as from GDAL's full cache."""
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
            self.close()
            self._verify(self.draft, lossy=False)
            if not self.direct:
                with gdal_messages() as messages:
                    self.convert()
                for severity, text in messages:
                    if severity == gdal.CE_Failure:  # gdal.Translate may go on after it
                        raise RuntimeError(text)
                self._verify(self.file, self.form.lossy)
            deliver(list(self.made.iterdir()), self.path, self.staging)
        except (RuntimeError, OSError) as error:
            raise OutputError(
                f"{self.path} cannot be written: {quote_messages(error)}. Is the disk full or the file in use?"
            ) from error

    def close(self) -> None:
        """Release the draft once all of it is on disk."""
        self.dataset.FlushCache()
        self.dataset = None

    def _add_statistics(self) -> None:
        """Add approximate statistics of every band, from which viewers choose the contrast."""
        for number in range(1, self.dataset.RasterCount + 1):
            try:
                self.dataset.GetRasterBand(number).ComputeStatistics(True)
            except RuntimeError:  # no valid pixel in the sample
                return

    def _add_overviews(self, dataset: gdal.Dataset) -> None:
        """Add averages of 2 x 2 pixels, again and again."""
        side = max(self.grid.width, self.grid.height)
        levels = [2**k for k in range(1, 32) if -(-side // 2 ** (k - 1)) > MIN_OVERVIEW]
        if levels:
            dataset.BuildOverviews("AVERAGE", levels)

    def convert(self) -> None:
        """Make the file of the target's format from the closed draft. Raises RuntimeError in GDAL's words."""
        final, driver = str(self.file), self.driver.ShortName
        copy = None
        try:
            options = creation_options(self.path, self.form)
            copy = gdal.Translate(final, str(self.draft), format=driver, creationOptions=options)
            if copy is not None:  # as some drivers fail; then the file cannot be opened
                copy.FlushCache()
            if self.form.overviews and driver != "COG":  # which has them already
                copy = None
                copy = gdal.Open(final, gdal.GA_Update if driver == "GTiff" else gdal.GA_ReadOnly)
                self._add_overviews(copy)
            draft, copy = gdal.Open(str(self.draft)), None
            copy = gdal.Open(final)  # read-only: domains of metadata that its driver drops go to a sidecar
            for number in range(1, min(copy.RasterCount, draft.RasterCount) + 1):
                copy_metadata(copy.GetRasterBand(number), draft.GetRasterBand(number), OWN_METADATA)
        finally:
            copy = draft = None  # releases the files also where an error keeps this frame
        self.draft.unlink()

    def _verify(self, file: Path, lossy: bool) -> None:
        """Compare the size and the pieces kept with what a file holds, bit for bit unless it is lossy."""
        check = gdal.Open(str(file))
        same = (check.RasterXSize, check.RasterYSize) == (self.grid.width, self.grid.height)
        for window, values in self.probes.items():
            read_back = check.ReadAsArray(window.left, window.top, window.width, window.height).reshape(values.shape)
            loss = measure_lossy_error(read_back, values, self.form) if same else np.inf
            same = same and (loss == 0.0 or (lossy and loss <= 1.0))
        if not same:
            raise OutputError(f"{self.path} does not read back as it was written. Is the disk full?")

    def __enter__(self) -> RasterWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self.dataset = None
        self.stack.__exit__(*error)


def measure_lossy_error(found: NDArray[Any], values: NDArray[Any], form: OutputForm) -> float:
    """Return the mean error of values read back, as a share of what a lossy codec may do; above 1 it is a fault."""
    if np.array_equal(found, values, equal_nan=values.dtype.kind == "f"):
        return 0.0
    wanted = values.astype(np.float64)
    error = float(np.nanmean(np.abs(found.astype(np.float64) - wanted)))
    accepted = float(form.given.get("MAX_Z_ERROR", 0.0))  # by the user
    return error / (LOSSY_TOLERANCE * max(float(np.nanmean(np.abs(wanted))), 1e-12) + accepted)
