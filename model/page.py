"""One look for reports: a page of HTML that needs nothing else, with tables, pictures and curves inside it."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .wording import format_figure

STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:left}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%;image-rendering:pixelated}"
    "code,td{overflow-wrap:anywhere}figure{display:inline-block;margin:.3em}figcaption{font-size:13px;color:#555}"
    ".verdict{border-left:4px solid #357;padding:.2em 1em;margin:.8em 0;background:#f4f6f8}.fault{border-color:#b33}"
    "@media print{body{margin:0;max-width:none}tr,figure,.verdict,.whole{page-break-inside:avoid}"
    "thead{display:table-header-group}h2{page-break-after:avoid}}"
)
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f", "#e377c2", "#bcbd22", "#17becf", "#ff7f0e")
PLOT = (560, 220, 46)  # width and height of a plot, and the room for its labels, in pixels


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>{html.escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def whole(parts: Iterable[str]) -> str:
    """Parts that stay on one sheet of paper, as a heading and what it is of."""
    return f'<div class="whole">{"".join(parts)}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers where there is a head, text where there is none.

    Its head is printed again on each sheet of paper.
    """
    kind = " class='n'" if head else ""
    top = f"<thead><tr>{''.join(f'<th>{html.escape(h)}</th>' for h in head)}</tr></thead>" if head else ""
    body = "".join(
        f"<tr><td>{html.escape(r[0])}</td>{''.join(f'<td{kind}>{html.escape(c)}</td>' for c in r[1:])}</tr>"
        for r in rows
    )
    return f"<table>{top}{body}</table>"


def words(value: object) -> str:
    """A value of a setting as people write it."""
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
    """Bands (n, h, w) as (h, w, n) for `picture`, those between their `low` and `high` (n,) from dark to bright."""
    scaled = np.nan_to_num((image - low[:, None, None]) / np.maximum(high - low, 1e-12)[:, None, None])
    return np.asarray(255 * np.clip(scaled, 0.0, 1.0).transpose(1, 2, 0), dtype=np.uint8)


def picture(image: NDArray[np.uint8], caption: str, width: int = 0) -> str:
    """An image (h, w) or (h, w, 3) with its caption, `width` CSS pixels wide where given."""
    size = f' width="{width}"' if width else ""
    data = base64.b64encode(_png(image)).decode("ascii")
    text = html.escape(caption)
    return (
        f'<figure><img alt="{text}"{size} src="data:image/png;base64,{data}"/><figcaption>{text}</figcaption></figure>'
    )


def plot(title: str, across: Sequence[float], curves: Mapping[str, Sequence[float]], labels: Sequence[str] = ()) -> str:
    """Curves over `across` as a drawing; `labels` name the places below in place of numbers."""
    width, height, room = PLOT
    values = np.array([list(c) for c in curves.values()], dtype=float)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    first, last = min(across), max(across)

    def place(x: float, y: float) -> str:
        right = room + (x - first) / max(last - first, 1e-12) * (width - 2 * room)
        return f"{right:.1f},{height - room + 20 - (y - low) / max(high - low, 1e-12) * (height - room - 10):.1f}"

    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="'
        f'{" ".join(place(x, y) for x, y in zip(across, curve) if np.isfinite(y))}"/>'
        for colour, curve in zip(COLOURS * len(curves), curves.values())
    )
    names = labels or [f"{x:.0f}" if max(map(abs, across)) >= 1000 else f"{x:.3g}" for x in across]
    step = max(len(across) // 8, 1)
    below = "".join(
        f'<text x="{place(x, low).split(",")[0]}" y="{height - 8}" text-anchor="middle">{html.escape(n)}</text>'
        for x, n in list(zip(across, names))[::step]
    )
    sides = f'<text x="2" y="16">{high:.4g}</text><text x="2" y="{height - room + 20}">{low:.4g}</text>'
    legend = " ".join(
        f'<span style="color:{colour}">&#9632; {html.escape(name)}</span>'
        for colour, name in zip(COLOURS * len(curves), curves)
    )
    return (
        f'<figure><svg width="{width}" height="{height}" font-size="11" fill="#555">{lines}{below}{sides}</svg>'
        f"<figcaption>{html.escape(title)}: {legend}</figcaption></figure>"
    )


def _png(image: NDArray[np.uint8]) -> bytes:
    """An image (h, w) or (h, w, 3) as a PNG file."""
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, -1)
    raw = np.concatenate([np.zeros((height, 1), dtype=np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if image.ndim == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
