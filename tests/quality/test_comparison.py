"""The comparison one scale down: one definition, whoever asks."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, landscape, load_image, save, sense
from otfm_pansharpen.model.assessment.assess import assess
from otfm_pansharpen.model.assessment.job import AssessJob
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.fusion.quality_estimate import compare_job
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import save_weights
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality import comparison
from otfm_pansharpen.model.quality.classical import CLASSICAL
from otfm_pansharpen.model.quality.comparison import ReducedScene
from otfm_pansharpen.model.raster import windows
from otfm_pansharpen.model.raster.source import RasterSource
from quality import OwnFusion, compare_reduced
from wald import ValidationScene


@pytest.mark.parametrize(("per_axis", "side"), [(4, 128), (2, 40)], ids=["the whole scene", "pieces of a sample"])
def test_log_report_and_benchmark_have_the_same_figures(tmp_path, monkeypatch, per_axis, side):
    monkeypatch.setattr(windows, "WINDOW_SIDE", side)
    monkeypatch.setattr(windows, "WINDOWS_PER_AXIS", per_axis)
    pair = Recipe(bands=3, ratio=2, height=176, width=192, shift=(0.6, -0.3)).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, 40:44, 60:64] = 0
    save(pair.ms, ms, nodata=0, transform=(5e5, 4.0, 0, 4e6, 0, -4.0))
    lines: list[str] = []
    result = fuse(job(pair, tmp_path / "ours.tif", precision="auto", device="auto"), Progress(detail=lines.append))
    sources = RasterSource(str(pair.pan)), RasterSource(str(pair.ms))
    report = assess(AssessJob(*sources, (RasterSource(str(result.output)),), tmp_path / "report.html")).reduced
    scene = ValidationScene(*sources)
    table = compare_reduced(scene, scene.placement.ratio, OwnFusion(BUNDLED["fast"], 1))

    ours = report["OTFM (fast)"]
    assert result.metrics.ergas == pytest.approx(ours["ergas"], rel=1e-6)
    assert table["OTFM"] == pytest.approx(ours, rel=1e-6)
    for method in ("interpolation", *CLASSICAL):
        assert table[method] == pytest.approx(report[method], rel=1e-6)
    best = min(CLASSICAL, key=lambda name: report[name]["ergas"])
    figures = [report[name]["ergas"] for name in ("interpolation", best)]
    words = f"interpolation has {figures[0]:.3g}, and the best classical method ({best}) {figures[1]:.3g}."
    assert any(words in line and f"ERGAS is {ours['ergas']:.3g}" in line for line in lines)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f"{value:.3f}" in text for value in (ours["ergas"], *figures))


def pair_of(side, ratio=4, offset=0.0):
    """Make a pair from whose values an offset was taken."""
    reference = landscape(3, side, side)
    ms, pan = sense(reference, ratio).astype(np.float32) - offset, reference.mean(0).astype(np.float32) - offset
    valid, half = [np.ones(i.shape[-2:], bool) for i in (pan, ms)], (ratio - 1) / 2
    return PairWindow(pan, valid[0], ms, valid[1], (half, half), (ratio, ratio))


def reduced(pair, offset=0.0):
    return ReducedScene.of([pair], 4.0, TransferFunction.gaussian(0.3), range(3), [offset] * 3, offset, False)


def test_compared_pixels_leave_out_sides_and_gap_edges():
    """Two MS pixels on each side and around a gap, which interpolation reads."""
    small = pair_of(64)
    small.ms_valid[8, 8] = False
    expected = np.zeros((64, 64), bool)
    expected[8:-8, 8:-8] = True
    expected[24:44, 24:44] = False
    assert np.array_equal(comparison.compared_pixels(small), expected)


def test_compared_bands_are_spread_and_not_empty():
    assert comparison.compared_bands([0, -1, 1, 2]) == [0, 1, 2]
    many = comparison.compared_bands(range(64))
    assert (len(many), many[0], many[-1]) == (8, 0, 63)


def test_offsets_of_reading_do_not_change_figures():
    plain, taken = reduced(pair_of(256)), reduced(pair_of(256, offset=150.0), 150.0)
    figures, others = plain.compare_methods(), taken.compare_methods()
    for method in figures:
        assert others[method] == pytest.approx(figures[method], rel=1e-4), method
    as_read = taken.reference[..., : taken.places[0][1].height, : taken.places[0][1].width] - taken.offsets
    assert taken.measure(taken.joined([as_read]), ("ergas",))["ergas"] < 1e-6


def test_pieces_without_a_middle_are_not_compared():
    assert reduced(pair_of(28 * 4)) is None
    assert reduced(pair_of(32 * 4)) is not None


def test_compare_job_gives_the_figures_of_what_is_delivered(tmp_path):
    """Weights that double PAN's detail are worse than the injection, which is delivered instead."""
    plain, figures = FlowNetwork(NetworkConfig(width=8, blocks=1)), []
    doubled = FlowNetwork(plain.config)
    doubled.tail.get_parameter("bias").data[: plain.config.bands * plain.config.cell**2] = 1.0
    files = Recipe().write(tmp_path)
    for number, network in enumerate((plain, doubled)):
        weights = tmp_path / f"{number}.safetensors"
        save_weights(network, weights, {})
        figures.append(
            compare_job(reduced(pair_of(256)), job(files, tmp_path / "o.tif", weights=weights), lambda: None)
        )
    assert figures[1] == pytest.approx(figures[0])
