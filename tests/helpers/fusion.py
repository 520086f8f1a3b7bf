"""Running the pipeline on a synthetic pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.scenes import load_image
from otfm_pansharpen.model.errors import OutputError
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions, FusionResult
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource


def job(pair, output, **changes):
    """Make a job on a pair; `changes` are fields of FusionJob and of FusionOptions."""
    job_fields = {name: changes.pop(name) for name in FusionJob.__dataclass_fields__ if name in changes}
    options = FusionOptions(**{"precision": "fp32", "device": "cpu", **changes})
    basic = FusionJob(RasterSource(str(pair.pan)), RasterSource(str(pair.ms)), output, options)
    return replace(basic, **job_fields)


def run(pair, tmp_path, name="fused.tif", **changes) -> tuple[np.ndarray, FusionResult]:
    output = tmp_path / name
    result = fuse(job(pair, output, **changes))
    return load_image(output), result


def refused_before_work(pair, output, *options) -> str:
    """Return the sentence with which creation options are refused; nothing was logged, done or left before."""
    before = sorted(output.parent.iterdir())
    calls: list[object] = []
    with pytest.raises(OutputError) as caught:
        fuse(job(pair, output, creation_options=options), Progress(report=calls.append, log=calls.append))
    assert calls == []
    assert sorted(output.parent.iterdir()) == before
    return str(caught.value)


def temporaries(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))
