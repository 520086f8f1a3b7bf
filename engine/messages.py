"""Messages between QGIS's process and the engine: lines of JSON, checked as they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Union

from ..model.assessment.job import AssessedRaster, AssessJob, AssessResult, BandFigures, Verdict
from ..model.codec import MAX_SHOWN, Codec
from ..model.finetuning.job import Evaluation, FinetuneJob, FinetuneResult, Recipe, TuningPair
from ..model.fusion.job import FusionJob, FusionOptions, FusionResult, SceneMetrics
from ..model.notices import Notice
from ..model.product.job import ProductJob, ProductResult, ProductRun
from ..model.raster.source import RasterSource
from .examination import Examination, Findings

MAX_LINE_BYTES = 2**24  # a thousand times the longest message of a job with many notices
# Jobs, their results, and what does them: a function (job, progress) -> result of a module that may need torch.
JOBS: Mapping[type, tuple[type, str, str]] = {
    FusionJob: (FusionResult, "model.fusion.pipeline", "fuse"),
    ProductJob: (ProductResult, "model.product.run", "sharpen_products"),
    AssessJob: (AssessResult, "model.assessment.assess", "assess"),
    FinetuneJob: (FinetuneResult, "model.finetuning.finetune", "finetune"),
    Examination: (Findings, "engine.examination", "examine"),
}
RESULTS = tuple(result for result, _, _ in JOBS.values())
CODEC = Codec(
    *(*JOBS, *RESULTS, RasterSource, Notice),
    *(FusionOptions, SceneMetrics),
    *(BandFigures, AssessedRaster, Verdict, ProductRun, TuningPair, Recipe, Evaluation),
)
Kind = Union[type, tuple[type, ...]]
Shape = Mapping[str, Kind]  # names of a message's parts and their types
TO_ENGINE: Sequence[Shape] = (
    {"python": tuple, "path": tuple, "packages": str, "gdal": dict, "proj": tuple, "job": (type(None), *JOBS)},
    {"job": tuple(JOBS)},
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
    {"result": RESULTS},
    {"cancelled": bool},
    {"error": str, "kind": str},
    {"crash": str, "details": str},
)


def to_line(message: Mapping[str, Any]) -> bytes:
    """Write a message as one line of ASCII, whatever letters and numbers are in it."""
    return CODEC.to_json(message).encode("ascii") + b"\n"


def read_messages(stream: IO[bytes], shapes: Sequence[Shape]) -> Iterator[dict[str, Any]]:
    """Read messages until the stream ends. Raises ValueError that states what was read instead of one."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES} bytes")
        yield from_line(line, shapes)


def from_line(line: bytes, shapes: Sequence[Shape]) -> dict[str, Any]:
    """Read the message of a line. Raises ValueError that states what the line is instead of one."""
    message = CODEC.from_json(line.decode("ascii", "backslashreplace"))
    if not any(_has_shape(message, shape) for shape in shapes):
        raise ValueError(f"JSON that is not a message: {line[:MAX_SHOWN]!r}")
    return dict(message)


def _has_shape(message: Any, shape: Shape) -> bool:
    return (
        isinstance(message, dict)
        and message.keys() == shape.keys()
        and all(isinstance(message[name], types) for name, types in shape.items())
    )
