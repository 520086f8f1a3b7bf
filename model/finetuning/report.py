"""The report of a fine-tuning: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..files import whole_file
from ..page import Picture, plot, render_page, stretched, words
from ..progress import format_duration
from ..quality.comparison import Figures
from ..quality.indices import INDICES
from ..wording import compare_errors, format_figure
from .evaluation import Crop
from .job import FinetuneResult

STRETCH = (1, 99)  # percentiles of MS that pictures show
EXAGGERATION = 4.0  # factor on the differences that pictures show
WIDTH = 125  # CSS pixels of a picture, so that five fit into one row on paper


def write_report(
    path: Path, result: FinetuneResult, crops: Sequence[tuple[Crop, Crop]], settings: Mapping[str, object]
) -> None:
    """Write the report, complete or not at all. `crops` are held-out blocks before and after. Raises OSError."""
    before, after = (side["ergas"] for side in (result.before, result.after))
    verdict = (
        f"ERGAS of the held-out blocks went from {format_figure(before, '.4f')} to "
        f"{format_figure(after, '.4f')}, {compare_errors(after, before)} "
        f"before, in {result.steps} steps and {format_duration(result.seconds)}."
        if result.improved
        else f"Nothing better than the start weights was found in {result.steps} steps; they are kept unchanged."
    )
    steps = [float(e.step) for e in result.evaluations]
    curves = {"ERGAS of the held-out blocks": [e.ergas for e in result.evaluations]}
    text = render_page(
        "finetuning.html",
        title=f"Fine-tuning of {result.output.name}",
        verdict=verdict,
        figures=_list_figures(result.before, result.after),
        plots=[plot("Against steps", steps, c) for c in (curves, {"loss": [e.loss for e in result.evaluations]})],
        exaggeration=f"{EXAGGERATION:g}",
        strips=[_draw_strip(*pair) for pair in crops],
        settings=[(k.replace("_", " "), words(v)) for k, v in settings.items()],
        sha256=result.weights_sha256,
    )
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _list_figures(before: Figures, after: Figures) -> list[tuple[str, ...]]:
    """Return title, before, after and meaning of each index."""
    return [
        (index.title, *(format_figure(i[n], ".4f") for i in (before, after)), f"{index.resolution}, {index.direction}")
        for n, index in INDICES.items()
    ]


def _draw_strip(before: Crop, after: Crop) -> list[Picture]:
    """Draw MS, PAN, before, after and difference of one block."""
    low, high = np.percentile(before.ms, STRETCH, axis=(1, 2))
    difference = after.sharp - before.sharp
    far = 0.5 * (high - low) / EXAGGERATION
    grey = (np.percentile(before.pan, s, keepdims=True)[0] for s in STRETCH)
    images = {
        "MS": stretched(before.ms, low, high),
        "PAN": stretched(before.pan[None], *grey),
        "before": stretched(before.sharp, low, high),
        "after": stretched(after.sharp, low, high),
        "difference": stretched(difference, -far, far),
    }
    return [Picture(image, caption, WIDTH) for caption, image in images.items()]
