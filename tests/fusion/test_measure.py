"""Measuring a scene: its cost, and cancelling it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, load_image, save
from otfm_pansharpen.model.fusion import measure as measuring
from otfm_pansharpen.model.fusion.check import check_pair
from otfm_pansharpen.model.fusion.measure import measure
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import open_pair
from otfm_pansharpen.model.scene.registration import Registration


def with_many_bands(pair, bands, times):
    """Return the pair repeated so many times each way, with bands that are mixtures of its own and some noise."""
    rng = np.random.default_rng(0)
    ms = np.tile(load_image(pair.ms), (1, times, times)).astype(float)
    shares = rng.dirichlet(np.ones(len(ms)), bands)
    mixed = np.tensordot(shares, ms, 1) + rng.normal(0.0, 5.0, (bands, *ms.shape[1:]))
    save(pair.ms, mixed, transform=(5e5, 8, 0, 4e6, 0, -8))
    save(pair.pan, np.tile(load_image(pair.pan), (1, times, times)))
    return pair


@pytest.mark.slow
@pytest.mark.promise(9)
def test_cancel_works_at_any_moment_of_measuring_many_bands(tmp_path):
    """No thread works for a second without asking, by its own seconds, whatever else the machine does."""
    pair = with_many_bands(Recipe(height=512, width=512).write(tmp_path), 64, 4)
    asked, thread = [[time.thread_time()]], threading.local()  # when, by each thread
    thread.asked = asked[0]
    with open_pair(RasterSource(str(pair.pan)), RasterSource(str(pair.ms))) as (pan, ms):
        placed = check_pair(pan, ms, job(pair, tmp_path / "o.tif"))

        def cancelled() -> bool:
            if not hasattr(thread, "asked"):
                thread.asked = [0.0]
                asked.append(thread.asked)
            thread.asked.append(time.thread_time())
            return False

        measure(placed, True, None, Progress(cancelled=cancelled))
    thread.asked.append(time.thread_time())
    between = np.concatenate([np.diff(times) for times in asked])
    assert between.sum() > 2.0  # else it shows nothing
    assert between.max() < 0.7


MEASURED = """
import sys
from pathlib import Path
from otfm_pansharpen.model.fusion.check import check_pair
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.fusion.measure import measure
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import open_pair
with open_pair(RasterSource(sys.argv[1]), RasterSource(sys.argv[2])) as (pan, ms):
    job = FusionJob(pan.source, ms.source, Path("fused.tif"))
    print(measure(check_pair(pan, ms, job), True, None, Progress()).statistics)
print("torch" in sys.modules)
"""


@pytest.mark.promise(4)
def test_a_scene_measures_the_same_with_any_number_of_threads(tmp_path):
    """A machine with more cores adds in another order; the last bits of the statistics decide pixels."""
    pair = Recipe(height=512, width=512, seed=3).write(tmp_path)
    arguments, outputs = [str(p) for p in (pair.pan, pair.ms)], []
    for threads in ("1", "2", "4"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        command = [sys.executable, "-c", MEASURED, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        outputs.append(done.stdout)
    assert "intensity=(" in outputs[0]
    assert outputs[1:] == outputs[:1] * 2
    assert outputs[0].endswith("False\n")  # nor does it need torch


@pytest.mark.parametrize(("value", "negative"), [(-9999, False), (-1, True)])
def test_values_of_gaps_are_not_negative_image(tmp_path, value, negative):
    """One pixel in a corner that the sample of windows does not show."""
    pair = Recipe(height=1024, width=1024, dtype="int16").write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, -1, -1] = value
    save(pair.ms, ms, "int16", (5e5, 8, 0, 4e6, 0, -8), nodata=-9999)
    with open_pair(RasterSource(str(pair.pan)), RasterSource(str(pair.ms))) as (_, raster):
        assert measuring._has_negative(raster, Progress()) == negative


TRANSFER = TransferFunction.gaussian(0.3)
AT_EDGE = Registration((4.6, 0.0), TRANSFER, 0.7, 0.1, True)
INSIDE = Registration((1.0, 0.5), TRANSFER, 0.7, 0.1, True)
UNKNOWN = replace(AT_EDGE, reliable=False, shift=(0.0, 0.0))
FAR = Registration((10.2, -0.1), TRANSFER, 0.9, 0.1, True, local=((10.3, 0.0), None))


@pytest.mark.parametrize(
    ("near", "coarse", "correlation", "expected"),
    [
        (AT_EDGE, (10.0, 0.0), 0.9, FAR),
        (AT_EDGE, (10.0, 0.0), 0.6, UNKNOWN),
        (AT_EDGE, (350.0, 0.0), 0.9, UNKNOWN),
        (AT_EDGE, None, 0.9, UNKNOWN),
        (INSIDE, (10.0, 0.0), 0.6, INSIDE),
        (INSIDE, None, 0.9, INSIDE),
    ],
)
def test_wider_search_takes_a_better_peak_alone(monkeypatch, near, coarse, correlation, expected):
    """An optimum at the end of the small search is not a measurement."""
    found = Registration((0.2, -0.1), TRANSFER, correlation, 0.0, True, local=((0.3, 0.0), None))
    monkeypatch.setattr(measuring, "find_coarse_shift", lambda windows: coarse)
    monkeypatch.setattr(measuring, "measure_registration", lambda *arguments: found)
    placement: Any = SimpleNamespace(overlap=Window(0, 0, 400, 400), moved=lambda shift: placement)
    wide = measuring._search_wider(placement, lambda *arguments: [], near, None, Progress())
    assert (wide.reliable, wide.local) == (expected.reliable, expected.local)
    assert wide.shift == pytest.approx(expected.shift)
    assert (wide.correlation, wide.correlation_unshifted) == (expected.correlation, expected.correlation_unshifted)
