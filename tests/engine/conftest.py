"""What tests of the engine share."""

from __future__ import annotations

import pytest


@pytest.fixture
def nothing(tmp_path):
    """A packages' folder that does not exist."""
    return tmp_path / "packages"
