"""A plan decides every byte: it goes through text, and any process makes any of its windows."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError, WeightsError
from otfm_pansharpen.model.fusion.check import check_output, check_pair
from otfm_pansharpen.model.fusion.pipeline import fuse, fuse_window, plan_pair
from otfm_pansharpen.model.fusion.plan import FusionPlan
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.windows import open_pair

ELSEWHERE = """
import sys
import numpy as np
from otfm_pansharpen.model.fusion.pipeline import fuse_window
from otfm_pansharpen.model.fusion.plan import FusionPlan
plan = FusionPlan.from_json(open(sys.argv[1]).read())
for number, window in enumerate(reversed(plan.tiles())):
    np.save(f"{sys.argv[2]}/{number}.npy", fuse_window(plan, window))
"""


def planned(fusion_job) -> FusionPlan:
    with open_pair(fusion_job.pan, fusion_job.ms) as (pan, ms):
        pair = check_output(check_pair(pan, ms, fusion_job), fusion_job)
        return plan_pair(pair, fusion_job, Progress())[2]


def in_another_zone(pair, tmp_path):
    """Return the pair with MS in the neighbouring zone of UTM."""
    other = tmp_path / "ms_32634.tif"
    gdal.Warp(str(other), str(pair.ms), dstSRS="EPSG:32634", dstNodata=0, resampleAlg="cubic")
    return replace(pair, ms=other)


@pytest.mark.promise(4)
@pytest.mark.parametrize("case", ["plain", "gaps", "another system"])
def test_every_window_of_a_plan_gives_the_bytes_of_the_whole(tmp_path, case):
    """Made in another process, from text alone, in another order, tile by tile."""
    pair = Recipe(height=256, width=320).write(tmp_path)
    if case == "gaps":
        pan = load_image(pair.pan)
        pan[:, 50:90, 60:140] = 0
        save(pair.pan, pan, nodata=0)
    if case == "another system":
        pair = in_another_zone(pair, tmp_path)
    fusion_job = job(pair, tmp_path / "whole.tif", tile=128, extent=(5e5 + 20, 4e6 - 500, 5e5 + 600, 4e6 - 12))
    fuse(fusion_job)
    whole = load_image(tmp_path / "whole.tif")
    plan = planned(fusion_job)
    assert len(plan.tiles()) > 4
    (tmp_path / "plan.json").write_text(plan.to_json())
    arguments = [str(p) for p in (tmp_path / "plan.json", tmp_path)]
    done = subprocess.run([sys.executable, "-c", ELSEWHERE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for number, window in enumerate(reversed(plan.tiles())):
        top, left = window.top - plan.window.top, window.left - plan.window.left
        expected = whole[:, top : top + window.height, left : left + window.width]
        assert np.array_equal(np.load(tmp_path / f"{number}.npy"), expected)


def test_a_plan_comes_back_from_text_as_it_was(tmp_path):
    pair = Recipe(dtype="float32", bands=3).write(tmp_path)
    plan = planned(job(pair, tmp_path / "out.tif", gain=0.2, creation_options=("COMPRESS=LZW",)))
    assert plan.form.nodata != plan.form.nodata  # NaN survives too
    back = FusionPlan.from_json(plan.to_json())
    assert replace(back, form=replace(back.form, nodata=None)) == replace(plan, form=replace(plan.form, nodata=None))
    assert back.form.nodata != back.form.nodata


@pytest.mark.parametrize(
    "spoil",
    ["not json", "another format", "a missing field", "an unknown field", "no transfer", "a wrong type", "no plan"],
)
def test_text_that_is_not_a_plan_is_refused(tmp_path, spoil):
    text = planned(job(Recipe().write(tmp_path), tmp_path / "out.tif")).to_json()
    values = json.loads(text)
    plan = values["plan"]
    if spoil == "another format":
        values["format"] = "otfm-pansharpen-plan-9"
    if spoil == "a missing field":
        del plan["statistics"]["fit"]
    if spoil == "no transfer":
        plan["statistics"]["transfer"]["rows"][3] = 2.5
    if spoil == "a wrong type":
        plan["offsets"] = ["0"]
    if spoil == "no plan":
        values["plan"] = plan["window"]
    if spoil == "an unknown field":
        plan["colour"] = "red"
    with pytest.raises(InputError, match="not a plan"):
        FusionPlan.from_json("half a pl" if spoil == "not json" else json.dumps(values))


def test_text_that_is_nested_without_end_is_refused():
    with pytest.raises(InputError, match="not a plan"):
        FusionPlan.from_json("[" * 100_000)


@pytest.mark.promise(12)
def test_plan_window_never_mixes_a_raster_and_its_successor(tmp_path):
    pair = Recipe(height=256, width=256).write(tmp_path)
    ms = load_image(pair.ms)
    plan = planned(job(pair, tmp_path / "out.tif", tile=64))

    def overwrite(share: float) -> None:
        if share > 0.5:
            save(pair.ms, ms[:, ::-1], transform=(5e5, 8, 0, 4e6, 0, -8))

    with pytest.raises(InputError, match="changed while it was read"):
        fuse_window(plan, plan.window, Progress(report=overwrite))


def test_plan_made_with_other_weights_is_refused(tmp_path):
    plan = planned(job(Recipe().write(tmp_path), tmp_path / "out.tif"))
    changed = replace(plan, engine=replace(plan.engine, weights_sha256="0" * 64))
    with pytest.raises(WeightsError, match="plan was made with 0000"):
        fuse_window(changed, plan.tiles()[0])


@pytest.mark.promise(3)
@pytest.mark.parametrize("ratio", [1.5, 3.0, 3.5])
def test_edge_of_a_gap_does_not_depend_on_the_cut_into_windows(tmp_path, ratio):
    """PAN centres that fall on the edges of MS pixels: which side they belong to is decided once, for the scene."""
    side = int(84 * ratio)
    pair = Recipe(bands=2, ratio=ratio, height=side, width=side).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, np.random.default_rng(1).random(ms.shape[1:]) < 0.2] = 0
    pixel, start = 2.0 * ratio, (1.0 if ratio == 3.0 else 0.0)  # half a PAN pixel for the odd ratio
    save(pair.ms, ms, transform=(5e5 + start, pixel, 0, 4e6 - start, 0, -pixel), nodata=0)
    gaps = {}
    for name, changes in (
        ("whole", {"tile": 1024}),
        ("tiles", {"tile": 64}),
        ("part", {"tile": 64, "extent": (5e5 + 50, 4e6 - 300, 5e5 + 250, 4e6 - 60)}),
    ):
        fuse(job(pair, tmp_path / f"{name}.tif", align=False, **changes))
        gaps[name] = load_image(tmp_path / f"{name}.tif") == 0
    assert np.array_equal(gaps["tiles"], gaps["whole"])
    origin = [gdal.Open(str(tmp_path / f"{n}.tif")).GetGeoTransform() for n in ("whole", "part")]
    left, top = round((origin[1][0] - origin[0][0]) / 2), round((origin[0][3] - origin[1][3]) / 2)
    height, width = gaps["part"].shape[1:]
    assert np.array_equal(gaps["part"], gaps["whole"][:, top : top + height, left : left + width])
    assert 0.05 < gaps["whole"].mean() < 0.5
