"""Verdict in plain sentences from figures: quality, faults, cures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..wording import format_figure, format_signed
from .job import AssessedRaster, Verdict

SHIFTED = 0.5  # PAN pixels between a result's detail and PAN's, and that of MS
BIASED = 0.03  # of a band's mean
TOO_MUCH, TOO_LITTLE = 2.2, 0.25  # of the detail at reduced resolution; methods differ up to 2
ANGLE = 1.5  # times interpolation's angle
MIN_ANGLE = 0.5  # degrees more than it
MAX_SEAMS = 3  # named in the sentence

CURES = {
    "shifted": "Sharpen again with the shift between PAN and MS corrected, and check the georeference of the result.",
    "oversharpened": "Sharpen again with less detail: give the measured MTF gain, or use another method.",
    "undersharpened": "Sharpen again: MS may have been interpolated only, or another PAN used.",
    "colours": "Do not classify or compute indices from it; sharpen again with a method that keeps the bands' means.",
    "stretched": "Use it only to look at; for indices and classification, take the result before the stretch.",
    "seams": "Sharpen the scene as a whole, or with parameters that are the same in all tiles.",
}


def verdict(
    result: AssessedRaster,
    yardsticks: Sequence[AssessedRaster],
    again: str,
    reduced: Mapping[str, Mapping[str, float]],
    own_shift: tuple[float, float],
) -> Verdict:
    """Evaluate a result; the first of the yardsticks is interpolation, the others are classical methods.

    `reduced` are the figures at reduced resolution, where `again` is the name of the result made again, if it was.
    `own_shift` is that of MS against PAN, (row, column). The detail of a result may be where PAN has it, or where the
    pixels of MS place it: off that of PAN by the opposite.
    """
    interpolated, classical = yardsticks[0], yardsticks[1:]
    faults = list(_find_faults(result, interpolated, own_shift))
    hqnr = {f.name: f.indices["hqnr"] for f in (interpolated, *classical)}
    mine, best = result.indices["hqnr"], max(classical, key=lambda f: np.nan_to_num(hqnr[f.name], nan=-np.inf)).name
    beaten = sum(mine > hqnr[f.name] for f in classical)
    first = (
        f"{result.name} has HQNR {format_figure(mine, '.3f')} (1 is perfect); interpolation has "
        f"{format_figure(hqnr[interpolated.name], '.3f')}, and the best classical method ({best}) "
        f"{format_figure(hqnr[best], '.3f')}. It is better than {beaten} of {len(classical)} of those. Differences of "
        "a few thousandths of HQNR mean nothing."
    )
    if again in reduced:
        errors = {name: reduced[name]["ergas"] for name in (*hqnr, again)}
        first = f"{_describe_reduced(result.name, errors.pop(again), errors)} {first}"
    measurable = any(math.isfinite(b.detail) for b in result.bands)
    second = " ".join(s for _, s in faults) or (
        "No shift, no wrong amount of detail, no change of colours and no seam was found."
        if measurable
        else "No change of colours and no seam was found."
    )
    if not measurable:
        second += " Its shift and detail cannot be measured, because PAN or MS show no detail here."
    codes = tuple(dict.fromkeys(c for c, _ in faults))
    third = " ".join(CURES[c] for c in codes) or "It can be used unchanged."
    return Verdict(result.name, (first, second, third), codes)


def _describe_reduced(name: str, ergas: float, others: Mapping[str, float]) -> str:
    interpolation, *methods = others
    best = min(methods, key=lambda method: np.nan_to_num(others[method], nan=np.inf))
    ours, interpolated, classical = (format_figure(f, ".3g") for f in (ergas, others[interpolation], others[best]))
    return (
        f"One scale down, where MS is the truth, {name} has ERGAS {ours} (0 is perfect); interpolation has "
        f"{interpolated}, and the best classical method ({best}) {classical}."
    )


def _find_faults(
    result: AssessedRaster, interpolated: AssessedRaster, own_shift: tuple[float, float]
) -> Iterator[tuple[str, str]]:
    """Yield codes and sentences of faults, the plainest first."""
    if result.stretched:
        yield "stretched", "Its values are not those of MS: they were stretched to 8 bits."
    row, column = result.shift or (0.0, 0.0)
    if min(math.hypot(row, column), math.hypot(row + own_shift[0], column + own_shift[1])) >= SHIFTED:
        off = f"{format_signed(row, 1)} rows and {format_signed(column, 1)} columns (PAN pixels)"
        yield "shifted", f"Its detail lies {off} off that of PAN."
    details = sorted(b.detail for b in result.bands if math.isfinite(b.detail))
    middle = details[len(details) // 2] if details else 1.0
    if middle > TOO_MUCH:
        yield "oversharpened", f"It is oversharpened: it has {middle:.1f} times the detail that this scene should have."
    if middle < TOO_LITTLE:
        yield (
            "undersharpened",
            f"It is hardly sharpened: it has {100 * middle:.0f} % of the detail that it should have.",
        )
    biased = [b for b in result.bands if abs(b.bias) > BIASED]
    if biased:
        named = ", ".join(f"{b.name} by {100 * b.bias:+.1f} %" for b in biased)
        yield "colours", f"Its colours are not those of MS: the mean is changed in {named}."
    elif middle <= TOO_MUCH and result.angle > max(ANGLE * interpolated.angle, interpolated.angle + MIN_ANGLE):
        yield (
            "colours",
            f"Its colours are not those of MS: the angle is {result.angle:.1f} degrees, that of interpolation "
            f"{interpolated.angle:.1f}.",
        )
    if result.seams:
        named = ", ".join(where for where, _ in result.seams[:MAX_SEAMS])
        more = f" and {len(result.seams) - MAX_SEAMS} more" if len(result.seams) > MAX_SEAMS else ""
        yield "seams", f"Straight seams run through it, at PAN {named}{more}."
