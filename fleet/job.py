"""Job of a fleet: the scenes of a CSV file or of a folder of products, and the settings of all."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from posixpath import dirname, join

from ..model.errors import InputError, WeightsError
from ..model.files import make_file_name, make_names_distinct
from ..model.fusion.job import FusionOptions
from ..model.options import BUNDLED, DEFAULT_SET, PRODUCT_BANDS
from ..model.product.recognise import find_products
from ..model.product.scene import Product, RefusedProduct
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.raster.source_files import confined
from .storage import find, is_remote, read_bytes

COG, PARTS = "cog", "parts"  # forms of an output
ENDINGS = {COG: "_sharp.cog.tif", PARTS: "_sharp.json"}
NEEDED = ("pan", "ms")  # columns of a list
DELIMITERS = ",;\t|"  # between the values of a list; the first is that of a list with one column
SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
KNOWN = (*NEEDED, "name", "sensor", "date")
MAX_LIST_BYTES = 2**28  # a million scenes
MAX_VALUE = 4096  # characters of a path, as operating systems take them
MAX_QUOTED = 80  # characters of a value in a message
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
SENSOR = re.compile(r"\w[\w .+-]{0,63}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FLEET_OPTIONS = FusionOptions(device="cpu", precision="fp32")


@dataclass(frozen=True)
class FleetScene:
    """A pair by paths that every worker can open, or a product; `output` is what exists once it is complete."""

    name: str
    output: str
    pan: str = ""
    ms: str = ""
    sensor: str = ""
    date: str = ""
    product: Product | None = None

    def name_sidecar(self, ending: str) -> str:
        """Return a path next to the output, such as that of its plan or of the folder of its parts."""
        stem = next(self.output[: -len(e)] for e in ENDINGS.values() if self.output.endswith(e))
        return f"{stem}_sharp.{ending}"


@dataclass(frozen=True)
class Settings:
    """Settings of all scenes."""

    weights: str = DEFAULT_SET  # name of a bundled set, a file that all workers see, or a folder of SENSOR.safetensors
    bands: str = PRODUCT_BANDS[0]  # one of PRODUCT_BANDS, for products
    form: str = COG  # COG or PARTS
    options: FusionOptions = FLEET_OPTIONS  # device and number type are one for all windows: bytes differ

    def weights_for(self, scene: FleetScene) -> str:
        """Return the path of a scene's weights. Raises WeightsError where the folder has none for its sensor."""
        if self.weights in BUNDLED:
            return str(BUNDLED[self.weights])
        if self.weights.endswith(".safetensors"):
            return self.weights
        path = join(self.weights, f"{scene.sensor}.safetensors")
        if find(path) is None:
            raise WeightsError(
                f"{self.weights} has no weights {scene.sensor or 'SENSOR'}.safetensors for {scene.name}. Name the "
                "scene's sensor in the list, tune weights for it, or give one file for all scenes."
            )
        return path


def read_scenes(path: str, folder: str, form: str) -> tuple[list[FleetScene], list[RefusedProduct]]:
    """Read the scenes of a CSV file or of a folder of products, and what is refused there. Raises InputError."""
    if path.lower().endswith(".csv"):
        return _read_list(path, folder, ENDINGS[form]), []
    with gdal_exceptions(), confined():
        products, refused = find_products(path, lambda: None)
    refused += [
        RefusedProduct(p.title, f"{p.title} has no panchromatic band; sharpen it with otfm:product.")
        for p in products
        if p.is_guided
    ]
    products = [p for p in products if not p.is_guided]
    names = make_names_distinct([make_file_name(p.title, "scene") for p in products])
    scenes = [
        FleetScene(n, join(folder, n + ENDINGS[form]), sensor=p.ms.sensor.name, date=p.ms.date, product=p)
        for n, p in zip(names, products)
    ]
    return scenes, list(refused)


def _read_list(path: str, folder: str, ending: str) -> list[FleetScene]:
    scenes: list[FleetScene] = []
    seen: dict[str, int] = {}
    for number, line in _read_lines(path):
        _check_line(line, number, path)
        pan, ms = (_make_absolute(line[role] or "", path) for role in NEEDED)
        if not pan or not ms:
            raise InputError(f"Line {number} of {path} names no {'PAN' if not pan else 'MS'}. Fill it in.")
        name = make_file_name(line.get("name") or PurePosixPath(pan).stem, "scene")
        if name.lower() in seen:
            raise InputError(
                f"Lines {seen[name.lower()]} and {number} of {path} are both called {name}. Give each scene a name of "
                "its own in the column name."
            )
        seen[name.lower()] = number
        scenes.append(
            FleetScene(name, join(folder, name + ending), pan, ms, line.get("sensor") or "", line.get("date") or "")
        )
    if not scenes:
        raise InputError(f"The list {path} names no scene. Each line below the columns' names is one.")
    return scenes


def _read_lines(path: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield every line below the columns' names, with its number. Raises InputError."""
    if find(path) is None:
        raise InputError(
            f"The list {path} does not exist or is not a file. Give a CSV file with the columns pan and ms, or a "
            "folder of products."
        )
    try:
        content = read_bytes(path if is_remote(path) else os.path.realpath(path), MAX_LIST_BYTES)
        text = content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
        lines = io.StringIO(text, newline="")
        named = SEPARATOR.match(text)  # a line that office programs write and read
        skipped = int(bool(named and lines.readline()))
        start = lines.tell()
        delimiter = named[1] if named else max(DELIMITERS, key=lines.readline().count)
        lines.seek(start)
        table = csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True)
        heads = [head.strip().lower() for head in table.fieldnames or ()]
        while heads and not heads[-1]:
            heads.pop()  # empty columns at the end of a sheet
        table.fieldnames = heads
        if not set(NEEDED) <= set(heads) <= set(KNOWN) or len(set(heads)) < len(heads):
            raise InputError(
                f"The list {path} has the columns {_shorten(', '.join(heads)) or 'nothing'}. It needs pan and ms, and "
                "may have name, sensor and date; each line below is a scene."
            )
        for line in table:
            beyond = line.get(None) or ()  # type: ignore[call-overload]
            if not any(beyond):
                line.pop(None, None)  # type: ignore[call-overload]
            if any(line.values()):
                yield skipped + table.line_num, line
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The list {path} is not CSV text in UTF-8 ({error}). Save it as such.") from error


def _check_line(line: dict[str, str | None], number: int, path: str) -> None:
    """Refuse values that are not paths or dates, or that are parts of other paths. Raises InputError."""
    where = f"Line {number} of {path}"
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


def _make_absolute(path: str, list_path: str) -> str:
    """Return a path that every worker can open; relative paths start at the folder of the list."""
    path = path.strip()
    if not path or is_remote(path) or ":" in path or os.path.isabs(path):
        return path
    absolute = join(dirname(list_path) or ".", path)
    return absolute if is_remote(absolute) else os.path.abspath(absolute)
