"""Tuning on the scene before it is sharpened: what it wins, what it keeps, and when it is left."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.finetuning import SENSOR, start
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, OutputError
from otfm_pansharpen.model.finetuning import tuner
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.fusion.python_api import sharpen_arrays
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality.indices import ergas


@pytest.fixture
def pair(tmp_path):
    return SENSOR.write(tmp_path)


def error(pair, fused):
    inner = np.s_[:, 16:-16, 16:-16]
    return ergas(pair.reference[inner], fused[inner].astype(float), 2.0)


@pytest.mark.slow
def test_tuned_raster_is_nearer_to_reference_and_records_tuning(pair, tmp_path):
    weights = start(tmp_path)
    plain, _ = run(pair, tmp_path, weights=weights)
    lines: list[str] = []
    shares: list[float] = []
    output = tmp_path / "tuned.tif"
    fusion_job = job(pair, output, weights=weights, adapt_steps=120)
    details: list[str] = []
    result = fuse(fusion_job, Progress(log=lines.append, report=shares.append, detail=details.append))
    assert error(pair, load_image(output)) < 0.95 * error(pair, plain)
    (line,) = [line for line in lines if line.startswith("Tuned on this scene")]
    assert "ERGAS of the held-out blocks falls from" in line
    assert lines[2:4] == ["Tuning the weights on this scene for 120 steps.", line]
    assert any(result.weights_sha256 in line for line in details)
    assert not [line for line in details if "tuned.safetensors" in line], "a file that is gone"
    assert "120 steps, seed 1, from SHA-256 " in gdal.Open(str(output)).GetMetadataItem("OTFM_FINETUNED")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.slow
@pytest.mark.promise(4)
def test_the_same_steps_and_seed_give_the_same_bytes(pair, tmp_path):
    weights = start(tmp_path)
    outputs = [
        run(pair, tmp_path, f"{number}.tif", weights=weights, adapt_steps=20, seed=seed)[0]
        for number, seed in enumerate((1, 1, 2))
    ]
    assert np.array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


def test_kept_weights_make_the_same_raster_without_tuning(pair, tmp_path):
    kept = tmp_path / "kept.safetensors"
    first, result = run(pair, tmp_path, weights=start(tmp_path), adapt_steps=20, weights_out=kept)
    again, plain = run(pair, tmp_path, "again.tif", weights=kept)
    assert plain.weights_sha256 == result.weights_sha256
    assert np.array_equal(first, again)
    assert plain.notices == ()  # these weights are of this very scene


def test_tuning_without_improvement_leaves_the_weights_unchanged(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(tuner, "cosine", lambda *schedule: 1.0)  # a rate at which nothing can be learnt
    lines: list[str] = []
    plain, before = run(pair, tmp_path)
    fusion_job = job(pair, tmp_path / "o.tif", adapt_steps=20)
    result = fuse(fusion_job, Progress(log=lines.append))
    assert result.weights_sha256 == before.weights_sha256
    assert np.array_equal(load_image(tmp_path / "o.tif"), plain)
    assert sum("nothing better was found on the held-out blocks" in line for line in lines) == 1


def test_scene_too_small_for_held_out_blocks_is_fused_and_warned(tmp_path):
    pair = Recipe().write(tmp_path)
    plain, _ = run(pair, tmp_path)
    fused, result = run(pair, tmp_path, "o.tif", adapt=1.0)
    assert np.array_equal(fused, plain)
    (notice,) = [n for n in result.notices if n.code == "not_tuned"]
    assert "share 60 x 48 MS pixels here, but fine-tuning needs at least 96 x 96" in notice.sentence


@pytest.mark.slow
def test_minutes_end(pair, tmp_path):
    _, result = run(pair, tmp_path, weights=start(tmp_path), adapt=0.05)
    assert 2.0 < result.seconds < 60.0


@pytest.mark.slow
def test_arrays_are_tuned_on_too(pair, tmp_path):
    weights = start(tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    plain, tuned = (
        sharpen_arrays(pan, ms, weights=weights, device="cpu", precision="fp32", adapt_steps=steps).values
        for steps in (None, 60)
    )
    assert error(pair, tuned) < error(pair, plain)


@pytest.mark.slow
@pytest.mark.promise(9)
def test_cancelling_in_tuning_leaves_nothing(pair, tmp_path):
    lines: list[str] = []
    kept = tmp_path / "kept.safetensors"
    fusion_job = job(pair, tmp_path / "o.tif", weights=start(tmp_path), adapt_steps=1_000, weights_out=kept)
    tuning = Progress(log=lines.append, cancelled=lambda: any("Step " in line for line in lines))
    with pytest.raises(CancelledError):
        fuse(fusion_job, tuning)
    assert not (tmp_path / "o.tif").exists()
    assert not kept.exists()
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("name", ["pan.tif", "kept.txt"])
def test_weights_out_over_an_input_or_another_extension_refused(pair, tmp_path, name):
    before = load_image(pair.pan)
    with pytest.raises(OutputError):
        run(pair, tmp_path, adapt_steps=5, weights_out=tmp_path / name)
    assert np.array_equal(load_image(pair.pan), before)
    assert not (tmp_path / "fused.tif").exists()


@pytest.mark.slow
def test_only_windows_with_texture_teach_a_large_scene(tmp_path):
    """Two thirds of it are open water, which says nothing of the sensor."""
    pair = Recipe(bands=3, ratio=2.0, height=2816, width=2816, gain=0.2).write(tmp_path)
    for path, pixel in ((pair.pan, 2), (pair.ms, 4)):
        values = load_image(path)
        values[:, values.shape[1] // 3 :] = 300
        values = values + np.random.default_rng(1).integers(0, 3, values.shape)
        save(path, values, transform=(5e5, pixel, 0, 4e6, 0, -pixel))
    lines: list[str] = []
    fuse(job(pair, tmp_path / "o.tif", weights=start(tmp_path), adapt_steps=1), Progress(log=lines.append))
    (line,) = [line for line in lines if "blocks held out" in line]
    assert "windows: 9," in line
