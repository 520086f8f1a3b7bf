"""The file of training scenes: exact, within its budget, without scenes that cannot be trained on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.scenes import Recipe, landscape, load_image, save, sense
from otfm_pansharpen.model.errors import TrainingError
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.training.dataset import Recording, explain_unfit, read_sources, write_recordings


def scene(name="one", family="a", dtype=np.uint16, seed=0):
    return Recording(name, family, landscape(3, 200, 210, seed).astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixels_come_back_exactly(tmp_path, dtype):
    recording = scene(dtype=dtype)
    write_recordings(tmp_path / "s.safetensors", [recording], 10**8)
    (source,) = read_sources(tmp_path / "s.safetensors")
    assert np.array_equal(source.ms.numpy(), recording.ms.astype(np.float32))
    assert source.pan is None


def test_pan_at_ms_pixels_is_as_sharp_as_ms(tmp_path):
    reference = landscape(3, 400, 400)
    transfer = TransferFunction.gaussian(0.25, 0.4)
    ms = sense(reference, 2.0, transfer=transfer).astype(np.float32)
    pair = Recording("p", "a", ms, reference.mean(0).astype(np.float32), (0.5, 0.5), (2.0, 2.0), transfer)
    write_recordings(tmp_path / "s.safetensors", [pair], 10**8)
    (source,) = read_sources(tmp_path / "s.safetensors")
    assert source.pan is not None
    assert source.pair is not None
    assert pair.pan is not None
    assert source.transfer == transfer
    assert source.pan.shape == source.ms.shape[1:]
    difference = (source.pan - source.ms.mean(0)).abs().mean()
    assert difference < 0.02 * source.ms.mean(0).std()
    assert np.array_equal(source.pair.pan, pair.pan)


def test_families_take_turns_within_the_budget(tmp_path):
    many = [scene(f"a{i}", "a", seed=i) for i in range(4)] + [scene("b0", "b", seed=9)]
    path = tmp_path / "s.safetensors"
    assert write_recordings(path, many, 10**8) == []
    budget = path.stat().st_size * 3 // 5
    assert write_recordings(path, many, budget) == ["a2", "a3"]
    assert {s.name for s in read_sources(path)} == {"a0", "a1", "b0"}
    assert path.stat().st_size < budget + 4096


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda a: a[:, :100], "smaller than 160"),
        (lambda a: np.where(a > a.mean(), np.nan, a), "not finite"),
        (lambda a: a * np.array([1.0, 0.0, 1.0])[:, None, None], "band 2 is constant"),
    ],
)
def test_unfit_scenes_are_named_with_the_reason(spoil, reason):
    ms = landscape(3, 200, 200)
    assert explain_unfit(ms, np.ones(ms.shape[1:], bool)) is None
    spoiled = spoil(ms)
    assert reason in str(explain_unfit(spoiled, np.ones(spoiled.shape[1:], bool)))


def test_scenes_full_of_gaps_are_unfit():
    valid = np.ones((200, 200), bool)
    valid[:50] = False
    assert "only 75 % of its pixels are valid" in str(explain_unfit(landscape(3, 200, 200), valid))


def test_pair_with_pan_full_of_gaps_is_left_out_with_the_reason(tmp_path):
    folder = tmp_path / "train_pairs"
    folder.mkdir()
    pair = Recipe(bands=3, ratio=2.0, height=480, width=480).write(folder)
    pan = load_image(pair.pan)
    pan[:, :, :200] = 0
    save(folder / "gaps_pan.tif", pan)
    pair.pan.rename(folder / "good_pan.tif")
    for name in ("gaps", "good"):
        shutil.copy(pair.ms, folder / f"{name}_ms.tif")
    items = [{"name": n, "group": "train_pairs", "sensor": "X", "gsd_pan_ms_m": [2, 4]} for n in ("gaps", "good")]
    (tmp_path / "index.json").write_text(json.dumps({"items": items}))
    script = Path(__file__).resolve().parents[2] / "scripts" / "prepare_training.py"
    command = [sys.executable, str(script), str(tmp_path / "index.json"), str(tmp_path / "out.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gaps is left out: its PAN cannot be used, only 58 % of its pixels are valid" in done.stderr
    assert [s.name for s in read_sources(tmp_path / "out.safetensors")] == ["good"]


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x80\x04\x95"])
def test_other_files_are_refused_in_words(tmp_path, content):
    path = tmp_path / "s.safetensors"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="not a file of training scenes"):
        read_sources(path)


def test_a_file_without_scenes_is_refused(tmp_path):
    write_recordings(tmp_path / "s.safetensors", [], 10)
    with pytest.raises(TrainingError, match="holds no scenes"):
        read_sources(tmp_path / "s.safetensors")
