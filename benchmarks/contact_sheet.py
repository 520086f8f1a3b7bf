"""Contact sheets: MS, PAN and the results of methods in one row, with one stretch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from otfm_pansharpen.model.geometry.resampling import nearest
from otfm_pansharpen.model.geometry.window_pair import PairWindow

mpl.use("Agg")
from matplotlib import pyplot

STRETCH = (1.0, 99.0)  # percentiles
Image = NDArray[np.floating]
Cut = tuple[slice, slice]  # rows and columns of PAN


def replicate_ms(pair: PairWindow) -> Image:
    """Bring MS to PAN's grid without interpolation, (bands, H, W)."""
    rows, columns = (
        nearest(p).clip(0, n - 1) for p, n in zip(pair.positions_in_ms(pair.window), pair.ms_valid.shape, strict=True)
    )
    return pair.ms[:, rows[:, None], columns[None, :]]


def panels(pair: PairWindow, cut: Cut, results: Mapping[str, Image], rgb: Sequence[int]) -> dict[str, Image]:
    """Return MS, PAN and results (bands, H, W) within `cut`, in [0, 1]; colours are stretched as those of MS."""
    shown = {"MS": replicate_ms(pair), "PAN": pair.pan.astype(np.float64)[None], **results}
    parts = {n: bands[list(rgb) if len(bands) > 1 else [0]][(slice(None), *cut)] for n, bands in shown.items()}
    limits = {n: np.percentile(parts[n], STRETCH, axis=(1, 2))[:, :, None, None] for n in ("MS", "PAN")}
    stretched = {}
    for name, part in parts.items():
        low, high = limits.get(name, limits["MS"])
        stretched[name] = np.clip((part - low) / np.maximum(high - low, 1e-9), 0.0, 1.0).transpose(1, 2, 0)
    return stretched


def save_panels(path: Path, drawn: Sequence[tuple[str, Image]], columns: int, width: float, dpi: int = 100) -> None:
    """Write a PNG of titled panels (h, w, 1 or 3), each `width` inches wide."""
    rows = -(-len(drawn) // columns)
    height = width * (drawn[0][1].shape[0] / drawn[0][1].shape[1] + 0.1)
    figure, axes = pyplot.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, panel) in zip(axes.flat, drawn, strict=False):
        axis.imshow(panel, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
        axis.set_title(title, fontsize=min(12.0, 4.0 * width))
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=dpi, pil_kwargs={"optimize": True})
    pyplot.close(figure)
