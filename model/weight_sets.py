"""The bundled weights for sensors that many users have, and how they are chosen instead of the general ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .codec import parse_json
from .options import BUNDLED

MAX_HEADER = 2**20  # bytes of the header of a safetensors file
MAX_DEPTH = 8  # of JSON in it
MAX_NAME = 60  # characters of a sensor's name in lists
MAX_RATIO_ERROR = 0.05  # relative difference between the ratio of a scene and that of a set


@dataclass(frozen=True)
class WeightSet:
    """Bundled weights of one kind of sensor, a file for each quality. resources/weights/README.md is their card.

    `sensors` is a pattern for names of sensors and of their files, `title` names the sensors for users. `ratios` are
    those of PAN and MS that it was trained for.
    """

    name: str
    title: str
    sensors: str
    ratios: tuple[float, ...]

    def path(self, quality: str) -> Path:
        """Return the file of a quality, fast or best."""
        return BUNDLED[quality].with_name(f"{self.name}_{quality}.safetensors")

    def find_sensor(self, names: Iterable[str], ratio: float) -> str:
        """Return the first of `names` that is of these sensors; empty where none is, or where the ratio is another."""
        if not any(abs(ratio - own) <= MAX_RATIO_ERROR * own for own in self.ratios):
            return ""
        return next((name for name in names if re.search(self.sensors, name, re.IGNORECASE)), "")


GENERAL = "general"
SETS = {
    each.name: each
    for each in (
        WeightSet("landsat", "Landsat 8 and 9", r"landsat[ _-]?0?[89](?!\d)|(?<![a-z])L[CO]0?[89](?=\d|_L\d)", (2.0,)),
        WeightSet(
            "sentinel2", "Sentinel-2", r"sentinel[ _-]?2|(?<![a-z])S2[A-D]_|(?<![a-z])T\d\d[A-Z]{3}_\d{8}T", (2.0, 6.0)
        ),
    )
}
WEIGHTS_FOR = ("auto", GENERAL, *SETS)


def bundled_files() -> list[Path]:
    """List the files of all bundled weights."""
    return [*BUNDLED.values(), *(each.path(quality) for each in SETS.values() for quality in BUNDLED)]


def read_sensor(path: Path) -> str:
    """Return the name of the sensor on whose scenes weights were fine-tuned; empty where the file names none."""
    try:
        with path.open("rb") as file:
            length = min(int.from_bytes(file.read(8), "little"), MAX_HEADER)
            header = parse_json(file.read(length).decode("utf-8"), MAX_DEPTH)
        scenes = parse_json(header["__metadata__"]["finetuned"], MAX_DEPTH)["scenes"]
        return str(scenes[0]["sensor"])[:MAX_NAME]
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return ""  # Loading it reports what is wrong.


def choose_weights(weights: Path, wanted: str, names: Sequence[str], ratio: float) -> tuple[Path, str]:
    """Return the weights for a scene instead of general ones, and why.

    `wanted` is one of WEIGHTS_FOR; `names` are those of the files of MS and of its sensor. Other
    files than the bundled ones are kept.
    """
    quality = next((quality for quality, path in BUNDLED.items() if path == weights), None)
    if quality is None:
        return weights, "the file that was chosen"
    if wanted in SETS:
        return SETS[wanted].path(quality), f"for {SETS[wanted].title}, as asked"
    for each in SETS.values() if wanted == "auto" else ():
        name = each.find_sensor(names, ratio)
        if name:
            return each.path(quality), f"for {each.title}, because of the name {name}"
    return weights, "for all sensors" + (", as asked" if wanted == GENERAL else "")
