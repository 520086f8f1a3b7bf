"""Make the example data: a small synthetic scene, as a sensor like Landsat's would record it.

    python scripts/example_data.py [FOLDER]     writes pan.tif and ms.tif (FOLDER: resources/example)
    python scripts/example_data.py --measure    sharpens them and compares the results with the true scene

Fields with tracks and hedges, woods, a river, villages and roads are painted at 3.75 m. PAN sees them with 15 m, and
blue, green, red and near infrared with 30 m, with blur and noise. Centres of MS pixels are centres of PAN pixels, as
Landsat's are. The place is in the sea, where the equator meets the meridian of Greenwich: it is not a real one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, osr
from scipy.ndimage import gaussian_filter, zoom

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "resources" / "example"
SIDE = 640  # pixels of PAN
RATIO = 2
FINE = 4  # painted pixels along a PAN pixel
PIXEL = 15.0  # metres, of PAN
CORNER = (166_020.0, 4_800.0)  # of PAN in UTM zone 31 north: 0 degrees east, 0 degrees north
EPSG = 32631
BANDS = (("blue", 0.482), ("green", 0.561), ("red", 0.655), ("nir", 0.865))  # wavelengths in micrometres
PAN_WEIGHTS = (0.10, 0.50, 0.40, 0.0)  # of BANDS; green and red dominate, as in Landsat 8's PAN
BLUR = 0.4  # in own pixels: with the pixel's area a gain at Nyquist of 0.29
PAN_NOISE, MS_NOISE = 9.0, 7.0
SEED = 3
Image = NDArray[np.float32]
Kind = tuple[int, int, int, int]  # reflectance times 10,000 in blue, green, red and near infrared

WATER: Kind = (480, 430, 290, 160)
ASPHALT: Kind = (900, 960, 1010, 1180)
GRAVEL: Kind = (1350, 1560, 1760, 2150)
HEDGE: Kind = (230, 400, 240, 2500)
WOOD: Kind = (200, 380, 220, 2900)
MEADOW: Kind = (420, 780, 520, 3500)
GARDEN: Kind = (480, 780, 600, 2700)
CROPS: tuple[Kind, ...] = (
    (320, 690, 330, 4300),  # young wheat
    (300, 560, 310, 3800),  # maize
    (620, 1650, 1560, 3700),  # rape in flower
    (760, 1220, 1750, 2700),  # stubble
    (900, 1150, 1480, 2050),  # light soil
    (520, 690, 880, 1350),  # dark soil
    MEADOW,
)
ROOFS: tuple[Kind, ...] = (
    (720, 900, 2050, 2500),  # tiles
    (650, 800, 1600, 2100),  # old tiles
    (1500, 1560, 1620, 1750),  # slate
    (3300, 3400, 3450, 3600),  # metal
)


def painted(rng: np.random.Generator) -> Image:
    """Paint the ground, (4, side, side), with pixels of 3.75 m and a margin of an MS pixel."""
    side = (SIDE + 2 * RATIO) * FINE
    y, x = np.mgrid[:side, :side].astype(np.float32)
    ground = fields(rng, x, y)
    from_river = np.abs(x - 0.3 * side - 200 * np.sin(y / 350 + 0.6) - 80 * np.sin(y / 130) - 0.16 * y)
    woods(rng, ground, from_river > 80)
    lay(ground, MEADOW, from_river < 60 + 18 * np.sin(y / 81))
    village(rng, ground, (0.62, 0.5), 430)
    village(rng, ground, (0.18, 0.78), 200)
    lay(ground, WATER, from_river < 23 + 7 * np.sin(y / 187))
    lay(ground, ASPHALT, np.abs(y - 0.62 * side - 0.12 * (x - side / 2) - 40 * np.sin(x / 400)) < 2.2)
    lay(ground, ASPHALT, np.abs(x - 0.5 * side - 0.08 * (y - side / 2) - 32 * np.sin(y / 360)) < 1.6)
    lay(ground, GRAVEL, np.abs(y - 0.2 * side + 0.35 * (x - side / 2)) < 1.3)
    ground *= 1 + 0.05 * smooth_chance(rng, side, 1) + 0.05 * smooth_chance(rng, side, 80)
    return np.maximum(ground, 60)


def smooth_chance(rng: np.random.Generator, side: int, width: int) -> Image:
    """Draw noise of deviation 1, (side, side), that changes over `width` pixels; wide noise is enlarged."""
    step = max(width // 4, 1)
    small = gaussian_filter(rng.standard_normal((side // step + 3,) * 2).astype(np.float32), width / step)
    return np.asarray(zoom(small / small.std(), step, order=1)[:side, :side])


def lay(ground: Image, spectrum: Kind, where: NDArray[np.bool_]) -> None:
    """Cover the ground with one kind of surface."""
    ground[:, where] = np.array(spectrum, np.float32)[:, None]


def fields(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Paint blocks of strips, turned and bent, one crop per strip; hedges and tracks separate the blocks."""
    side, turn, (across, down) = len(x), np.deg2rad(17), (413, 320)
    bend = 50 * smooth_chance(rng, side, 530)
    u = x * np.cos(turn) + y * np.sin(turn) + bend
    v = y * np.cos(turn) - x * np.sin(turn) + bend + side
    block = np.floor(u / across) * 101 + np.floor(v / down)
    ground = np.empty((4, side, side), np.float32)
    for number in np.unique(block):
        inside = block == number
        lengthwise = rng.random() < 0.5
        distance = (u % across if lengthwise else v % down)[inside]
        strip = np.searchsorted(np.cumsum(rng.uniform(24, 127, 20)), distance)
        crops = np.array(CROPS, np.float32)[rng.integers(0, len(CROPS), 21)]
        crops *= rng.uniform(0.85, 1.15, (21, 1)) * rng.uniform(0.96, 1.04, (21, 4))
        rows = 1 + 0.04 * np.sin(distance * (2 * np.pi / 9)) * (rng.random(21) < 0.4)[strip]
        ground[:, inside] = crops[strip].T * rows
    to_track, to_hedge = (np.minimum(p % length, length - p % length) for p, length in ((v, down), (u, across)))
    lay(ground, HEDGE, (to_hedge < 2.6) & (smooth_chance(rng, side, 93) > -0.2))
    lay(ground, GRAVEL, to_track < 1.3)
    return ground


def woods(rng: np.random.Generator, ground: Image, allowed: NDArray[np.bool_]) -> None:
    """Paint woods whose crowns show light and shade."""
    side = ground.shape[1]
    where = allowed & (smooth_chance(rng, side, 220) > 1.0)
    shade = np.clip(1 + 0.28 * smooth_chance(rng, side, 2), 0.35, 1.7)[where]
    ground[:, where] = np.array(WOOD, np.float32)[:, None] * shade


def village(rng: np.random.Generator, ground: Image, centre: tuple[float, float], radius: int) -> None:
    """Paint streets, gardens, houses and shadows; `centre` is a share of the side, down and across."""
    side = ground.shape[1]
    row, column = (int(c * side) for c in centre)
    y, x = np.mgrid[:side, :side]
    inside = np.hypot(y - row, x - column) + 30 * smooth_chance(rng, side, 53) < radius
    lay(ground, GARDEN, inside)
    lay(ground, ASPHALT, inside & (((y - row) % 58 < 3) | ((x - column) % 83 < 3)))
    for _ in range(radius * radius // 80):
        top, left = row + int(rng.uniform(-radius, radius)), column + int(rng.uniform(-radius, radius))
        is_hall = rng.random() < 0.05
        height, width = rng.integers(10, 30, 2) if is_hall else rng.integers(3, 7, 2)
        roof = np.array(ROOFS[rng.choice(4, p=(0.1, 0.1, 0.3, 0.5) if is_hall else (0.5, 0.25, 0.2, 0.05))], np.float32)
        if inside[top, left]:
            ground[:, top - 2 : top + height - 2, left - 2 : left + width - 2] *= 0.45
            ground[:, top : top + height, left : left + width] = (roof * rng.uniform(0.85, 1.12))[:, None, None]


def seen(ground: Image, pixel: int, start: int, count: int) -> Image:
    """Average `pixel` painted pixels to one, (4, count, count); the first begins at the painted pixel `start`."""
    blurred = gaussian_filter(ground, (0, BLUR * pixel, BLUR * pixel))
    end = start + count * pixel
    parts = blurred[:, start:end, start:end].reshape(4, count, pixel, count, pixel)
    return np.asarray(parts.mean(axis=(2, 4)))


def recorded() -> tuple[NDArray[np.uint16], NDArray[np.uint16], Image]:
    """Record PAN (1, H, W), MS (4, h, w) and the reference (4, H, W): MS without noise, as sharp as PAN."""
    rng = np.random.default_rng(SEED)
    ground = painted(rng)
    margin = RATIO * FINE
    truth = seen(ground, FINE, margin, SIDE)
    pan = np.tensordot(np.array([PAN_WEIGHTS], np.float32), truth, 1)
    ms = seen(ground, FINE * RATIO, margin - FINE * (RATIO - 1) // 2, SIDE // RATIO)
    whole = [
        np.rint(planes + deviation * rng.standard_normal(planes.shape)).astype(np.uint16)
        for planes, deviation in ((pan, PAN_NOISE), (ms, MS_NOISE))
    ]
    return whole[0], whole[1], truth


def write(file: Path, values: NDArray[np.uint16], pixel: float, bands: tuple[tuple[str, float], ...]) -> None:
    """Write (bands, h, w) as a compressed GeoTIFF with names and wavelengths."""
    options = ["COMPRESS=DEFLATE", "PREDICTOR=2", "ZLEVEL=9", "TILED=YES", "PHOTOMETRIC=MINISBLACK", "ALPHA=NO"]
    count, height, width = values.shape
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(file), width, height, count, gdal.GDT_UInt16, [*options, "INTERLEAVE=BAND"]
    )
    edge = (pixel - PIXEL) / 2  # centres of the first pixels coincide
    dataset.SetGeoTransform((CORNER[0] - edge, pixel, 0, CORNER[1] + edge, 0, -pixel))
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(EPSG)
    dataset.SetProjection(reference.ExportToWkt())
    words = "Made up by scripts/example_data.py of OTFM Pansharpen; no real place"
    dataset.SetMetadataItem("TIFFTAG_IMAGEDESCRIPTION", words)
    for number, (name, wavelength) in enumerate(bands, start=1):
        band = dataset.GetRasterBand(number)
        band.SetDescription(name)
        band.SetMetadataItem("CENTRAL_WAVELENGTH_UM", f"{wavelength:g}", "IMAGERY")
    dataset.WriteArray(values)
    dataset.FlushCache()


def make(folder: Path) -> Image:
    """Write PAN and MS. Returns the reference (4, H, W)."""
    folder.mkdir(parents=True, exist_ok=True)
    pan, ms, truth = recorded()
    write(folder / "pan.tif", pan, PIXEL, (("pan", 0.59),))
    write(folder / "ms.tif", ms, PIXEL * RATIO, BANDS)
    return truth


def measure() -> None:
    """Print ERGAS and SAM of interpolation and of each bundled set."""
    from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
    from otfm_pansharpen.model.fusion.pipeline import fuse
    from otfm_pansharpen.model.options import BUNDLED
    from otfm_pansharpen.model.quality.indices import ergas, sam
    from otfm_pansharpen.model.raster.source import RasterSource

    inner = (slice(None), slice(8, -8), slice(8, -8))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = make(folder).astype(np.float64)[inner]
        results = {words: folder / f"{words}.tif" for words in ("interpolation", *BUNDLED)}
        pan, ms = (str(folder / file) for file in ("pan.tif", "ms.tif"))
        (left, top), side = CORNER, PIXEL * SIDE
        grid = {"outputBounds": (left, top - side, left + side, top), "xRes": PIXEL, "yRes": PIXEL}
        gdal.Warp(str(results["interpolation"]), ms, resampleAlg="cubic", **grid)
        for chosen, weights in BUNDLED.items():
            fuse(FusionJob(RasterSource(pan), RasterSource(ms), results[chosen], FusionOptions(weights)))
        print(f"{'':14}{'ERGAS':>8}{'SAM':>8}")
        for chosen, file in results.items():
            fused = gdal.Open(str(file)).ReadAsArray().astype(np.float64)
            print(f"{chosen:14}{ergas(truth, fused[inner], RATIO):8.3f}{sam(truth, fused[inner]):8.3f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        measure()
    else:
        make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
