"""The comparison one scale down: one definition, whoever asks."""

from __future__ import annotations

import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, load_image, save
from otfm_pansharpen.model.assessment.assess import assess
from otfm_pansharpen.model.assessment.job import AssessJob
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality.classical import CLASSICAL
from otfm_pansharpen.model.raster import windows
from otfm_pansharpen.model.raster.source import RasterSource
from quality import Ours, compare_reduced
from wald import Scene


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
    scene = Scene(*sources)
    table = compare_reduced(scene, scene.placement.ratio, Ours(BUNDLED["fast"], 1))

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
