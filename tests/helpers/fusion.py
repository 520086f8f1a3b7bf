"""Running the pipeline on a synthetic pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers.scenes import load_image
from otfm_pansharpen.model.fusion.job import FusionJob, FusionResult
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource


def job(pair, output, **changes):
    basic = FusionJob(RasterSource(str(pair.pan)), RasterSource(str(pair.ms)), output, precision="fp32", device="cpu")
    return replace(basic, **changes)


def run(pair, tmp_path, name="fused.tif", **changes) -> tuple[np.ndarray, FusionResult]:
    output = tmp_path / name
    result = fuse(job(pair, output, **changes))
    return load_image(output), result


def temporaries(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))
