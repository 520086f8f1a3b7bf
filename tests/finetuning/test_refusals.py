"""Fine-tuning with bad input, bad places and full disks: a message each, and nothing lost."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.finetuning import QUICK, finetune, job, run, source, spoil, start
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError, OutputError, WeightsError
from otfm_pansharpen.model.network.weights import load_weights
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource


def all_gaps(pan, ms):
    return pan, ms * 0


def mostly_gaps(pan, ms):
    ms[:, 50:] = 0
    return pan, ms


def constant(pan, ms):
    ms[1] = 700
    return pan, ms


def unrelated(pan, ms):
    return np.random.default_rng(0).integers(300, 900, pan.shape), ms


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (all_gaps, "too many gaps"),
        (mostly_gaps, "too many gaps"),
        (constant, "Band 2 of those chosen.*is constant"),
        (unrelated, "do not fit well enough"),
        (lambda pan, ms: (pan[:, :160, :160], ms[:, :80, :80]), "80 x 80 MS pixels"),
    ],
)
def test_scenes_that_teach_nothing_are_refused_in_words(pair, tmp_path, change, words):
    spoil(pair, change)
    tuning = job(pair, tmp_path / "own.safetensors")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=words):
        finetune(tuning)
    assert sorted(tmp_path.iterdir()) == before


def test_start_weights_that_do_not_fit(pair, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"junk")
    with pytest.raises(WeightsError, match=r"bad\.safetensors is not a valid"):
        run(pair, tmp_path / "own.safetensors", start=tmp_path / "bad.safetensors")


@pytest.mark.parametrize(
    ("output", "words"),
    [("own.pt", r"written as \.safetensors"), ("absent/own.safetensors", "does not exist"), ("ms.tif", "the input")],
)
def test_outputs_that_cannot_be(pair, tmp_path, output, words):
    with pytest.raises(OutputError, match=words):
        run(pair, tmp_path / output, start=BUNDLED["fast"])


def test_the_bundled_weights_cannot_be_overwritten(pair):
    before = BUNDLED["fast"].read_bytes()
    with pytest.raises(OutputError, match="is the input"):
        run(pair, BUNDLED["fast"], start=BUNDLED["fast"])
    assert BUNDLED["fast"].read_bytes() == before


def test_divergence_is_reported_and_spoils_nothing(pair, tmp_path):
    lines: list[str] = []
    wild = replace(QUICK, rate=1e30, floor=1e30)
    result = run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), recipe=wild)
    assert any("diverged" in line for line in lines)
    assert result.after["ergas"] <= result.before["ergas"]
    assert load_weights(result.output).sha256 == result.weights_sha256


def test_a_full_disk_loses_nothing(pair, tmp_path, monkeypatch):
    """The weights go to the temporary folder, which the message names, and the old file stays."""
    output = tmp_path / "own.safetensors"
    tuning = job(pair, output)
    finetune(tuning)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    real = Path.write_bytes

    def full(path, data):
        if tmp_path in path.parents and tmp_path / "elsewhere" not in path.parents:
            real(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    with pytest.raises(OutputError, match="No space left on device") as caught:
        finetune(replace(tuning, seed=2))
    refuge = next((tmp_path / "elsewhere").rglob("own.safetensors"))
    assert str(refuge) in str(caught.value)
    assert json.loads(load_weights(refuge).header["finetuned"])["seed"] == 2
    assert {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


@pytest.mark.promise(13)
def test_outputs_over_start_weights_inputs_or_each_other_refused(pair, tmp_path):
    weights = start(tmp_path)
    gdal.Translate(str(tmp_path / "ms.vrt"), str(pair.ms), format="VRT")
    hidden = replace(source(pair), ms=RasterSource(str(tmp_path / "ms.vrt")))
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    for words, changes in {
        "is the input": {"output": weights, "start": weights},
        "reads": {"output": tmp_path / "own.safetensors", "report": pair.ms, "pairs": (hidden,)},
        "report and weights": {"output": tmp_path / "own.safetensors", "report": tmp_path / "own.safetensors"},
    }.items():
        with pytest.raises(OutputError, match=words):
            finetune(replace(job(pair, tmp_path / "own.safetensors"), **changes))
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
