"""Pairs in sensor geometry: the ground is known, and RPCs are fitted to how each raster sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from helpers.scenes import Pair, Recipe, load_image, save
from osgeo import gdal, osr
from scipy.ndimage import gaussian_filter, map_coordinates

Map = Callable[..., tuple[np.ndarray, np.ndarray]]
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
    heights = [-80.0, 20.0, HEIGHT, 250.0, 400.0]
    x, y, h = np.meshgrid(np.linspace(-300, 900, count) + CENTRE[0], np.linspace(-900, 300, count) + CENTRE[1], heights)
    return x.ravel(), y.ravel(), h.ravel()


def fit_rpc(to_pixels: Map) -> dict[str, str]:
    """Fit cubic RPCs (denominators 1) to columns and rows, counted from the corner, of places and heights."""
    x, y, h = places()
    longitude, latitude = to_degrees(x, y)
    column, row = (v - 0.5 for v in to_pixels(x, y, h))  # RPCs count from the first pixel's centre
    model: dict[str, str] = {}
    normal = {}
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
    """Write a pair without georeference, with RPCs in the files."""
    pair, models = bare_pair(folder, pan_to_ms, **recipe)
    for path, model in models.items():
        dataset = gdal.Open(str(path), gdal.GA_Update)
        dataset.SetMetadata(model, "RPC")
        dataset = None
    return pair


def bare_pair(folder: Path, pan_to_ms: Map | None = None, **recipe: object) -> tuple[Pair, dict[Path, dict[str, str]]]:
    """Write a pair without georeference; returns it and the RPC of each file.

    `pan_to_ms` maps PAN's columns and rows to those of MS; without it, four by four pixels of PAN are one of MS.
    """
    made = Recipe(**{"bands": 4, "height": 320, "width": 320, **recipe}).write(folder)  # type: ignore[arg-type]
    maps: dict[Path, Map] = {made.pan: ground_to_pan}
    if pan_to_ms is None:
        maps[made.ms] = lambda x, y, h: (ground_to_pan(x, y, h)[0] / 4, ground_to_pan(x, y, h)[1] / 4)
    else:
        columns, rows = np.meshgrid(np.arange(320) + 0.5, np.arange(320) + 0.5)
        seen = np.stack(pan_to_ms(columns, rows))
        width, height = (int(n) for n in seen.reshape(2, -1).max(1))
        save(made.ms, sample(made.reference, pan_to_ms, width, height))
        maps[made.ms] = lambda x, y, h: pan_to_ms(*ground_to_pan(x, y, h))
    for path in maps:
        values = load_image(path)
        bare = gdal.GetDriverByName("GTiff").Create(str(path), *values.shape[:0:-1], len(values), gdal.GDT_UInt16)
        bare.WriteArray(values)
        bare = None
    return made, {path: fit_rpc(to_pixels) for path, to_pixels in maps.items()}


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


def rpb(model: dict[str, str], satellite: str = "WV02", band: str = "P") -> str:
    """Return an RPB file, as WorldView and GaoFen have it."""
    words = {"LINE": "line", "SAMP": "samp", "LAT": "lat", "LONG": "long", "HEIGHT": "height"}
    lines = [f"\t{words[a]}Offset = {model[f'{a}_OFF']};\n" for a in words]
    lines += [f"\t{words[a]}Scale = {model[f'{a}_SCALE']};\n" for a in words]
    for name, key in (("lineNumCoef", "LINE_NUM"), ("lineDenCoef", "LINE_DEN"), ("sampNumCoef", "SAMP_NUM"),
                      ("sampDenCoef", "SAMP_DEN")):  # fmt: skip
        numbers = ",\n".join(f"\t\t\t{float(c):+.15E}" for c in model[f"{key}_COEFF"].split())
        lines.append(f"\t{name} = (\n{numbers});\n")
    return (
        f'satId = "{satellite}";\nbandId = "{band}";\nSpecId = "RPC00B";\nBEGIN_GROUP = IMAGE\n\terrBias = 3.92;\n'
        f"\terrRand = 0.12;\n{''.join(lines)}END_GROUP = IMAGE\nEND;\n"
    )


def rpc_text(model: dict[str, str]) -> str:
    """Return an _RPC.TXT file."""
    units = {"LINE": "pixels", "SAMP": "pixels", "LAT": "degrees", "LONG": "degrees", "HEIGHT": "meters"}
    lines = [f"{a}_{w}: {float(model[f'{a}_{w}']):+.12f} {u}" for w in ("OFF", "SCALE") for a, u in units.items()]
    for part in ("LINE_NUM", "LINE_DEN", "SAMP_NUM", "SAMP_DEN"):
        numbers = model[f"{part}_COEFF"].split()
        lines += [f"{part}_COEFF_{n}: {float(c):+.15E}" for n, c in enumerate(numbers, start=1)]
    return "\n".join(lines) + "\n"


def rpc_xml(model: dict[str, str], rows: int, columns: int) -> str:
    """Return an RPC file of Airbus, which counts pixels from 1, with a direct model that would be wrong here."""
    parts = ("SAMP_NUM", "SAMP_DEN", "LINE_NUM", "LINE_DEN")
    inverse = "".join(
        f"<{p}_COEFF_{n}>{c}</{p}_COEFF_{n}>\n"
        for p in parts
        for n, c in enumerate(model[f"{p}_COEFF"].split(), start=1)
    )
    direct = "".join(f"<{p}_COEFF_{n}>1e-9</{p}_COEFF_{n}>\n" for p in parts for n in range(1, 21))
    shifted = {k: repr(float(model[k]) + 1.0) for k in ("LINE_OFF", "SAMP_OFF")}
    axes = ("LONG", "LAT", "HEIGHT", "SAMP", "LINE")
    validity = "".join(
        f"<{a}_{w}>{ {**model, **shifted}[f'{a}_{w}'] }</{a}_{w}>\n" for a in axes for w in ("SCALE", "OFF")
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Dimap_Document>
  <Metadata_Identification><METADATA_FORMAT version="2.15">DIMAP</METADATA_FORMAT></Metadata_Identification>
  <Rational_Function_Model>
    <Resource_Reference><RESOURCE_TITLE version="1.0">invented</RESOURCE_TITLE></Resource_Reference>
    <Global_RFM>
      <Direct_Model>{direct}<ERR_BIAS_X>0.1</ERR_BIAS_X><ERR_BIAS_Y>0.1</ERR_BIAS_Y></Direct_Model>
      <Inverse_Model>{inverse}<ERR_BIAS_ROW>0.1</ERR_BIAS_ROW><ERR_BIAS_COL>0.1</ERR_BIAS_COL></Inverse_Model>
      <RFM_Validity>
        <Direct_Model_Validity_Domain>
          <FIRST_ROW>1</FIRST_ROW><FIRST_COL>1</FIRST_COL><LAST_ROW>{rows}</LAST_ROW><LAST_COL>{columns}</LAST_COL>
        </Direct_Model_Validity_Domain>
        <Inverse_Model_Validity_Domain><FIRST_LON>14.9</FIRST_LON><FIRST_LAT>36.0</FIRST_LAT>
          <LAST_LON>15.1</LAST_LON><LAST_LAT>36.2</LAST_LAT></Inverse_Model_Validity_Domain>
        {validity}
      </RFM_Validity>
    </Global_RFM>
  </Rational_Function_Model>
</Dimap_Document>
"""
