"""Synthetic scenes on disk: roofs and fields seen by a sensor whose MTF, shift and grids are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from osgeo import gdal, osr
from otfm_pansharpen.model.geometry.transfer import TransferFunction, Values, evaluate
from scipy.ndimage import gaussian_filter, map_coordinates


def landscape(bands: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Sharp reflectances, (bands, height, width) within 200 to 3000: smooth ground with rectangles and texture."""
    rng = np.random.default_rng(seed)
    ground = np.stack([gaussian_filter(rng.standard_normal((height, width)), 12) for _ in range(bands)])
    common = gaussian_filter(rng.standard_normal((height, width)), 1.0)
    pixels = 900 + 4000 * ground + 150 * common * np.linspace(0.6, 1.2, bands)[:, None, None]
    for _ in range(height * width // 400):
        h, w = rng.integers(3, 24, 2)
        y, x = rng.integers(0, height - 3), rng.integers(0, width - 3)
        pixels[:, y : y + h, x : x + w] = rng.uniform(400, 2200) * rng.uniform(0.75, 1.25, (bands, 1, 1))
    return np.clip(gaussian_filter(pixels, (0, 0.5, 0.5)), 200, 3000)


def sense(
    reference: np.ndarray,
    ratio: float,
    gain: float = 0.3,
    shift: tuple[float, float] = (0.0, 0.0),
    transfer: TransferFunction | None = None,
) -> np.ndarray:
    """Simulate MS of a sharp image on a nested grid, displaced by `shift` (row, column) sharp pixels.

    Its transfer function is a Gaussian of `gain` at Nyquist, unless one is given.
    """
    sigma = ratio * np.sqrt(-2 * np.log(gain)) / np.pi
    rows, columns = (
        (ratio - 1) / 2 + ratio * np.arange(int(n / ratio)) + s for n, s in zip(reference.shape[1:], shift)
    )
    if transfer:
        down = spectral_map(reference.shape[1], rows, ratio, transfer.rows)
        return np.asarray(down @ reference @ spectral_map(reference.shape[2], columns, ratio, transfer.columns).T)
    points = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([map_coordinates(gaussian_filter(b, sigma), points, order=3, mode="nearest") for b in reference])


def spectral_map(size: int, positions: np.ndarray, ratio: float, values: Values) -> np.ndarray:
    """Map (positions, size) that blurs by a transfer function and samples, exactly, in the cosine transform.

    The image is mirrored at its ends. No kernel is cut or tapered, so this is independent of the code under test.
    """
    frequencies = np.arange(size) / size  # of the sharp image's Nyquist frequency
    waves = np.cos(np.pi * frequencies * (np.arange(size)[:, None] + 0.5))
    sampled = np.cos(np.pi * frequencies * (positions[:, None] + 0.5))
    share = np.where(frequencies > 0, 2.0, 1.0) / size
    return np.asarray((sampled * share * evaluate(values, ratio * frequencies)) @ waves.T)


@dataclass
class Pair:
    """Files of a pair and the sharp truth."""

    pan: Path
    ms: Path
    reference: np.ndarray


@dataclass
class Recipe:
    """The recipe of a pair; the defaults give a 4-band 16-bit scene at ratio 4."""

    bands: int = 4
    ratio: float = 4.0
    height: int = 192
    width: int = 240
    dtype: str = "uint16"
    gain: float = 0.3
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    seed: int = 0
    crs: int = 32633
    nodata: float | None = None
    names: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> Pair:
        """Write PAN and MS as GeoTIFFs in `folder`."""
        reference = landscape(self.bands, self.height, self.width, self.seed)
        pan = np.tensordot(np.linspace(1.0, 0.6, self.bands) / np.linspace(1.0, 0.6, self.bands).sum(), reference, 1)
        ms = sense(reference, self.ratio, self.gain, self.shift)
        files = folder / "pan.tif", folder / "ms.tif"
        pixel = 2.0
        save(files[0], (pan * self.scale)[None], self.dtype, (5e5, pixel, 0, 4e6, 0, -pixel), self.crs, self.nodata)
        coarse = pixel * self.ratio
        save(
            files[1], ms * self.scale, self.dtype, (5e5, coarse, 0, 4e6, 0, -coarse), self.crs, self.nodata, self.names
        )
        return Pair(*files, reference * self.scale)


def save(
    path: Path,
    pixels: np.ndarray,
    dtype: str = "uint16",
    transform: tuple[float, ...] = (5e5, 2.0, 0.0, 4e6, 0.0, -2.0),
    crs: int | None = 32633,
    nodata: float | None = None,
    names: list[str] | None = None,
) -> Path:
    """(bands, h, w) as GeoTIFF."""
    gdal_types = {
        "uint8": "Byte",
        "uint16": "UInt16",
        "int16": "Int16",
        "float32": "Float32",
        "float64": "Float64",
        "complex64": "CFloat32",
    }
    pixels = np.rint(pixels) if dtype[0] in "ui" else pixels
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), pixels.shape[2], pixels.shape[1], len(pixels), gdal.GetDataTypeByName(gdal_types[dtype]),
        ["PHOTOMETRIC=MINISBLACK", "ALPHA=NO"],
    )  # fmt: skip
    dataset.SetGeoTransform(transform)
    if crs:
        system = osr.SpatialReference()
        system.ImportFromEPSG(crs)
        dataset.SetProjection(system.ExportToWkt())
    dataset.WriteArray(pixels.astype(dtype))
    for number in range(1, len(pixels) + 1):
        if nodata is not None:
            dataset.GetRasterBand(number).SetNoDataValue(nodata)
        if names:
            dataset.GetRasterBand(number).SetDescription(names[number - 1])
    dataset.FlushCache()
    return path


def load_image(path: Path) -> np.ndarray:
    """Read all bands as (bands, h, w) in their own type."""
    array: Any = gdal.Open(str(path)).ReadAsArray()
    return array if array.ndim == 3 else array[None]
