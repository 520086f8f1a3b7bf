"""Putting the finished files of a raster in the place of the former ones, all of them or none."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import OutputError
from ..files import whole_file
from .family import family

FORMER = ".former"  # folder, within that of the run, of what is being replaced
RECORD = ".delivery"  # file there that says what is being put in place


def check_clash(target: Path, names: Sequence[str], former: Sequence[Path]) -> None:
    """Refuse to write over files of other rasters, such as a header of the same name. Raises OutputError."""
    for name in names:
        place = target.with_name(name)
        if os.path.lexists(place) and place not in former:
            raise OutputError(
                f"Beside {target} its format needs the file {place}, which is there already and belongs to another "
                "raster. Choose another file name."
            )


def deliver(files: Sequence[Path], target: Path, part: Path) -> None:
    """Move files from within the folder `part` to where `target` is, in place of its former family.

    Raises OSError or OutputError; `put_back`, which `staging` calls, then brings the former family back.
    """
    names = sorted((f.name for f in files), key=lambda name: name == target.name)  # the raster itself comes last
    former = family(target)
    check_clash(target, names, former)
    source = files[0].parent
    if names == [target.name] and former in ([], [target]):
        os.replace(source / target.name, target)  # at no moment is there neither
        return
    (part / FORMER).mkdir()
    with whole_file(part / RECORD) as record:
        record.write_text(json.dumps([str(source.relative_to(part)), names]), encoding="utf-8")
    for file in former:  # the raster itself is the first to go
        os.replace(file, part / FORMER / file.name)
    for name in names:
        os.replace(source / name, target.with_name(name))


def put_back(part: Path) -> None:
    """Undo a delivery out of the folder `part` that has not come to its end; without one, do nothing."""
    if not (part / RECORD).exists():
        return
    place, names = json.loads((part / RECORD).read_text(encoding="utf-8"))
    source, folder = part / place, part.parent
    if (source / names[-1]).exists():  # the raster itself is not in place yet
        for name in names:
            if not (source / name).exists():
                os.replace(folder / name, source / name)
        for file in sorted((part / FORMER).iterdir(), key=lambda f: f.name == names[-1]):
            os.replace(file, folder / file.name)
    (part / RECORD).unlink()
