"""Pairs for quality measurements: read whole, reduced by Wald's protocol, compared with the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from osgeo import gdal
from otfm_pansharpen.model.assessment.assess import MeasuredScene
from otfm_pansharpen.model.geometry.grids import Grid, Window
from otfm_pansharpen.model.geometry.resampling import centres, mtf_resampler, resample
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.gap_filling import fill
from otfm_pansharpen.model.quality.comparison import compared_pixels, reduced_pair
from otfm_pansharpen.model.quality.indices import ComparedImages, measure_indices
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import read_pair


class ValidationScene:
    """A pair measured as an assessment measures it, and all of its MS with the PAN over it; small scenes only."""

    def __init__(self, pan: RasterSource, ms: RasterSource) -> None:
        with gdal_exceptions():
            self.pan, self.ms = Raster(pan, "PAN"), Raster(ms, "MS")
            self.measured = MeasuredScene.of(self.pan, self.ms)
            self.pair = read_pair(self.pan, self.ms, self.measured.placement, self.ms.grid.window, 0.0)
        self.rounded, self.placement = self.measured.rounded, self.measured.placement
        self.registration = self.measured.registration

    def on_pan(self, grid: Grid | None = None) -> PairWindow:
        """Read the pair with PAN cut to the PAN raster, or to the grid of an output that has PAN's pixels."""
        pan, target = self.pan.grid.transform, (grid or self.pan.grid).transform
        left, top = round((target[0] - pan[0]) / pan[1]), round((target[3] - pan[3]) / pan[5])
        size = (grid or self.pan.grid).window
        with gdal_exceptions():
            return self.measured.read(Window(left, top, size.width, size.height))


def list_pairs(
    folder: Path, only: Sequence[str], zero_is_nodata: Sequence[str]
) -> Iterator[tuple[str, RasterSource, RasterSource]]:
    """Yield name, PAN and MS of each pair <name>_pan.tif and <name>_ms.tif of a folder, or of those in `only`."""
    for path in sorted(folder.glob("*_pan.tif")):
        name = path.name.removesuffix("_pan.tif")
        if only and name not in only:
            continue
        nodata = (0.0,) if name in zero_is_nodata else ()
        pan = RasterSource(str(path), bands=(1,), nodata=nodata)
        yield name, pan, RasterSource(str(path.with_name(f"{name}_ms.tif")), nodata=nodata)


def softened(pan: RasterSource, ms: RasterSource, gain: float, path: Path) -> RasterSource:
    """Make a product soft for its pixels: MS is blurred by the Gaussian that takes its gain to `gain`.

    The gain measured afterwards is higher, as the detail that aliasing left in MS does not fall with it.
    """
    scene = ValidationScene(pan, ms)
    pair, valid = scene.pair, scene.pair.ms_valid
    mean = pair.ms[:, valid].mean(1)[:, None, None]
    whole = fill(torch.from_numpy(pair.ms - mean), torch.from_numpy(valid)).numpy() + mean
    strength = TransferFunction.gaussian(min(gain / scene.registration.transfer.gain, 0.999)).rows
    blur = [mtf_resampler(n, centres(n, 0.0, 1.0), strength, 1.0) for n in valid.shape]
    write(path, resample(whole, *blur) * valid, scene.ms.grid.transform)
    return RasterSource(str(path))


def read(path: Path) -> tuple[np.ndarray, Grid]:
    """Read all bands (bands, h, w) as float64 and the grid of a small raster."""
    dataset = gdal.Open(str(path))
    if dataset is None:
        raise SystemExit(f"{path} cannot be read.")
    array = np.asarray(dataset.ReadAsArray(), dtype=np.float64)
    grid = Grid(dataset.RasterXSize, dataset.RasterYSize, tuple(dataset.GetGeoTransform()))
    return (array if array.ndim == 3 else array[None]), grid


def band_names(path: Path) -> list[str]:
    """Read the names of the bands of a raster."""
    dataset = gdal.Open(str(path))
    return [dataset.GetRasterBand(i + 1).GetDescription() for i in range(dataset.RasterCount)]


def write(path: Path, values: np.ndarray, transform: tuple[float, ...]) -> None:
    """Write (bands, h, w) as float32 GeoTIFF, zero marking gaps."""
    bands, height, width = values.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, gdal.GDT_Float32)
    dataset.SetGeoTransform(transform)
    dataset.WriteArray(values.astype(np.float32))
    for number in range(bands):
        dataset.GetRasterBand(number + 1).SetNoDataValue(0)


def reduced(
    scene: ValidationScene,
    ratio: float,
    folder: Path,
    moved: tuple[float, float] = (0.0, 0.0),
) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Write files of the reduced pair. Returns their paths, the reference (bands, h, w) and its mask (h, w).

    PAN and MS are reduced by the scene's own transfer function. MS is `moved` (row, column) pixels of the reduced PAN
    off its georeference.
    """
    pair = scene.pair
    height, width = (int(n // ratio * ratio) for n in pair.ms_valid.shape)
    pair = replace(pair, ms=pair.ms[:, :height, :width], ms_valid=pair.ms_valid[:height, :width], band_valid=None)
    small = reduced_pair(pair, ratio, scene.registration.transfer, moved)
    files, top = (folder / "pan.tif", folder / "ms.tif"), float(height)
    for path, values, valid, step in zip(
        files, (small.pan[None], small.ms), (small.pan_valid, small.ms_valid), (1.0, float(ratio))
    ):
        write(path, values * valid, (0.0, step, 0.0, top, 0.0, -step))
    return *files, pair.ms.astype(np.float64), compared_pixels(small)


def indices(
    reference: np.ndarray, fused: np.ndarray, ratio: float, inside: np.ndarray, rounded: bool
) -> dict[str, float]:
    """Measure all indices with a reference by name, where `inside`."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = np.s_[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return measure_indices(ComparedImages(reference[box], fused[box], inside[box], ratio, rounded))
