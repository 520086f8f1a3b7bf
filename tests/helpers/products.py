"""Products cut from a synthetic pair, and runs over them. Those with metadata are in files of their own."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers.scenes import Pair, Recipe
from osgeo import gdal
from otfm_pansharpen.model.errors import PansharpenError
from otfm_pansharpen.model.fusion.job import FusionOptions
from otfm_pansharpen.model.options import BUNDLED, DEFAULT_SET
from otfm_pansharpen.model.product.job import ProductJob, ProductResult
from otfm_pansharpen.model.product.recognise import find_products
from otfm_pansharpen.model.product.run import sharpen_products
from otfm_pansharpen.model.product.scene import Product
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.source_files import confined


def pair_for(folder: Path, bands: int, ratio: int, **more: object) -> Pair:
    """Write a pair to cut a product from, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    return Recipe(bands=bands, ratio=ratio, height=160, width=192, **more).write(folder)  # type: ignore[arg-type]


def cut(source: Path, target: Path, bands: list[int] | None = None, window: tuple[int, ...] | None = None) -> Path:
    """Cut bands, or a window (column, row, width, height), of a raster into a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    gdal.Translate(str(target), str(source), bandList=bands, srcWin=window, creationOptions=["ALPHA=NO"])
    return target


def tiled(source: Path, folder: Path, name: str, across: int, overlap: int = 0) -> list[str]:
    """Cut a raster into adjacent tiles, NAME with {} for R1C1 and so on; returns their names."""
    raster = gdal.Open(str(source))
    width, height, step = raster.RasterXSize, raster.RasterYSize, -(-raster.RasterXSize // across)
    names = []
    for column in range(across):
        start = column * step
        names.append(name.format(f"R1C{column + 1}"))
        cut(source, folder / names[-1], None, (start, 0, min(step + overlap, width - start), height))
    return names


def named(folder: Path, pair: Pair, pan: str, ms: str) -> None:
    """Write files of given names: `ms` with {} is one file per band, numbered from 1."""
    cut(pair.pan, folder / pan)
    if "{}" in ms:
        for number in range(1, gdal.Open(str(pair.ms)).RasterCount + 1):
            cut(pair.ms, folder / ms.format(number), [number])
    else:
        cut(pair.ms, folder / ms)


def renamed(folder: Path, pair: Pair, pattern: str, tokens: dict[str, str | int]) -> None:
    """Write one file per token: "pan", or the band of MS by its number."""
    for token, band in tokens.items():
        source, bands = (pair.pan, None) if band == "pan" else (pair.ms, [int(band)])
        target = folder / pattern.format(token)
        target.parent.mkdir(parents=True, exist_ok=True)
        driver = "NITF" if target.suffix == ".ntf" else "GTiff"
        options = ["ICORDS=N"] if driver == "NITF" else ["ALPHA=NO"]
        gdal.Translate(str(target), str(source), format=driver, bandList=bands, creationOptions=options)
        target.with_name(f"{target.name}.aux.xml").unlink(missing_ok=True)


def pack_as(folder: Path, archive: Path) -> Path:
    """Pack a folder's files by bzip2 or xz, as the archive's name says."""
    with tarfile.open(archive, "w:xz" if archive.name.endswith("xz") else "w:bz2") as target:
        for file in sorted(p for p in folder.rglob("*") if p.is_file() and p != archive):
            target.add(file, file.relative_to(folder).as_posix())
    return archive


def packed(folder: Path, archive: Path) -> Path:
    """Pack a folder's files into an archive of the kind that its name says."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as target:
            for file in files:
                target.write(file, file.relative_to(folder).as_posix())
    else:
        with tarfile.open(archive, "w:gz" if archive.name.endswith("gz") else "w") as target:
            for file in files:
                target.add(file, file.relative_to(folder).as_posix())
    return archive


def sharpened(
    source: Path, folder: Path, weights: Path = BUNDLED[DEFAULT_SET], **changes: object
) -> tuple[ProductResult, str]:
    """Return the result of a run, and the log."""
    folder.mkdir(exist_ok=True)
    lines: list[str] = []
    options = FusionOptions(weights, "general", precision="fp32", device="cpu")  # as of the pair that is compared
    job = ProductJob(str(source), folder, options, **changes)  # type: ignore[arg-type]
    return sharpen_products(job, Progress(log=lines.append)), "\n".join(lines)


def refusal(source: Path, folder: Path) -> str:
    """Return the sentence of a run that is refused; nothing is written."""
    folder.mkdir(exist_ok=True)
    with pytest.raises(PansharpenError) as refused:
        sharpen_products(ProductJob(str(source), folder, FusionOptions(device="cpu")))
    assert list(folder.iterdir()) == []
    return str(refused.value)


def only_product(folder: Path) -> Product:
    """Recognise the only product of a folder; nothing may be refused. Returns it."""
    with confined(), gdal_exceptions():
        products, refused = find_products(str(folder), lambda: None)
    assert (len(products), refused) == (1, [])
    return products[0]


def band_names(path: Path | str) -> list[str]:
    """Return the names of the bands of a raster."""
    dataset = gdal.Open(str(path))
    return [dataset.GetRasterBand(n).GetDescription() for n in range(1, dataset.RasterCount + 1)]
