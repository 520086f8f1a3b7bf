"""Random pairs: sizes, ratios, data types, contents, nodata, grids, extents, formats, damaged bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from osgeo import gdal, osr
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.raster.source import RasterSource

KINDS = {
    "uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "int16": gdal.GDT_Int16, "uint32": gdal.GDT_UInt32,
    "int32": gdal.GDT_Int32, "float32": gdal.GDT_Float32, "float64": gdal.GDT_Float64,
}  # fmt: skip
TYPES = ["", "", "", "Byte", "UInt16", "Int16", "Int32", "Float32", "Float64"]


@dataclass(frozen=True)
class Case:
    """One random pair on disk and what is to be done with it."""

    job: FusionJob
    ms: np.ndarray
    nodata: float | None
    damaged: bool
    square: tuple[float, float, float] | None  # PAN pixels over which MS lies, from PAN's corner, and the ratio


def content(rng: np.random.Generator, bands: int, height: int, width: int, kind: str) -> np.ndarray:
    """Texture, ramps, noise or a constant, at a random level of the type's range, sometimes with odd values."""
    style = rng.choice(["texture", "texture", "texture", "noise", "constant", "ramp"])
    rows, columns = np.mgrid[:height, :width] / 40.0
    base = {
        "texture": np.sin(7 * rows + rng.random()) * np.cos(5 * columns) + 0.3 * rng.standard_normal((height, width)),
        "noise": rng.standard_normal((height, width)),
        "constant": np.zeros((height, width)),
        "ramp": rows + columns,
    }[style]
    image = base * rng.uniform(0.5, 1.5, (bands, 1, 1)) + 0.1 * rng.standard_normal((bands, height, width))
    level, spread = rng.choice([(100.0, 30.0), (1000.0, 200.0), (0.2, 0.05), (0.0, 1.0), (40000.0, 20000.0)])
    image = image * spread + level
    if np.dtype(kind).kind in "ui":
        limits = np.iinfo(kind)
        return np.clip(np.rint(image), limits.min, limits.max).astype(kind)
    if rng.random() < 0.1:
        image[:, rng.random((height, width)) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 1e38])
    return image.astype(kind)


def save(path: Path, image: np.ndarray, kind: str, transform: list[float] | None, crs: int | None,
         nodata: float | None, rng: np.random.Generator) -> None:  # fmt: skip
    options = [
        "PHOTOMETRIC=MINISBLACK",
        "ALPHA=NO",
        *rng.choice(["TILED=YES", "COMPRESS=DEFLATE", "INTERLEAVE=BAND", "BLOCKYSIZE=1"], 1),
    ]
    bands, height, width = image.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, KINDS[kind], options)
    if transform:
        dataset.SetGeoTransform(transform)
    if crs:
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(crs)
        dataset.SetProjection(reference.ExportToWkt())
    dataset.WriteArray(image)
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


def stacked(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """Bands in files of their own, under a virtual raster under another."""
    parts = []
    for band in range(1, len(ms) + 1):
        parts.append(str(folder / f"b{band}.tif"))
        gdal.Translate(parts[-1], str(folder / "ms.tif"), bandList=[band])
    if gdal.BuildVRT(str(folder / "stack.vrt"), parts, separate=True) is None:  # a layout that cannot be stacked
        return folder / "ms.tif", ms
    gdal.Translate(str(folder / "outer.vrt"), str(folder / "stack.vrt"), format="VRT")
    return folder / "outer.vrt", ms


def rewritten(folder: Path, ms: np.ndarray, change: str) -> None:
    """The MS file with other pixels, or other marks on its bands."""
    dataset = gdal.Open(str(folder / "ms.tif"), gdal.GA_Update)
    dataset.WriteArray(ms)
    if change == "alpha" and len(ms) > 1:
        dataset.GetRasterBand(len(ms)).SetColorInterpretation(gdal.GCI_AlphaBand)


def filled(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """A corner of the type's largest value, or of 0, that nobody declares."""
    corner = np.add.outer(np.arange(ms.shape[1]), np.arange(ms.shape[2])) < rng.integers(2, 1 + sum(ms.shape[1:]) // 2)
    ms = ms.copy()
    ms[:, corner] = rng.choice([0, np.iinfo(ms.dtype).max if ms.dtype.kind in "ui" else -9999])
    rewritten(folder, ms, "pixels")
    return folder / "ms.tif", ms


def with_alpha(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """The last band is declared alpha although it is image."""
    rewritten(folder, ms, "alpha")
    return folder / "ms.tif", ms


def with_palette(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """Numbers that stand for colours."""
    table = gdal.ColorTable()
    for entry in range(256):
        table.SetColorEntry(entry, (entry, entry * 3 % 256, 7, 255))
    source = gdal.Open(str(folder / "ms.tif"))
    target = gdal.GetDriverByName("GTiff").Create(str(folder / "p.tif"), ms.shape[2], ms.shape[1], 1, gdal.GDT_Byte)
    target.SetGeoTransform(source.GetGeoTransform())
    target.SetProjection(source.GetProjection())
    target.GetRasterBand(1).SetColorTable(table)
    target.GetRasterBand(1).WriteArray(rng.integers(0, 255, ms.shape[1:]))
    return folder / "p.tif", ms[:1]


def in_degrees(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """MS in degrees, with pixels that are square in metres."""
    source = gdal.Open(str(folder / "ms.tif"))
    size = abs(source.GetGeoTransform()[5]) / 111_320
    try:
        gdal.Warp(str(folder / "d.tif"), source, dstSRS="EPSG:4326", xRes=size / 0.81, yRes=size, resampleAlg="cubic")
    except RuntimeError:  # a layout that cannot be warped
        return folder / "ms.tif", ms
    return (folder / "d.tif" if (folder / "d.tif").exists() else folder / "ms.tif"), ms


def beside_old(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """Sidecars of a former output under the names that the new one may take."""
    for name in ("out.tif.aux.xml", "out.tif.ovr", "out.img.aux.xml", "out.dat.aux.xml", "out.tfw"):
        band = "<PAMRasterBand band='1'><NoDataValue>1</NoDataValue></PAMRasterBand>"
        (folder / name).write_text(f"<PAMDataset>{band}</PAMDataset>")
    return folder / "ms.tif", ms


TWISTS = {
    "stack": stacked, "fill": filled, "alpha": with_alpha, "palette": with_palette, "degrees": in_degrees,
    "sidecars": beside_old,
}  # fmt: skip
OPTIONS = (
    ("COMPRESS=DEFLATE",), ("COMPRESS=LZW", "PREDICTOR=2"), ("COMPRESS=JPEG",), ("COMPRES=LZW",), ("COMPRESS=FOO",),
    ("INTERLEAVE=PIXEL",), ("TILED=NO",), ("NBITS=12",), ("COMPRESS=LERC", "MAX_Z_ERROR=0.5"), ("QUALITY=90",),
)  # fmt: skip


def draw(number: int, seed: int, folder: Path) -> Case:
    """Case `number` of a seed, its files in `folder`."""
    rng = np.random.default_rng([seed, number])
    kind, pan_kind = rng.choice(list(KINDS), 2)
    ratio = float(rng.choice([1.5, 2.0, 2.0, 2.5, 3.0, 4.0, 4.0, 5.0, 8.0, 1.0, 20.0], p=[0.108] * 9 + [0.014] * 2))
    height, width = (int(n) for n in rng.integers(1 if rng.random() < 0.2 else 60, 301, 2))
    rows, columns = (max(int(n / ratio * rng.choice([1.0, 1.0, 1.0, 0.6, 1.4])), 1) for n in (height, width))
    bands = int(rng.integers(1, 9))
    pan, ms = content(rng, 1, height, width, pan_kind), content(rng, bands, rows, columns, kind)
    nodata = None
    if rng.random() < 0.4:
        nodata = float(rng.choice([0, 255, 100]) if np.dtype(kind).kind == "u" else rng.choice([0, -99, 100]))
        ms[:, : rows // 3] = nodata
        ms[0, rng.random((rows, columns)) < 0.02] = nodata
    layouts = ["nested"] * 8 + ["offset"] * 4 + ["south up", "none", "rotated", "far", "half"]
    layout = rng.choice(layouts)
    top, left = (rng.uniform(-3, 3, 2) * ratio).round(2) if layout == "offset" else (0.0, 0.0)
    sign, skew = (1.0 if layout == "south up" else -1.0), (0.05 if layout == "rotated" else 0.0)
    corner = (5e5 + left + (1e6 if layout == "far" else 0.0), 4e6 + sign * top)
    transforms = [
        [5e5, 1.0, 0.0, 4e6, 0.0, sign], [corner[0], ratio, skew * ratio, corner[1], skew * ratio, sign * ratio],
    ]  # fmt: skip
    plain = layout in ("nested", "offset", "south up")
    system = 32633 if rng.random() < 0.8 else None
    other = 4326 if rng.random() < 0.03 else system
    for path, image, own, index in (("pan.tif", pan, pan_kind, 0), ("ms.tif", ms, kind, 1)):
        bare = layout == "none" or (layout == "half" and index)
        given = nodata if index else None
        save(folder / path, image, own, None if bare else transforms[index], None if bare else (system, other)[index],
             given, rng)  # fmt: skip
    damaged = bool(rng.random() < 0.15)
    if damaged:
        damage(folder / str(rng.choice(["pan.tif", "ms.tif"])), rng)
    extent = None
    if rng.random() < 0.2:
        x, y = 5e5 + rng.uniform(-20, width, 2), 4e6 + sign * rng.uniform(-20, height, 2)
        extent = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    twist = "" if damaged or rng.random() < 0.5 else str(rng.choice(list(TWISTS)))
    ms_path, ms = TWISTS[twist](folder, ms, rng) if twist else (folder / "ms.tif", ms)
    options = OPTIONS[int(rng.integers(len(OPTIONS)))] if rng.random() < 0.2 else ()
    job = FusionJob(
        RasterSource(str(folder / "pan.tif")), RasterSource(str(ms_path)),
        folder / f"out.{rng.choice(['tif'] * 9 + ['img', 'png', 'cog.tif', 'dat', 'jp2', 'gpkg', 'jpg', 'vrt'])}",
        creation_options=options,
        device="cpu", tile=int(rng.choice([64, 128, 1024])), extent=extent, data_type=str(rng.choice(TYPES)),
        align=bool(rng.random() < 0.8), overviews=bool(rng.random() < 0.1), precision="fp32",
    )  # fmt: skip
    whole = plain and extent is None and other == system and twist not in ("degrees", "palette")
    square = (top, left, ratio) if whole else None
    return Case(job, ms, nodata, damaged, square)
