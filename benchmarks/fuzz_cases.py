"""Random pairs: sizes, ratios, data types, contents, nodata, grids, extents, formats, damaged bytes.

Of two kinds: sound ones, most of which give a raster, and wild ones, most of which are refused.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from osgeo import gdal, osr
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.raster.source import RasterSource

KINDS = {
    "uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "int16": gdal.GDT_Int16, "uint32": gdal.GDT_UInt32,
    "int32": gdal.GDT_Int32, "float32": gdal.GDT_Float32, "float64": gdal.GDT_Float64,
}  # fmt: skip
SOUND_SHARE = 0.65  # of the cases
LEVELS = [  # mean and deviation: one byte holds the first one, two bytes hold two, four bytes hold four
    (100.0, 30.0), (1000.0, 200.0), (40000.0, 20000.0), (1e7, 1e6), (0.2, 0.05), (0.0, 1.0),
]  # fmt: skip
SOUND_TYPES = ["", "", "", "Float32", "Float64"]
TYPES = ["", "", "", "Byte", "UInt16", "Int16", "Int32", "Float32", "Float64"]


@dataclass(frozen=True)
class Case:
    """One random pair on disk and what is to be done with it."""

    job: FusionJob
    ms: np.ndarray
    nodata: float | None
    damaged: bool
    square: tuple[float, float, float] | None  # PAN pixels over which MS lies, from PAN's corner, and the ratio


@dataclass(frozen=True)
class Layout:
    """Sizes of PAN and MS, their geotransforms and EPSG codes (None where there is none), and MS from PAN's corner.

    plain   whether MS lies straight over PAN by `top`, `left` (PAN pixels) and `ratio`
    """

    pan_size: tuple[int, int]
    ms_size: tuple[int, int]
    ratio: float
    top: float
    left: float
    transforms: tuple[list[float] | None, list[float] | None]
    systems: tuple[int | None, int | None]
    plain: bool

    @property
    def sign(self) -> float:
        """Of the step from row to row."""
        return self.transforms[0][5] if self.transforms[0] else -1.0


def content(rng: np.random.Generator, size: tuple[int, int, int], kind: str, sound: bool) -> np.ndarray:
    """Texture, ramps, noise or a constant, at a random level of the type's range, sometimes with odd values."""
    bands, height, width = size
    style = rng.choice(["texture", "texture", "texture", "noise", "ramp" if sound else "constant", "ramp"])
    rows, columns = np.mgrid[:height, :width] / 40.0
    base = {
        "texture": np.sin(7 * rows + rng.random()) * np.cos(5 * columns) + 0.3 * rng.standard_normal((height, width)),
        "noise": rng.standard_normal((height, width)),
        "constant": np.zeros((height, width)),
        "ramp": rows + columns,
    }[style]
    image = base * rng.uniform(0.5, 1.5, (bands, 1, 1)) + 0.1 * rng.standard_normal((bands, height, width))
    levels = LEVELS[: np.dtype(kind).itemsize] if sound and np.dtype(kind).kind in "ui" else LEVELS
    level, spread = levels[int(rng.integers(len(levels)))]
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


def with_mask(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """A mask of the whole dataset hides a corner."""
    dataset = gdal.Open(str(folder / "ms.tif"), gdal.GA_Update)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.full(ms.shape[1:], 255, np.uint8)
    mask[: ms.shape[1] // 4, : ms.shape[2] // 4] = 0
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(mask)
    return folder / "ms.tif", ms


def with_scale(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """Scale, offset, unit and name of each band."""
    dataset = gdal.Open(str(folder / "ms.tif"), gdal.GA_Update)
    for number in range(1, len(ms) + 1):
        band = dataset.GetRasterBand(number)
        band.SetScale(float(rng.choice([1e-4, -1.0, 1e30])))
        band.SetOffset(float(rng.choice([0.0, -0.1, 1e9])))
        band.SetUnitType("W/m²")
        band.SetDescription(str(rng.choice(["red", "山 <&>", "x" * 300])))
    return folder / "ms.tif", ms


def in_archive(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """MS within a zip."""
    with zipfile.ZipFile(folder / "ms.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "ms.tif", "a folder/ms.tif")
    return Path(f"/vsizip/{{{folder}/ms.zip}}/a folder/ms.tif"), ms


def with_overviews(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """Overviews that show another image."""
    dataset = gdal.Open(str(folder / "ms.tif"), gdal.GA_Update)
    dataset.BuildOverviews("NEAREST", [2])
    for number in range(1, len(ms) + 1):
        dataset.GetRasterBand(number).GetOverview(0).Fill(7)
    return folder / "ms.tif", ms


def beside_old(folder: Path, ms: np.ndarray, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
    """Sidecars of a former output under the names that the new one may take."""
    for name in ("out.tif.aux.xml", "out.tif.ovr", "out.img.aux.xml", "out.dat.aux.xml", "out.tfw"):
        band = "<PAMRasterBand band='1'><NoDataValue>1</NoDataValue></PAMRasterBand>"
        (folder / name).write_text(f"<PAMDataset>{band}</PAMDataset>")
    return folder / "ms.tif", ms


SOUND_TWISTS = {
    "stack": stacked, "sidecars": beside_old, "mask": with_mask, "scale": with_scale, "archive": in_archive,
    "overviews": with_overviews,
}  # fmt: skip
TWISTS = {**SOUND_TWISTS, "fill": filled, "alpha": with_alpha, "palette": with_palette, "degrees": in_degrees}
SOUND_OPTIONS = (("COMPRESS=DEFLATE",), ("COMPRESS=LZW", "PREDICTOR=2"), ("INTERLEAVE=PIXEL",), ("BIGTIFF=YES",))
OPTIONS = (
    ("COMPRESS=DEFLATE",), ("COMPRESS=LZW", "PREDICTOR=2"), ("COMPRESS=JPEG",), ("COMPRES=LZW",), ("COMPRESS=FOO",),
    ("INTERLEAVE=PIXEL",), ("TILED=NO",), ("NBITS=12",), ("COMPRESS=LERC", "MAX_Z_ERROR=0.5"), ("QUALITY=90",),
)  # fmt: skip


def draw_layout(rng: np.random.Generator, sound: bool) -> Layout:
    """Sizes and places of both rasters."""
    ratios = [1.5, 2.0, 2.0, 2.5, 3.0, 4.0, 4.0, 5.0, 8.0, 1.0, 20.0]
    ratio = float(rng.choice(ratios, p=[0.108] * 9 + [0.014] * 2))
    shares = [1.0, 1.0, 1.0, 0.6, 1.4]
    height, width = (int(n) for n in rng.integers(1 if rng.random() < 0.2 else 60, 301, 2))
    layouts = ["nested"] * 8 + ["offset"] * 4 + ["south up", "none", "rotated", "far", "half"]
    if sound:
        ratio = round(float(rng.uniform(1.5, 16.0)), 2) if rng.random() < 0.3 else float(rng.choice(ratios[:9]))
        shares = [1.0, 1.0, 1.0, 0.8, 1.4]
        height, width = (int(n) for n in rng.integers(int(16 * ratio), max(int(16 * ratio) + 1, 301), 2))
        layouts = ["nested"] * 6 + ["offset"] * 4 + ["south up"] * 2
    layout = str(rng.choice(layouts))
    rows, columns = (max(int(n / ratio * rng.choice(shares)), 1) for n in (height, width))
    top, left = (rng.uniform(-3, 3, 2) * ratio).round(2) if layout == "offset" else (0.0, 0.0)
    sign, skew = (1.0 if layout == "south up" else -1.0), (0.05 if layout == "rotated" else 0.0)
    x, y = 5e5 + left + (1e6 if layout == "far" else 0.0), 4e6 + sign * top
    pan = None if layout == "none" else [5e5, 1.0, 0.0, 4e6, 0.0, sign]
    ms = None if layout in ("none", "half") else [x, ratio, skew * ratio, y, skew * ratio, sign * ratio]
    system = 32633 if rng.random() < 0.8 else None
    other = 4326 if not sound and rng.random() < 0.03 else system
    plain = layout in ("nested", "offset", "south up") and other == system
    return Layout((height, width), (rows, columns), ratio, top, left, (pan, ms), (system, other), plain)


def draw_extent(rng: np.random.Generator, layout: Layout, sound: bool) -> tuple[float, float, float, float] | None:
    """A fifth of the cases asks for a part, of which sound ones lie over both rasters."""
    if rng.random() >= 0.2:
        return None
    height, width = layout.pan_size
    x, y = rng.uniform(-20, width, 2), rng.uniform(-20, height, 2)
    if sound:
        low = [max(start, 0.0) for start in (layout.left, layout.top)]
        high = [min(start + n * layout.ratio, size) for start, n, size in zip(
            (layout.left, layout.top), layout.ms_size[::-1], (width, height), strict=True)]  # fmt: skip
        x, y = (np.array([a, a + (b - a) * rng.uniform(0.3, 1.0)]) for a, b in zip(low, high, strict=True))
    x, y = 5e5 + x, 4e6 + layout.sign * y
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def draw_pair(rng: np.random.Generator, layout: Layout, folder: Path, sound: bool) -> tuple[np.ndarray, float | None]:
    """Write pan.tif and ms.tif; returns the values of MS and its nodata."""
    kind, pan_kind = (str(k) for k in rng.choice(list(KINDS), 2))
    rows, columns = layout.ms_size
    pan = content(rng, (1, *layout.pan_size), pan_kind, sound)
    ms = content(rng, (int(rng.integers(1, 9)), rows, columns), kind, sound)
    nodata = None
    if rng.random() < 0.4:
        nodata = float(rng.choice([0, 255, 100]) if np.dtype(kind).kind == "u" else rng.choice([0, -99, 100]))
        ms[:, : rows // 3] = nodata
        ms[0, rng.random((rows, columns)) < 0.02] = nodata
    for path, image, own, index in (("pan.tif", pan, pan_kind, 0), ("ms.tif", ms, kind, 1)):
        bare = layout.transforms[index] is None
        system = None if bare else layout.systems[index]
        save(folder / path, image, own, layout.transforms[index], system, nodata if index else None, rng)
    return ms, nodata


def draw(number: int, seed: int, folder: Path) -> Case:
    """Case `number` of a seed, its files in `folder`."""
    rng = np.random.default_rng([seed, number])
    sound = bool(rng.random() < SOUND_SHARE)
    layout = draw_layout(rng, sound)
    ms, nodata = draw_pair(rng, layout, folder, sound)
    damaged = bool(not sound and rng.random() < 0.25)
    if damaged:
        damage(folder / str(rng.choice(["pan.tif", "ms.tif"])), rng)
    extent = draw_extent(rng, layout, sound)
    twists = SOUND_TWISTS if sound else TWISTS
    twist = "" if damaged or rng.random() < 0.5 else str(rng.choice(list(twists)))
    ms_path, ms = twists[twist](folder, ms, rng) if twist else (folder / "ms.tif", ms)
    formats = ["tif"] * 9 + ["img", "cog.tif", "dat"]
    ending = str(rng.choice(formats if sound else [*formats, "png", "jp2", "gpkg", "jpg", "vrt"]))
    creation: tuple[str, ...] = ()
    if rng.random() < 0.2 and (not sound or ending == "tif"):
        choices = SOUND_OPTIONS if sound else OPTIONS
        creation = choices[int(rng.integers(len(choices)))]
    options = FusionOptions(
        data_type=str(rng.choice(SOUND_TYPES if sound else TYPES)), tile=int(rng.choice([64, 128, 1024])),
        align=bool(rng.random() < 0.8), overviews=bool(rng.random() < 0.1),
        creation_options=creation, device="cpu", precision="fp32",
    )  # fmt: skip
    sources = RasterSource(str(folder / "pan.tif")), RasterSource(str(ms_path))
    job = FusionJob(*sources, folder / f"out.{ending}", options, extent)
    whole = layout.plain and extent is None and twist not in ("degrees", "palette")
    return Case(job, ms, nodata, damaged, (layout.top, layout.left, layout.ratio) if whole else None)
