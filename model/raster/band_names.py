"""What bands are, by their names."""

from __future__ import annotations

from collections.abc import Sequence


def rgb_bands(names: Sequence[str]) -> tuple[int, int, int]:
    """Indices of the red, green and blue band by their names; the first three where they have none."""
    known, last = [name.lower() for name in names], len(names) - 1
    if {"red", "green", "blue"} <= set(known):
        return known.index("red"), known.index("green"), known.index("blue")
    return 0, min(1, last), min(2, last)
