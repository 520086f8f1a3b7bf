"""Scenes from and to an object store, and what is said where it refuses."""

from __future__ import annotations

import os
from dataclasses import replace
from unittest.mock import ANY

import numpy as np
import pytest
from helpers.fleet import TILES, point, sharpen
from helpers.fusion import run
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from otfm_pansharpen.fleet.job import COG, FLEET_OPTIONS, PARTS, Scene, Settings
from otfm_pansharpen.fleet.parts import join_parts, make_part
from otfm_pansharpen.fleet.scene_plan import plan_scene
from otfm_pansharpen.fleet.storage import read_text, size, write_text
from otfm_pansharpen.model.errors import InputError, OutputError, PansharpenError

SETTINGS = Settings(options=replace(FLEET_OPTIONS, tile=64))


def keys(s3, prefix):
    return sorted(o["Key"] for o in s3.list_objects_v2(Bucket="archive", Prefix=prefix).get("Contents", []))


@pytest.mark.promise(4)
def test_a_scene_in_a_store_has_the_bytes_of_one_on_disk(s3, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.LARGEST_PART", 128)
    point(monkeypatch, s3.address)
    pair = Recipe().write(tmp_path)
    expected, _ = run(pair, tmp_path, tile=64)
    for file in (pair.pan, pair.ms):
        s3.upload_file(str(file), "archive", f"in/{file.name}")
    one = Scene("one", "/vsis3/archive/out/one_sharp.cog.tif", "/vsis3/archive/in/pan.tif", "/vsis3/archive/in/ms.tif")
    found = plan_scene(one, SETTINGS)
    assert found.parts == 4
    make_part(one, SETTINGS, found.digest, 0)
    assert plan_scene(one, SETTINGS).missing == (1, 2, 3)
    assert not [k for k in keys(s3, "out") if k.endswith("cog.tif")]
    for number in (1, 2, 3):
        make_part(one, SETTINGS, found.digest, number)
    join_parts(one, SETTINGS, found.digest)
    assert keys(s3, "out") == ["out/one_sharp.cog.tif", "out/one_sharp.plan.json"]
    s3.download_file("archive", "out/one_sharp.cog.tif", str(tmp_path / "back.tif"))
    assert np.array_equal(load_image(tmp_path / "back.tif"), expected)
    assert plan_scene(one, SETTINGS).complete


def test_many_uploads_of_a_large_file_are_one_file_or_none(s3, tmp_path, monkeypatch):
    """GDAL sends it in pieces; the name appears with the last one."""
    point(monkeypatch, s3.address)
    monkeypatch.setenv("VSIS3_CHUNK_SIZE", "5")
    text = "0123456789" * 1_200_000
    seen = []
    true = gdal.VSIFWriteL

    def looking(*words):
        seen.extend(keys(s3, "large"))
        return true(*words)

    monkeypatch.setattr(gdal, "VSIFWriteL", looking)
    write_text("/vsis3/archive/large.txt", text)
    assert seen == []
    assert read_text("/vsis3/archive/large.txt", 2**24) == text
    assert s3.list_multipart_uploads(Bucket="archive").get("Uploads", []) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/vsis3/archive/none.tif", "none.tif cannot be opened"),
        ("/vsis3/missing-bucket/none.tif", "bucket does not exist"),
    ],
)
def test_what_is_not_in_the_store_is_named(s3, monkeypatch, path, words):
    point(monkeypatch, s3.address)
    with pytest.raises(InputError, match=words):
        plan_scene(Scene("one", "/vsis3/archive/out/one_sharp.cog.tif", path, path), SETTINGS)


def test_a_store_that_refuses_is_said_with_what_to_do(closed_store, tmp_path):
    pair = Recipe().write(tmp_path)
    with pytest.raises(InputError, match=r"Access Denied.*credentials do not allow it"):
        size("/vsis3/archive/one.tif")
    with pytest.raises(OutputError, match=r"one.txt cannot be written.*credentials do not allow it"):
        write_text("/vsis3/archive/one.txt", "text")
    one = Scene("one", str(tmp_path / "one_sharp.cog.tif"), str(pair.pan), "/vsis3/archive/ms.tif")
    with pytest.raises(PansharpenError, match=r"ms.tif cannot be looked up: Access Denied"):
        plan_scene(one, SETTINGS)
    assert not os.path.exists(one.output)


def test_a_store_that_is_silent_or_away_is_said_with_what_to_do(closed_store, monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "1")
    with pytest.raises(InputError, match=r"timed out.*did not answer in time"):
        size("/vsis3/archive/slow.tif")
    point(monkeypatch, "127.0.0.1:9")
    with pytest.raises(InputError, match="cannot be reached: look at its address"):
        size("/vsis3/archive/one.tif")


def get(s3, key):
    return s3.get_object(Bucket="archive", Key=key)["Body"].read()


@pytest.mark.parametrize("form", [COG, PARTS])
def test_damage_in_a_store_is_made_again(s3, tmp_path, monkeypatch, form):
    """One object is zeroed, the next one cut, emptied, or another one's."""
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.LARGEST_PART", 1)
    point(monkeypatch, s3.address)
    pair = Recipe(height=128, width=128).write(tmp_path)
    settings = replace(TILES, form=form)
    prefix = f"damaged-{form}"
    ending = "cog.tif" if form == COG else "json"
    scene = Scene("one", f"/vsis3/archive/{prefix}/one_sharp.{ending}", str(pair.pan), str(pair.ms))
    expected = run(pair, tmp_path, tile=64)[0]

    def check(damaged, complete):
        assert sharpen(scene, settings) == (complete, [] if complete else ANY)
        if form == COG:
            s3.download_file("archive", f"{prefix}/one_sharp.cog.tif", str(tmp_path / "back.tif"))
            assert np.array_equal(load_image(tmp_path / "back.tif"), expected), damaged
        else:
            gdal.VSICurlClearCache()
            assert np.array_equal(gdal.Open(f"/vsis3/archive/{prefix}/one_sharp.vrt").ReadAsArray(), expected), damaged

    check("nothing", complete=False)
    check("nothing", complete=True)
    kept = keys(s3, prefix)
    for number, key in enumerate(kept):
        content = get(s3, key)
        damaged = (bytes(len(content)), content[: len(content) // 2], b"", get(s3, kept[number - 1]))
        s3.put_object(Bucket="archive", Key=key, Body=damaged[number % len(damaged)])
        check(key, complete=False)
        check(key, complete=True)
    assert keys(s3, prefix) == kept


def test_damaged_part_in_a_store_is_not_joined(s3, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.LARGEST_PART", 1)
    point(monkeypatch, s3.address)
    pair = Recipe(height=128, width=128).write(tmp_path)
    scene = Scene("one", "/vsis3/archive/part/one_sharp.cog.tif", str(pair.pan), str(pair.ms))
    found = plan_scene(scene, TILES)
    for number in found.missing:
        make_part(scene, TILES, found.digest, number)
    for number, key in enumerate(k for k in keys(s3, "part") if k.endswith(".tif")):
        if number:
            content = get(s3, key)
            other = (bytes(len(content)), content[:-100], b"")[number - 1]
            s3.put_object(Bucket="archive", Key=key, Body=other)
    assert join_parts(scene, TILES, found.digest).missing == (1, 2, 3)
    assert not sharpen(scene)[0]
    s3.download_file("archive", "part/one_sharp.cog.tif", str(tmp_path / "back.tif"))
    assert np.array_equal(load_image(tmp_path / "back.tif"), run(pair, tmp_path, tile=64)[0])
