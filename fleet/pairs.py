"""The list of scenes: a CSV of pairs, or a folder of products."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from ..model.errors import InputError
from ..model.product.recognise import find_products
from ..model.product.run import NO_PRODUCT
from ..model.raster.gdal_errors import gdal_exceptions
from .job import ENDINGS, Row, Scene
from .storage import child, is_remote, parent, read_bytes, size

NEEDED = ("pan", "ms")
KNOWN = (*NEEDED, "name", "sensor", "date")
LONGEST_NAME = 120  # characters


def read_scenes(place: str, folder: str, form: str) -> tuple[list[Scene], list[Row]]:
    """Scenes of a CSV file or of a folder of products, and a row for what is none. Raises InputError."""
    if place.lower().endswith(".csv"):
        return _of_list(place, folder, ENDINGS[form]), []
    with gdal_exceptions():
        products, refused = find_products(place, lambda: None)
    names = _different([_plain(p.title) for p in products])
    scenes = [
        Scene(n, child(folder, n + ENDINGS[form]), sensor=p.ms.sensor.name, date=p.ms.date, product=p)
        for n, p in zip(names, products)
    ]
    return scenes, [Row(r.title, NO_PRODUCT, sentence=r.sentence) for r in refused]


def _of_list(place: str, folder: str, ending: str) -> list[Scene]:
    if size(place) is None:
        raise InputError(f"The list {place} does not exist. Give a CSV file with the columns pan and ms, or a folder.")
    try:
        lines = list(csv.DictReader(read_bytes(place, 2**28).decode("utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The list {place} is no CSV text in UTF-8 ({error}). Save it as such.") from error
    heads = set(lines[0]) if lines else set()
    if not lines or not heads >= set(NEEDED) or not heads <= set(KNOWN):
        there = ", ".join(str(h) for h in (lines[0] if lines else ())) or "nothing"
        raise InputError(
            f"The list {place} has the columns {there}. It needs pan and ms, and may have name, sensor and date; each "
            "line below is a scene."
        )
    scenes: list[Scene] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=2):
        pan, ms = (_absolute(line[role] or "", place) for role in NEEDED)
        if not pan or not ms:
            raise InputError(f"Line {number} of {place} names no {'PAN' if not pan else 'MS'}. Fill it in.")
        name = _plain(line.get("name") or PurePosixPath(pan).stem)
        if name.lower() in seen:
            raise InputError(
                f"Lines {seen[name.lower()]} and {number} of {place} are both called {name}. Give each scene a name of "
                "its own in the column name."
            )
        seen[name.lower()] = number
        scenes.append(
            Scene(name, child(folder, name + ending), pan, ms, line.get("sensor") or "", line.get("date") or "")
        )
    return scenes


def _absolute(path: str, place: str) -> str:
    """A path as every worker can open it; names without a folder are those beside the list."""
    path = path.strip()
    if not path or is_remote(path) or ":" in path or os.path.isabs(path):
        return path
    beside = child(parent(place), path)
    return beside if is_remote(beside) else os.path.abspath(beside)


def _plain(title: str) -> str:
    return re.sub(r'[\\/:*?"<>|\s]+', "_", title).strip("._")[:LONGEST_NAME] or "scene"


def _different(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that were there before."""
    taken: set[str] = set()
    found = []
    for name in names:
        new = next(n for k in range(1, len(names) + 1) if (n := name if k == 1 else f"{name}_{k}").lower() not in taken)
        taken.add(new.lower())
        found.append(new)
    return found
