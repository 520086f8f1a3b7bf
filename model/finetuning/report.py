"""The report of a fine-tuning: one HTML file that needs nothing else, pictures inside it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..files import whole_file
from ..page import page, picture, plot, stretched, table, whole, words
from ..progress import spoken
from ..quality.comparison import Figures
from ..quality.indices import INDICES
from ..wording import compare_errors, format_figure
from .evaluation import Crop
from .job import FinetuneResult

STRETCH = (1, 99)  # percentiles of MS that pictures show
EXAGGERATION = 4.0  # of the differences
WIDTH = 125  # CSS pixels of a picture, so that five stand side by side on paper


def write_report(
    path: Path, result: FinetuneResult, crops: Sequence[tuple[Crop, Crop]], settings: Mapping[str, object]
) -> None:
    """Write the report, complete or not at all. `crops` are held-out blocks before and after. Raises OSError."""
    before, after = (side["ergas"] for side in (result.before, result.after))
    verdict = (
        f"ERGAS of the held-out blocks went from {format_figure(before, '.4f')} to "
        f"{format_figure(after, '.4f')}, {compare_errors(after, before)} "
        f"before, in {result.steps} steps and {spoken(result.seconds)}."
        if result.improved
        else f"Nothing better than the start weights was found in {result.steps} steps; they are kept unchanged."
    )
    parts = [
        f'<div class="verdict"><p>{html.escape(verdict)} The held-out blocks were never trained on; they chose the '
        "weights.</p></div>",
        whole(("<h2>Held-out blocks</h2>", _figures_table(result.before, result.after))),
        whole(("<h2>Learning curve</h2>", *_curves(result))),
        "<h2>Held-out blocks at full resolution</h2>",
        "<p>MS, PAN, the result before and after, and their difference, "
        f"{EXAGGERATION:g} times as strong around grey.</p>",
        *(_strip(n, *pair) for n, pair in enumerate(crops, 1)),
        f"<h2>Settings</h2>{table((), [(k.replace('_', ' '), words(v)) for k, v in settings.items()])}",
        f"<p>SHA-256 of the weights: <code>{html.escape(result.weights_sha256)}</code></p>",
    ]
    with whole_file(path) as draft:
        draft.write_text(page(f"Fine-tuning of {result.output.name}", parts), encoding="utf-8")


def _figures_table(before: Figures, after: Figures) -> str:
    rows = [
        (index.title, *(format_figure(i[n], ".4f") for i in (before, after)), f"{index.resolution}, {index.direction}")
        for n, index in INDICES.items()
    ]
    return table(("", "before", "after", ""), rows)


def _curves(result: FinetuneResult) -> Iterator[str]:
    steps = [float(e.step) for e in result.evaluations]
    yield plot("Against steps", steps, {"ERGAS of the held-out blocks": [e.ergas for e in result.evaluations]})
    yield plot("Against steps", steps, {"loss": [e.loss for e in result.evaluations]})


def _strip(number: int, before: Crop, after: Crop) -> str:
    """One block: MS, PAN, before, after, difference."""
    low, high = np.percentile(before.ms, STRETCH, axis=(1, 2))
    difference = after.sharp - before.sharp
    far = 0.5 * (high - low) / EXAGGERATION
    grey = (np.percentile(before.pan, s, keepdims=True)[0] for s in STRETCH)
    images = {
        "MS": stretched(before.ms, low, high),
        "PAN": stretched(before.pan[None], *grey)[..., 0],
        "before": stretched(before.sharp, low, high),
        "after": stretched(after.sharp, low, high),
        "difference": stretched(difference, -far, far),
    }
    pictures = (picture(image, caption, WIDTH) for caption, image in images.items())
    return whole((f"<h3>Block {number}</h3>", *pictures))
