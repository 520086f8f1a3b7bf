"""Figures as words, right for 0, NaN, infinity and what was not measured: for logs, notices, reports and tables."""

from __future__ import annotations

import math

NOT_MEASURABLE = "not measurable"
NEGLIGIBLE = 1e-5  # an ERGAS that the rounding of 32-bit floats alone may give


def format_figure(value: float | None, form: str, missing: str = NOT_MEASURABLE) -> str:
    """Format a figure by `form`, as in format(); None and NaN as `missing`. What rounds to 0 has no minus sign."""
    if value is None or math.isnan(value):
        return missing
    if math.isinf(value):
        return "infinite" if value > 0.0 else "minus infinite"
    text = format(value, form)
    return format(0.0, form) if float(text) == 0.0 else text


def format_signed(value: float | None, digits: int = 2) -> str:
    """Format a shift or another difference with its sign."""
    return format_figure(value, f"+.{digits}f")


def format_percent(share: float, form: str = ".0f") -> str:
    """Format a share, 0 to 1, in percent."""
    text = format_figure(100.0 * share, form)
    return f"{text} %" if math.isfinite(share) else text


def format_value(value: float) -> str:
    """Format the value of a pixel in as few digits as read back to the same number, so that a user can enter it."""
    return next(text for f in ("g", ".9g", ".17g") if float(text := format(value, f)) == value or f == ".17g")


def compare_errors(error: float, other: float) -> str:
    """Compare an error with another one in words, as in "28 % less than"; 0 is perfect."""
    if not (math.isfinite(error) and math.isfinite(other)):
        return "not comparable with"
    if max(error, other) <= NEGLIGIBLE:
        return "as small as"
    if other <= NEGLIGIBLE:
        return "more than"
    percent = round(100.0 * (error / other - 1.0))
    if percent < 0:
        return f"{-percent} % less than"
    return f"{percent} % more than" if percent else "as large as"
