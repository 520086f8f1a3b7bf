"""Tiles in work in parallel: order, errors, cancelling, and what they say of the result."""

from __future__ import annotations

import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, InputError, PansharpenError
from otfm_pansharpen.model.fusion import tiles as tiling
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.fusion.plausible_range import PlausibleRange
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.inference.folded_network import FoldedNetwork
from otfm_pansharpen.model.notices import Notice
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality import indices
from otfm_pansharpen.model.raster.pixel_types import PixelEncoder


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.promise(3)
@pytest.mark.parametrize("options", [(), ("COMPRESS=DEFLATE", "BLOCKXSIZE=64", "BLOCKYSIZE=64")])
def test_parallel_tiles_give_the_same_bytes(tmp_path, three_threads, options):
    pair = Recipe(height=320, width=450).write(tmp_path)
    for name in ("a.tif", "b.tif"):
        run(pair, tmp_path, name, tile=64, creation_options=options)
    torch.set_num_threads(1)
    run(pair, tmp_path, "one.tif", tile=64, creation_options=options)
    contents = [(tmp_path / name).read_bytes() for name in ("a.tif", "b.tif", "one.tif")]
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.promise(22)
def test_two_parallel_runs_each_end_as_they_would_alone(tmp_path):
    """One reads a damaged tile; GDAL's exceptions stay on for the other, and are off again once both have ended."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    whole = Recipe(height=640, width=640).write(good)
    torn = Recipe(height=640, width=640).write(bad)
    gdal.Translate(str(bad / "lzw.tif"), str(torn.ms), creationOptions=["COMPRESS=LZW", "TILED=YES"])
    os.truncate(bad / "lzw.tif", (bad / "lzw.tif").stat().st_size * 2 // 3)
    torn.ms = bad / "lzw.tif"
    gdal.DontUseExceptions()
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(fuse, job(p, p.pan.with_name("o.tif"), tile=128)) for p in (whole, torn)]
        assert runs[0].result().output.exists()
        with pytest.raises(PansharpenError, match=r"lzw\.tif cannot be read"):
            runs[1].result()
    assert not gdal.GetUseExceptions()


@pytest.mark.promise(9)
def test_cancelling_stops_a_tile_in_the_middle_of_the_network(tmp_path, monkeypatch, three_threads):
    """The network here would go on for a minute if it were not asked to stop."""
    working = threading.Event()

    def slow(self, planes, check):
        working.set()
        for _ in range(600):
            check()
            time.sleep(0.1)
        raise AssertionError("nobody stopped it")

    monkeypatch.setattr(FoldedNetwork, "__call__", slow)
    pair = Recipe(height=320, width=320).write(tmp_path)
    before = threading.active_count()
    with pytest.raises(CancelledError):
        fuse(job(pair, tmp_path / "o.tif", tile=64), Progress(cancelled=working.is_set))
    assert threading.active_count() == before
    assert not (tmp_path / "o.tif").exists()
    assert temporaries(tmp_path) == []


@pytest.mark.promise(9)
def test_cancelling_stops_the_quality_figure(tmp_path, monkeypatch):
    """It would take a minute here: a hundred blocks, each slower than the last look at whether the user cancelled."""
    working, real = threading.Event(), indices._compute_q2n

    def slow(*blocks):
        working.set()
        time.sleep(0.3)
        return real(*blocks)

    monkeypatch.setattr(indices, "_compute_q2n", slow)
    monkeypatch.setattr(indices, "AT_ONCE", 1)
    pair = Recipe(height=320, width=320).write(tmp_path)
    cancelled_at: list[float] = []

    def cancelled():
        if working.is_set():
            cancelled_at.append(time.monotonic())
        return bool(cancelled_at)

    with pytest.raises(CancelledError):
        fuse(job(pair, tmp_path / "o.tif"), Progress(cancelled=cancelled))
    assert time.monotonic() - cancelled_at[0] < 1.0
    assert temporaries(tmp_path) == []


@pytest.fixture
def spoiled(monkeypatch):
    """Make the network give some value in the middle of every tile."""

    def spoil(value):
        real = FoldedNetwork.__call__

        def call(self, planes, check=lambda: None):
            for velocity in real(self, planes, check):
                velocity[:, velocity.shape[1] // 2, velocity.shape[2] // 2] = value
                yield velocity

        monkeypatch.setattr(FoldedNetwork, "__call__", call)

    return spoil


@pytest.mark.promise(15)
@pytest.mark.parametrize("type_name", ["uint16", "float32"])
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_results_that_are_not_finite_are_refused(tmp_path, spoiled, type_name, value):
    pair = Recipe(dtype=type_name, height=128, width=128).write(tmp_path)
    spoiled(value)
    extent = (5e5 + 2 * 64, 4e6 - 2 * 128, 5e5 + 2 * 128, 4e6)
    with pytest.raises(PansharpenError, match=r"row 0, column 64 of PAN .* not finite.* bundled weights"):
        fuse(job(pair, tmp_path / "o.tif", tile=64, extent=extent))
    assert not (tmp_path / "o.tif").exists()
    assert temporaries(tmp_path) == []


def test_what_lies_under_a_gap_need_not_be_finite(tmp_path, spoiled):
    pair = Recipe(height=128, width=128, nodata=0).write(tmp_path)
    pan = load_image(pair.pan)
    pan[:, 60:70, 60:70] = 0
    save(pair.pan, pan, nodata=0)
    spoiled(float("nan"))
    fused, _ = run(pair, tmp_path, tile=128)
    assert np.array_equal((fused == 0).all(0), pan[0] == 0)


@pytest.mark.parametrize("step", ["read", "fuse"])
def test_an_error_in_a_thread_ends_the_run(tmp_path, monkeypatch, three_threads, step):
    real, calls = getattr(tiling.Tiling, step), []

    def failing(self, *arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise InputError("PAN cannot be read at row 64.")
        return real(self, *arguments)

    monkeypatch.setattr(tiling.Tiling, step, failing)
    pair = Recipe(height=640, width=640).write(tmp_path)
    before = threading.active_count()
    with pytest.raises(InputError, match="row 64"):
        fuse(job(pair, tmp_path / "o.tif", tile=64))
    assert threading.active_count() == before
    assert len(calls) < 50  # of 100 tiles
    assert temporaries(tmp_path) == []


def test_halves_cover_a_window():
    window = Window(3, 5, 7, 4)
    left, right = window.halves(across=True)
    upper, lower = window.halves(across=False)
    assert (left, right) == (Window(3, 5, 3, 4), Window(6, 5, 4, 4))
    assert (upper, lower) == (Window(3, 5, 7, 2), Window(3, 7, 7, 2))


@pytest.mark.parametrize(("value", "clipped"), [(-0.4, 0), (-0.6, 4), (255.4, 0), (255.6, 4)])
def test_finish_counts_values_that_rounding_does_not_fix(value, clipped):
    tile = Window(0, 0, 8, 8)
    numbers = torch.full((1, 8, 8), 100.0)
    numbers[0, 3, :4] = value
    plain = PlausibleRange((0.0,), (-math.inf,), (255.0,), (math.inf,), 1)
    finish = tiling.Finish(plain, PixelEncoder("Byte", None, None))
    finish(numbers, None, tile, tile, [0])
    assert finish.clipped[0] == clipped


def test_finish_reads_the_validity_of_each_band():
    """The output has the second band, an empty one and the first one."""
    tile = Window(0, 0, 8, 8)
    valid = np.ones((2, 8, 8), bool)
    valid[0, 0] = valid[1, :, :3] = False
    numbers = torch.full((3, 8, 8), 300.0)
    plain = PlausibleRange((0.0,) * 2, (-math.inf,) * 2, (255.0,) * 2, (math.inf,) * 2, 1)
    finish = tiling.Finish(plain, PixelEncoder("Byte", 0.0, None))
    values = finish(numbers, valid, tile, tile, [1, -1, 0])
    assert np.array_equal(values != 0, [valid[1], np.zeros((8, 8), bool), valid[0]])
    assert finish.clipped == {1: 40, 0: 56}


@pytest.mark.parametrize(("count", "warned"), [(9, False), (11, True)])
def test_clipped_values_are_warned_of_beyond_a_thousandth(count, warned):
    """Bands are called by their numbers in the file; fewer values are in the log alone."""
    ms, form = SimpleNamespace(bands=(3, 7)), SimpleNamespace(limits=(0.0, 255.0))
    plan: Any = SimpleNamespace(window=Window(0, 0, 100, 100), ms=ms, outputs=(1, 0), form=form, lowest=1.0)
    notices: list[Notice] = []
    details: list[str] = []
    tiling._report_clipped(plan, {0: count}, Progress(notice=notices.append, detail=details.append))
    assert [n.numbers for n in notices] == [{"band_7": count}] * warned
    words = notices[0].sentence if warned else details[0]
    assert f"beyond 1 to 255 were clipped: {count} of band 7" in words
