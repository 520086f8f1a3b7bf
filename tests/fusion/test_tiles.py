"""Tiles in work side by side: memory, order, errors, cancelling, and a GPU that runs out of memory."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.fusion import job, run, temporaries
from helpers.network import conditions, scene, trained
from helpers.scenes import Recipe, load_image, save
from hypothesis import given
from hypothesis import strategies as st
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, InputError, PansharpenError
from otfm_pansharpen.model.fusion import memory, pipeline
from otfm_pansharpen.model.fusion import tiles as tiling
from otfm_pansharpen.model.fusion.judge import Judgement
from otfm_pansharpen.model.fusion.memory import bounded_cache, default_budget, pixel_bytes, plan_work
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.inference import tile_fuser as tile_fuser_module
from otfm_pansharpen.model.inference.folded_network import FoldedNetwork
from otfm_pansharpen.model.inference.tile_fuser import TileFuser
from otfm_pansharpen.model.network.conditioning import Conditions
from otfm_pansharpen.model.network.flow_network import NetworkConfig
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality import indices

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
NETWORKS = [NetworkConfig(width=16, blocks=3, cell=2), NetworkConfig(width=32, blocks=6, cell=2), NetworkConfig()]


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.promise(3)
@pytest.mark.parametrize("options", [(), ("COMPRESS=DEFLATE", "BLOCKXSIZE=64", "BLOCKYSIZE=64")])
def test_tiles_side_by_side_give_the_same_bytes(tmp_path, three_threads, options):
    pair = Recipe(height=320, width=450).write(tmp_path)
    for name in ("a.tif", "b.tif"):
        run(pair, tmp_path, name, tile=64, creation_options=options)
    torch.set_num_threads(1)
    run(pair, tmp_path, "one.tif", tile=64, creation_options=options)
    contents = [(tmp_path / name).read_bytes() for name in ("a.tif", "b.tif", "one.tif")]
    assert contents[0] == contents[1] == contents[2]


def test_tile_memory_follows_the_budget(tmp_path):
    """Less memory: smaller tiles, said in the log, and the same raster."""
    pair = Recipe(height=700, width=700).write(tmp_path)
    lines: list[str] = []
    images = []
    for budget in (48, 2048):
        fuse(job(pair, tmp_path / "o.tif", memory=budget), Progress(log=lines.append))
        images.append(load_image(tmp_path / "o.tif").astype(int))
    sides = [int(line.split()[2]) for line in lines if line.startswith("Tiles of")]
    assert sides[0] < sides[1]
    assert len(sides) == 2
    assert np.abs(images[0] - images[1]).max() <= 1


@given(
    budget=st.integers(300, 8192),
    config=st.sampled_from(NETWORKS),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    bands=st.integers(1, 30),
    steps=st.integers(1, 3),
)
def test_what_is_planned_fits_the_budget(budget, config, dtype, bands, steps):
    made = plan_work(budget, 0, config, steps, [CPU], dtype, bands)
    area = (made.side + 2 * config.halo * steps) ** 2
    assert made.workers * area * pixel_bytes(config, dtype, bands) + made.cache * 2**20 <= budget * 2**20
    assert made.workers * made.threads <= torch.get_num_threads()


@pytest.mark.parametrize("config", NETWORKS[:2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_halo_is_a_small_part_of_the_work(config, dtype):
    made = plan_work(2048, 0, config, 1, [CPU], dtype, 8)
    assert ((made.side + 2 * config.halo) / made.side) ** 2 < 1.15


def test_the_budget_is_a_quarter_of_the_machine(monkeypatch):
    monkeypatch.setattr(gdal, "GetUsablePhysicalRAM", lambda: 4 * 2**30)
    assert default_budget() == 1024
    monkeypatch.setattr(gdal, "GetUsablePhysicalRAM", lambda: 64 * 2**30)
    assert default_budget() == 2048


@pytest.mark.parametrize("version", [1, 2])
def test_the_budget_keeps_to_the_limit_of_a_control_group(monkeypatch, tmp_path, version):
    monkeypatch.setattr(gdal, "GetUsablePhysicalRAM", lambda: 64 * 2**30)
    name, root = ("memory.max", tmp_path) if version == 2 else ("memory.limit_in_bytes", tmp_path / "memory")
    (root / "outer" / "in ner é").mkdir(parents=True)
    (root / "outer" / "in ner é" / name).write_text("max" if version == 2 else str(2**63 - 4096))
    (root / "outer" / name).write_text(str(900 * 2**20))
    lines = "0::/outer/inner\n" if version == 2 else "3:cpu:/x\n1:name=own groups:/älter und\n7:memory:/outer/inner\n"
    (tmp_path / "own").write_text(lines.replace("inner", "in ner é"), encoding="utf-8")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    assert 64 <= default_budget() <= 300
    (root / "outer" / name).unlink()
    assert default_budget() == 2048


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 GB")])
def test_too_little_memory_is_one_sentence_and_no_file(tmp_path, monkeypatch, error):
    pair = Recipe().write(tmp_path)
    before = sorted(tmp_path.iterdir())

    def failing(self, *given):
        raise error

    monkeypatch.setattr(TileFuser, "fuse", failing)
    with pytest.raises(PansharpenError, match="Lower MEMORY or TILE"):
        fuse(job(pair, tmp_path / "o.tif"))
    assert sorted(tmp_path.iterdir()) == before


def test_threads_that_get_no_buffers_to_keep_work_without(tmp_path, monkeypatch, capfd):
    """Keeping them only saves time; a thread that cannot start would end the run with a traceback."""
    pair = Recipe().write(tmp_path)
    plain, _ = run(pair, tmp_path)
    real = torch.empty

    def scarce(*size, **options):
        if size[0] == memory.KEPT_PIECE:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 31457280 bytes")
        return real(*size, **options)

    monkeypatch.setattr(torch, "empty", scarce)
    assert np.array_equal(run(pair, tmp_path, "scarce.tif")[0], plain)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.promise(22)
def test_two_runs_side_by_side_each_end_as_they_would_alone(tmp_path):
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


@pytest.mark.promise(22)
def test_gdals_cache_is_restored_by_the_last_of_several_runs():
    before = gdal.GetCacheMax()
    first, second = bounded_cache(64), bounded_cache(32)
    first.__enter__()
    second.__enter__()
    assert gdal.GetCacheMax() == 32 * memory.MEGABYTE
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gdal.GetCacheMax() == before


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
    working, real = threading.Event(), indices._q2n_of_blocks

    def slow(*blocks):
        working.set()
        time.sleep(0.3)
        return real(*blocks)

    monkeypatch.setattr(indices, "_q2n_of_blocks", slow)
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
    """Makes the network give some value in the middle of every tile."""

    def spoil(value):
        real = FoldedNetwork.__call__

        def call(self, planes, check=lambda: None):
            velocity = real(self, planes, check)
            velocity[:, velocity.shape[1] // 2, velocity.shape[2] // 2] = value
            return velocity

        monkeypatch.setattr(FoldedNetwork, "__call__", call)

    return spoil


@pytest.mark.promise(15)
@pytest.mark.parametrize("kind", ["uint16", "float32"])
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_results_that_are_not_finite_are_refused(tmp_path, spoiled, kind, value):
    pair = Recipe(kind=kind, height=128, width=128).write(tmp_path)
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
    image, _ = run(pair, tmp_path, tile=128)
    assert np.array_equal((image == 0).all(0), pan[0] == 0)


@pytest.mark.parametrize("place", ["read", "fuse"])
def test_an_error_in_a_thread_ends_the_run(tmp_path, monkeypatch, three_threads, place):
    real, calls = getattr(tiling._Work, place), []

    def failing(self, *given):
        calls.append(given)
        if len(calls) == 5:
            raise InputError("PAN cannot be read at row 64.")
        return real(self, *given)

    monkeypatch.setattr(tiling._Work, place, failing)
    pair = Recipe(height=640, width=640).write(tmp_path)
    before = threading.active_count()
    with pytest.raises(InputError, match="row 64"):
        fuse(job(pair, tmp_path / "o.tif", tile=64))
    assert threading.active_count() == before
    assert len(calls) < 50  # of 100 tiles
    assert temporaries(tmp_path) == []


@pytest.fixture
def small_gpu(monkeypatch):
    """A GPU, played by the CPU, that holds planes of `room` numbers."""

    class OnSmallGpu(FoldedNetwork):
        room = 0

        def __init__(self, network, scene, time, length, device, dtype):
            super().__init__(network, scene, time, length, CPU, dtype)
            self.on_gpu = device.type == "cuda"

        def __call__(self, planes, check=lambda: None):
            if self.on_gpu and planes.numel() > self.room:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return super().__call__(planes, check)

    values = TileFuser._values
    monkeypatch.setattr(tile_fuser_module, "FoldedNetwork", OnSmallGpu)
    monkeypatch.setattr(TileFuser, "_values", lambda self, group, device: values(self, group, CPU))
    monkeypatch.setattr(Conditions, "on", lambda self, device: self)
    monkeypatch.setattr(tile_fuser_module, "_stream", lambda device: nullcontext())
    return OnSmallGpu


def fuse_on(device, given, config=NETWORKS[0]):
    fuser = TileFuser(trained(config), scene(4), device, torch.float32, 1)
    whole = given.window.grown(-fuser.halo)
    return fuser, fuser.fuse(given, whole, lambda values, *_: values.numpy(), lambda: None)


@pytest.mark.promise(19)
def test_a_gpu_out_of_memory_gets_smaller_pieces(small_gpu):
    given = conditions(4, 400, 320)
    _, expected = fuse_on(CPU, given)
    small_gpu.room = 11 * 240 * 240
    fuser, found = fuse_on(CUDA, given)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert fuser.device == CUDA
    assert fuser.shortages == [("cuda", 182)]


@pytest.mark.promise(19)
def test_without_memory_for_small_pieces_the_cpu_takes_over(small_gpu):
    given = conditions(4, 400, 320)
    _, expected = fuse_on(CPU, given)
    fuser, found = fuse_on(CUDA, given)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert fuser.device == CPU
    assert fuser.shortages[-1] == ("cuda", None)


@pytest.mark.promise(19)
def test_out_of_memory_is_said_in_the_log(tmp_path, monkeypatch, small_gpu):
    pair = Recipe(height=320, width=320).write(tmp_path)
    plain, _ = run(pair, tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**9))
    lines: list[str] = []
    result = fuse(replace(job(pair, tmp_path / "gpu.tif"), device="cuda"), Progress(log=lines.append))
    assert result.device == "cpu"
    assert any("the CPU goes on" in line for line in lines)
    assert np.abs(load_image(tmp_path / "gpu.tif").astype(int) - plain.astype(int)).max() <= 1


@pytest.fixture
def three_gpus(monkeypatch):
    """The second is of another kind than the first and the third."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "old" if number == 1 else "new")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**9))


def test_gpus_of_one_kind_share_the_tiles(tmp_path, monkeypatch, small_gpu, three_gpus):
    """They take them in turn, and the pixels are those of the CPU; torch may not run on a GPU of another kind."""
    pair = Recipe(height=320, width=320).write(tmp_path)
    plain, _ = run(pair, tmp_path)
    asked: list[str] = []
    real = TileFuser.fuse

    def counted(self, *given):
        asked.append(str(self.device))
        return real(self, *given)

    monkeypatch.setattr(TileFuser, "fuse", counted)
    small_gpu.room = 10**9
    monkeypatch.setattr(pipeline, "judge", lambda *given: Judgement(None, None, 4, 4))  # one GPU does that alone
    result = fuse(replace(job(pair, tmp_path / "gpu.tif"), device="auto", tile=64))
    assert result.device == "cuda:0, cuda:2"
    assert (asked.count("cuda:0"), asked.count("cuda:2")) == (13, 12)
    assert np.abs(load_image(tmp_path / "gpu.tif").astype(int) - plain.astype(int)).max() <= 1


def test_each_gpu_says_that_its_memory_ran_out(tmp_path, small_gpu, three_gpus):
    pair = Recipe(height=320, width=320).write(tmp_path)
    result = fuse(replace(job(pair, tmp_path / "gpu.tif"), device="cuda", tile=128))
    assert result.device == "cpu"
    gone = [n.numbers["device"] for n in result.notices if n.code == "device_out_of_memory"]
    assert sorted(gone) == ["cuda:0", "cuda:2"]


def test_more_gpus_get_more_tiles_as_their_memory_allows(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    gpus = [torch.device("cuda", number) for number in range(2)]

    def workers(devices, free):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[device.index], 10**12))
        return plan_work(10**6, 512, NETWORKS[0], 1, devices, torch.float32, 4).workers

    tile = pixel_bytes(NETWORKS[0], torch.float32, 4) * (512 + 2 * NETWORKS[0].halo) ** 2
    assert workers(gpus[:1], [10**12]) == 4
    assert workers(gpus, [10**12, 10**12]) == 8
    assert workers(gpus, [10**12, 5 * tile]) == 5


def test_halves_cover_a_window():
    window = Window(3, 5, 7, 4)
    left, right = window.halves(across=True)
    upper, lower = window.halves(across=False)
    assert (left, right) == (Window(3, 5, 3, 4), Window(6, 5, 4, 4))
    assert (upper, lower) == (Window(3, 5, 7, 2), Window(3, 7, 7, 2))
