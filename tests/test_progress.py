"""Sizes as people read them."""

from __future__ import annotations

import pytest
from otfm_pansharpen.model.progress import format_bytes, format_bytes_apart


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (12_345, "12.3 kB"), (999_600, "1,000 kB"), (5e7, "50 MB"),
     (1.5e9, "1.5 GB"), (8.8e12, "8.8 TB"), (1.2e16, "12,000 TB")],
)  # fmt: skip
def test_format_bytes_has_a_fitting_unit(count, text):
    assert format_bytes(count) == text


def test_sizes_that_differ_look_different():
    assert format_bytes_apart(2_000_000, 3_000) == ("2 MB", "3 kB")
    assert format_bytes_apart(12_345_678, 12_345_000) == ("12,345,678 bytes", "12,345,000 bytes")
