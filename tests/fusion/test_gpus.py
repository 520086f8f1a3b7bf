"""Several GPUs, and a GPU that runs out of memory."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from helpers.fusion import job, run
from helpers.network import NETWORKS, conditions, scene, trained
from helpers.scenes import Recipe, load_image
from otfm_pansharpen.model.fusion import quality_estimate
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.fusion.quality_estimate import QualityEstimate
from otfm_pansharpen.model.inference import tile_fuser as tile_fuser_module
from otfm_pansharpen.model.inference.folded_network import FoldedNetwork
from otfm_pansharpen.model.inference.tile_fuser import TileFuser
from otfm_pansharpen.model.network.conditioning import Conditions

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def small_gpu(monkeypatch):
    """Have the CPU act as a GPU that holds planes of `room` numbers."""

    class OnSmallGpu(FoldedNetwork):
        room = 0

        def __init__(self, network, scene, time, lengths, device, *others):
            super().__init__(network, scene, time, lengths, CPU, *others)
            self.on_gpu = device.type == "cuda"

        def __call__(self, planes, check=lambda: None):
            if self.on_gpu and planes.numel() > self.room:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return super().__call__(planes, check)

    values = TileFuser._make_values
    monkeypatch.setattr(tile_fuser_module, "FoldedNetwork", OnSmallGpu)
    monkeypatch.setattr(TileFuser, "_make_values", lambda self, group, device: values(self, group, CPU))
    monkeypatch.setattr(Conditions, "on", lambda self, device: self)
    monkeypatch.setattr(tile_fuser_module, "_open_stream", lambda device: nullcontext())
    return OnSmallGpu


def fuse_on(device, planes, config=NETWORKS[0]):
    fuser = TileFuser(trained(config), scene(4), device, torch.float32, 1)
    whole = planes.window.grown(-fuser.halo)
    return fuser, fuser.fuse(planes, whole, lambda: None).numpy()


@pytest.mark.promise(19)
def test_a_gpu_out_of_memory_gets_smaller_pieces(small_gpu):
    planes = conditions(4, 400, 320)
    _, expected = fuse_on(CPU, planes)
    small_gpu.room = 11 * 240 * 240
    fuser, fused = fuse_on(CUDA, planes)
    assert np.abs(fused - expected).max() < 1e-5 * np.abs(expected).max()
    assert fuser.device == CUDA
    assert fuser.shortages == [("cuda", 182)]


@pytest.mark.promise(19)
def test_without_memory_for_small_pieces_the_cpu_takes_over(small_gpu):
    planes = conditions(4, 400, 320)
    _, expected = fuse_on(CPU, planes)
    fuser, fused = fuse_on(CUDA, planes)
    assert np.abs(fused - expected).max() < 1e-5 * np.abs(expected).max()
    assert fuser.device == CPU
    assert fuser.shortages[-1] == ("cuda", None)


@pytest.mark.promise(19)
def test_out_of_memory_is_logged(tmp_path, monkeypatch, small_gpu):
    pair = Recipe(height=320, width=320).write(tmp_path)
    plain, _ = run(pair, tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**9))
    result = fuse(job(pair, tmp_path / "gpu.tif", device="cuda"))
    assert result.device == "cpu"
    sentences = [n.sentence for n in result.notices if n.code == "device_out_of_memory"]
    assert ["the CPU goes on" in sentence for sentence in sentences] == [True]
    assert np.abs(load_image(tmp_path / "gpu.tif").astype(int) - plain.astype(int)).max() <= 1


@pytest.fixture
def three_gpus(monkeypatch):
    """Have three GPUs, the second of another model than the others."""
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

    def counted(self, *arguments):
        asked.append(str(self.device))
        return real(self, *arguments)

    monkeypatch.setattr(TileFuser, "fuse", counted)
    small_gpu.room = 10**9
    monkeypatch.setattr(quality_estimate, "estimate_reduced", lambda *arguments: QualityEstimate(4.0, 4, 4))
    monkeypatch.setattr(quality_estimate, "estimate_full", lambda reduced, *arguments: reduced)  # of one GPU alone
    result = fuse(job(pair, tmp_path / "gpu.tif", device="auto", tile=64))
    assert result.device == "cuda:0, cuda:2"
    assert (asked.count("cuda:0"), asked.count("cuda:2")) == (13, 12)
    assert np.abs(load_image(tmp_path / "gpu.tif").astype(int) - plain.astype(int)).max() <= 1


def test_each_gpu_says_that_its_memory_ran_out(tmp_path, small_gpu, three_gpus):
    pair = Recipe(height=320, width=320).write(tmp_path)
    result = fuse(job(pair, tmp_path / "gpu.tif", device="cuda", tile=128))
    assert result.device == "cpu"
    gone = [n.numbers["device"] for n in result.notices if n.code == "device_out_of_memory"]
    assert sorted(gone) == ["cuda:0", "cuda:2"]
