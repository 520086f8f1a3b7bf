"""Files with rational polynomial coefficients (RPC) next to images, as metadata of GDAL's domain RPC."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from osgeo import gdal

from ..errors import InputError
from .listing import Listing
from .metadata import Tree, read_metadata, read_tree

AXES = ("LINE", "SAMP", "LAT", "LONG", "HEIGHT")
COUNTS = {f"{axis}_{word}": 1 for axis in AXES for word in ("OFF", "SCALE")} | {
    f"{axis}_{part}_COEFF": 20 for axis in AXES[:2] for part in ("NUM", "DEN")
}  # Numbers of each entry.
ENDINGS = (".RPB", ".rpb", "_RPC.TXT", "_rpc.txt", "_RPC.txt", ".RPC", ".rpc")  # WorldView and GaoFen.
MAX_TEXT = 2**17  # Characters of a text; those of makers have 5,000.
MAX_KEY = 40  # Characters; the names that are read have 22.
# Of texts: lineOffset = 7; LINE_OFF: 7 pixels.
LINE = re.compile(rf"\b(\w{{1,{MAX_KEY}}})\s*[=:]\s*(\([^)]{{0,2000}}\)|[^;\n]*)")
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


def find_rpc(files: Iterable[str]) -> str:
    """Return the RPC file next to the images or metadata files of a product; empty if there is none."""
    for file in files:
        path = PurePosixPath(file)
        names = [path.stem + ending for ending in ENDINGS]
        if path.name.upper().startswith("DIM_"):  # of Airbus
            names.append(f"RPC_{path.name[4:]}")
        for name in names:
            place = f"{path.parent}/{name}"
            status = gdal.VSIStatL(place)
            if status is not None and stat.S_ISREG(status.mode) and not os.path.islink(place):
                return place
    return ""


def read_rpc(path: str) -> dict[str, str]:
    """Read an RPC file. Raises InputError, with part of a sentence, where an entry is missing or is not finite."""
    found: dict[str, list[float]] = {}
    for key, text in sorted(_read_entries(path), key=lambda entry: int("0" + re.sub(r".*?(\d*)$", r"\1", entry[0]))):
        found.setdefault(re.sub(r"_\d+$", "", key), []).extend(map(float, NUMBER.findall(text)))
    for key, count in COUNTS.items():
        values = found.get(key, [])
        if len(values) != count or not all(map(math.isfinite, values)) or (key.endswith("SCALE") and not values[0]):
            raise InputError(f"is not a complete RPC file: {key} has {len(values)} of {count} numbers, or one is wrong")
    if path.upper().endswith(".XML"):  # Airbus counts pixels from 1.
        found["LINE_OFF"][0] -= 1.0
        found["SAMP_OFF"][0] -= 1.0
    return {key: " ".join(map(repr, found[key])) for key in COUNTS}


def _read_entries(path: str) -> Iterator[tuple[str, str]]:
    """Yield names, as GDAL has them with a number behind, and texts of entries."""
    if path.upper().endswith(".XML"):
        parent = PurePosixPath(path).parent
        root: Tree = read_tree(Listing(str(parent), (), lambda: None), PurePosixPath(path).name)
        for group in ("inverse_model", "rfm_validity"):  # From the ground to the image.
            for element in next(root.iter(group), ()):
                if len(element.tag) <= MAX_KEY:
                    yield element.tag.upper(), element.text or ""
        return
    content = read_metadata(path, lambda: None).decode("utf-8", errors="replace")
    for key, text in LINE.findall(content[:MAX_TEXT]):
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).upper()  # lineNumCoef: LINE_NUM_COEF
        yield re.sub(r"COEF$", "COEFF", words.replace("OFFSET", "OFF")), text
