"""Assessing rasters works where torch is not installed."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.engine import broken_torch, engines
from helpers.fusion import run as fuse_pair
from helpers.scenes import Recipe, load_image, save
from otfm_pansharpen.model.assessment.assess import assess
from otfm_pansharpen.model.assessment.job import AssessJob
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource

ABSENT = "raise ModuleNotFoundError('No module named torch', name='torch')"


def numbers(figures):
    bands = [(b.bias, b.error, b.detail) for b in figures.bands]
    return np.array([*figures.indices.values(), figures.angle, *(figures.shift or ()), *np.ravel(bands)])


@pytest.mark.slow
@pytest.mark.promise(16)
@pytest.mark.promise(25)
def test_an_assessment_without_torch_finds_the_same(tmp_path):
    pair = Recipe(bands=4, ratio=4, height=256, width=320, shift=(0.4, -0.7)).write(tmp_path)
    pan, ms = load_image(pair.pan), load_image(pair.ms)
    pan[:, 100:140, 200:230], ms[:, 25:35, 50:57] = 0, 0  # a hole
    save(tmp_path / "p.tif", pan, nodata=0, transform=(5e5, 2.0, 0, 4e6, 0, -2.0))
    save(tmp_path / "m.tif", ms, nodata=0, transform=(5e5, 8.0, 0, 4e6, 0, -8.0))
    fuse_pair(pair, tmp_path, "ours.tif")
    save(tmp_path / "shifted.tif", np.roll(pair.reference, 2, 2))
    pan_file, ms_file, *fused = (RasterSource(str(tmp_path / f"{n}.tif")) for n in ("p", "m", "ours", "shifted"))
    job = AssessJob(pan_file, ms_file, tuple(fused), tmp_path / "report.html")
    there = assess(job)
    lines: list[str] = []
    with engines() as session:
        here = session.run(job, broken_torch(tmp_path / "packages", ABSENT), Progress(log=lines.append))
        assert session.warm == []
    assert [v.faults for v in here.verdicts] == [v.faults for v in there.verdicts]
    for one, other in zip(here.figures, there.figures):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-6)
    assert list(here.reduced) == [name for name in there.reduced if not name.startswith("OTFM")]
    assert any(name.startswith("OTFM") for name in there.reduced)
    left_out = "ours was made by this plugin, but its figures one scale down are left out, because torch"
    assert any(line.startswith(left_out) for line in lines)
    assert left_out in job.report.read_text(encoding="utf-8")
