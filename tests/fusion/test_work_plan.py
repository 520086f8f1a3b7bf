"""Memory of a run: the budget, the tiles that fit it, and what happens where it is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.fusion import job, run
from helpers.network import NETWORKS
from helpers.scenes import Recipe, load_image
from hypothesis import given
from hypothesis import strategies as st
from osgeo import gdal
from otfm_pansharpen.model.errors import PansharpenError
from otfm_pansharpen.model.fusion import plan as planning
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.fusion.plan import choose_budget, estimate_pixel_bytes, plan_work
from otfm_pansharpen.model.fusion.tiles import bounded_cache
from otfm_pansharpen.model.inference.tile_fuser import TileFuser
from otfm_pansharpen.model.progress import Progress

CPU = torch.device("cpu")


def test_tile_memory_follows_the_budget(tmp_path):
    """Less memory: smaller tiles, reported in the log, and the same raster."""
    pair = Recipe(height=700, width=700).write(tmp_path)
    lines: list[str] = []
    outputs = []
    for budget in (48, 2048):
        fuse(job(pair, tmp_path / "o.tif", memory=budget), Progress(log=lines.append))
        outputs.append(load_image(tmp_path / "o.tif").astype(int))
    sides = [int(line.split()[2]) for line in lines if line.startswith("Tiles of")]
    assert sides[0] < sides[1]
    assert len(sides) == 2
    assert np.abs(outputs[0] - outputs[1]).max() <= 1


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
    assert made.workers * area * estimate_pixel_bytes(config, dtype, bands) + made.cache * 2**20 <= budget * 2**20
    assert made.workers * made.threads <= torch.get_num_threads()


@pytest.mark.parametrize("config", NETWORKS[:2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_halo_is_a_small_part_of_the_work(config, dtype):
    made = plan_work(2048, 0, config, 1, [CPU], dtype, 8)
    assert ((made.side + 2 * config.halo) / made.side) ** 2 < 1.15


def test_the_budget_is_a_quarter_of_the_machine(monkeypatch):
    monkeypatch.setattr(gdal, "GetUsablePhysicalRAM", lambda: 4 * 2**30)
    assert choose_budget() == 1024
    monkeypatch.setattr(gdal, "GetUsablePhysicalRAM", lambda: 64 * 2**30)
    assert choose_budget() == 2048


@pytest.mark.parametrize("version", [1, 2])
def test_the_budget_keeps_to_the_limit_of_a_control_group(monkeypatch, tmp_path, version):
    monkeypatch.setattr(gdal, "GetUsablePhysicalRAM", lambda: 64 * 2**30)
    name, root = ("memory.max", tmp_path) if version == 2 else ("memory.limit_in_bytes", tmp_path / "memory")
    (root / "outer" / "in ner é").mkdir(parents=True)
    (root / "outer" / "in ner é" / name).write_text("max" if version == 2 else str(2**63 - 4096))
    (root / "outer" / name).write_text(str(900 * 2**20))
    lines = "0::/outer/inner\n" if version == 2 else "3:cpu:/x\n1:name=own groups:/älter und\n7:memory:/outer/inner\n"
    (tmp_path / "own").write_text(lines.replace("inner", "in ner é"), encoding="utf-8")
    monkeypatch.setattr(planning, "CGROUPS", tmp_path / "own")
    monkeypatch.setattr(planning, "GROUPS", tmp_path)
    assert 64 <= choose_budget() <= 300
    (root / "outer" / name).unlink()
    assert choose_budget() == 2048


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 GB")])
def test_too_little_memory_is_one_sentence_and_no_file(tmp_path, monkeypatch, error):
    pair = Recipe().write(tmp_path)
    before = sorted(tmp_path.iterdir())

    def failing(self, *arguments):
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
        if size[0] == planning.KEPT_PIECE:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 31457280 bytes")
        return real(*size, **options)

    monkeypatch.setattr(torch, "empty", scarce)
    assert np.array_equal(run(pair, tmp_path, "scarce.tif")[0], plain)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.promise(22)
def test_gdals_cache_is_restored_by_the_last_of_several_runs():
    before = gdal.GetCacheMax()
    first, second = bounded_cache(64), bounded_cache(32)
    first.__enter__()
    second.__enter__()
    assert gdal.GetCacheMax() == 32 * planning.MEGABYTE
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gdal.GetCacheMax() == before


def test_more_gpus_get_more_tiles_as_their_memory_allows(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    gpus = [torch.device("cuda", number) for number in range(2)]

    def workers(devices, free):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[device.index], 10**12))
        return plan_work(10**6, 512, NETWORKS[0], 1, devices, torch.float32, 4).workers

    tile = estimate_pixel_bytes(NETWORKS[0], torch.float32, 4) * (512 + 2 * NETWORKS[0].halo) ** 2
    assert workers(gpus[:1], [10**12]) == 4
    assert workers(gpus, [10**12, 10**12]) == 8
    assert workers(gpus, [10**12, 5 * tile]) == 5
