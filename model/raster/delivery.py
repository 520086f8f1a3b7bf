"""Putting the finished files of a raster in the place of the previous ones, all of them or none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import OutputError
from ..staging import Staging
from .sidecars import family


def check_clash(target: Path, names: Sequence[str], previous: Sequence[Path]) -> None:
    """Refuse to write over files of other rasters, such as a header of the same name. Raises OutputError."""
    for name in names:
        place = target.with_name(name)
        if os.path.lexists(place) and place not in previous:
            raise OutputError(
                f"Beside {target} its format needs the file {place}, which is there already and belongs to another "
                "raster. Choose another file name."
            )


def deliver(files: Sequence[Path], target: Path, made: Staging) -> None:
    """Move files from the folder of `made` to where `target` is, in place of its previous files and sidecars.

    Raises OSError or OutputError; the previous files are then as they were.
    """
    new = sorted(files, key=lambda file: file.name == target.name)  # the raster itself comes last
    previous = family(target)  # and goes first
    check_clash(target, [file.name for file in new], previous)
    if [file.name for file in new] == [target.name] and previous in ([], [target]):
        os.replace(new[0], target)  # at no moment is there neither
    else:
        made.deliver(new, previous)
