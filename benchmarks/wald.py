"""Pairs for measuring quality: read whole, reduced by Wald's protocol, compared with the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from osgeo import gdal
from otfm_pansharpen.model.geometry.filters import dilate
from otfm_pansharpen.model.geometry.grids import Grid, Placement, Window, register
from otfm_pansharpen.model.geometry.resampling import centres, mtf_resampler, resample
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.gap_filling import fill
from otfm_pansharpen.model.quality.indices import ergas, q2n, sam, scc
from otfm_pansharpen.model.quality.wald import reduced_pair
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.pixel_types import INTEGER_TYPES
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import read_pair, sample_scene
from otfm_pansharpen.model.scene.registration import Registration, measure_registration


class Scene:
    """A pair read whole, with its measured registration; small scenes only."""

    def __init__(self, pan: RasterSource, ms: RasterSource) -> None:
        with gdal_exceptions():
            self.pan, self.ms = Raster(pan, "PAN"), Raster(ms, "MS")
            self.rounded = self.ms.type in INTEGER_TYPES
            self.placement: Placement = register(self.pan.grid, self.ms.grid)
            self.registration: Registration = measure_registration(
                list(sample_scene(self.pan, self.ms, self.placement))
            )
            self.placement = self.placement.moved(self.registration.shift)
            self.pair: PairWindow = read_pair(self.pan, self.ms, self.placement, self.ms.grid.window, 0.0)

    def on_pan(self) -> PairWindow:
        """The pair with PAN cut to the PAN raster, for comparing with outputs."""
        with gdal_exceptions():
            values, valid = self.pan.read(self.pan.grid.window)
        return replace(self.pair, pan=values[0], pan_valid=valid[0], pan_corner=(0, 0))

    def cropped_to(self, grid: Grid) -> PairWindow:
        """The pair with PAN cut to the grid of an output, which has PAN's pixels."""
        own, other = self.pan.grid.transform, grid.transform
        left, top = round((other[0] - own[0]) / own[1]), round((other[3] - own[3]) / own[5])
        return self.on_pan().cropped(Window(left, top, grid.width, grid.height))


def list_pairs(
    folder: Path, only: Sequence[str], zero_is_nodata: Sequence[str]
) -> Iterator[tuple[str, RasterSource, RasterSource]]:
    """Name, PAN and MS of each pair <name>_pan.tif and <name>_ms.tif of a folder; of all, or those named in `only`."""
    for path in sorted(folder.glob("*_pan.tif")):
        name = path.name.removesuffix("_pan.tif")
        if only and name not in only:
            continue
        nodata = (0.0,) if name in zero_is_nodata else ()
        pan = RasterSource(str(path), bands=(1,), nodata=nodata)
        yield name, pan, RasterSource(str(path.with_name(f"{name}_ms.tif")), nodata=nodata)


def softened(pan: RasterSource, ms: RasterSource, gain: float, path: Path) -> RasterSource:
    """A product soft for its pixels: MS blurred by the Gaussian that takes its gain to `gain`, written to `path`.

    The gain that is then measured is higher, as the detail that aliasing left in MS does not fall with it.
    """
    scene = Scene(pan, ms)
    pair, known = scene.pair, scene.pair.ms_valid
    mean = pair.ms[:, known].mean(1)[:, None, None]
    whole = fill(torch.from_numpy(pair.ms - mean), torch.from_numpy(known)).numpy() + mean
    strength = TransferFunction.gaussian(min(gain / scene.registration.transfer.gain, 0.999)).rows
    blur = [mtf_resampler(n, centres(n, 0.0, 1.0), strength, 1.0) for n in known.shape]
    write(path, resample(whole, *blur) * known, scene.ms.grid.transform)
    return RasterSource(str(path))


def read(path: Path) -> tuple[np.ndarray, Grid]:
    """All bands (bands, h, w) as float64 and the grid of a small raster."""
    dataset = gdal.Open(str(path))
    if dataset is None:
        raise SystemExit(f"{path} cannot be read.")
    array = np.asarray(dataset.ReadAsArray(), dtype=np.float64)
    grid = Grid(dataset.RasterXSize, dataset.RasterYSize, tuple(dataset.GetGeoTransform()))
    return (array if array.ndim == 3 else array[None]), grid


def band_names(path: Path) -> list[str]:
    """Names of the bands of a raster."""
    dataset = gdal.Open(str(path))
    return [dataset.GetRasterBand(i + 1).GetDescription() for i in range(dataset.RasterCount)]


def write(path: Path, image: np.ndarray, transform: tuple[float, ...]) -> None:
    """(bands, h, w) as float32 GeoTIFF, zero marking gaps."""
    bands, height, width = image.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, gdal.GDT_Float32)
    dataset.SetGeoTransform(transform)
    dataset.WriteArray(image.astype(np.float32))
    for number in range(bands):
        dataset.GetRasterBand(number + 1).SetNoDataValue(0)


def reduced(
    scene: Scene,
    ratio: int,
    folder: Path,
    transfer: TransferFunction | None = None,
    moved: tuple[float, float] = (0.0, 0.0),
) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Files of the reduced pair, the reference (bands, h, w) and where it is to be compared (h, w).

    Both are reduced by `transfer`, without one by the scene's own. MS is seen `moved` (row, column) pixels of the
    reduced PAN away from where its georeference says.
    """
    pair, transfer = scene.pair, transfer or scene.registration.transfer
    height, width = (n // ratio * ratio for n in pair.ms_valid.shape)
    pair = replace(pair, ms=pair.ms[:, :height, :width], ms_valid=pair.ms_valid[:height, :width])
    small = reduced_pair(pair, ratio, transfer, moved)
    pan, covered = small.pan, small.pan_valid
    pan_path, ms_path = folder / "pan.tif", folder / "ms.tif"
    write(pan_path, (pan * covered)[None], (0.0, 1.0, 0.0, float(height), 0.0, -1.0))
    write(ms_path, small.ms * small.ms_valid, (0.0, float(ratio), 0.0, float(height), 0.0, -float(ratio)))
    known = small.valid_on_pan(small.window)  # a wide blur leaves a rim without MS, which classical methods do not fill
    inside = np.zeros_like(covered)
    inside[2 * ratio : -2 * ratio, 2 * ratio : -2 * ratio] = True
    return pan_path, ms_path, pair.ms.astype(np.float64), inside & ~dilate(~known, 2 * ratio)


def indices(
    reference: np.ndarray, image: np.ndarray, ratio: int, inside: np.ndarray, rounded: bool
) -> dict[str, float]:
    """ERGAS, SAM, 1 - Q2n and 1 - SCC where `inside`."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    a, b = reference[(slice(None), *box)], image[(slice(None), *box)]
    whole = inside[box]
    quality = q2n(np.rint(a), np.rint(b), valid=whole) if rounded else q2n(a, b, valid=whole)
    return {
        "ERGAS": ergas(a, b, ratio, whole),
        "SAM": sam(a, b, whole),
        "1-Q2n": 1.0 - quality,
        "1-SCC": 1.0 - scc(a * whole, b * whole),
    }
