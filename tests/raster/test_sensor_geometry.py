"""Rasters in sensor geometry, placed by RPCs alone: related by these, and fused in PAN's geometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job, run
from helpers.scenes import load_image
from helpers.sensor import CENTRE, ground_to_pan, misplacement, sensor_pair, to_degrees
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress


def bent(column, row):
    """MS turned by 2 degrees and bent by a pixel of PAN, and smaller than PAN's area."""
    turn = np.radians(2.0)
    across, down = column - 160.0, row - 160.0
    bend = 1.0e-5 * across**2
    return (
        (across * np.cos(turn) - down * np.sin(turn) + 150.0 + bend) / 4.0,
        (across * np.sin(turn) + down * np.cos(turn) + 150.0 - bend) / 4.0,
    )


def error(fused, reference, rim=24):
    inner = np.s_[:, rim:-rim, rim:-rim]
    return np.abs(fused.astype(float) - reference)[inner].mean() / reference[inner].std()


@pytest.mark.parametrize("pan_to_ms", [None, bent])
def test_pair_in_sensor_geometry_is_fused_and_keeps_rpc(tmp_path, pan_to_ms):
    pair = sensor_pair(tmp_path, pan_to_ms)
    lines: list[str] = []
    result = fuse(job(pair, tmp_path / "o.tif"), Progress(log=lines.append))
    written = gdal.Open(str(tmp_path / "o.tif"))
    assert written.GetGeoTransform(can_return_null=True) is None
    assert "sensor geometry" in written.GetMetadataItem("OTFM_GEOMETRY")
    assert any("related by their RPCs at 120 m" in line for line in lines)
    row, column = 0, 0
    if pan_to_ms is None:
        assert load_image(tmp_path / "o.tif").shape == pair.reference.shape
        assert max(map(abs, result.metrics.shift)) < 0.15
    else:
        model = gdal.Open(str(pair.pan)).GetMetadata("RPC")
        kept = written.GetMetadata("RPC")
        column, row = (round(float(model[key]) - float(kept[key])) for key in ("SAMP_OFF", "LINE_OFF"))
    assert misplacement(tmp_path / "o.tif", (column, row)) < 0.5
    fused = load_image(tmp_path / "o.tif")
    truth = pair.reference[:, row : row + fused.shape[1], column : column + fused.shape[2]]
    assert error(fused, truth) < 0.3


def test_an_extent_in_degrees_and_a_format_with_rpc(tmp_path):
    pair = sensor_pair(tmp_path)
    x, y = (np.array(v, float) + c for v, c in zip(([100, 400], [-400, -100]), CENTRE))
    longitude, latitude = to_degrees(x, y)
    extent = (longitude.min(), latitude.min(), longitude.max(), latitude.max())
    fused, _ = run(pair, tmp_path, "o.cog.tif", extent=extent)
    corners = [ground_to_pan(a, b, 120.0) for a in x for b in y]
    (left, top), (right, _) = np.min(corners, 0), np.max(corners, 0)
    assert abs(fused.shape[2] - (right - left)) < 3
    assert misplacement(tmp_path / "o.cog.tif", (round(left), round(top))) < 1.5
    assert error(fused, pair.reference[:, round(top) :, round(left) :][:, : fused.shape[1], : fused.shape[2]]) < 0.5


@pytest.mark.parametrize("height", [120.0, 1120.0])
def test_height_moves_nothing_where_both_look_the_same_way(tmp_path, height):
    pair = sensor_pair(tmp_path)
    wanted = job(pair, tmp_path / "o.tif")
    fuse(replace(wanted, pan=replace(wanted.pan, height=height)))
    assert error(load_image(tmp_path / "o.tif"), pair.reference) < 0.25


@pytest.mark.promise(2)
@pytest.mark.parametrize("fault", ["of PAN", "elsewhere", "damaged", "lacking"])
def test_rpcs_that_contradict_each_other_are_refused(tmp_path, fault):
    pair = sensor_pair(tmp_path)
    model = gdal.Open(str(pair.ms)).GetMetadata("RPC")
    if fault == "of PAN":
        model = gdal.Open(str(pair.pan)).GetMetadata("RPC")
    elif fault == "elsewhere":
        model["LONG_OFF"] = repr(float(model["LONG_OFF"]) + 0.1)
    elif fault == "damaged":
        model["SAMP_NUM_COEFF"] = "nan " * 20
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    dataset.SetMetadata({} if fault == "lacking" else model, "RPC")
    dataset = None
    words = {
        "of PAN": r"contradict each other: by them an MS pixel is 1\.000 PAN pixels wide",
        "elsewhere": r"contradict each other: by them MS covers PAN's columns -?\d+ to -?\d+ .* but PAN has 320 x 320",
        "damaged": r"RPC",
        "lacking": r"PAN .* is placed by rational polynomial coefficients \(RPC\) only",
    }
    with pytest.raises(InputError, match=words[fault]):
        fuse(job(pair, tmp_path / "o.tif"))
    assert not (tmp_path / "o.tif").exists()
