"""Quality of the result by the log, against that which a user measures himself."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from helpers.fusion import job, run
from helpers.scenes import Recipe, load_image, save, sense
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.fusion.quality_estimate import QualityEstimate
from otfm_pansharpen.model.fusion.run_log import make_quality_notice
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import save_weights
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality import comparison
from otfm_pansharpen.model.quality.classical import CLASSICAL
from otfm_pansharpen.model.quality.indices import ergas
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.scene.pieces import choose_pieces
from otfm_pansharpen.model.scene.registration import measure_registration


def evaluated(pair, folder, **changes):
    """Return the result, and the log's lines on quality without the last, which sums up."""
    lines: list[str] = []
    result = fuse(job(pair, folder / "o.tif", **changes), Progress(log=lines.append))
    return result, [line for line in lines[:-1] if "ERGAS" in line or "HQNR" in line]


def numbers(line):
    return [float(n) for n in re.findall(r"\d+\.\d+", line)]


def made_coarser(pair, folder, ratio, gain):
    """Make the pair one scale down as a user would make it, by a blur of its own, and MS as its truth."""
    truth, pan = load_image(pair.ms).astype(float), load_image(pair.pan).astype(float)
    folder.mkdir()
    save(folder / "pan.tif", sense(pan, ratio, gain), "float32")
    save(folder / "ms.tif", sense(truth, ratio, gain), "float32", (5e5, 2.0 * ratio, 0, 4e6, 0, -2.0 * ratio))
    return type(pair)(folder / "pan.tif", folder / "ms.tif", truth)


@pytest.mark.parametrize("ratio", [2.0, 4.0])
def test_logged_estimate_matches_a_reduced_resolution_evaluation(tmp_path, ratio):
    pair = Recipe(ratio=ratio, height=int(200 * ratio), width=int(200 * ratio)).write(tmp_path)
    result, lines = evaluated(pair, tmp_path)
    small = made_coarser(pair, tmp_path / "small", ratio, result.metrics.gain)
    fused, _ = run(small, tmp_path, "small.tif", align=False, gain=result.metrics.gain, data_type="Float32")
    plain = np.stack([np.kron(band, np.ones((int(ratio),) * 2)) for band in load_image(small.ms)])
    inner = np.s_[:, 16:184, 16:184]
    expected = ergas(small.reference[inner], fused[inner], ratio)
    assert result.metrics.ergas == pytest.approx(expected, rel=0.15)
    assert f"made {ratio:.3g} times coarser, ERGAS is {result.metrics.ergas:.3g}" in lines[0]
    ours, interpolated, classical = numbers(lines[0])
    assert ours < 0.9 * interpolated
    assert ours < 1.3 * classical
    assert interpolated < ergas(small.reference[inner], plain[inner], ratio)  # of the nearest pixels


@pytest.mark.slow
def test_hqnr_is_that_of_several_pieces_with_texture(tmp_path):
    """The middle of the scene is open water, which says nothing; the land around it does."""
    pair = Recipe(ratio=2.0, height=1024, width=1024).write(tmp_path)
    everywhere, lines = evaluated(pair, tmp_path)
    assert "HQNR of 3 pieces" in lines[1]
    for path, reach in ((pair.pan, 256), (pair.ms, 128)):
        values = load_image(path)
        middle = np.s_[:, values.shape[1] // 2 - reach : values.shape[1] // 2 + reach,
                       values.shape[2] // 2 - reach : values.shape[2] // 2 + reach]  # fmt: skip
        values[middle] = 300 + np.random.default_rng(1).integers(-3, 4, values[middle].shape)
        save(path, values, transform=(5e5, 2 if path == pair.pan else 4, 0, 4e6, 0, -2 if path == pair.pan else -4))
    with_water, _ = evaluated(pair, tmp_path)
    assert with_water.metrics.hqnr == pytest.approx(everywhere.metrics.hqnr, abs=0.02)
    assert with_water.metrics.ergas == pytest.approx(everywhere.metrics.ergas, rel=0.35)


def estimate(network, injection, interpolated, hqnr, interpolated_hqnr):
    errors = {"network": network, "injection": injection, "interpolation": interpolated}
    return QualityEstimate(4.0, 4, 4, errors, hqnr, interpolated_hqnr, 3)


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        (estimate(3.0, 9.0, 5.0, 0.95, 0.97), ()),  # interpolation stands high there by its nature
        (estimate(5.5, 9.0, 5.0, 0.97, 0.95), ("ERGAS 5.5 against 5",)),
        (estimate(3.0, 9.0, 5.0, 0.85, 0.95), ("HQNR 0.850 against 0.950",)),
        (estimate(5.5, 9.0, 5.0, 0.85, 0.95), ("ERGAS 5.5", "HQNR 0.850")),
        (QualityEstimate(4.0, 4, 4), ()),
    ],
)
def test_result_worse_than_interpolation_is_warned_of(quality, words):
    notice = make_quality_notice(quality)
    assert (notice is not None) == bool(words)
    sentence = notice.sentence if notice else ""
    assert all(each in sentence for each in words)
    assert ("nodata that is not declared, a shift that is not corrected" in sentence) == bool(words)


def test_scene_too_small_to_estimate_is_reported(tmp_path):
    pair = Recipe(height=64, width=64).write(tmp_path)
    result, lines = evaluated(pair, tmp_path)
    assert result.metrics.ergas is None
    assert not any("ERGAS" in line for line in lines)


def test_of_many_bands_some_are_compared_and_the_log_says_so(tmp_path, monkeypatch):
    pair = Recipe(bands=20, height=256, width=256).write(tmp_path)
    some, lines = evaluated(pair, tmp_path)
    assert all("8 of 20 bands" in line for line in lines)
    assert len(lines) == 2
    monkeypatch.setattr(comparison, "MAX_BANDS", 20)
    every, lines = evaluated(pair, tmp_path)
    assert not any("of 20 bands" in line for line in lines)
    assert some.metrics.hqnr == pytest.approx(every.metrics.hqnr, abs=0.02)
    assert some.metrics.ergas == pytest.approx(every.metrics.ergas, rel=0.1)


def test_bands_in_another_order_have_the_same_quality(tmp_path):
    pair = Recipe(bands=3, height=512, width=512).write(tmp_path)
    usual, _ = evaluated(pair, tmp_path)
    ms = RasterSource(str(pair.ms), bands=(3, 1, 2))
    turned, _ = evaluated(pair, tmp_path, ms=ms)
    assert (turned.metrics.ergas, turned.metrics.hqnr) == pytest.approx(
        (usual.metrics.ergas, usual.metrics.hqnr), rel=0.02
    )


def test_pieces_show_texture_and_neither_cloud_nor_water():
    """One of eight windows is water, one is clouds that moved between the recordings."""
    rng = np.random.default_rng(5)
    windows = []
    for number in range(8):
        pan = np.cumsum(np.cumsum(rng.normal(size=(280, 280)), 0), 1) * 0.02 + 100.0 * rng.normal(size=(280, 280))
        pan = sense(pan[None], 1.0, 0.1)[0] + 1000.0
        if number == 3:
            pan = 400.0 + rng.normal(size=pan.shape)
        ms = np.stack([sense(pan[None] * k, 2.0, 0.3)[0] for k in (0.7, 1.1)])
        if number == 5:
            ms = np.roll(ms, (2, 2), (1, 2))
        pan, valid = pan.astype(np.float32), np.ones((280, 280), bool)
        windows.append(PairWindow(pan, valid, ms.astype(np.float32), valid[::2, ::2], (0.5, 0.5), (2.0, 2.0)))
    registration = measure_registration(windows)
    pieces = choose_pieces(windows, registration)
    taken = [next(i for i, w in enumerate(windows) if w.ms is p.ms) for p in pieces]
    assert taken == [0, 1, 2, 4, 6, 7]
    assert math.hypot(*registration.shift) < 0.2


def test_fuse_uses_the_injection_where_the_network_is_worse(tmp_path):
    """Weights that double PAN's detail lose one scale down: the result is that of weights that add nothing."""
    pair = Recipe(height=400, width=400).write(tmp_path)
    plain = FlowNetwork(NetworkConfig(width=8, blocks=1))
    doubled = FlowNetwork(plain.config)
    doubled.tail.get_parameter("bias").data[: plain.config.bands * plain.config.cell**2] = 1.0
    for name, network in (("plain", plain), ("doubled", doubled)):
        save_weights(network, tmp_path / f"{name}.safetensors", {})
    images, results = {}, {}
    for name in ("plain", "doubled"):
        images[name], results[name] = run(pair, tmp_path, f"{name}.tif", weights=tmp_path / f"{name}.safetensors")
    result = results["doubled"]
    assert [n.code for n in result.notices] == ["network_left_out"]
    assert result.metrics.ergas == pytest.approx(result.notices[0].numbers["injection"])
    assert np.array_equal(images["plain"], images["doubled"])
    assert results["doubled"].metrics.hqnr == pytest.approx(results["plain"].metrics.hqnr)


@pytest.mark.parametrize(("network", "delivered"), [(1.04, "network"), (1.06, "injection"), (math.nan, "network")])
def test_injection_is_delivered_beyond_five_percent(network, delivered):
    quality = QualityEstimate(4.0, 4, 4, {"network": network, "injection": 1.0})
    assert quality.network_share == (delivered == "network")
    assert quality.ergas == pytest.approx(quality.errors[delivered], nan_ok=True)


def test_best_classical_method_is_one_with_a_figure():
    first, *others = CLASSICAL
    errors = {**dict.fromkeys(others, 3.0), first: math.nan, others[-1]: 2.0}
    assert QualityEstimate(4.0, 4, 4, {name: errors[name] for name in CLASSICAL}).classical == others[-1]
