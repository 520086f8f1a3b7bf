"""Peak memory does not grow with the raster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scenes import Recipe

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
RUN = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from _package import load
load()
from otfm_pansharpen.model.fusion import FusionJob, fuse
from otfm_pansharpen.model.rasters import RasterSource
fuse(FusionJob(RasterSource(sys.argv[2]), RasterSource(sys.argv[3]), Path(sys.argv[4]), tile=256, device="cpu"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(folder, side):
    """Megabytes at most in use while a pair of `side` PAN pixels a side is sharpened."""
    folder.mkdir()
    pair = Recipe(height=side, width=side).write(folder)
    arguments = [str(p) for p in (SCRIPTS, pair.pan, pair.ms, folder / "out.tif")]
    small_cache = {**os.environ, "GDAL_CACHEMAX": "16"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, env=small_cache, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of the peak differs between systems")
def test_nine_times_the_pixels_need_no_more_memory(tmp_path):
    """The larger pair as float32 alone would take 150 MB more."""
    assert peak(tmp_path / "large", 3072) < peak(tmp_path / "small", 1024) + 50
