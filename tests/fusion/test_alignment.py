"""Bands and places of MS are moved to where PAN shows them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job, run
from helpers.scenes import Pair, landscape, save
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.fusion.check import check_output, check_pair
from otfm_pansharpen.model.fusion.job import FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse, fuse_window, plan_pair
from otfm_pansharpen.model.fusion.plan import FusionPlan
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.windows import open_pair
from scipy.ndimage import gaussian_filter, map_coordinates

RATIO, SIDE = 4, 480
BANDS = ((0.0, 0.0), (0.9, -0.4), (-0.7, 0.2), (0.0, 0.0))  # rows and columns that each band has to move


def write_pair(folder, bands=((0.0, 0.0),) * 4, field=lambda rows, columns: (0.0, 0.0), water=0):
    """Write a pair whose bands have to move by `bands`, and places by `field` (of shares 0 to 1), PAN pixels."""
    sharp = landscape(4, SIDE, SIDE, 3)
    sharp[:, :, SIDE - water :] = 300.0
    centres = (RATIO - 1) / 2 + RATIO * np.arange(SIDE // RATIO)
    rows, columns = np.meshgrid(centres, centres, indexing="ij")
    off = field(rows / SIDE, columns / SIDE)
    blurred = [gaussian_filter(band, 1.9) for band in sharp]
    ms = np.stack(
        [
            map_coordinates(band, (rows + off[0] + b[0], columns + off[1] + b[1]), order=3, mode="nearest")
            for band, b in zip(blurred, bands)
        ]
    )
    files = folder / "pan.tif", folder / "ms.tif"
    save(files[0], sharp.mean(0)[None], transform=(5e5, 2, 0, 4e6, 0, -2))
    save(files[1], ms, transform=(5e5, 8, 0, 4e6, 0, -8))
    return Pair(*files, sharp)


def error_of(fused, pair):
    rim = np.s_[:, 16:-16, 16:-16]
    return float(np.sqrt(((fused[rim] - pair.reference[rim]) ** 2).mean()))


def planned(fusion_job):
    with open_pair(fusion_job.pan, fusion_job.ms) as (pan, ms):
        return plan_pair(check_output(check_pair(pan, ms, fusion_job), fusion_job), fusion_job, Progress())[2]


def tilt(rows, columns):
    return 4.0 * (rows - 0.5), 2.0 * (columns - 0.5)


def step(rows, columns):
    return 2.0 / (1.0 + np.exp(-24.0 * (rows - 0.5))), 0.0 * columns


def test_bands_are_moved_to_their_places(tmp_path):
    pair = write_pair(tmp_path, BANDS)
    log: list[str] = []
    result = fuse(job(pair, tmp_path / "auto.tif"), Progress(log=log.append))
    total = np.array(result.metrics.band_shifts) + result.metrics.shift
    assert total == pytest.approx(np.array(BANDS), abs=0.1)
    assert result.metrics.residual is not None
    assert result.metrics.residual < 0.1
    assert any("Bands were shifted by up to" in line and "residual" in line for line in log)
    metadata = gdal.Open(str(tmp_path / "auto.tif")).GetMetadata()
    assert len(metadata["OTFM_BAND_SHIFTS_ROWS_COLUMNS"].split()) == 8
    auto, scene = (run(pair, tmp_path, f"{align}.tif", align=align)[0] for align in ("auto", "scene"))
    assert error_of(auto, pair) < 0.9 * error_of(scene, pair)


@pytest.mark.parametrize("field", [tilt, step])
def test_shift_that_varies_is_followed(tmp_path, field):
    pair = write_pair(tmp_path, field=field)
    log: list[str] = []
    result = fuse(job(pair, tmp_path / "auto.tif"), Progress(log=log.append))
    assert result.metrics.local_shift == pytest.approx(
        np.hypot(*np.ptp(np.array(field(np.array([0.0, 1.0]), np.array([0.0, 1.0]))), axis=1)), rel=0.25
    )
    assert not any(n.code == "shift_varies" for n in result.notices)
    assert any("across the scene the shift varies by" in line for line in log)
    plain, _ = run(write_pair(tmp_path), tmp_path, "plain.tif")
    (auto, _), (scene, _) = (
        run(write_pair(tmp_path, field=field), tmp_path, f"{a}.tif", align=a) for a in ("auto", "scene")
    )
    assert error_of(auto, pair) < 1.25 * error_of(plain, pair) < error_of(scene, pair)


@pytest.mark.promise(4)
def test_scene_in_its_place_keeps_its_bytes(tmp_path):
    pair = write_pair(tmp_path, water=160)
    (auto, result), (scene, _) = (run(pair, tmp_path, f"{a}.tif", align=a) for a in ("auto", "scene"))
    assert np.abs(np.array(result.metrics.band_shifts)).max() == 0.0
    assert result.metrics.local_shift == 0.0
    assert np.array_equal(auto, scene)


def test_log_does_not_claim_what_windows_contradict(tmp_path):
    log: list[str] = []
    pair = write_pair(tmp_path, field=step)
    result = fuse(job(pair, tmp_path / "scene.tif", align="scene"), Progress(log=log.append))
    assert any(n.code == "shift_varies" for n in result.notices) or not result.metrics.residual
    assert not any("aligned with PAN to within" in line for line in log)


@pytest.mark.promise(3)
def test_windows_of_an_aligned_plan_have_its_bytes(tmp_path):
    pair = write_pair(tmp_path, BANDS, tilt)
    plan = FusionPlan.from_json(planned(job(pair, tmp_path / "out.tif", tile=128)).to_json())
    assert plan.alignment is not None
    assert plan.alignment.field
    whole, _ = run(pair, tmp_path, tile=128)
    again, _ = run(pair, tmp_path, "again.tif", tile=128)  # measured before, from the cache
    assert np.array_equal(again, whole)
    tile = plan.tiles()[5]
    part = fuse_window(plan, tile)
    assert np.array_equal(part, whole[:, tile.top : tile.bottom, tile.left : tile.right])
    other = replace(plan, alignment=replace(plan.alignment, down=(0.0,), across=(0.0,)))
    with pytest.raises(InputError, match="1 bands, but 4 are read"):
        fuse_window(other, tile)


@pytest.mark.parametrize("align", [False, "none"])
def test_alignment_by_another_word_is_refused(align):
    """Scripts for version 0.2.0 give False, which must not align all the same."""
    with pytest.raises(InputError, match="none of auto, scene, off"):
        FusionOptions(align=align)
