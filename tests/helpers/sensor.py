"""Pairs in sensor geometry: the ground is known, and RPCs are fitted to how each raster sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from helpers.scenes import Pair, Recipe, load_image, save
from osgeo import gdal, osr
from scipy.ndimage import gaussian_filter, map_coordinates

Map = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
HEIGHT = 120.0  # metres above the ellipsoid, of the ground
LEAN = (0.11, 0.06)  # PAN pixels (columns, rows) per metre of height
CENTRE, PIXEL = (5e5, 4e6), 2.0  # EPSG:32633


def ground_to_pan(x: np.ndarray, y: np.ndarray, height: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return PAN's column and row of a place: turned by 12 degrees and leaning with height."""
    turn, rise = np.radians(12.0), np.asarray(height) - HEIGHT
    across, down = (x - CENTRE[0]) / PIXEL, (CENTRE[1] - y) / PIXEL
    column = across * np.cos(turn) - down * np.sin(turn) + 60.0 + LEAN[0] * rise
    return column, across * np.sin(turn) + down * np.cos(turn) + 40.0 + LEAN[1] * rise


def to_degrees(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude of places in EPSG:32633."""
    systems = [osr.SpatialReference(), osr.SpatialReference()]
    for system, code in zip(systems, (32633, 4326)):
        system.ImportFromEPSG(code)
        system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    points = osr.CoordinateTransformation(*systems).TransformPoints(np.column_stack([x, y]).tolist())
    longitude, latitude = np.array(points)[:, :2].T
    return longitude, latitude


def places(count: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y and height of points over and around the scene."""
    x, y, h = np.meshgrid(
        np.linspace(-300, 900, count) + CENTRE[0], np.linspace(-900, 300, count) + CENTRE[1], [-80.0, 20.0, HEIGHT, 250.0, 400.0]
    )
    return x.ravel(), y.ravel(), h.ravel()


def fit_rpc(to_pixels: Callable[..., tuple[np.ndarray, np.ndarray]]) -> dict[str, str]:
    """Fit cubic RPCs (denominators 1) to columns and rows, counted from the corner, of places and heights."""
    x, y, h = places()
    longitude, latitude = to_degrees(x, y)
    column, row = (v - 0.5 for v in to_pixels(x, y, h))  # RPCs count from the first pixel's centre
    model, normal = {}, {}
    for name, values in (("LONG", longitude), ("LAT", latitude), ("HEIGHT", h), ("SAMP", column), ("LINE", row)):
        offset, scale = (values.max() + values.min()) / 2, (values.max() - values.min()) / 2
        offset = HEIGHT if name == "HEIGHT" else offset
        model |= {f"{name}_OFF": repr(float(offset)), f"{name}_SCALE": repr(float(scale))}
        normal[name] = (values - offset) / scale
    lon, lat, hgt = normal["LONG"], normal["LAT"], normal["HEIGHT"]
    terms = np.column_stack([
        np.ones_like(lon), lon, lat, hgt, lon * lat, lon * hgt, lat * hgt, lon**2, lat**2, hgt**2, lat * lon * hgt,
        lon**3, lon * lat**2, lon * hgt**2, lon**2 * lat, lat**3, lat * hgt**2, lon**2 * hgt, lat**2 * hgt, hgt**3,
    ])  # fmt: skip
    for name in ("SAMP", "LINE"):
        coefficients = np.linalg.lstsq(terms, normal[name], rcond=None)[0]
        model[f"{name}_NUM_COEFF"] = " ".join(f"{float(c):.15g}" for c in coefficients)
        model[f"{name}_DEN_COEFF"] = "1" + " 0" * 19
    return model


def sensor_pair(folder: Path, pan_to_ms: Map | None = None, **recipe: object) -> Pair:
    """Write a pair without georeference, with RPCs. `pan_to_ms` maps PAN's columns and rows to those of MS.

    Without it, four by four pixels of PAN are one of MS.
    """
    made = Recipe(**{"bands": 4, "height": 320, "width": 320, **recipe}).write(folder)  # type: ignore[arg-type]
    maps = {made.pan: ground_to_pan}
    if pan_to_ms is None:
        maps[made.ms] = lambda x, y, h: tuple(v / 4 for v in ground_to_pan(x, y, h))
    else:
        columns, rows = np.meshgrid(np.arange(320) + 0.5, np.arange(320) + 0.5)
        seen = np.stack(pan_to_ms(columns, rows))
        width, height = (int(n) for n in seen.reshape(2, -1).max(1))
        save(made.ms, sample(made.reference, pan_to_ms, width, height))
        maps[made.ms] = lambda x, y, h: pan_to_ms(*ground_to_pan(x, y, h))
    for path, to_pixels in maps.items():
        values = load_image(path)
        bare = gdal.GetDriverByName("GTiff").Create(str(path), *values.shape[:0:-1], len(values), gdal.GDT_UInt16)
        bare.WriteArray(values)
        bare.SetMetadata(fit_rpc(to_pixels), "RPC")
        bare = None
    return made


def sample(reference: np.ndarray, pan_to_ms: Map, width: int, height: int) -> np.ndarray:
    """Return MS (bands, height, width) of a sharp image whose pixels a map brings to those of MS."""
    blurred = [gaussian_filter(band, 2.0) for band in reference]
    wanted = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5))
    spots = wanted * 4.0
    for _ in range(30):  # the inverse of the map, which is nearly a division by 4
        spots += 4.0 * (wanted - np.stack(pan_to_ms(*spots)))
    return np.stack([map_coordinates(b, (spots[1] - 0.5, spots[0] - 0.5), order=3, mode="nearest") for b in blurred])


def misplacement(path: Path, corner: tuple[int, int] = (0, 0)) -> float:
    """Return the largest error of a raster's RPC at known points, in pixels; its first pixel is PAN's `corner`."""
    dataset, worst = gdal.Open(str(path)), 0.0
    for height in (0.0, HEIGHT, 300.0):
        x, y, _ = places(5)
        column, row = ground_to_pan(x, y, height)
        moved, _ = gdal.Transformer(
            dataset, None, ["METHOD=RPC", f"RPC_HEIGHT={height}", "RPC_PIXEL_ERROR_THRESHOLD=0.001"]
        ).TransformPoints(1, np.column_stack(to_degrees(x, y)).tolist())
        found = np.array(moved)[:, :2] + corner
        worst = max(worst, float(np.abs(found - np.column_stack([column, row])).max()))
    return worst
