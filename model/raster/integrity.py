"""Input that GDAL forgives: files cut short, damaged pixels, files that change while they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from osgeo import gdal

from ..errors import InputError
from .needed_sizes import needed_sizes
from .source_files import files_behind

DAMAGE = ("jpeg", "corrupt", "premature", "truncat", "unexpected end", "bad ", "invalid code")  # words of warnings

Stamp = dict[str, tuple[int, int]]  # of files: size in bytes and time of the last change in nanoseconds


def stamps(name: str) -> Stamp:
    """Size and time of every file on disk that is read where a raster is opened by `name`."""
    found: Stamp = {}
    for file in sorted(files_behind(name)):
        if os.path.isfile(file):
            status = os.stat(file)
            found[file] = (status.st_size, status.st_mtime_ns)
    return found


def refuse_cut_files(role: str, files: Stamp) -> None:
    """Raises InputError for a file that is shorter than its header, or what describes it, says."""
    for file in files:
        for path, needed in needed_sizes(file).items():
            size = os.path.getsize(path) if os.path.isfile(path) else needed
            if size < needed:
                raise InputError(
                    f"{role} {path} has {size:,} bytes, but {needed:,} are needed by what its header says: it is cut "
                    "short. Copy or download it again."
                )


def refuse_changed_files(role: str, before: Stamp) -> None:
    """Raises InputError where a file is not any more what it was when the run began: the result would be a mixture."""
    for file, stamp in before.items():
        try:
            status = os.stat(file)
            now = (status.st_size, status.st_mtime_ns)
        except OSError:
            now = (-1, -1)
        if now != stamp:
            raise InputError(
                f"{role} {file} was changed while it was read, so the result would be a mixture; nothing is written. "
                "Run again once the file is complete."
            )


@contextmanager
def damage_raised() -> Iterator[None]:
    """Warnings of decoders about damaged pixels, within the block and this thread, as RuntimeError."""
    heard: list[str] = []

    def hear(level: int, number: int, message: str) -> None:
        if level == gdal.CE_Warning and any(word in message.lower() for word in DAMAGE):
            heard.append(message)

    gdal.PushErrorHandler(hear)
    try:
        yield
    finally:
        gdal.PopErrorHandler()
    if heard:
        raise RuntimeError(heard[0])
