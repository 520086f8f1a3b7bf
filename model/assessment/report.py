"""Report of an assessment: verdict first, then figures, maps, crops, spectra, and the method of measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..files import whole_file
from ..geometry.grids import Window
from ..geometry.transfer import FREQUENCIES, TransferFunction
from ..page import Picture, Plot, plot, render_page, stretched
from ..quality.comparison import Figures
from ..quality.full_resolution import interpolate_ms
from ..quality.indices import BLOCK, INDICES, Image
from ..raster.bands import rgb_bands
from ..version import VERSION
from ..wording import format_figure, format_percent, format_signed
from .faults import AssessedPiece
from .job import SHADES, AssessedRaster, AssessJob, AssessResult
from .maps import BlockMap

CROP = 3 * BLOCK  # PAN pixels of a crop: a block with its surroundings
ZOOM = 240  # CSS pixels that a crop is wide
STRETCH = (1, 99)
BINS = 64
CONTRAST = "Contrast that MS keeps of PAN's, at frequencies in units of the MS Nyquist frequency"


@dataclass(frozen=True)
class Shown:
    """A result or yardstick with its map and pieces to draw."""

    figures: AssessedRaster
    map: BlockMap
    pieces: tuple[AssessedPiece, ...]


def write_report(
    job: AssessJob, result: AssessResult, shown: Sequence[Shown], transfer: TransferFunction, facts: Mapping[str, str]
) -> None:
    """Write the report, complete or not at all. Raises OutputError."""
    kept = {"along rows": transfer.rows, "along columns": transfer.columns}
    text = render_page(
        "assessment.html",
        title="Assessment of sharpened rasters",
        result=result,
        full_indices=[INDICES[n] for n in result.figures[0].indices],
        full=[_format_full_row(f) for f in result.figures],
        bands=[row for s in shown for row in _format_band_rows(s.figures)],
        reduced_indices=[INDICES[n] for n in next(iter(result.reduced.values()), {})],
        reduced=[(name, *_format_indices(figures)) for name, figures in result.reduced.items()],
        shades=SHADES,
        shown=[{"name": s.figures.name, "map": _draw_map(s), "crops": _draw_crops(s)} for s in shown],
        plots=list(_plot_curves(shown)),
        transfer=plot(CONTRAST, FREQUENCIES, kept),
        facts=[
            *facts.items(),
            ("OTFM Pansharpen", VERSION),
            ("Date", f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"),
        ],
    )
    try:
        with whole_file(job.report) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The report {job.report} cannot be written: {error}. Choose another file.") from error


def _format_full_row(f: AssessedRaster) -> tuple[str, ...]:
    shift = "" if f.shift is None else ", ".join(format_signed(s) for s in f.shift)
    return f.name, *_format_indices(f.indices), format_figure(f.angle, ".3f"), shift


def _format_indices(figures: Figures) -> list[str]:
    """Return the indices as a table shows them."""
    return [format_figure(value, INDICES[name].form) for name, value in figures.items()]


def _format_band_rows(f: AssessedRaster) -> Iterator[tuple[str, ...]]:
    for b in f.bands:
        detail = format_figure(b.detail, ".2f")
        yield f"{f.name}: {b.name}", format_percent(b.bias, "+.2f"), format_percent(b.error, ".2f"), detail


def _draw_map(shown: Shown) -> Picture:
    words = f"quality of each block of {BLOCK} x {BLOCK} PAN pixels, from 0 to 1; grey where nothing was measured"
    return Picture(_draw_blocks(shown.map.values[0]), words, 2 * ZOOM)


def _draw_crops(shown: Shown) -> list[tuple[str, list[Picture]]]:
    """Draw the worst and the middle block; returns heading and pictures of each."""
    ranked = shown.map.ranked()
    chosen = {"worst": ranked[0], "middle": ranked[len(ranked) // 2]} if ranked else {}
    return [(f"The {word} block: PAN row {r}, column {c}", _draw_crop(shown, r, c)) for word, (r, c) in chosen.items()]


def _draw_blocks(values: Image) -> NDArray[np.uint8]:
    """Draw blocks in the colours of `SHADES`, grey where nothing was measured; (rows, columns, 3)."""
    places, palette = [s[0] for s in SHADES], np.array([s[1] for s in SHADES])
    shaded = np.stack([np.interp(values, places, colour) for colour in palette.T], axis=-1)
    shaded[~np.isfinite(values)] = (200, 200, 200)
    return shaded.astype(np.uint8)


def _draw_crop(shown: Shown, row: int, column: int) -> list[Picture]:
    """Draw MS, PAN and the result around a block."""
    for piece in shown.pieces:
        down, across = row - piece.pair.pan_corner[0], column - piece.pair.pan_corner[1]
        window = Window(across - BLOCK, down - BLOCK, CROP, CROP).clipped(piece.pair.window)
        if window.empty or not (window.top <= down < window.bottom and window.left <= across < window.right):
            continue
        cut = np.s_[:, window.top : window.bottom, window.left : window.right]
        bands = list(rgb_bands([b.name for b in shown.figures.bands]))
        lms, pan = interpolate_ms(piece.pair)[bands][cut], piece.pair.pan[None][cut]
        ms_range, pan_range = (np.percentile(i, STRETCH, axis=(1, 2)) for i in (lms, pan))
        return [
            Picture(stretched(lms, *ms_range), "MS, interpolated", ZOOM),
            Picture(stretched(pan, *pan_range), "PAN", ZOOM),
            Picture(stretched(piece.fused[bands][cut], *ms_range), shown.figures.name, ZOOM),
        ]
    return []


def _plot_curves(shown: Sequence[Shown]) -> Iterator[Plot]:
    """Plot mean spectra of MS and of the results, and a histogram for each band."""
    first = shown[0]
    names = [b.name for b in first.figures.bands]
    before = np.concatenate([interpolate_ms(p.pair)[:, p.valid] for p in first.pieces], axis=1)
    after = {s.figures.name: np.concatenate([p.fused[:, p.valid] for p in s.pieces], axis=1) for s in shown}
    alike = {n: v for n, v in after.items() if len(v) == len(before)}
    spectra = {"MS": before.mean(1), **{n: v.mean(1) for n, v in alike.items()}}
    if len(names) > 1:
        yield plot("Mean spectrum", list(range(len(names))), {n: list(v) for n, v in spectra.items()}, names)
    for band, name in enumerate(names):
        low, high = np.percentile(before[band], (0.2, 99.8))
        edges = np.linspace(low, high, BINS + 1)
        if edges[-1] > edges[0]:
            middles = 0.5 * (edges[1:] + edges[:-1])
            counts = {
                n: np.histogram(v[band], edges)[0] / max(v.shape[1], 1) for n, v in {"MS": before, **alike}.items()
            }
            yield plot(f"Histogram of {name}", list(middles), {n: list(c) for n, c in counts.items()})
