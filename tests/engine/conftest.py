"""Fixtures of the tests of the engine."""

from __future__ import annotations

import pytest


@pytest.fixture
def nothing(tmp_path):
    """Return a packages' folder that does not exist."""
    return tmp_path / "packages"
