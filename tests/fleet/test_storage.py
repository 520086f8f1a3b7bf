"""Scenes from and to an object store, and errors where it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from unittest.mock import ANY

import fsspec
import numpy as np
import pytest
import s3fs
from helpers.fleet import TILES, point, sharpen
from helpers.fusion import run
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from otfm_pansharpen.fleet.job import COG, FLEET_OPTIONS, PARTS, FleetScene, Settings
from otfm_pansharpen.fleet.scene import join_parts, make_part, plan_scene
from otfm_pansharpen.fleet.scene_plan import fetch_weights
from otfm_pansharpen.fleet.storage import find, list_names, read_bytes, write_text
from otfm_pansharpen.model.errors import InputError, OutputError, PansharpenError

SETTINGS = Settings(options=replace(FLEET_OPTIONS, tile=64))


def keys(s3, prefix):
    return sorted(o["Key"] for o in s3.list_objects_v2(Bucket="archive", Prefix=prefix).get("Contents", []))


@pytest.mark.promise(4)
def test_a_scene_in_a_store_has_the_bytes_of_one_on_disk(s3, tmp_path, monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.MAX_PART", 128)
    point(monkeypatch, s3.address)
    pair = Recipe().write(tmp_path)
    expected, _ = run(pair, tmp_path, tile=64)
    for file in (pair.pan, pair.ms):
        s3.upload_file(str(file), "archive", f"in/{file.name}")
    one = FleetScene(
        "one", "/vsis3/archive/out/one_sharp.cog.tif", "/vsis3/archive/in/pan.tif", "/vsis3/archive/in/ms.tif"
    )
    planned = plan_scene(one, SETTINGS)
    assert planned.parts == 4
    make_part(one, SETTINGS, planned.digest, 0)
    assert plan_scene(one, SETTINGS).missing == (1, 2, 3)
    assert not [k for k in keys(s3, "out") if k.endswith("cog.tif")]
    for number in (1, 2, 3):
        make_part(one, SETTINGS, planned.digest, number)
    join_parts(one, SETTINGS, planned.digest)
    assert keys(s3, "out") == ["out/one_sharp.cog.tif", "out/one_sharp.plan.json"]
    s3.download_file("archive", "out/one_sharp.cog.tif", str(tmp_path / "back.tif"))
    assert np.array_equal(load_image(tmp_path / "back.tif"), expected)
    assert plan_scene(one, SETTINGS).complete


def test_a_large_file_appears_with_its_last_piece(s3, monkeypatch):
    """s3fs sends it in pieces."""
    point(monkeypatch, s3.address)
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize=None: 5 * 2**20)
    text, seen, true = "0123456789" * 1_200_000, [], s3fs.S3FileSystem._call_s3

    async def call(self, method, *words, **more):
        seen.append((method, keys(s3, "large")))
        return await true(self, method, *words, **more)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    write_text("/vsis3/archive/large.txt", text)
    assert [listed for method, listed in seen if method == "upload_part"] == [[], [], []]
    assert read_bytes("/vsis3/archive/large.txt", 2**24).decode() == text
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
        plan_scene(FleetScene("one", "/vsis3/archive/out/one_sharp.cog.tif", path, path), SETTINGS)


def test_store_that_refuses_is_reported_with_what_to_do(closed_store, tmp_path):
    pair = Recipe().write(tmp_path)
    with pytest.raises(InputError, match=r"one.tif cannot be looked up.*credentials do not allow it"):
        find("/vsis3/archive/one.tif")
    with pytest.raises(OutputError, match=r"one.txt cannot be written.*credentials do not allow it"):
        write_text("/vsis3/archive/one.txt", "text")
    one = FleetScene("one", str(tmp_path / "one_sharp.cog.tif"), str(pair.pan), "/vsis3/archive/ms.tif")
    with pytest.raises(PansharpenError, match=r"ms.tif cannot be looked up.*credentials do not allow it"):
        plan_scene(one, SETTINGS)
    assert not os.path.exists(one.output)


def test_store_that_is_silent_or_away_is_reported_with_the_cure(closed_store, monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    with pytest.raises(InputError, match=r"did not answer in time"):
        find("/vsis3/archive/slow.tif")
    point(monkeypatch, "127.0.0.1:9")
    with pytest.raises(InputError, match="cannot be reached: look at its address, for example AWS_S3_ENDPOINT"):
        find("/vsis3/archive/one.tif")


def get(s3, key):
    return s3.get_object(Bucket="archive", Key=key)["Body"].read()


@pytest.mark.slow
@pytest.mark.parametrize("form", [COG, PARTS])
def test_damage_in_a_store_is_made_again(s3, tmp_path, monkeypatch, form):
    """One object is zeroed, the next one cut, emptied, or another one's."""
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.MAX_PART", 1)
    point(monkeypatch, s3.address)
    pair = Recipe(height=128, width=128).write(tmp_path)
    settings = replace(TILES, form=form)
    prefix = f"damaged-{form}"
    ending = "cog.tif" if form == COG else "json"
    scene = FleetScene("one", f"/vsis3/archive/{prefix}/one_sharp.{ending}", str(pair.pan), str(pair.ms))
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
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.MAX_PART", 1)
    point(monkeypatch, s3.address)
    pair = Recipe(height=128, width=128).write(tmp_path)
    scene = FleetScene("one", "/vsis3/archive/part/one_sharp.cog.tif", str(pair.pan), str(pair.ms))
    planned = plan_scene(scene, TILES)
    for number in planned.missing:
        make_part(scene, TILES, planned.digest, number)
    for number, key in enumerate(k for k in keys(s3, "part") if k.endswith(".tif")):
        if number:
            content = get(s3, key)
            other = (bytes(len(content)), content[:-100], b"")[number - 1]
            s3.put_object(Bucket="archive", Key=key, Body=other)
    assert join_parts(scene, TILES, planned.digest).missing == (1, 2, 3)
    assert not sharpen(scene)[0]
    s3.download_file("archive", "part/one_sharp.cog.tif", str(tmp_path / "back.tif"))
    assert np.array_equal(load_image(tmp_path / "back.tif"), run(pair, tmp_path, tile=64)[0])


COPY = """
import sys
from otfm_pansharpen.fleet.scene_plan import fetch_weights
path = fetch_weights(sys.argv[1])
print(path, open(path).read())
"""


def test_local_weights_are_those_of_now_and_end_with_the_process(s3, monkeypatch):
    point(monkeypatch, s3.address)
    for content in ("old", "new"):
        s3.put_object(Bucket="archive", Key="own.safetensors", Body=content.encode())
        with open(fetch_weights("/vsis3/archive/own.safetensors"), encoding="ascii") as file:
            assert file.read() == content
    command = [sys.executable, "-c", COPY, "/vsis3/archive/own.safetensors"]
    path, content = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert content == "new"
    assert not os.path.exists(os.path.dirname(path))


def test_a_path_cannot_name_a_file_system(tmp_path):
    """fsspec has some that read other files, connect to other machines, or fill in templates."""
    started = []

    class Planted(fsspec.AbstractFileSystem):
        protocol = "planted"

        def __init__(self, *words, **more):
            started.append(words)
            super().__init__()

    fsspec.register_implementation("planted", Planted, clobber=True)
    for path in ("/vsicurl/planted://a", f"/vsicurl/planted://a::file://{tmp_path}/a.json"):
        find(path)
        with pytest.raises(InputError, match="only disks"):
            read_bytes(path, 100)
    assert not started


def test_a_folder_may_have_two_colons_in_its_name(tmp_path):
    folder = tmp_path / "a::b"
    folder.mkdir()
    (folder / "part.tif").write_text("x")
    assert list_names(str(folder)) == {"part.tif"}
