"""The pair that is tuned on."""

from __future__ import annotations

import pytest


@pytest.fixture
def pair(tmp_path):
    from helpers.finetuning import SENSOR  # imports GDAL

    return SENSOR.write(tmp_path)
