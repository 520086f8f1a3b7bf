"""Peak memory does not grow with the raster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.scenes import Recipe, load_image, save

RUN = """
import sys
from pathlib import Path
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource
options = FusionOptions(memory=256, device="cpu")
fuse(FusionJob(RasterSource(sys.argv[1]), RasterSource(sys.argv[2]), Path(sys.argv[3]), options))
status = Path("/proc/self/status").read_text()  # getrusage would count the process that started this one
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def peak(folder, times):
    """Megabytes at most in use while a pair of `times` x 1024 PAN pixels a side is sharpened."""
    folder.mkdir()
    pair = Recipe(height=1024, width=1024).write(folder)
    for path, pixel in ((pair.pan, 2.0), (pair.ms, 8.0)):
        save(path, np.tile(load_image(path), (1, times, times)), transform=(5e5, pixel, 0, 4e6, 0, -pixel))
    arguments = [str(p) for p in (pair.pan, pair.ms, folder / "out.tif")]
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.promise(14)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell the peak")
def test_four_times_the_pixels_need_no_more_memory(tmp_path):
    """The larger pair as float32 alone would take 270 MB, the smaller one 70."""
    assert peak(tmp_path / "large", 4) < 1.1 * peak(tmp_path / "small", 2)
