"""Random pairs through the whole pipeline: each must give a correct raster or one sentence, and leave nothing else.

    python benchmarks/fuzz.py --count 2000 --seed 1

Sizes 1 to 300, ratios, data types, contents, nodata, grids, extents, formats and damaged bytes are drawn at random.
Runs happen in worker processes, so that a crash or a hang is one finding and not the end. --sentences prints those.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from osgeo import gdal, osr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from _package import load

load()

from otfm_pansharpen.model.errors import PansharpenError  # noqa: E402
from otfm_pansharpen.model.fusion.job import FusionJob  # noqa: E402
from otfm_pansharpen.model.fusion.pipeline import fuse  # noqa: E402
from otfm_pansharpen.model.raster.source import RasterSource  # noqa: E402

LONGEST = 60.0  # seconds
CHUNK = 25  # pairs a worker process
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


def wrong(case: Case) -> str:
    """What is wrong with the raster that was written, empty where nothing is."""
    dataset = gdal.Open(str(case.job.output))
    if dataset is None:
        return "the output cannot be opened"
    image = dataset.ReadAsArray()
    return "" if case.damaged else wrong_image(case, dataset, image if image.ndim == 3 else image[None])


def wrong_image(case: Case, dataset: gdal.Dataset, image: np.ndarray) -> str:
    """The same for the pixels (bands, h, w) of a pair that was not damaged."""
    band = dataset.GetRasterBand(1)
    expected = case.job.data_type or gdal.GetDataTypeName(KINDS[str(case.ms.dtype)])
    source = gdal.Open(case.job.ms.path)
    last = source.GetRasterBand(source.RasterCount)
    if len(image) == len(case.ms) - 1 and last.GetColorInterpretation() == gdal.GCI_AlphaBand:
        return ""  # an image of hardly any values may be taken for the alpha that it is declared to be
    if gdal.GetDataTypeName(band.DataType) != expected or len(image) != len(case.ms):
        return f"{len(image)} bands of {gdal.GetDataTypeName(band.DataType)}"
    mark = band.GetNoDataValue()
    gaps = np.zeros(image.shape, bool) if mark is None else np.isnan(image) if np.isnan(mark) else image == mark
    if not np.isfinite(image[~gaps].astype(np.float64)).all():
        return "values that are not finite"
    if case.square is None:
        return ""
    return wrong_grid(case, image) or wrong_values(case, image, gaps)


def wrong_grid(case: Case, image: np.ndarray) -> str:
    """The size that pixel centres within MS give."""
    assert case.square is not None
    with_pan = gdal.Open(case.job.pan.path)
    sizes = []
    for start, count, limit in zip(case.square[:2], case.ms.shape[1:], (with_pan.RasterYSize, with_pan.RasterXSize),
                                   strict=True):  # fmt: skip
        centres = np.arange(limit) + 0.5
        sizes.append(int(((centres > start - 1e-3) & (centres < start + count * case.square[2] + 1e-3)).sum()))
    return "" if image.shape[1:] == tuple(sizes) else f"size {image.shape[1:]}, not {tuple(sizes)}"


def wrong_values(case: Case, image: np.ndarray, gaps: np.ndarray) -> str:
    """Gaps of MS are gaps of the result, and the means of bands agree."""
    top, left, ratio = case.square or (0, 0, 1.0)
    first = [max(int(np.ceil(s - 0.5 - 1e-3)), 0) for s in (top, left)]
    index = [
        np.clip(np.floor((np.arange(n) + f + 0.5 - s) / ratio), 0, m - 1).astype(int)
        for n, f, s, m in zip(image.shape[1:], first, (top, left), case.ms.shape[1:], strict=True)
    ]
    ms = case.ms[:, index[0]][:, :, index[1]].astype(np.float64)
    bad = ~np.isfinite(ms) | (np.abs(ms) >= 1e30)
    bad |= False if case.nodata is None else ms == case.nodata
    around = (bad[:, :-2, 1:-1], bad[:, 2:, 1:-1], bad[:, 1:-1, :-2], bad[:, 1:-1, 2:])
    steady = np.logical_and.reduce([bad[:, 1:-1, 1:-1], *around])  # rounding at edges
    if (steady & ~gaps[:, 1:-1, 1:-1]).any():
        return "a gap of MS holds values"
    if case.job.data_type or gaps.all():
        return ""
    for band, truth, hole, spoilt in zip(image, ms, gaps, bad, strict=True):
        inside = ~hole & ~spoilt
        if inside.any():
            apart = abs(float(band[inside].astype(np.float64).mean()) - truth[inside].mean())
            if apart > truth[inside].std() + 1.0 + 1e-3 * abs(truth[inside].mean()):
                return f"the mean of a band moved by {apart:.4g}"
    return ""


class Through:
    """Runs jobs through layers of QGIS and `otfm:pansharpen`, as a user does."""

    def __init__(self) -> None:
        import otfm_pansharpen
        from qgis.core import QgsApplication

        self.application = QgsApplication([], False)
        self.application.initQgis()
        self.plugin = otfm_pansharpen.classFactory(None)
        self.plugin.initProcessing()
        self.algorithm = self.application.processingRegistry().algorithmById("otfm:pansharpen")

    def __call__(self, job: FusionJob) -> None:
        from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProcessingFeedback, QgsRasterLayer

        pan, ms = (QgsRasterLayer(source.path, "a raster") for source in (job.pan, job.ms))
        x0, y0, x1, y1 = job.extent or (0.0, 0.0, 0.0, 0.0)
        given = {
            "PAN": pan, "MS": ms, "OUTPUT": str(job.output), "DEVICE": "cpu", "PRECISION": "fp32", "TILE": job.tile,
            "EXTENT": f"{x0},{x1},{y0},{y1}" if job.extent else None, "DATA_TYPE": job.data_type or "as MS",
            "ALIGN": "auto" if job.align else "off", "OVERVIEWS": job.overviews,
            "CREATE_OPTIONS": "|".join(job.creation_options),
        }  # fmt: skip
        context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
        try:
            passed = self.algorithm.run(given, context, feedback, {}, False)[1]
        except QgsProcessingException as error:
            if "Traceback" in str(error):
                raise RuntimeError(str(error)) from error
            raise PansharpenError(str(error)) from error
        if not passed:
            raise PansharpenError(feedback.textLog())


def work(first: int, count: int, seed: int, answers: multiprocessing.Queue, by_qgis: bool) -> None:
    """Run cases and put (number, outcome, detail) into the queue."""
    import torch

    run = Through() if by_qgis else fuse

    torch.set_num_threads(1)
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    for number in range(first, first + count):
        answers.put((number, "begun", ""))
        with tempfile.TemporaryDirectory() as name:
            case = draw(number, seed, Path(name))
            before = {p.name for p in Path(name).iterdir()}
            started = time.monotonic()
            try:
                run(case.job)
                fault = wrong(case)
                outcome, detail = ("wrong", fault) if fault else ("raster", "")
            except PansharpenError as error:
                outcome, detail = "sentence", str(error)
                left = {p.name for p in Path(name).iterdir()} - before
                if left:
                    outcome, detail = "left files", ", ".join(left)
            except BaseException:
                outcome, detail = "exception", traceback.format_exc()
            if time.monotonic() - started > LONGEST:
                outcome = "slow"
            if any(p.name.endswith(".part") for p in Path(name).iterdir()):
                outcome = "left files"
        answers.put((number, outcome, detail))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--sentences", action="store_true")
    parser.add_argument("--qgis", action="store_true", help="run through layers of QGIS")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    outcomes: Counter[str] = Counter()
    number, end = arguments.first, arguments.first + arguments.count
    while number < end:
        answers = context.Queue()
        worker = context.Process(
            target=work, args=(number, min(CHUNK, end - number), arguments.seed, answers, arguments.qgis)
        )
        worker.start()
        begun, last = number, min(number + CHUNK, end)
        while number < last:
            try:
                found, outcome, detail = answers.get(timeout=2 * LONGEST)
            except Exception:
                outcome, detail = ("crashed" if not worker.is_alive() else "hung"), f"exit code {worker.exitcode}"
                found = begun
            if outcome == "begun":
                begun = found
                continue
            outcomes[outcome] += 1
            number = found + 1
            if outcome not in ("raster", "sentence") or (arguments.sentences and outcome == "sentence"):
                print(f"case {found}: {outcome}: {detail}", flush=True)
            if outcome in ("crashed", "hung"):
                break
        worker.kill() if worker.is_alive() and number < last else worker.join()
    print(", ".join(f"{count} {name}" for name, count in outcomes.most_common()))
    sys.exit(0 if set(outcomes) <= {"raster", "sentence"} else 1)


if __name__ == "__main__":
    main()
