"""The report of an assessment: verdict first, then figures, maps, crops, spectra, and how it was measured."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..files import whole_file
from ..geometry.grids import Window
from ..geometry.transfer import FREQUENCIES, TransferFunction
from ..page import page, picture, plot, stretched, table, whole
from ..quality.full_resolution import interpolated_ms
from ..quality.indices import BLOCK, Image
from ..raster.band_names import rgb_bands
from ..version import VERSION
from ..wording import format_figure, format_percent, format_signed
from .faults import Piece
from .job import SHADES, AssessJob, AssessResult, Figures, Verdict
from .maps import BlockMap

CROP = 3 * BLOCK  # PAN pixels of a crop, a block with its surroundings
ZOOM = 240  # CSS pixels that a crop is wide
STRETCH = (1, 99)
BINS = 64


@dataclass(frozen=True)
class Shown:
    """A result or yardstick with what is drawn of it."""

    figures: Figures
    map: BlockMap
    pieces: tuple[Piece, ...]


def write_report(
    job: AssessJob, result: AssessResult, shown: Sequence[Shown], transfer: TransferFunction, facts: Mapping[str, str]
) -> None:
    """Write the report, complete or not at all. Raises OutputError."""
    parts = [
        *(_verdict(v) for v in result.verdicts),
        *(f"<p>{html.escape(n)}</p>" for f in result.figures for n in f.notes),
        "<h2>At full resolution, without a reference</h2>",
        _full_table(result.figures),
        "<h2>Band by band</h2>",
        _band_table([s.figures for s in shown]),
        "<h2>One scale down, where MS is the truth</h2>",
        _reduced_table(result),
        *(part for s in shown for part in _pictures(s)),
        "<h2>Spectra and histograms</h2>",
        *_curves(shown),
        "<h2>How it was measured</h2>",
        plot(
            "Contrast that MS keeps of PAN's, at frequencies in units of the MS Nyquist frequency",
            FREQUENCIES,
            {"along rows": transfer.rows, "along columns": transfer.columns},
        ),
        table(
            (),
            [
                *facts.items(),
                ("OTFM Pansharpen", VERSION),
                ("Date", f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"),
            ],
        ),
    ]
    try:
        with whole_file(job.report) as draft:
            draft.write_text(page("Assessment of sharpened rasters", parts), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The report {job.report} cannot be written: {error}. Choose another file.") from error


def _verdict(found: Verdict) -> str:
    kind = "verdict fault" if found.faults else "verdict"
    words = "<br/>".join(html.escape(s) for s in found.sentences)
    return f'<div class="{kind}"><h2>{html.escape(found.name)}</h2><p>{words}</p></div>'


def _full_table(figures: Sequence[Figures]) -> str:
    rows = [
        [
            f.name,
            *(format_figure(value, ".4f") for value in (f.d_lambda, f.d_s, f.hqnr)),
            format_figure(f.sam, ".3f"),
            "" if f.shift is None else ", ".join(format_signed(s) for s in f.shift),
        ]
        for f in figures
    ]
    head = ("", "D_lambda", "D_s", "HQNR", "angle to MS, degrees", "shift from PAN (rows, columns)")
    return (
        table(head, rows)
        + "<p>D_lambda, D_s and the angle are better where they are lower, HQNR where it is higher.</p>"
    )


def _band_table(figures: Sequence[Figures]) -> str:
    rows = [
        [
            f"{f.name}: {b.name}",
            format_percent(b.bias, "+.2f"),
            format_percent(b.error, ".2f"),
            format_figure(b.detail, ".2f"),
        ]
        for f in figures
        for b in f.bands
    ]
    head = ("", "mean against MS", "error against MS", "detail (1 is as much as one scale down)")
    return table(head, rows)


def _reduced_table(result: AssessResult) -> str:
    if not result.reduced:
        return "<p>The scene is too small.</p>"
    forms = (".3f", ".3f", ".4f", ".4f")
    rows = [[r.name, *map(format_figure, (r.ergas, r.sam, r.q2n, r.scc), forms)] for r in result.reduced]
    note = (
        "<p>ERGAS and SAM are better where they are lower, Q2n and SCC where they are higher. Results of other tools "
        "cannot be made again here.</p>"
    )
    return table(("", "ERGAS", "SAM, degrees", "Q2n", "SCC"), rows) + note


def _pictures(shown: Shown) -> Iterator[str]:
    """Block map, and crops around the worst and the middle block."""
    words = f"quality of each block of {BLOCK} x {BLOCK} PAN pixels, from 0 to 1; grey where nothing was measured"
    legend = " ".join(f'<span style="color:rgb{c}">&#9632;</span> {html.escape(w)}' for _, c, w in SHADES)
    map_picture = picture(_shade(shown.map.values[0]), words, 2 * ZOOM)
    yield whole((f"<h2>Where {html.escape(shown.figures.name)} is good</h2>", map_picture, f"<p>{legend}</p>"))
    ranked = shown.map.ranked()
    if not ranked:
        return
    for word, (row, column) in (("worst", ranked[0]), ("middle", ranked[len(ranked) // 2])):
        yield whole((f"<h3>The {word} block: PAN row {row}, column {column}</h3>", *_crop(shown, row, column)))


def _shade(values: Image) -> NDArray[np.uint8]:
    """Blocks in the colours of `SHADES`, grey where nothing was measured; (rows, columns, 3)."""
    places, colours = [s[0] for s in SHADES], np.array([s[1] for s in SHADES])
    image = np.stack([np.interp(values, places, colour) for colour in colours.T], axis=-1)
    image[~np.isfinite(values)] = (200, 200, 200)
    return image.astype(np.uint8)


def _crop(shown: Shown, row: int, column: int) -> Iterator[str]:
    """MS, PAN and the result around a block."""
    for piece in shown.pieces:
        top, left = row - piece.pair.pan_corner[0] - BLOCK, column - piece.pair.pan_corner[1] - BLOCK
        place = Window(left, top, CROP, CROP).clipped(piece.pair.window)
        if (
            place.empty
            or not place.top <= row - piece.pair.pan_corner[0] < place.bottom
            or not (place.left <= column - piece.pair.pan_corner[1] < place.right)
        ):
            continue
        cut = np.s_[place.top : place.bottom, place.left : place.right]
        bands = rgb_bands([b.name for b in shown.figures.bands])
        lms = interpolated_ms(piece.pair)[list(bands)][(slice(None), *cut)]
        low, high = np.percentile(lms, STRETCH, axis=(1, 2))
        yield picture(stretched(lms, low, high), "MS, interpolated", ZOOM)
        pan = piece.pair.pan[cut]
        yield picture(stretched(pan[None], *(np.percentile(pan, s)[None] for s in STRETCH))[..., 0], "PAN", ZOOM)
        fused = piece.fused[list(bands)][(slice(None), *cut)]
        yield picture(stretched(fused, low, high), shown.figures.name, ZOOM)
        return


def _curves(shown: Sequence[Shown]) -> Iterator[str]:
    """Mean spectra of MS and of the results, and a histogram for each band."""
    first = shown[0]
    names = [b.name for b in first.figures.bands]
    before = np.concatenate([interpolated_ms(p.pair)[:, p.valid] for p in first.pieces], axis=1)
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
