"""The list of scenes: a CSV of pairs, or a folder of products."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from ..model.errors import InputError
from ..model.product.recognise import find_products
from ..model.product.run import NO_PRODUCT
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.raster.source_files import confined
from .job import ENDINGS, Row, Scene
from .storage import child, is_remote, parent, read_bytes, size

NEEDED = ("pan", "ms")
KNOWN = (*NEEDED, "name", "sensor", "date")
LONGEST_NAME = 120  # bytes; file systems take 255, and endings and drafts need the rest
MAX_LIST_BYTES = 2**28  # a million scenes
MAX_VALUE = 4096  # characters of a path, as operating systems take them
MAX_QUOTED = 80  # characters of a value in a message
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
SENSOR = re.compile(r"\w[\w .+-]{0,63}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_scenes(place: str, folder: str, form: str) -> tuple[list[Scene], list[Row]]:
    """Scenes of a CSV file or of a folder of products, and a row for what is none. Raises InputError."""
    if place.lower().endswith(".csv"):
        return _of_list(place, folder, ENDINGS[form]), []
    with gdal_exceptions(), confined():
        products, refused = find_products(place, lambda: None)
    names = _different([_plain(p.title) for p in products])
    scenes = [
        Scene(n, child(folder, n + ENDINGS[form]), sensor=p.ms.sensor.name, date=p.ms.date, product=p)
        for n, p in zip(names, products)
    ]
    return scenes, [Row(r.title, NO_PRODUCT, sentence=r.sentence) for r in refused]


def _of_list(place: str, folder: str, ending: str) -> list[Scene]:
    scenes: list[Scene] = []
    seen: dict[str, int] = {}
    for number, line in _read_lines(place):
        _check_line(line, number, place)
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
    if not scenes:
        raise InputError(f"The list {place} names no scene. Each line below the columns' names is one.")
    return scenes


def _read_lines(place: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield every line below the columns' names, with its number. Raises InputError."""
    if size(place) is None:
        raise InputError(
            f"The list {place} does not exist or is not a file. Give a CSV file with the columns pan and ms, or a "
            "folder of products."
        )
    try:
        text = io.StringIO(read_bytes(place, MAX_LIST_BYTES).decode("utf-8-sig"), newline="")
        table = csv.DictReader(text)
        heads = list(table.fieldnames or ())
        if not set(NEEDED) <= set(heads) <= set(KNOWN) or len(set(heads)) < len(heads):
            raise InputError(
                f"The list {place} has the columns {_shorten(', '.join(heads)) or 'nothing'}. It needs pan and ms, and "
                "may have name, sensor and date; each line below is a scene."
            )
        for line in table:
            yield table.line_num, line
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The list {place} is not CSV text in UTF-8 ({error}). Save it as such.") from error


def _check_line(line: dict[str, str | None], number: int, place: str) -> None:
    """Refuse values that would be no paths, no dates, or parts of other paths. Raises InputError."""
    where = f"Line {number} of {place}"
    if None in line:
        raise InputError(f"{where} has more values than the list has columns. Put values with commas in quotes.")
    for value in filter(None, line.values()):
        if len(value) > MAX_VALUE:
            raise InputError(f"{where} has a value of {len(value)} characters; at most {MAX_VALUE} are read.")
        if CONTROL.search(value):
            raise InputError(f"{where} has control characters in {_shorten(value)!r}. Remove them.")
    sensor, date = line.get("sensor") or "", line.get("date") or ""
    if sensor and not SENSOR.fullmatch(sensor):
        raise InputError(
            f"{where} has the sensor {_shorten(sensor)}. It names a file of weights: use letters, digits, spaces and "
            "the signs . _ + -"
        )
    try:
        if date and not (DATE.fullmatch(date) and datetime.strptime(date, "%Y-%m-%d")):
            raise ValueError
    except ValueError as error:
        raise InputError(f"{where} has the date {_shorten(date)}. Write it as 2020-07-01.") from error


def _shorten(value: str) -> str:
    return value if len(value) <= MAX_QUOTED else f"{value[:MAX_QUOTED]}..."


def _absolute(path: str, place: str) -> str:
    """A path as every worker can open it; names without a folder are those beside the list."""
    path = path.strip()
    if not path or is_remote(path) or ":" in path or os.path.isabs(path):
        return path
    beside = child(parent(place), path)
    return beside if is_remote(beside) else os.path.abspath(beside)


def _plain(title: str) -> str:
    name = re.sub(r'[\\/:*?"<>|\s\x00-\x1f\x7f]+', "_", title).strip("._")
    return name.encode()[:LONGEST_NAME].decode(errors="ignore") or "scene"


def _different(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that were there before."""
    taken: set[str] = set()
    found = []
    for name in names:
        new = next(n for k in range(1, len(names) + 1) if (n := name if k == 1 else f"{name}_{k}").lower() not in taken)
        taken.add(new.lower())
        found.append(new)
    return found
