"""Measuring a scene: its cost, and cancelling it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, load_image, save
from otfm_pansharpen.model.fusion.check import check_pair
from otfm_pansharpen.model.fusion.measure import measure
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import opened_pair


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
    with opened_pair(RasterSource(str(pair.pan)), RasterSource(str(pair.ms))) as (pan, ms):
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
from otfm_pansharpen.model.raster.windows import opened_pair
with opened_pair(RasterSource(sys.argv[1]), RasterSource(sys.argv[2])) as (pan, ms):
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
