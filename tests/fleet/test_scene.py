"""A scene in parts: the bytes of one run, made in any order, taken up where an earlier run stopped."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.fleet.job import COG, FLEET_OPTIONS, PARTS, FleetScene, Settings
from otfm_pansharpen.fleet.scene import join_parts, make_part, plan_scene, read_plan, write_state
from otfm_pansharpen.model.errors import PansharpenError

TILES = Settings(options=replace(FLEET_OPTIONS, tile=64))
LITTLE = 1000  # MB, in which a tile of 64 pixels fits
ONE_TILE = 1  # pixels of a part that a worker's memory leaves room for


@pytest.fixture
def pair(tmp_path):
    return Recipe(names=["blue", "green", "red", "nir"], nodata=0.0).write(tmp_path)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of one tile each, as on workers with little memory."""
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.MAX_PART", ONE_TILE)


def scene(pair, folder, ending="cog.tif"):
    return FleetScene("one", str(folder / f"one_sharp.{ending}"), str(pair.pan), str(pair.ms), date="2020-07-01")


def made(one, settings=TILES):
    """Make the scene from its plan to its output, the last parts first."""
    planned = plan_scene(one, settings, LITTLE)
    for number in reversed(planned.missing):
        make_part(one, settings, planned.digest, number)
    return planned, join_parts(one, settings, planned.digest)


@pytest.mark.promise(4)
def test_parts_joined_have_the_bytes_of_one_run(pair, tmp_path, small_parts):
    expected, result = run(pair, tmp_path, "single.cog.tif", tile=64)
    planned, joined = made(scene(pair, tmp_path / "out"))
    assert planned.parts == 12
    assert joined.bytes > 0
    output = tmp_path / "out" / "one_sharp.cog.tif"
    assert np.array_equal(load_image(output), expected)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["one_sharp.cog.tif", "one_sharp.plan.json"]
    ours, single = gdal.Open(str(output)), gdal.Open(str(tmp_path / "single.cog.tif"))
    assert ours.GetGeoTransform() == single.GetGeoTransform()
    assert [ours.GetRasterBand(b).GetDescription() for b in range(1, 5)] == ["blue", "green", "red", "nir"]
    assert ours.GetRasterBand(1).GetNoDataValue() == 0.0
    assert ours.GetMetadata("IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert ours.GetMetadataItem("OTFM_WEIGHTS_SHA256") == result.weights_sha256
    assert planned.metrics == result.metrics


def test_parts_of_the_usual_tiles_have_the_bytes_of_the_defaults(tmp_path):
    """Without a tile that both receive, the fleet takes the one of a single run."""
    pair = Recipe(height=800, width=160).write(tmp_path)
    expected, _ = run(pair, tmp_path)
    made(scene(pair, tmp_path / "out"), Settings())
    assert np.array_equal(load_image(tmp_path / "out" / "one_sharp.cog.tif"), expected)


def test_parts_have_the_weights_of_the_sensor_as_one_run(tmp_path):
    """The plan chose them by the name of MS; a worker takes its own copy."""
    pair = Recipe(ratio=2.0, height=128, width=128).write(tmp_path)
    pair.ms = pair.ms.rename(tmp_path / "LC08_L1TP_190030_20200607_20200823_02_T1_MS.tif")
    expected, result = run(pair, tmp_path)
    _, other = run(pair, tmp_path, weights_for="general")
    made(scene(pair, tmp_path / "out"), Settings())
    output = tmp_path / "out" / "one_sharp.cog.tif"
    assert np.array_equal(load_image(output), expected)
    assert gdal.Open(str(output)).GetMetadataItem("OTFM_WEIGHTS_SHA256") == result.weights_sha256
    assert result.weights_sha256 != other.weights_sha256


def test_a_plan_from_windows_finds_the_weights_here(tmp_path):
    pair = Recipe(ratio=2.0, height=128, width=128).write(tmp_path)
    expected, result = run(pair, tmp_path, weights_for="landsat")
    one, settings = scene(pair, tmp_path / "out"), Settings(options=replace(FLEET_OPTIONS, weights_for="landsat"))
    plan = read_plan(one.name_sidecar("plan.json"), plan_scene(one, settings, LITTLE).digest)
    path = PureWindowsPath("C:/OSGeo4W/apps/otfm", *Path(plan.plan.engine.weights).parts[-3:])
    plan = replace(plan, plan=replace(plan.plan, engine=replace(plan.plan.engine, weights=str(path))))
    write_state(one, plan, {})
    make_part(one, settings, plan.digest, 0)
    assert join_parts(one, settings, plan.digest).bytes > 0
    assert np.array_equal(load_image(one.output), expected)
    assert gdal.Open(one.output).GetMetadataItem("OTFM_WEIGHTS_SHA256") == result.weights_sha256


def test_interrupted_scene_keeps_parts_and_finished_one_is_kept(pair, tmp_path, small_parts):
    one = scene(pair, tmp_path / "out")
    first = plan_scene(one, TILES, LITTLE)
    for number in (0, 5):
        make_part(one, TILES, first.digest, number)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "one_sharp.parts").iterdir()}
    again = plan_scene(one, TILES, LITTLE)
    assert len(times) == 2
    assert set(first.missing) - set(again.missing) == {0, 5}
    assert set(join_parts(one, TILES, again.digest).missing) == set(again.missing)
    assert not os.path.exists(one.output)
    made(one)
    make_part(one, TILES, first.digest, 3)  # as one that its worker's death left
    assert plan_scene(one, TILES, LITTLE).complete
    assert not os.path.exists(one.name_sidecar("parts"))
    assert plan_scene(one, TILES, LITTLE).metrics == first.metrics
    assert not plan_scene(one, replace(TILES, options=replace(TILES.options, align="off")), LITTLE).complete


def test_changed_input_makes_its_parts_again(pair, tmp_path, small_parts):
    one = scene(pair, tmp_path / "out")
    first = plan_scene(one, TILES, LITTLE)
    make_part(one, TILES, first.digest, 0)
    save(pair.pan, load_image(pair.pan) // 2)
    second = plan_scene(one, TILES, LITTLE)
    assert second.digest != first.digest
    assert len(second.missing) == second.parts
    read_plan.cache_clear()  # as on a worker that has not seen it
    with pytest.raises(PansharpenError, match="was replaced during the run"):
        make_part(one, TILES, first.digest, 1)


@pytest.mark.promise(4)
@pytest.mark.parametrize(("form", "ending"), [(COG, "cog.tif"), (PARTS, "json")])
def test_input_changed_between_two_parts_is_not_an_output(pair, tmp_path, small_parts, form, ending):
    """Each part alone is right; joined they would be a mixture of two scenes."""
    one, settings = scene(pair, tmp_path / "out", ending), replace(TILES, form=form)
    planned = plan_scene(one, settings, LITTLE)
    for number in planned.missing:
        if number == 6:
            save(pair.pan, load_image(pair.pan) // 2)
        make_part(one, settings, planned.digest, number)
    with pytest.raises(PansharpenError, match=r"have changed .*pan\.tif.* Run again"):
        join_parts(one, settings, planned.digest)
    assert not os.path.exists(one.output)
    assert len(plan_scene(one, settings, LITTLE).missing) == planned.parts


def test_a_damaged_plan_is_made_again(pair, tmp_path, small_parts):
    one = scene(pair, tmp_path / "out")
    first = plan_scene(one, TILES, LITTLE)
    (tmp_path / "out" / "one_sharp.plan.json").write_text("{")
    assert plan_scene(one, TILES, LITTLE).digest == first.digest


def test_a_worker_with_too_little_memory_says_what_to_change(pair, tmp_path):
    with pytest.raises(PansharpenError, match=r"has 500 MB .* a tile of 768 pixels takes \d+ MB.*--tile"):
        plan_scene(scene(pair, tmp_path / "out"), Settings(), 500)


def test_parts_that_stay_are_one_raster_and_a_checked_catalogue(pair, tmp_path, small_parts):
    expected, _ = run(pair, tmp_path, tile=64)
    settings = replace(TILES, form=PARTS)
    made(scene(pair, tmp_path / "R&D", "json"), settings)
    moved = tmp_path / "moved"
    (tmp_path / "R&D").rename(moved)
    assert np.array_equal(load_image(moved / "one_sharp.vrt"), expected)
    item = json.loads((moved / "one_sharp.json").read_text())
    parts = {k: v for k, v in item["assets"].items() if k.endswith(".tif")}
    assert len(parts) == 12
    for asset in parts.values():
        content = (moved / asset["href"]).read_bytes()
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        assert asset["file:size"] == len(content)
    assert item["properties"]["datetime"] == "2020-07-01T00:00:00Z"
    west, south, east, north = item["bbox"]
    assert 14.9 < west < east < 15.1
    assert 36.0 < south < north < 36.2
    assert sorted(p.name for p in (moved / "one_sharp.parts").iterdir()) == sorted(parts)


def test_join_reports_clipped_values_of_all_parts(tmp_path):
    """With the numbers of a single run, where there is one part."""
    pair = Recipe(height=256, width=256).write(tmp_path)
    ms = load_image(pair.ms).astype(float)
    save(pair.ms, (ms * 250.0 / np.percentile(ms, 95)).astype(np.uint16), transform=(5e5, 8.0, 0, 4e6, 0, -8.0))
    _, single = run(pair, tmp_path, data_type="Byte", tile=64)
    (numbers,) = [n.numbers for n in single.notices if n.code == "result_clipped"]
    settings = replace(TILES, options=replace(TILES.options, data_type="Byte"))
    _, joined = made(scene(pair, tmp_path / "out"), settings)
    (notice,) = joined.notices
    assert "clipped in 1 of 1 parts" in notice
    assert all(f"{count} of {band.replace('_', ' ')}" in notice for band, count in numbers.items())
