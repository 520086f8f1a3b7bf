"""Messages between QGIS's process and the engine: frozen dataclasses as lines of JSON, checked as they arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import IO, Any, Union

from ..model.assessment.job import Assessed, AssessJob, AssessResult, BandFigures, Verdict
from ..model.finetuning.job import Evaluation, FinetuneJob, FinetuneResult, Recipe, TuningPair
from ..model.fusion.job import FusionJob, FusionResult
from ..model.notices import Notice
from ..model.product.job import ProductJob, ProductResult, ProductRun
from ..model.raster.source import RasterSource
from .examination import Examination, Findings

KIND = "is"  # names the type of what JSON has no word for
MAX_LINE_BYTES = 2**24  # a thousand times the longest message of a job with many notices
MAX_SHOWN = 60  # bytes or characters of what was received, in a sentence about it
RESULTS: Mapping[type, type] = {
    FusionJob: FusionResult,
    ProductJob: ProductResult,
    AssessJob: AssessResult,
    FinetuneJob: FinetuneResult,
    Examination: Findings,
}
CLASSES: Mapping[str, type] = {
    known.__name__: known
    for known in (
        *(*RESULTS.keys(), *RESULTS.values(), RasterSource, Notice),
        *(BandFigures, Assessed, Verdict, ProductRun, TuningPair, Recipe, Evaluation),
    )
}
Kind = Union[type, tuple[type, ...]]
Shape = Mapping[str, Kind]  # names of a message's parts and their types
TO_ENGINE: Sequence[Shape] = (
    {"python": tuple, "path": tuple, "packages": str, "gdal": dict, "proj": tuple, "job": (type(None), *RESULTS)},
    {"job": tuple(RESULTS)},
    {"cancel": bool},
)
FROM_ENGINE: Sequence[Shape] = (
    {"other_python": str},
    {"fault": str, "details": str},
    {"ready": bool, "torch": str},
    {"started": bool},
    {"share": (int, float)},
    {"log": str},
    {"detail": str},
    {"notice": Notice},
    {"result": tuple(RESULTS.values())},
    {"cancelled": bool},
    {"error": str, "kind": str},
    {"crash": str, "details": str},
)
# Types that the annotations of fields name, besides None and tuples of known parts.
TYPES: Mapping[str, Kind] = {
    **{"str": str, "bool": bool, "int": int, "float": (int, float), "Path": Path, "Mapping": dict, "Extent": tuple},
    **CLASSES,
}


def to_line(message: Mapping[str, Any]) -> bytes:
    """Write a message as one line of ASCII, whatever letters and numbers are in it."""
    return json.dumps(_plain(message)).encode("ascii") + b"\n"


def read_messages(stream: IO[bytes], shapes: Sequence[Shape]) -> Iterator[dict[str, Any]]:
    """Read messages until the stream ends. Raises ValueError that states what was read instead of one."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES} bytes")
        yield from_line(line, shapes)


def from_line(line: bytes, shapes: Sequence[Shape]) -> dict[str, Any]:
    """Read the message of a line. Raises ValueError that states what the line is instead of one."""
    try:
        plain = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else "not JSON"
        raise ValueError(f"a line that is {reason}: {line[:MAX_SHOWN]!r}") from error
    try:
        message = _restored(plain)
    except RecursionError as error:
        raise ValueError(f"a line that is nested too deeply: {line[:MAX_SHOWN]!r}") from error
    if not any(_has_shape(message, shape) for shape in shapes):
        raise ValueError(f"JSON that is not a message: {line[:MAX_SHOWN]!r}")
    return dict(message)


def _has_shape(message: Any, shape: Shape) -> bool:
    return (
        isinstance(message, dict)
        and message.keys() == shape.keys()
        and all(isinstance(message[name], kind) for name, kind in shape.items())
    )


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
    """Restore classes; lists come back as tuples, as all sequences of the frozen dataclasses are."""
    if isinstance(value, list):
        return tuple(_restored(each) for each in value)
    if not isinstance(value, dict):
        return value
    parts = {key: _restored(each) for key, each in value.items()}
    if KIND not in parts:
        return parts
    name = parts.pop(KIND)
    if name == "Path" and [*map(type, parts.values())] == [str]:
        return Path(*parts.values())
    if not isinstance(name, str) or name not in CLASSES:
        raise ValueError(f"an object of the unknown class {str(name)[:MAX_SHOWN]}")
    for field in fields(CLASSES[name]):
        if not has_type(parts.get(field.name), str(field.type)):
            raise ValueError(f"{name} whose {field.name} is {str(parts.get(field.name, 'absent'))[:MAX_SHOWN]}")
    try:
        return CLASSES[name](**parts)
    except TypeError as error:
        raise ValueError(f"{name} with other fields: {str(error)[:MAX_SHOWN]}") from error


def has_type(value: Any, annotation: str) -> bool:
    """Return whether a value has the type that the annotation of a field names."""
    if annotation.endswith(" | None"):
        return value is None or has_type(value, annotation[: -len(" | None")])
    outer, _, inner = annotation.partition("[")
    if outer != "tuple":
        return isinstance(value, TYPES[outer])
    if not isinstance(value, tuple):
        return False
    inner = inner[:-1]
    if inner.endswith(", ..."):
        return all(has_type(each, inner[: -len(", ...")]) for each in value)
    kinds = inner.split(", ")
    return len(kinds) == len(value) and all(map(has_type, value, kinds))
