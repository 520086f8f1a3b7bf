"""Damage to every file that the fleet leaves: the same command makes it whole, and never a wrong result."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.fleet import DAMAGE, TILES, list_parts, make_scene, sharpen
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.fleet.job import COG, PARTS
from otfm_pansharpen.fleet.scene import join_parts, make_part, plan_scene, read_plan
from otfm_pansharpen.model.errors import InputError, OutputError

ENDINGS = {COG: "cog.tif", PARTS: "json"}
READ = {COG: "one_sharp.cog.tif", PARTS: "one_sharp.vrt"}  # what gives the pixels
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """Make a pair, the pixels of a single run of it, and its scene by form: with all parts made, and finished.

    States name no folders, so tests take copies.
    """
    folder = tmp_path_factory.mktemp("origin")
    pair = Recipe(height=128, width=128).write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otfm_pansharpen.fleet.scene_plan.MAX_PART", 1)
        for form, ending in ENDINGS.items():
            settings = replace(TILES, form=form)
            scene = make_scene(pair, folder / f"unjoined-{form}", ending)
            planned = plan_scene(scene, settings)
            for number in planned.missing:
                make_part(scene, settings, planned.digest, number)
            shutil.copytree(folder / f"unjoined-{form}", folder / f"finished-{form}")
            sharpen(make_scene(pair, folder / f"finished-{form}", ending), settings)
    return SimpleNamespace(folder=folder, pair=pair, pixels=run(pair, folder, tile=64)[0], digest=planned.digest)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("otfm_pansharpen.fleet.scene_plan.MAX_PART", 1)


def check_healed(scene, folder, expected, settings=TILES):
    """Check that one more run makes it whole with a notice, and another one finds it complete."""
    complete, notices = sharpen(scene, settings)
    assert not complete
    assert notices
    assert np.array_equal(load_image(folder / READ[settings.form]), expected)
    assert sharpen(scene, settings) == (True, [])


@pytest.fixture
def copied(origin, tmp_path, small_parts):
    """Copies what was prepared, and gives the scene, its settings and its folder."""

    def copy(state, form=COG):
        shutil.copytree(origin.folder / f"{state}-{form}", tmp_path / "out")
        return make_scene(origin.pair, tmp_path / "out", ENDINGS[form]), replace(TILES, form=form), tmp_path / "out"

    return copy


@pytest.fixture
def unjoined(copied, origin):
    """Return a scene whose parts are all made, its digest, and its expected pixels."""
    scene, settings, _ = copied("unjoined")
    return scene, plan_scene(scene, settings).digest, origin.pixels


@pytest.fixture(params=[COG, PARTS])
def finished(request, copied, origin):
    """Return a finished scene with its folder, its expected pixels and its settings."""
    scene, settings, folder = copied("finished", request.param)
    return scene, folder, origin.pixels, settings


@pytest.mark.promise(4)
@pytest.mark.parametrize("form", [COG, PARTS])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_part_is_made_again(copied, origin, damage, form):
    scene, settings, folder = copied("unjoined", form)
    digest = plan_scene(scene, settings).digest
    damage(list_parts(folder)[2])
    joined = join_parts(scene, settings, digest)
    assert joined.missing == (2,)
    assert not os.path.exists(scene.output)
    assert not sharpen(scene, settings)[0]
    assert np.array_equal(load_image(folder / READ[form]), origin.pixels)
    assert len(list_parts(folder)) == (4 if form == PARTS else 0)


def test_swapped_parts_are_made_again(unjoined, tmp_path):
    scene, digest, expected = unjoined
    first, second, *_ = list_parts(tmp_path / "out")
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    joined = join_parts(scene, TILES, digest)
    assert joined.missing == (0, 1)
    assert "2 of 4 parts" in joined.notices[0]
    sharpen(scene)
    assert np.array_equal(load_image(scene.output), expected)


def test_part_under_name_of_another_is_made_again(unjoined, tmp_path):
    """The name of the second part, with the checksum of the first: the content says which part it is."""
    scene, digest, expected = unjoined
    first, second, *_ = list_parts(tmp_path / "out")
    second.unlink()
    shutil.copy(first, second.with_name(second.stem[:-16] + first.stem[-16:] + ".tif"))
    assert join_parts(scene, TILES, digest).missing == (1,)
    sharpen(scene)
    assert np.array_equal(load_image(scene.output), expected)


def test_vrt_instead_of_part_is_not_opened(unjoined, tmp_path):
    """Even one whose name has its checksum, as somebody may make who knows how."""
    scene, digest, _ = unjoined
    part = list_parts(tmp_path / "out")[1]
    source = f"<SimpleSource><SourceFilename>{scene.pan}</SourceFilename></SimpleSource>"
    band = f"<VRTRasterBand dataType='UInt16' band='1'>{source}</VRTRasterBand>"
    text = f"<VRTDataset rasterXSize='64' rasterYSize='64'>{band}</VRTDataset>"
    part.unlink()
    name = part.stem[:-16] + hashlib.sha256(text.encode()).hexdigest()[:16] + ".tif"
    part.with_name(name).write_text(text)
    assert join_parts(scene, TILES, digest).missing == (1,)


@pytest.mark.parametrize("counts", ['{"band_1": 1e999}', '{"band_1": "x"}', "[1]"])
def test_part_with_impossible_counts_is_made_again(unjoined, tmp_path, counts):
    scene, digest, expected = unjoined
    part = list_parts(tmp_path / "out")[1]
    gdal.Open(str(part), gdal.GA_Update).SetMetadataItem("OTFM_CLIPPED", counts)
    part.rename(part.with_name(part.stem[:-16] + hashlib.sha256(part.read_bytes()).hexdigest()[:16] + ".tif"))
    assert join_parts(scene, TILES, digest).missing == (1,)
    sharpen(scene)
    assert np.array_equal(load_image(scene.output), expected)


@pytest.mark.promise(10)
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    ("form", "name"),
    [(COG, "plan.json"), (COG, "cog.tif"), (PARTS, "plan.json"), (PARTS, "json"), (PARTS, "vrt"), (PARTS, "part")],
)
def test_damaged_finished_file_is_made_again(copied, origin, form, name, damage):
    scene, settings, folder = copied("finished", form)
    assert sharpen(scene, settings) == (True, [])
    damage(list_parts(folder)[-1] if name == "part" else folder / f"one_sharp.{name}")
    check_healed(scene, folder, origin.pixels, settings)


@pytest.mark.parametrize("text", [DEEP, "[]", "7", '{"format": 1}', "{}", '"\\ud800"', "9" * 6000, "\x00"])
@pytest.mark.parametrize(("form", "name"), [(COG, "plan.json"), (PARTS, "json")])
def test_wrong_json_is_made_again(copied, origin, form, name, text):
    scene, settings, folder = copied("finished", form)
    (folder / f"one_sharp.{name}").write_text(text)
    check_healed(scene, folder, origin.pixels, settings)


def test_state_that_is_not_text_or_too_large_is_made_again(finished):
    scene, folder, expected, settings = finished
    (folder / "one_sharp.plan.json").write_bytes(b"\xff\xfe\x00")
    check_healed(scene, folder, expected, settings)
    with (folder / "one_sharp.plan.json").open("r+b") as file:
        file.truncate(3 * 2**30)
    check_healed(scene, folder, expected, settings)


@pytest.mark.parametrize("change", [("format", "otfm-pansharpen-fleet-1"), ("outputs", []), ("outputs", {"x": 1})])
def test_state_of_another_schema_is_made_again(finished, change):
    scene, folder, expected, settings = finished
    path = folder / "one_sharp.plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), change[0]: change[1]}))
    check_healed(scene, folder, expected, settings)


def test_changed_number_in_state_is_noticed(finished):
    scene, folder, expected, settings = finished
    path = folder / "one_sharp.plan.json"
    values = json.loads(path.read_text())
    values["plan"]["metrics"]["ergas"] = 0.001
    path.write_text(json.dumps(values))
    check_healed(scene, folder, expected, settings)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["plan"], 7),
        (["plan", "inputs"], None),
        (["plan", "metrics"], []),
        (["plan", "metrics"], {"unknown": 1.0}),
        (["plan", "metrics", "ergas"], "low"),
        (["plan", "metrics", "ergas"], 10**400),
        (["outputs", "one_sharp.cog.tif"], 7),
        (["outputs", "one_sharp.cog.tif"], "sha256 0"),
        (["outputs", "../../pan.tif"], "sha256 0"),
        (["outputs", "one_sharp.parts/../../pan.tif"], "sha256 0"),
    ],
)
def test_forged_state_is_made_again(copied, origin, keys, value):
    """Its checksum is right, as somebody may make it who knows how."""
    scene, settings, folder = copied("finished")
    path = folder / "one_sharp.plan.json"
    state = json.loads(path.read_text())
    body = {k: state[k] for k in ("plan", "outputs")}
    parent = body
    for key in keys[:-1]:
        parent = parent[key]
    parent[keys[-1]] = value
    checksum = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({"format": state["format"], "sha256": checksum, **body}))
    assert sharpen(scene, settings)[0] is False
    assert np.array_equal(load_image(folder / READ[COG]), origin.pixels)
    assert sharpen(scene, settings) == (True, [])


def test_state_of_another_scene_is_not_taken(finished, tmp_path):
    """Both have inputs of one size and time, as copies of an archive may."""
    scene, folder, expected, settings = finished
    other = replace(scene, name="two", output=scene.output.replace("one_sharp", "two_sharp"))
    sharpen(other, settings)
    shutil.copy(folder / "two_sharp.plan.json", folder / "one_sharp.plan.json")
    check_healed(scene, folder, expected, settings)


def test_older_output_is_made_again(finished):
    """An output restored from before the inputs changed, next to the state of now."""
    scene, folder, _, settings = finished
    output = folder / os.path.basename(scene.output)
    older = output.read_bytes()
    pair = Recipe(height=128, width=128, seed=5).write(folder.parent)
    scene = replace(scene, pan=str(pair.pan), ms=str(pair.ms))
    expected = run(pair, folder.parent, tile=64)[0]
    sharpen(scene, settings)
    output.write_bytes(older)
    check_healed(scene, folder, expected, settings)


def test_input_rewritten_within_a_second_is_noticed(origin, tmp_path, small_parts):
    pair = Recipe(height=128, width=128).write(tmp_path)
    scene = make_scene(pair, tmp_path / "out")
    sharpen(scene)
    second = os.stat(pair.pan).st_mtime_ns // 10**9 * 10**9
    os.utime(pair.pan, ns=(second, second))
    sharpen(scene)
    save(pair.pan, load_image(pair.pan) // 2)
    os.utime(pair.pan, ns=(second + 5, second + 5))
    assert not plan_scene(scene, TILES).complete


def test_linked_parts_folder_is_replaced_not_followed(origin, tmp_path, small_parts):
    """Files in the linked folder stay, under whatever name."""
    settings = replace(TILES, form=PARTS)
    scene = make_scene(origin.pair, tmp_path / "out", "json")
    target = tmp_path / "documents"
    target.mkdir()
    (tmp_path / "out").mkdir()
    kept = {"letter.txt", "000000_000000_0123456789abcdef_0123456789abcdef.tif"}
    for name in kept:
        (target / name).write_text("mine")
    (tmp_path / "out" / "one_sharp.parts").symlink_to(target)
    sharpen(scene, settings)
    assert {p.name for p in target.iterdir()} == kept
    assert np.array_equal(load_image(tmp_path / "out" / "one_sharp.vrt"), origin.pixels)
    assert not (tmp_path / "out" / "one_sharp.parts").is_symlink()


@pytest.mark.parametrize("form", [COG, PARTS])
def test_foreign_files_in_parts_folder_stay(origin, tmp_path, small_parts, form):
    settings = replace(TILES, form=form)
    scene = make_scene(origin.pair, tmp_path / "out", ENDINGS[form])
    parts = tmp_path / "out" / "one_sharp.parts"
    (parts / "thesis").mkdir(parents=True)
    (parts / "notes.txt").write_text("mine")
    (parts / "000000_000000_0123456789abcdef_0123456789abcdef.tif").write_text("a part of another plan")
    (parts / ".000000_000000_0123456789abcdef-x.part").mkdir()
    sharpen(scene, settings)
    count = 4 if form == PARTS else 0
    assert {p.name for p in parts.iterdir()} - {p.name for p in list_parts(tmp_path / "out")} == {"thesis", "notes.txt"}
    assert len(list_parts(tmp_path / "out")) == count
    assert np.array_equal(load_image(tmp_path / "out" / READ[form]), origin.pixels)


@pytest.mark.parametrize("name", ["one_sharp.plan.json", "one_sharp.cog.tif"])
def test_folder_with_files_in_the_way_is_named_and_kept(origin, tmp_path, small_parts, name):
    scene = make_scene(origin.pair, tmp_path / "out")
    (tmp_path / "out" / name).mkdir(parents=True)
    (tmp_path / "out" / name / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match=rf"{name} is a folder"):
        sharpen(scene)
    assert (tmp_path / "out" / name / "letter.txt").read_text() == "mine"


def test_file_instead_of_the_parts_folder_is_named(origin, tmp_path, small_parts):
    scene = make_scene(origin.pair, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one_sharp.parts").write_text("mine")
    with pytest.raises(OutputError, match=r"one_sharp.parts is a file.*Move it"):
        sharpen(scene)
    assert (tmp_path / "out" / "one_sharp.parts").read_text() == "mine"


def test_finished_output_without_its_state_is_made_again(finished):
    scene, folder, expected, settings = finished
    (folder / "one_sharp.plan.json").unlink()
    check_healed(scene, folder, expected, settings)


def test_planted_sidecar_of_a_part_changes_nothing(copied, origin):
    """GDAL would take the place of the part from it."""
    scene, settings, folder = copied("unjoined", PARTS)
    transform = "<GeoTransform>0, 1, 0, 0, 0, -1</GeoTransform>"
    for part in list_parts(folder):
        part.with_name(f"{part.name}.aux.xml").write_text(f"<PAMDataset>{transform}</PAMDataset>")
    sharpen(scene, settings)
    assert np.array_equal(load_image(folder / "one_sharp.vrt"), origin.pixels)
    assert not list(folder.glob("one_sharp.parts/*.aux.xml"))


def test_plan_damaged_during_the_run_is_reported_and_heals(unjoined, tmp_path):
    scene, digest, expected = unjoined
    (tmp_path / "out" / "one_sharp.plan.json").write_text(DEEP)
    read_plan.cache_clear()
    with pytest.raises(InputError, match=r"plan.json .*Run again"):
        make_part(scene, TILES, digest, 1)
    sharpen(scene)
    assert np.array_equal(load_image(scene.output), expected)
