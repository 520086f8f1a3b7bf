"""Random pairs through the whole pipeline: each gives a correct raster or one sentence, and leaves nothing else.

The nightly profile runs thousands: HYPOTHESIS_PROFILE=nightly pytest tests/fusion/test_random_pairs.py
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.random_pairs import TYPES, Case, cases, write_case
from hypothesis import given, settings
from osgeo import gdal
from otfm_pansharpen.model.errors import PansharpenError
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.fusion.pipeline import fuse

TIMEOUT = 120.0  # seconds of one pair
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.register_profile("here", max_examples=12, deadline=None, derandomize=True)
PROFILE = settings.get_profile("nightly" if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else "here")


@pytest.fixture(scope="module")
def worker():
    """Run a function in a process of its own, so that a crash or a hang is a failure and not the end.

    A forked process would wait for ever for OpenMP's threads, which the tests before this one started.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield lambda *arguments: pool.submit(*arguments).result(TIMEOUT)


@pytest.mark.parametrize("sound", [True, False])
def test_pair_gives_a_correct_raster_or_a_sentence(worker, sound):
    outcomes: Counter[str] = Counter()

    @settings(PROFILE)
    @given(case=cases(sound))
    def check(case):
        result = worker(outcome, case)
        outcomes[result] += 1
        assert result in ("raster", "sentence")

    check()
    assert outcomes["raster" if sound else "sentence"] > outcomes.total() / 2


def outcome(case: Case) -> str:
    """Return the outcome of a pair: a raster, a sentence, or what is wrong."""
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    with tempfile.TemporaryDirectory() as name:
        job, ms = write_case(case, Path(name))
        before = {p.name for p in Path(name).iterdir()}
        try:
            fuse(job)
            fault = "" if case.damaged else describe_wrong_pixels(case, job, ms)
        except PansharpenError:
            left = {p.name for p in Path(name).iterdir()} - before
            return f"left {left}" if left else "sentence"
        parts = [p.name for p in Path(name).iterdir() if p.name.endswith(".part")]
        return fault or (f"left {parts}" if parts else "raster")


def describe_wrong_pixels(case: Case, job: FusionJob, ms: np.ndarray) -> str:
    """Return what is wrong with the raster that was written, empty where nothing is."""
    dataset, source = gdal.Open(str(job.output)), gdal.Open(job.ms.path)
    fused = np.atleast_3d(dataset.ReadAsArray().T).T
    band, last = dataset.GetRasterBand(1), source.GetRasterBand(source.RasterCount)
    if len(fused) == len(ms) - 1 and last.GetColorInterpretation() == gdal.GCI_AlphaBand:
        return ""  # an image of hardly any values may be taken for the alpha that it is declared to be
    expected = job.options.data_type or gdal.GetDataTypeName(TYPES[case.types[1]])
    if gdal.GetDataTypeName(band.DataType) != expected or len(fused) != source.RasterCount:
        return f"{len(fused)} bands of {gdal.GetDataTypeName(band.DataType)}"
    mark = band.GetNoDataValue()
    gaps = np.zeros(fused.shape, bool) if mark is None else np.isnan(fused) if np.isnan(mark) else fused == mark
    if not np.isfinite(fused[~gaps].astype(np.float64)).all():
        return "values that are not finite"
    return wrong_grid(case, fused) or wrong_values(case, job, ms, fused, gaps) if case.is_aligned else ""


def wrong_grid(case: Case, fused: np.ndarray) -> str:
    """Check the size that pixel centres within MS give."""
    sizes = []
    for start, count, limit in zip(case.offset, case.ms_size, case.pan_size, strict=True):
        centres = np.arange(limit) + 0.5
        sizes.append(int(((centres > start - 1e-3) & (centres < start + count * case.ratio + 1e-3)).sum()))
    return "" if fused.shape[1:] == tuple(sizes) else f"size {fused.shape[1:]}, not {tuple(sizes)}"


def wrong_values(case: Case, job: FusionJob, ms: np.ndarray, fused: np.ndarray, gaps: np.ndarray) -> str:
    """Check that gaps of MS are gaps of the result, and the means of bands agree."""
    first = [max(int(np.ceil(start - 0.5 - 1e-3)), 0) for start in case.offset]
    index = [
        np.clip(np.floor((np.arange(n) + f + 0.5 - start) / case.ratio), 0, m - 1).astype(int)
        for n, f, start, m in zip(fused.shape[1:], first, case.offset, case.ms_size, strict=True)
    ]
    truth = ms[:, index[0]][:, :, index[1]].astype(np.float64)
    bad = ~np.isfinite(truth) | (np.abs(truth) >= 1e30)
    bad |= False if case.nodata is None else truth == case.nodata
    around = (bad[:, :-2, 1:-1], bad[:, 2:, 1:-1], bad[:, 1:-1, :-2], bad[:, 1:-1, 2:])
    steady = np.logical_and.reduce([bad[:, 1:-1, 1:-1], *around])  # rounding at edges
    if (steady & ~gaps[:, 1:-1, 1:-1]).any():
        return "a gap of MS holds values"
    if job.options.data_type or gaps.all():
        return ""
    for band, expected, hole, spoilt in zip(fused, truth, gaps, bad, strict=True):
        inside = ~hole & ~spoilt
        if inside.any():
            difference = abs(float(band[inside].astype(np.float64).mean()) - expected[inside].mean())
            if difference > expected[inside].std() + 1.0 + 1e-3 * abs(expected[inside].mean()):
                return f"the mean of a band moved by {difference:.4g}"
    return ""
