"""Checks of the target of an output, and the move of its files over those of the previous one."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from osgeo import gdal

from ..errors import OutputError
from ..files import find_name_fault
from ..geometry.grids import Grid
from ..progress import format_bytes_apart
from ..staging import Staging
from .gdal_errors import gdal_exceptions
from .output_format import OutputForm, choose_driver, is_written_directly
from .sidecars import family
from .source_files import files_behind

DATABASES = ("GPKG", "Rasterlite")  # formats whose files hold other data besides a raster
OVERVIEWS_SHARE = 1.0 / 3.0  # of a raster's size


def check_target(path: Path, inputs: Sequence[str]) -> None:
    """Refuse a raster's target that no driver writes, is an input, is a folder, or cannot be written to.

    Raises OutputError.
    """
    driver = choose_driver(path)
    check_place(path, inputs)
    if path.is_file() and not path.is_symlink() and path.stat().st_size:
        _refuse_shared_container(path, driver.ShortName)


def _refuse_shared_container(path: Path, driver: str) -> None:
    """Refuse to replace a file that holds more than one raster, as a project's GeoPackage does. Raises OutputError."""
    with gdal_exceptions():
        try:
            flags = gdal.OF_VECTOR if driver == "Rasterlite" else gdal.OF_VECTOR | gdal.OF_RASTER
            held = gdal.OpenEx(str(path), flags, open_options=["LIST_ALL_TABLES=YES"] if driver == "GPKG" else [])
            layers = [held.GetLayer(i).GetName() for i in range(held.GetLayerCount())]
            rasters = len(held.GetSubDatasets())
        except RuntimeError as error:
            if driver in DATABASES:
                raise OutputError(f"{path} exists and cannot be read ({error}). Choose another output file.") from error
            return
    if driver == "Rasterlite":  # it keeps a table for each raster
        rasters = sum(name.endswith("_metadata") for name in layers)
        layers = [name for name in layers if not name.endswith("_metadata")]
    if layers or rasters > 1:
        inside = f"the layers {', '.join(layers[:5])}" if layers else f"{rasters} rasters"
        raise OutputError(
            f"The output {path} exists and holds {inside}, which would be lost. Choose another output file; QGIS can "
            "copy the result into a GeoPackage afterwards."
        )


def check_place(path: Path, inputs: Sequence[str]) -> None:
    """Refuse a target that is an input or lies behind one, is a folder, or cannot be written to. Raises OutputError."""
    fault = find_name_fault(str(path))
    if fault:
        raise OutputError(f"The name of the output {fault}. Choose another one.")
    _refuse_kind(path)
    for source in inputs:
        if os.path.exists(source) and os.path.realpath(source) == os.path.realpath(path):
            raise OutputError(f"The output {path} is the input {source}. Choose another output file.")
        if path.exists() and os.path.exists(source) and os.path.samefile(source, path):
            raise OutputError(f"The output {path} is the same file as the input {source}. Choose another output file.")
        _refuse_what_is_read(path, source)
    if not path.parent.is_dir():
        raise OutputError(f"The folder {path.parent} of the output does not exist. Create it or choose another one.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"The folder {path.parent} of the output cannot be written to. Choose another one.")


def _refuse_kind(path: Path) -> None:
    """Refuse a target whose name or present file forbids replacing it; a link may be replaced."""
    try:
        there = path.lstat() if path.is_symlink() else path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"The output {path} cannot be: {error.strerror}. Choose another file name.") from error
    if path.is_dir():
        raise OutputError(f"The output {path} is a folder. Give a file name.")
    if not path.is_file() and path.exists():
        raise OutputError(f"The output {path} is a device or a pipe, not a file. Choose another one.")
    if not stat.S_ISLNK(there.st_mode) and not there.st_mode & stat.S_IWRITE:
        raise OutputError(f"The output {path} is there already and write-protected. Choose another one, or unlock it.")


def _refuse_what_is_read(path: Path, source: str) -> None:
    """Refuse a target that stands for files of which one is read where the input `source` is opened."""
    with gdal_exceptions():
        replaced = [f for f in family(path) if f.exists()] if path.parent.is_dir() and not path.is_dir() else []
        read = files_behind(source) if replaced else ()
    for file in replaced:
        for other in read:
            if os.path.exists(other) and os.path.samefile(file, other):
                raise OutputError(
                    f"The output {path} would replace {file}, which the input {' '.join(source.split())[:200]} reads. "
                    "Choose another output file."
                )


def check_space(path: Path, grid: Grid, bands: int, form: OutputForm) -> None:
    """Refuse an output that is larger than what is free on its disk. Raises OutputError with both numbers."""
    plain = grid.width * grid.height * bands * (gdal.GetDataTypeSize(gdal.GetDataTypeByName(form.type)) // 8)
    needed = round(plain * _estimate_copies(choose_driver(path).ShortName, form))
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        wanted, left = format_bytes_apart(needed, free)
        raise OutputError(
            f"The output {path} needs {wanted} ({grid.width} x {grid.height} pixels, {bands} bands of "
            f"{form.type}), but only {left} are free in its folder. Choose another folder or a smaller EXTENT."
        )


def _estimate_copies(driver: str, form: OutputForm) -> float:
    """Estimate the peak size of a raster while it is made over that of its plain pixels, as far as it is known."""
    compressed = form.given.get("COMPRESS", "NONE").upper() not in ("NONE", "NO")
    draft = 1.0 if not is_written_directly(driver, form) else 0.0  # it stays while the copy grows
    has_overviews = form.given.get("OVERVIEWS", "").upper() != "NONE" if driver == "COG" else form.overviews
    return draft + (0.0 if compressed else 1.0 + (OVERVIEWS_SHARE if has_overviews else 0.0))


def check_clash(target: Path, names: Sequence[str], previous: Sequence[Path]) -> None:
    """Refuse to write over files of other rasters, such as a header of the same name. Raises OutputError."""
    for name in names:
        path = target.with_name(name)
        if os.path.lexists(path) and path not in previous:
            raise OutputError(
                f"The format of {target} also needs the file {path}, which exists and belongs to another "
                "raster. Choose another file name."
            )


def deliver(files: Sequence[Path], target: Path, made: Staging) -> None:
    """Move files from the folder of `made` to `target`, over its previous files and sidecars.

    Raises OSError or OutputError; the previous files are then unchanged.
    """
    new = sorted(files, key=lambda file: file.name == target.name)  # the raster itself comes last
    previous = family(target)  # and goes first
    check_clash(target, [file.name for file in new], previous)
    if [file.name for file in new] == [target.name] and previous in ([], [target]):
        os.replace(new[0], target)  # at no moment is there neither
    else:
        made.deliver(new, previous)
