"""Contact sheets: MS, PAN and what the methods make of them, side by side in one stretch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from otfm_pansharpen.model.geometry.resampling import nearest
from otfm_pansharpen.model.geometry.window_pair import PairWindow

mpl.use("Agg")
from matplotlib import pyplot

CROP = 160  # PAN pixels
STRETCH = (1.0, 99.0)  # percentiles
Image = NDArray[np.floating]


def coarse_ms(pair: PairWindow) -> Image:
    """MS on PAN's grid without interpolation, (bands, H, W)."""
    rows, columns = (
        nearest(p).clip(0, n - 1) for p, n in zip(pair.positions_in_ms(pair.window), pair.ms_valid.shape, strict=True)
    )
    return np.asarray(pair.ms)[:, rows[:, None], columns[None, :]]


def contact_sheet(path: Path, pair: PairWindow, results: Mapping[str, Image], rgb: tuple[int, int, int]) -> None:
    """Write a PNG of the liveliest square of a pair; `results` (bands, H, W) on PAN's grid, `rgb` band indices."""
    pan = np.asarray(pair.pan, dtype=np.float64)
    cut = liveliest(pan, np.asarray(pair.pan_valid))
    coarse = coarse_ms(pair)[list(rgb)][(slice(None), *cut)]
    low, high = np.percentile(coarse, STRETCH, axis=(1, 2))

    def colour(image: Image) -> Image:
        shown = (image[list(rgb)][(slice(None), *cut)] - low[:, None, None]) / np.maximum(high - low, 1e-9)[
            :, None, None
        ]
        return np.clip(shown, 0.0, 1.0).transpose(1, 2, 0)

    figure, axes = pyplot.subplots(2, -(-(len(results) + 2) // 2), figsize=(3.4 * -(-(len(results) + 2) // 2), 7.2))
    shown = pan[cut]
    panels = {"MS": colour(coarse_ms(pair)), "PAN": shown, **{name: colour(image) for name, image in results.items()}}
    limits = {"vmin": np.percentile(shown, STRETCH[0]), "vmax": np.percentile(shown, STRETCH[1])}
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, panel) in zip(axes.flat, panels.items(), strict=False):
        axis.imshow(panel, interpolation="nearest", **({"cmap": "gray", **limits} if panel.ndim == 2 else {}))
        axis.set_title(name)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def liveliest(pan: Image, valid: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The wholly valid square of CROP pixels where PAN varies most, on a coarse raster of candidates."""
    best, found = -1.0, (slice(0, CROP), slice(0, CROP))
    for top in range(0, max(pan.shape[0] - CROP, 0) + 1, CROP // 2):
        for left in range(0, max(pan.shape[1] - CROP, 0) + 1, CROP // 2):
            cut = (slice(top, top + CROP), slice(left, left + CROP))
            spread = float(pan[cut].std()) if valid[cut].all() else -1.0
            if spread > best:
                best, found = spread, cut
    return found
