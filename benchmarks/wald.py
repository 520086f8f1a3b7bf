"""Pairs for measuring quality: read whole, reduced by Wald's protocol, compared with the reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from osgeo import gdal
from otfm_pansharpen.model.geometry.grids import Grid, Placement, register
from otfm_pansharpen.model.geometry.resampling import centres, mtf_matrix, resample
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.quality.indices import ergas, q2n, sam
from otfm_pansharpen.model.raster.reader import INTEGER_TYPES, Raster, RasterSource, gdal_exceptions
from otfm_pansharpen.model.raster.windows import read_pair, sample_scene
from otfm_pansharpen.model.scene.registration import Registration, measure_registration
from torch.nn.functional import max_pool2d


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
            shift = self.registration.shift
            moved = (self.placement.origin[0] + shift[0], self.placement.origin[1] + shift[1])
            self.placement = replace(self.placement, origin=moved)
            self.pair: PairWindow = read_pair(self.pan, self.ms, self.placement, self.ms.grid.window, 0.0)

    def on_pan(self) -> PairWindow:
        """The pair with PAN cut to the PAN raster, for comparing with outputs."""
        with gdal_exceptions():
            values, valid = self.pan.read(self.pan.grid.window)
        return replace(
            self.pair, pan=torch.from_numpy(values[0]), pan_valid=torch.from_numpy(valid), origin=self.placement.origin
        )

    def cropped_to(self, grid: Grid) -> PairWindow:
        """The pair with PAN cut to the grid of an output, which has PAN's pixels."""
        own, other = self.pan.grid.transform, grid.transform
        left, top = round((other[0] - own[0]) / own[1]), round((other[3] - own[3]) / own[5])
        cut = np.s_[top : top + grid.height, left : left + grid.width]
        pair = self.on_pan()
        origin = (pair.origin[0] - top, pair.origin[1] - left)
        return replace(pair, pan=pair.pan[cut], pan_valid=pair.pan_valid[cut], origin=origin)


def read(path: Path) -> tuple[np.ndarray, Grid]:
    """All bands (bands, h, w) as float64 and the grid of a small raster."""
    dataset = gdal.Open(str(path))
    if dataset is None:
        raise SystemExit(f"{path} cannot be read.")
    array = np.asarray(dataset.ReadAsArray(), dtype=np.float64)
    grid = Grid(dataset.RasterXSize, dataset.RasterYSize, tuple(dataset.GetGeoTransform()))
    return (array if array.ndim == 3 else array[None]), grid


def rgb_bands(path: Path) -> tuple[int, int, int]:
    """Indices of the red, green and blue band by their names; the first three where they have none."""
    dataset = gdal.Open(str(path))
    names = [dataset.GetRasterBand(i + 1).GetDescription().lower() for i in range(dataset.RasterCount)]
    if {"red", "green", "blue"} <= set(names):
        return names.index("red"), names.index("green"), names.index("blue")
    count = len(names)
    return 0, min(1, count - 1), min(2, count - 1)


def write(path: Path, image: np.ndarray, transform: tuple[float, ...]) -> None:
    """(bands, h, w) as float32 GeoTIFF, zero marking gaps."""
    bands, height, width = image.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, gdal.GDT_Float32)
    dataset.SetGeoTransform(transform)
    dataset.WriteArray(image.astype(np.float32))
    for number in range(bands):
        dataset.GetRasterBand(number + 1).SetNoDataValue(0)


def reduced(
    scene: Scene, ratio: int, folder: Path, moved: tuple[float, float] = (0.0, 0.0)
) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Files of the reduced pair, the reference (bands, h, w) and where it is to be compared (h, w).

    MS is seen `moved` (row, column) pixels of the reduced PAN away from where its georeference says.
    """
    gain = scene.registration.gain
    pan, covered = scene.pair.pan_at_ms(gain)
    height, width = (n // ratio * ratio for n in covered.shape)
    pan, covered, ms = pan[:height, :width], covered[:height, :width], scene.pair.ms[:, :height, :width]
    sides = zip((height, width), moved, strict=True)
    positions = [centres(n // ratio, (ratio - 1) / 2 + away, ratio) for n, away in sides]
    blur = [mtf_matrix(n, s, gain, ratio) for n, s in zip((height, width), positions, strict=True)]
    low = resample(ms, *blur)
    low_valid = resample(covered.float(), *blur) > 0.999
    pan_path, ms_path = folder / "pan.tif", folder / "ms.tif"
    write(pan_path, (pan * covered)[None].numpy(), (0.0, 1.0, 0.0, float(height), 0.0, -1.0))
    write(ms_path, (low * low_valid).numpy(), (0.0, float(ratio), 0.0, float(height), 0.0, -float(ratio)))
    near_gap = max_pool2d((~covered).float()[None, None], 4 * ratio + 1, 1, 2 * ratio)[0, 0] > 0
    inside = torch.zeros_like(covered)
    inside[2 * ratio : -2 * ratio, 2 * ratio : -2 * ratio] = True
    return pan_path, ms_path, ms.numpy().astype(np.float64), (inside & ~near_gap).numpy()


def indices(
    reference: np.ndarray, image: np.ndarray, ratio: int, inside: np.ndarray, rounded: bool
) -> dict[str, float]:
    """ERGAS, SAM and 1 - Q2n where `inside`."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    a, b = reference[(slice(None), *box)], image[(slice(None), *box)]
    whole = inside[box]
    quality = q2n(np.rint(a), np.rint(b), valid=whole) if rounded else q2n(a, b, valid=whole)
    return {"ERGAS": ergas(a, b, ratio, whole), "SAM": sam(a, b, whole), "1-Q2n": 1.0 - quality}
