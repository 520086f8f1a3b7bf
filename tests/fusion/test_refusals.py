"""Refusals, cancels and failures: a sentence with the cure, no file, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.fusion import job, temporaries
from helpers.scenes import Recipe, save
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, InputError, OutputError, PansharpenError
from otfm_pansharpen.model.fusion.measure import MEASURING_SHARE
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource


def refused(pair, tmp_path, error=PansharpenError, name="out.tif", **changes):
    before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    with pytest.raises(error) as caught:
        fuse(job(pair, tmp_path / name, **changes))
    assert {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
    assert temporaries(tmp_path) == []
    return str(caught.value)


@pytest.mark.promise(2)
def test_swapped_inputs_are_refused(tmp_path):
    pair = Recipe().write(tmp_path)
    pair.pan, pair.ms = pair.ms, pair.pan
    assert "swapped" in refused(pair, tmp_path, InputError)


def test_missing_damaged_and_odd_files_are_refused(tmp_path):
    pair = Recipe(height=400, width=400).write(tmp_path)
    good = pair.ms
    for name, data in {"gone.tif": None, "text.tif": b"not a raster", "cut.tif": good.read_bytes()[:20000]}.items():
        pair.ms = tmp_path / name
        if data is not None:
            pair.ms.write_bytes(data)
        assert name in refused(pair, tmp_path, InputError)


def test_a_band_that_does_not_exist_is_refused(tmp_path):
    pair = Recipe().write(tmp_path)
    sentence = refused(pair, tmp_path, InputError, ms=RasterSource(str(pair.ms), bands=(1, 9)))
    assert "4 bands" in sentence
    assert "9" in sentence


@pytest.mark.promise(13)
def test_output_over_an_input_is_refused(tmp_path):
    pair = Recipe().write(tmp_path)
    assert "is the input" in refused(pair, tmp_path, OutputError, name="ms.tif")
    os.symlink(pair.pan, tmp_path / "link.tif")
    assert "is the input" in refused(pair, tmp_path, OutputError, name="link.tif")
    os.link(pair.pan, tmp_path / "hard.tif")
    assert "same file" in refused(pair, tmp_path, OutputError, name="hard.tif")


def test_targets_that_cannot_be_written_are_refused(tmp_path):
    pair = Recipe().write(tmp_path)
    assert ".xyz123" in refused(pair, tmp_path, OutputError, name="out.xyz123")
    assert "does not exist" in refused(pair, tmp_path, OutputError, name="no/such/out.tif")


@pytest.mark.parametrize("name", ["out.jpg", "out.bmp"])
def test_formats_that_cannot_hold_the_values_are_refused(tmp_path, name):
    """JPEG ends at 12 bits and BMP at 8; GDAL's drivers clip without an error."""
    pair = Recipe(bands=3, scale=20).write(tmp_path)
    assert "out." in refused(pair, tmp_path, OutputError, name=name)


def test_format_unable_to_hold_the_bands_is_refused_before_work(tmp_path):
    pair = Recipe(bands=5).write(tmp_path)
    received: list[object] = []
    with pytest.raises(OutputError, match=r"PNG .* cannot hold 5 bands of UInt16"):
        fuse(job(pair, tmp_path / "out.png"), Progress(report=received.append, log=received.append))
    assert received == []
    assert temporaries(tmp_path) == []


def test_an_extent_elsewhere_is_refused(tmp_path):
    pair = Recipe().write(tmp_path)
    assert "extent" in refused(pair, tmp_path, InputError, extent=(0, 0, 10, 10))


def test_an_all_nodata_scene_is_refused(tmp_path):
    pair = Recipe(nodata=0).write(tmp_path)
    save(pair.ms, np.zeros((4, 48, 60)), transform=(5e5, 8, 0, 4e6, 0, -8), nodata=0)
    assert "only 0 pixels are valid" in refused(pair, tmp_path, InputError)


def test_cuda_that_is_absent_is_refused_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "DEVICE auto or cpu" in refused(Recipe().write(tmp_path), tmp_path, device="cuda")


@pytest.mark.promise(9)
@pytest.mark.parametrize("after", [0, 1, 4, 9])
def test_cancel_leaves_the_old_output(tmp_path, after):
    pair = Recipe(height=320, width=320).write(tmp_path)
    output = tmp_path / "out.tif"
    output.write_bytes(b"old")
    asked = iter(range(10**6))
    with pytest.raises(CancelledError):
        fuse(job(pair, output, tile=64), Progress(cancelled=lambda: next(asked) >= after))
    assert output.read_bytes() == b"old"
    assert temporaries(tmp_path) == []


@pytest.mark.promise(9)
@pytest.mark.parametrize("name", ["out.tif", "out.img"])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.9])
def test_cancel_among_the_tiles_leaves_nothing(tmp_path, name, share):
    pair = Recipe(height=320, width=320).write(tmp_path)
    before, shares = sorted(tmp_path.iterdir()), [0.0]
    with pytest.raises(CancelledError):
        fuse(job(pair, tmp_path / name, tile=64), Progress(report=shares.append, cancelled=lambda: shares[-1] >= share))
    assert sorted(tmp_path.iterdir()) == before


def test_progress_rises_evenly_to_one(tmp_path):
    shares: list[float] = []
    fuse(
        job(Recipe(height=320, width=320).write(tmp_path), tmp_path / "o.tif", tile=64), Progress(report=shares.append)
    )
    assert shares == sorted(shares)
    assert 0 < shares[0] <= MEASURING_SHARE  # it moves before the first tile is done
    assert shares[-1] == 1
    assert max(np.diff(shares)) < 0.1


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.raster.source import RasterSource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    fuse(FusionJob(RasterSource(sys.argv[1]), RasterSource(sys.argv[2]), Path(sys.argv[3])))
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(1)
"""


@pytest.mark.promise(11)
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    """A limit on file size fails writes just as a full disk does."""
    pair = Recipe(height=320, width=320).write(tmp_path)
    target = tmp_path / "out" / "fused.tif"
    target.parent.mkdir()
    arguments = [str(pair.pan), str(pair.ms), str(target)]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "OutputError" in done.stdout
    assert "disk full" in done.stdout
    assert list(target.parent.iterdir()) == []


def global_state():
    """Return the state that other plugins in the same process could notice."""
    gdal_state = (gdal.GetUseExceptions(), gdal.GetCacheMax())
    torch_state = (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())
    return (*gdal_state, *torch_state, sys.path[:], Path.cwd(), dict(os.environ))


@pytest.mark.promise(22)
@pytest.mark.parametrize("fails", [False, True])
def test_global_state_is_as_before(tmp_path, fails):
    pair = Recipe().write(tmp_path)
    if fails:
        pair.ms.write_bytes(b"")
    gdal.DontUseExceptions()
    before = global_state()
    try:
        fuse(job(pair, tmp_path / "o.tif"))
    except InputError:
        assert fails
    assert global_state() == before


@pytest.mark.promise(2)
def test_one_raster_for_both_is_reported(tmp_path):
    pair = Recipe().write(tmp_path)
    pair.pan = pair.ms
    with pytest.raises(InputError, match="same raster"):
        fuse(job(pair, tmp_path / "out.tif"))
