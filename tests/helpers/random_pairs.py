"""Hypothesis strategies for pairs of any size, grid, type and format: sound ones and wild ones."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from osgeo import gdal, osr
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.raster.source import RasterSource

TYPES = {
    "uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "int16": gdal.GDT_Int16, "uint32": gdal.GDT_UInt32,
    "int32": gdal.GDT_Int32, "float32": gdal.GDT_Float32, "float64": gdal.GDT_Float64,
}  # fmt: skip
STYLES = ("texture", "noise", "ramp", "constant")
LEVELS = [  # mean and deviation: one byte holds the first one, two bytes hold two, four bytes hold four
    (100.0, 30.0), (1000.0, 200.0), (40000.0, 20000.0), (1e7, 1e6), (0.2, 0.05), (0.0, 1.0),
]  # fmt: skip
SOUND_OPTIONS = ((), ("COMPRESS=DEFLATE",), ("COMPRESS=LZW", "PREDICTOR=2"), ("INTERLEAVE=PIXEL",), ("BIGTIFF=YES",))
WILD_OPTIONS = (
    *SOUND_OPTIONS, ("COMPRESS=JPEG",), ("COMPRES=LZW",), ("COMPRESS=FOO",), ("TILED=NO",), ("NBITS=12",),
    ("COMPRESS=LERC", "MAX_Z_ERROR=0.5"), ("QUALITY=90",),
)  # fmt: skip
LAYOUTS = ("nested", "offset", "south up")
WILD_LAYOUTS = (*LAYOUTS, "none", "rotated", "far", "half")
ENDINGS = ("tif", "img", "cog.tif", "dat")
X, Y = 5e5, 4e6  # PAN's corner; its pixels are 1 unit


@dataclass(frozen=True)
class Case:
    """A pair and what is done with it; sizes are rows and columns, `offset` of MS from PAN in PAN pixels."""

    sound: bool
    seed: int  # of pixels and details
    pan_size: tuple[int, int]
    ms_size: tuple[int, int]
    ratio: float
    layout: str
    offset: tuple[float, float]
    systems: tuple[int | None, int | None]
    types: tuple[str, str]
    bands: int
    style: str
    level: int
    nodata: float | None
    extent: tuple[float, float, float, float] | None
    twist: str
    damaged: str
    options: dict[str, Any]

    @property
    def sign(self) -> float:
        """Sign of the step from row to row."""
        return 1.0 if self.layout == "south up" else -1.0

    @property
    def is_aligned(self) -> bool:
        """MS is aligned with PAN by `offset` and `ratio`, and all of it is fused."""
        straight = self.layout in LAYOUTS and self.systems[0] == self.systems[1]
        return straight and self.extent is None and self.twist not in ("degrees", "palette")


@st.composite
def cases(draw: st.DrawFn, sound: bool) -> Case:
    """Draw a case. Sound ones are large enough to measure, overlap, and show the same ground."""
    pick = st.sampled_from
    common = pick([1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0])
    other = st.floats(1.5, 16.0) if sound else pick([1.0, 20.0])
    ratio = round(draw(common | other), 2)
    smallest = int(16 * ratio) if sound else 1
    size = st.integers(smallest, max(smallest, 300))
    height, width = draw(size), draw(size)
    shares = pick([1.0, 0.8 if sound else 0.6, 1.4])
    rows, columns = (max(int(n / ratio * draw(shares)), 1) for n in (height, width))
    layout = draw(pick(LAYOUTS if sound else WILD_LAYOUTS))
    shift = st.floats(-3.0, 3.0) if layout == "offset" else st.just(0.0)
    offset = round(draw(shift) * ratio, 2), round(draw(shift) * ratio, 2)
    system = draw(pick([32633, None]))
    dtypes = draw(pick(list(TYPES))), draw(pick(list(TYPES)))
    whole = np.dtype(dtypes[1]).kind in "ui"
    levels = min(np.dtype(dtype).itemsize if np.dtype(dtype).kind in "ui" else len(LEVELS) for dtype in dtypes)
    gaps = [0.0, 100.0, 255.0] if np.dtype(dtypes[1]).kind == "u" else [0.0, -99.0, 100.0]
    ending = draw(pick(ENDINGS if sound else (*ENDINGS, "png", "jp2", "gpkg", "jpg", "vrt")))
    choices = (SOUND_OPTIONS if ending == "tif" else ((),)) if sound else WILD_OPTIONS
    data_types = ["", "Float32", "Float64"] if sound else ["", "Byte", "UInt16", "Int16", "Int32", "Float32", "Float64"]
    damaged = "" if sound else draw(pick(["", "", "", "pan.tif", "ms.tif"]))
    twists = [""] if damaged else ["", *(SOUND_TWISTS if sound else TWISTS)]
    extent = draw(st.none() | st.tuples(*[st.floats(0.05, 0.45)] * 2, *[st.floats(0.55, 0.95)] * 2))
    return Case(
        sound, draw(st.integers(0, 2**31)), (height, width), (rows, columns), ratio, layout, offset,
        (system, system if sound else draw(pick([system, system, 4326]))), dtypes, draw(st.integers(1, 8)),
        draw(pick(STYLES[:3] if sound else STYLES)),
        draw(st.integers(0, (levels if sound and whole else len(LEVELS)) - 1)),
        draw(st.none() | pick(gaps)), extent, draw(pick(twists)), damaged,
        {"ending": ending, "creation_options": draw(pick(choices)), "tile": draw(pick([64, 128, 1024])),
         "data_type": draw(pick(data_types)), "align": draw(pick(("auto", "scene", "off"))),
         "overviews": draw(st.booleans())},
    )  # fmt: skip


def write_case(case: Case, folder: Path) -> tuple[FusionJob, np.ndarray]:
    """Write the rasters of a case; returns the job and the values of MS."""
    rng = np.random.default_rng(case.seed)
    pan = content(rng, (1, *case.pan_size), case.types[0], case, (0.0, 0.0), 1.0)
    ms = content(rng, (case.bands, *case.ms_size), case.types[1], case, case.offset, case.ratio)
    if case.nodata is not None:
        ms[:, : case.ms_size[0] // 3] = case.nodata
        ms[0, rng.random(case.ms_size) < 0.02] = case.nodata
    (top, left), far = case.offset, 1e6 if case.layout == "far" else 0.0
    skew, step = 0.05 * case.ratio if case.layout == "rotated" else 0.0, case.sign * case.ratio
    grids = [X, 1.0, 0.0, Y, 0.0, case.sign], [X + left + far, case.ratio, skew, Y + case.sign * top, skew, step]
    for name, pixels, dtype, grid, system, bare in (
        ("pan.tif", pan, case.types[0], grids[0], case.systems[0], case.layout == "none"),
        ("ms.tif", ms, case.types[1], grids[1], case.systems[1], case.layout in ("none", "half")),
    ):
        option = str(rng.choice(["TILED=YES", "COMPRESS=DEFLATE", "INTERLEAVE=BAND", "BLOCKYSIZE=1"]))
        nodata = case.nodata if name == "ms.tif" else None
        save(folder / name, pixels, dtype, None if bare else grid, None if bare else system, nodata, option)
    if case.damaged:
        damage(folder / case.damaged, rng)
    path = TWISTS[case.twist](folder, ms, rng) if case.twist else None
    options = dict(case.options)
    output = folder / f"out.{options.pop('ending')}"
    sources = RasterSource(str(folder / "pan.tif")), RasterSource(str(path or folder / "ms.tif"))
    how = FusionOptions(device="cpu", precision="fp32", **options)
    return FusionJob(*sources, output, how, extent_of(case)), ms


def extent_of(case: Case) -> tuple[float, float, float, float] | None:
    """Return the extent to fuse, within both rasters; of wild cases, also outside."""
    if case.extent is None:
        return None
    sides = []
    for first, last, start, count, limit in zip(
        case.extent[:2], case.extent[2:], case.offset[::-1], case.ms_size[::-1], case.pan_size[::-1], strict=True
    ):
        low, high = (max(start, 0.0), min(start + count * case.ratio, limit)) if case.sound else (-20.0, limit)
        sides.append((low + first * (high - low), low + last * (high - low)))
    (left, right), (top, bottom) = sides
    rows = sorted((Y + case.sign * top, Y + case.sign * bottom))
    return X + left, rows[0], X + right, rows[1]


def content(rng: np.random.Generator, size: tuple[int, int, int], dtype: str, case: Case,
            corner: tuple[float, float], pixel: float) -> np.ndarray:  # fmt: skip
    """Texture, ramps, noise or a constant at a level of the type's range, sometimes with values that are not finite."""
    bands, height, width = size
    rows, columns = (pixel * (np.mgrid[:height, :width] + 0.5) + np.reshape(corner, (2, 1, 1))) / 40.0
    base = {
        "texture": np.sin(7 * rows) * np.cos(5 * columns) + 0.1 * rng.standard_normal((height, width)),
        "noise": rng.standard_normal((height, width)),
        "ramp": rows + columns,
        "constant": np.zeros((height, width)),
    }[case.style]
    pixels = base * rng.uniform(0.5, 1.5, (bands, 1, 1)) + 0.05 * rng.standard_normal((bands, height, width))
    level, spread = LEVELS[case.level]
    pixels = pixels * spread + level
    if np.dtype(dtype).kind in "ui":
        limits = np.iinfo(dtype)
        return np.clip(np.rint(pixels), limits.min, limits.max).astype(dtype)
    if rng.random() < 0.1:
        pixels[:, rng.random((height, width)) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 1e38])
    return pixels.astype(dtype)


def save(path: Path, pixels: np.ndarray, dtype: str, grid: list[float] | None, crs: int | None, nodata: float | None,
         option: str) -> None:  # fmt: skip
    options = ["PHOTOMETRIC=MINISBLACK", "ALPHA=NO", option]
    bands, height, width = pixels.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, TYPES[dtype], options)
    if grid:
        dataset.SetGeoTransform(grid)
    if crs:
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(crs)
        dataset.SetProjection(reference.ExportToWkt())
    dataset.WriteArray(pixels)
    if nodata is not None:
        for number in range(bands):
            dataset.GetRasterBand(number + 1).SetNoDataValue(nodata)


def damage(path: Path, rng: np.random.Generator) -> None:
    """Cut the file, or overwrite some of its bytes."""
    data = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        data = data[: int(rng.integers(0, len(data)))]
    else:
        for _ in range(int(rng.integers(1, 20))):
            data[int(rng.integers(0, min(len(data), 4000)))] = int(rng.integers(0, 256))
    path.write_bytes(data)


def opened(folder: Path) -> gdal.Dataset:
    return gdal.Open(str(folder / "ms.tif"), gdal.GA_Update)


def stacked(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> Path | None:
    """Write bands as single files, under a virtual raster under another; None where the layout cannot be stacked."""
    parts = [str(folder / f"b{band}.tif") for band in range(1, len(ms) + 1)]
    for band, part in enumerate(parts, start=1):
        gdal.Translate(part, str(folder / "ms.tif"), bandList=[band])
    if gdal.BuildVRT(str(folder / "stack.vrt"), parts, separate=True) is None:
        return None
    gdal.Translate(str(folder / "outer.vrt"), str(folder / "stack.vrt"), format="VRT")
    return folder / "outer.vrt"


def filled(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> None:
    """Fill a corner with the type's largest value or 0, undeclared."""
    corner = np.add.outer(np.arange(ms.shape[1]), np.arange(ms.shape[2])) < rng.integers(2, 1 + sum(ms.shape[1:]) // 2)
    ms[:, corner] = rng.choice([0, np.iinfo(ms.dtype).max if ms.dtype.kind in "ui" else -9999])
    opened(folder).WriteArray(ms)


def with_alpha(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> None:
    """Declare the last band alpha although it is image."""
    if len(ms) > 1:
        opened(folder).GetRasterBand(len(ms)).SetColorInterpretation(gdal.GCI_AlphaBand)


def with_palette(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> Path:
    """Numbers that stand for colours."""
    table = gdal.ColorTable()
    for entry in range(256):
        table.SetColorEntry(entry, (entry, entry * 3 % 256, 7, 255))
    source = opened(folder)
    target = gdal.GetDriverByName("GTiff").Create(str(folder / "p.tif"), ms.shape[2], ms.shape[1], 1, gdal.GDT_Byte)
    target.SetGeoTransform(source.GetGeoTransform())
    target.SetProjection(source.GetProjection())
    target.GetRasterBand(1).SetColorTable(table)
    target.GetRasterBand(1).WriteArray(rng.integers(0, 255, ms.shape[1:]))
    return folder / "p.tif"


def in_degrees(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> Path | None:
    """Warp MS to degrees, with pixels that are square in metres; None where the layout cannot be warped."""
    source, path = opened(folder), folder / "d.tif"
    size = abs(source.GetGeoTransform()[5]) / 111_320
    try:
        gdal.Warp(str(path), source, dstSRS="EPSG:4326", xRes=size / 0.81, yRes=size, resampleAlg="cubic")
    except RuntimeError:
        return None
    return path if path.exists() else None


def with_mask(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> None:
    """Hide a corner by a mask of the whole dataset."""
    dataset = opened(folder)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.full(ms.shape[1:], 255, np.uint8)
    mask[: ms.shape[1] // 4, : ms.shape[2] // 4] = 0
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(mask)


def with_scale(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> None:
    """Scale, offset, unit and name of each band."""
    dataset = opened(folder)
    for number in range(1, len(ms) + 1):
        band = dataset.GetRasterBand(number)
        band.SetScale(float(rng.choice([1e-4, -1.0, 1e30])))
        band.SetOffset(float(rng.choice([0.0, -0.1, 1e9])))
        band.SetUnitType("W/m²")
        band.SetDescription(str(rng.choice(["red", "山 <&>", "x" * 300])))


def in_archive(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> Path:
    """Pack MS into a zip."""
    with zipfile.ZipFile(folder / "ms.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "ms.tif", "a folder/ms.tif")
    return Path(f"/vsizip/{{{folder}/ms.zip}}/a folder/ms.tif")


def with_overviews(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> None:
    """Overviews that show another image."""
    dataset = opened(folder)
    dataset.BuildOverviews("NEAREST", [2])
    for number in range(1, len(ms) + 1):
        dataset.GetRasterBand(number).GetOverview(0).Fill(7)


def with_sidecars(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> None:
    """Sidecars of a previous output under the names that the new one may take."""
    for name in ("out.tif.aux.xml", "out.tif.ovr", "out.img.aux.xml", "out.dat.aux.xml", "out.tfw"):
        band = "<PAMRasterBand band='1'><NoDataValue>1</NoDataValue></PAMRasterBand>"
        (folder / name).write_text(f"<PAMDataset>{band}</PAMDataset>")


SOUND_TWISTS = {
    "stack": stacked, "sidecars": with_sidecars, "mask": with_mask, "scale": with_scale, "archive": in_archive,
    "overviews": with_overviews,
}  # fmt: skip
TWISTS = {**SOUND_TWISTS, "fill": filled, "alpha": with_alpha, "palette": with_palette, "degrees": in_degrees}
