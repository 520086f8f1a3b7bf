"""The report of a fine-tuning: one HTML file that needs nothing else, pictures inside it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutputError
from ..files import whole_file
from ..page import page, table, words
from ..quality.indices import Image, QualityIndices
from .evaluation import Crop
from .job import FinetuneResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "ergas": ("ERGAS", "reduced resolution, lower is better"),
    "sam": ("SAM, degrees", "reduced resolution, lower is better"),
    "q2n": ("Q2n", "reduced resolution, higher is better"),
    "d_lambda": ("D_lambda", "full resolution, lower is better"),
    "d_s": ("D_s", "full resolution, lower is better"),
    "hqnr": ("HQNR", "full resolution, higher is better"),
}
STRETCH = (1, 99)  # percentiles of MS that pictures show
EXAGGERATION = 4.0  # of the differences


def refuse_without_matplotlib() -> None:
    """Raises OutputError, with the cure, where pictures cannot be drawn."""
    try:
        import matplotlib  # noqa: F401 - asked for here so that its absence is said before the training
    except ImportError as error:
        raise OutputError(
            f"The report needs the Python package matplotlib, which cannot be imported ({error}). Install it with "
            "python3 -m pip install matplotlib in the Python that QGIS uses, or leave REPORT empty."
        ) from error


def write_report(
    path: Path, result: FinetuneResult, crops: Sequence[tuple[Crop, Crop]], settings: Mapping[str, object]
) -> None:
    """Write the report, complete or not at all. `crops` are held-out blocks before and after. Raises OSError."""
    verdict = (
        f"ERGAS of the held-out blocks went from {result.before.ergas:.4f} to {result.after.ergas:.4f} "
        f"({100 * (result.after.ergas / result.before.ergas - 1):+.1f} %) in {result.steps} steps and "
        f"{result.seconds:.0f} seconds."
        if result.improved
        else f"Nothing better than the start weights was found in {result.steps} steps; they are kept unchanged."
    )
    parts = [
        f"<p>{html.escape(verdict)} The held-out blocks were never trained on; they chose the weights.</p>",
        f"<h2>Held-out blocks</h2>{_figures_table(result.before, result.after)}",
        f"<h2>Learning curve</h2>{_picture(_curve(result), 'Loss and ERGAS of the held-out blocks against steps')}",
        "<h2>Held-out blocks at full resolution</h2>",
        "<p>MS, PAN, the result before and after, and their difference, "
        f"{EXAGGERATION:g} times as strong around grey.</p>",
        *(_picture(_strip(*pair), f"Block {n}: MS, PAN, before, after, difference") for n, pair in enumerate(crops, 1)),
        f"<h2>Settings</h2>{table((), [(k.replace('_', ' '), words(v)) for k, v in settings.items()])}",
        f"<p>SHA-256 of the weights: <code>{html.escape(result.weights_sha256)}</code></p>",
    ]
    with whole_file(path) as draft:
        draft.write_text(page(f"Fine-tuning of {result.output.name}", parts), encoding="utf-8")


def _figures_table(before: QualityIndices, after: QualityIndices) -> str:
    names = [*(f.name for f in fields(QualityIndices)), "hqnr"]
    values = [(n, *(f"{getattr(i, n):.4f}" for i in (before, after))) for n in names]
    return table(("", "before", "after", ""), [(TITLES[n][0], b, a, TITLES[n][1]) for n, b, a in values])


def _new_figure(width: float, height: float) -> Figure:
    """A figure that draws without a screen and without matplotlib's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), tight_layout=True)
    FigureCanvasAgg(figure)
    return figure


def _curve(result: FinetuneResult) -> Figure:
    figure = _new_figure(8.0, 3.4)
    left: Any = figure.add_subplot()
    steps = [e.step for e in result.evaluations]
    left.plot(steps, [e.ergas for e in result.evaluations], "o-", color="tab:blue", markersize=3)
    left.set_xlabel("step")
    left.set_ylabel("ERGAS of the held-out blocks", color="tab:blue")
    right = left.twinx()
    right.plot(steps, [e.loss for e in result.evaluations], "-", color="tab:gray", alpha=0.7)
    right.set_ylabel("loss", color="tab:gray")
    left.grid(alpha=0.3)
    return figure


def _strip(before: Crop, after: Crop) -> Figure:
    """One block: MS, PAN, before, after, difference."""
    low, high = np.percentile(before.ms, STRETCH, axis=(1, 2))
    spread = np.maximum(high - low, 1e-12)[:, None, None]

    def colour(image: Image) -> Image:
        return np.clip((image - low[:, None, None]) / spread, 0.0, 1.0).transpose(1, 2, 0)

    difference = np.clip(0.5 + EXAGGERATION * (after.sharp - before.sharp) / spread, 0.0, 1.0)
    grey = {"cmap": "gray", "vmin": np.percentile(before.pan, 1), "vmax": np.percentile(before.pan, 99)}
    shown: list[tuple[str, Image, dict[str, Any]]] = [
        ("MS", colour(before.ms), {}), ("PAN", before.pan, grey), ("before", colour(before.sharp), {}),
        ("after", colour(after.sharp), {}), ("difference", difference.transpose(1, 2, 0), {}),
    ]  # fmt: skip
    figure = _new_figure(15.0, 3.3)
    for axis, (title, image, options) in zip(figure.subplots(1, len(shown)), shown):
        axis.imshow(image, interpolation="nearest", **options)
        axis.set_title(title)
        axis.axis("off")
    return figure


def _picture(figure: Figure, text: str) -> str:
    """The figure as a PNG inside the page."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return f'<p><img alt="{html.escape(text)}" src="data:image/png;base64,{data}"/></p>'
