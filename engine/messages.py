"""What QGIS's process and the engine say to each other: frozen dataclasses as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ..model.assessment.job import AssessJob, AssessResult, BandFigures, Figures, ReducedFigures, Verdict
from ..model.finetuning.job import Evaluation, FinetuneJob, FinetuneResult, Recipe, TuningPair
from ..model.fusion.job import FusionJob, FusionResult
from ..model.notices import Notice
from ..model.product.job import ProductJob, ProductResult, ProductRun
from ..model.quality.indices import QualityIndices
from ..model.raster.source import RasterSource
from .examination import Examination, Findings

KIND = "is"  # names the type of what JSON has no word for
CLASSES: Mapping[str, type] = {
    known.__name__: known
    for known in (
        *(FusionJob, FusionResult, RasterSource, Notice, QualityIndices),
        *(AssessJob, AssessResult, BandFigures, Figures, ReducedFigures, Verdict),
        *(ProductJob, ProductResult, ProductRun, Examination, Findings),
        *(FinetuneJob, FinetuneResult, TuningPair, Recipe, Evaluation),
    )
}


def to_line(message: Mapping[str, Any]) -> bytes:
    """A message as one line of ASCII, whatever letters and numbers are in it."""
    return json.dumps(_plain(message)).encode("ascii") + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """The message of a line. Raises ValueError where it is none."""
    message = _restored(json.loads(line))
    if not isinstance(message, dict):
        raise ValueError(f"{line[:80]!r} is no message")
    return message


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        if CLASSES.get(type(value).__name__) is not type(value):
            raise TypeError(f"{type(value).__name__} is not among the classes that messages may hold")
        return {KIND: type(value).__name__, **{f.name: _plain(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, Path):
        return {KIND: "Path", "path": str(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return _plain(value.item())  # a scalar of numpy


def _restored(value: Any) -> Any:
    """Lists come back as tuples, as all sequences of the frozen dataclasses are."""
    if isinstance(value, list):
        return tuple(_restored(each) for each in value)
    if not isinstance(value, dict):
        return value
    kind = value.pop(KIND, None)
    inside = {key: _restored(each) for key, each in value.items()}
    if kind is None:
        return inside
    if kind == "Path":
        return Path(inside["path"])
    return CLASSES[kind](**inside)
