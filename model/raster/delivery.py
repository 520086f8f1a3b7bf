"""Checks of the target of an output, and the move of its files over those of the previous one and its sidecars.

Sidecars are the files that make up a raster besides its own: overviews, masks, statistics, headers, world files.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from osgeo import gdal

from ..errors import OutputError
from ..files import find_name_fault
from ..geometry.grids import Grid
from ..progress import format_bytes_apart
from ..staging import Staging
from .gdal_errors import gdal_exceptions
from .output_format import OutputForm, choose_driver, is_written_directly, list_writers
from .source_files import files_behind, list_files

DATABASES = ("GPKG", "Rasterlite")  # formats whose files hold other data besides a raster
OVERVIEWS_SHARE = 1.0 / 3.0  # of a raster's size
SIDECARS = (".aux.xml", ".ovr", ".ovr.aux.xml", ".msk", ".msk.ovr", "-wal", "-shm", "-journal")  # after the whole name
POINTERS = ("VRT", "MRF", "PDS4", "ISIS3", "STACTA", "WMS", "WMTS")  # drivers whose files name any other file or server
SIDECAR_FORMATS = ("", "GTiff", "ENVI")  # overviews and masks are GeoTIFFs; ENVI takes any file next to a header


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


def family(target: Path) -> list[Path]:
    """List the raster at this path and its sidecars, without those that another raster next to it uses too.

    Those that GDAL lists, and the usual ones also where GDAL cannot open it or it is gone. Call within
    `gdal_exceptions`.
    """
    files = {target.with_name(target.name + ending) for ending in SIDECARS} | _name_world_files(target)
    near = {f for f in _list_files(target) if f.parent == target.parent and f.name.startswith(target.stem)}
    files |= {f for f in near if _name_format(f) in (*SIDECAR_FORMATS, _name_format(target))}  # no raster of its own
    there = {f for f in files if os.path.isfile(f) and f != target}  # no error where a name would be too long
    kept = _find_shared_files(target, there) if there else set()
    return ([target] if os.path.lexists(target) else []) + sorted(there - kept)


def _list_files(path: Path) -> list[Path]:
    """Return GDAL's file list of the raster at a path; nothing where rasters are not written in its format.

    Formats that only point to other files are left out: the text of such a file must not decide which files are removed
    with it.
    """
    return [Path(f) for f in list_files(str(path), _list_drivers())] if path.exists() else []


def _name_format(file: Path) -> str:
    """Return the name of the driver that takes a file for a raster; empty where none does."""
    try:
        driver = gdal.IdentifyDriverEx(str(file), gdal.OF_RASTER)
    except RuntimeError:  # as for a header: "select the data file"
        return ""
    return driver.ShortName if driver else ""


@functools.lru_cache(maxsize=1)
def _list_drivers() -> list[str]:
    """List drivers that write rasters whose files are known by their names."""
    return [d.ShortName for d in list_writers() if d.ShortName not in POINTERS]


def _name_world_files(target: Path) -> set[Path]:
    """Return where the georeference of an image may lie: for .tif .tfw, .tifw and .wld."""
    extension = target.suffix[1:]
    endings = {"wld", f"{extension}w", f"{extension[:1]}{extension[-1:]}w"} if extension else set()
    return {target.with_suffix(f".{case}") for e in endings for case in (e.lower(), e.upper())}


def _find_shared_files(target: Path, files: Iterable[Path]) -> set[Path]:
    """Return those of the files that belong to another raster of the same name up to the extension as well."""
    shared = {f for f in files if not f.name.startswith(target.name)}
    if not shared:
        return set()
    alike = [p for p in target.parent.iterdir() if p.stem == target.stem and p != target and p not in shared]
    return {f for p in alike for f in _list_files(p) if f in shared}
