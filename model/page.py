"""HTML reports without external files, from the templates in resources/reports."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from osgeo import gdal, gdal_array

from .wording import format_figure

TEMPLATES = Path(__file__).resolve().parent.parent / "resources" / "reports"
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f", "#e377c2", "#bcbd22", "#17becf", "#ff7f0e")
MARGIN = 46  # pixels at the sides of a plot, for its labels


@dataclass(frozen=True)
class Picture:
    """An image (h, w, 1 or 3) with its caption, `width` CSS pixels wide."""

    image: NDArray[np.uint8]
    caption: str
    width: int

    @property
    def data(self) -> str:
        """The PNG file in base64."""
        bands = np.ascontiguousarray(np.moveaxis(self.image, 2, 0))
        name = f"/vsimem/{uuid4().hex}.png"
        gdal.GetDriverByName("PNG").CreateCopy(name, gdal_array.OpenArray(bands))
        file = gdal.VSIFOpenL(name, "rb")
        try:
            return base64.b64encode(gdal.VSIFReadL(1, gdal.VSIStatL(name).size, file)).decode("ascii")
        finally:
            gdal.VSIFCloseL(file)
            gdal.Unlink(name)


@dataclass(frozen=True)
class Plot:
    """A drawing. Curves are (name, colour, points as "x,y"), marks below them (x, label); all places in pixels."""

    title: str
    curves: tuple[tuple[str, str, str], ...]
    marks: tuple[tuple[str, str], ...]
    low: str
    high: str
    width: int = 560
    height: int = 220
    bottom: int = 194  # where the lowest value is drawn


def render_page(template: str, **values: object) -> str:
    """Fill a template of resources/reports; all `values` are escaped."""
    loader = FileSystemLoader(TEMPLATES)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template(template).render(values)


def words(value: object) -> str:
    """Format the value of a setting for people."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return format_figure(value, ".6g")
    if isinstance(value, (list, tuple)):
        return ", ".join(words(v) for v in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{str(k).replace('_', ' ')} {words(v)}" for k, v in value.items())
    return str(value) or "none"


def stretched(image: NDArray[np.floating], low: NDArray[np.floating], high: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Stretch bands (n, h, w) between `low` and `high` (n,) to 8 bits, as (h, w, n) for `Picture`."""
    scaled = np.nan_to_num((image - low[:, None, None]) / np.maximum(high - low, 1e-12)[:, None, None])
    return np.asarray(255 * np.clip(scaled, 0.0, 1.0).transpose(1, 2, 0), dtype=np.uint8)


def plot(
    title: str, across: Sequence[float], curves: Mapping[str, Sequence[float]], labels: Sequence[str] = ()
) -> Plot:
    """Draw curves over `across`; `labels` name the places below instead of numbers."""
    values = np.array([list(c) for c in curves.values()], dtype=float)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    first, last = min(across), max(across)

    def to_pixels(x: float, y: float) -> tuple[str, str]:
        right = MARGIN + (x - first) / max(last - first, 1e-12) * (Plot.width - 2 * MARGIN)
        return f"{right:.1f}", f"{Plot.bottom - (y - low) / max(high - low, 1e-12) * (Plot.bottom - 30):.1f}"

    drawn = tuple(
        (name, colour, " ".join(",".join(to_pixels(x, y)) for x, y in zip(across, curve) if np.isfinite(y)))
        for colour, (name, curve) in zip(COLOURS * len(curves), curves.items())
    )
    names = labels or [f"{x:.0f}" if max(map(abs, across)) >= 1000 else f"{x:.3g}" for x in across]
    marks = [(to_pixels(x, low)[0], name) for x, name in zip(across, names)]
    return Plot(title, drawn, tuple(marks[:: max(len(across) // 8, 1)]), f"{low:.4g}", f"{high:.4g}")
