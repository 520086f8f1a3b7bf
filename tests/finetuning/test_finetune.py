"""Fine-tuning: better on the scene, measured on blocks it never saw, nothing lost and nothing wrong left behind."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch
from helpers.finetuning import NETWORK, QUICK, SENSOR, finetune, job, run, source, spoil, start
from helpers.fusion import job as fusion_job
from helpers.scenes import Pair, load_image
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, InputError
from otfm_pansharpen.model.finetuning import finetune as finetuning
from otfm_pansharpen.model.finetuning.evaluation import HoldoutEvaluator
from otfm_pansharpen.model.finetuning.holdout import GUARD, TuningScene, _spread_windows, read_scene
from otfm_pansharpen.model.finetuning.job import FinetuneJob, Recipe
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.network.flow_network import FlowNetwork
from otfm_pansharpen.model.network.weights import hash_path, load_weights, save_weights
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import open_pair


@pytest.fixture
def pair(tmp_path):
    return SENSOR.write(tmp_path)


def describe(path: Path, names: tuple[str, ...]) -> None:
    """Name the bands of a raster."""
    dataset = gdal.Open(str(path), gdal.GA_Update)
    for number, name in enumerate(names, start=1):
        dataset.GetRasterBand(number).SetDescription(name)


def read(pair: Pair, seed: list[int]) -> TuningScene:
    """Read a pair as fine-tuning does."""
    with open_pair(RasterSource(str(pair.pan)), RasterSource(str(pair.ms))) as (pan, ms):
        return read_scene(pan, ms, None, np.random.default_rng(seed), lambda: None)


@pytest.mark.slow
def test_it_gets_better_where_it_was_not_trained(pair, tmp_path):
    result = run(pair, tmp_path / "own.safetensors", steps=150)
    assert result.improved
    assert result.after["ergas"] < 0.9 * result.before["ergas"]
    assert result.after["hqnr"] > result.before["hqnr"] - 0.002
    assert result.steps == 150


@pytest.mark.slow
def test_knowing_which_band_is_which_makes_it_better(pair, tmp_path):
    """Most of its examples have the bands in the order in which fusion will hand them over."""
    errors = {}
    for share in (0.0, 0.7):
        output = tmp_path / f"{share}.safetensors"
        errors[share] = run(pair, output, steps=150, recipe=replace(QUICK, ordered=share)).after["ergas"]
        assert sorted(load_weights(output).network.config.order) == [0, 1, 2]
    assert errors[0.7] < 0.97 * errors[0.0]


def test_tuning_on_keeps_the_order_that_the_weights_know(pair, tmp_path):
    usual = load_weights(run(pair, tmp_path / "own.safetensors", steps=40).output).network.config.order
    order = (*usual[1:], usual[0])
    torch.manual_seed(0)
    save_weights(FlowNetwork(replace(NETWORK, order=order)), tmp_path / "known.safetensors", {})
    result = run(pair, tmp_path / "on.safetensors", steps=40, start=tmp_path / "known.safetensors")
    assert result.improved
    assert load_weights(result.output).network.config.order == order


@pytest.mark.promise(20)
def test_pansharpen_uses_the_result(pair, tmp_path):
    result = run(pair, tmp_path / "own.safetensors", steps=150)
    errors = {}
    for name, weights in (("before", start(tmp_path)), ("after", result.output)):
        fused = fuse(fusion_job(pair, tmp_path / f"{name}.tif", weights=weights))
        errors[name] = np.abs(load_image(fused.output) - pair.reference).mean()
        assert fused.weights_sha256 == (load_weights(weights)).sha256
    assert errors["after"] < errors["before"]


def test_a_part_of_the_way_is_taken_where_it_is_better(pair, tmp_path, monkeypatch):
    """The rate is so high that the last weights are beyond the best ones."""
    hasty = {"start": BUNDLED["fast"], "steps": 20, "recipe": replace(QUICK, rate=1.2e-2)}
    part = run(pair, tmp_path / "part.safetensors", **hasty)
    monkeypatch.setattr(finetuning, "WAY_BACK", ())
    whole = run(pair, tmp_path / "whole.safetensors", **hasty)
    assert part.after["ergas"] < 0.97 * whole.after["ergas"]
    assert whole.after["ergas"] < 0.97 * whole.before["ergas"]


def tensors(path: Path) -> torch.Tensor:
    """Read all weights of a file, concatenated."""
    return torch.cat([v.flatten() for v in load_weights(path).network.state_dict().values()])


def test_the_same_seed_and_steps_give_the_same_weights(pair, tmp_path):
    files = [tmp_path / name / "own.safetensors" for name in ("one", "two", "three")]
    for file, seed in zip(files, (5, 5, 6), strict=True):
        file.parent.mkdir()
        run(pair, file, seed=seed)
    assert torch.equal(tensors(files[0]), tensors(files[1]))
    assert not torch.equal(tensors(files[0]), tensors(files[2]))


def test_chance_elsewhere_is_left_alone(pair, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(pair, tmp_path / "own.safetensors", start=BUNDLED["fast"], steps=1)
    assert torch.equal(torch.rand(4), expected)


def test_training_never_sees_held_out_pixels(pair, tmp_path):
    """Other pixels in the held-out blocks: other figures, but bit for bit the same training."""
    before = run(pair, tmp_path / "own.safetensors")
    blocks = read(pair, [1, 0, 9]).windows[0].blocks
    rng = np.random.default_rng(4)

    def change(pan, ms):
        for b in blocks:
            fine = np.s_[:, 2 * b.top : 2 * b.bottom, 2 * b.left : 2 * b.right]
            pan[fine] = rng.integers(300, 3000, pan[fine].shape)
            ms[:, b.top : b.bottom, b.left : b.right] = rng.integers(300, 3000, (len(ms), b.height, b.width))
        return pan, ms

    spoil(pair, change)
    after = run(pair, tmp_path / "other.safetensors")
    assert [k.loss for k in after.evaluations[1:]] == [k.loss for k in before.evaluations[1:]]
    assert after.before["ergas"] > 2 * before.before["ergas"]


def test_blocks_and_their_guard_are_closed_to_training(pair):
    (piece,) = read(pair, [0]).windows
    assert piece.blocks
    for block in piece.blocks:
        ring = block.grown(GUARD)
        assert not piece.open.ms_valid[ring.top : ring.bottom, ring.left : ring.right].any()
    share = piece.open.ms_valid.mean()
    assert 0.6 < share < 0.95


@pytest.mark.parametrize(("width", "height"), [(96, 96), (150, 150), (399, 399), (187, 279), (40_000, 25_000)])
@pytest.mark.parametrize("ratio", [2.0, 4.0, 16.0])
def test_windows_are_few_and_inside(width, height, ratio):
    """Memory is bounded whatever the size of the scene and its ratio."""
    shared = Window(7, 5, width, height)
    windows = _spread_windows(shared, ratio)
    assert all(w.clipped(shared) == w for w in windows)
    assert sum(w.width * w.height for w in windows) <= 9 * 384**2
    assert sum(w.width * w.height * ratio**2 for w in windows) <= 9 * 3072**2
    if width <= 384 and ratio == 2:
        assert sum(w.width * w.height for w in windows) > 0.95 * width * height


def stopping(share: float) -> Progress:
    """Make a progress that cancels at a share."""
    seen = [0.0]
    return Progress(report=seen.append, cancelled=lambda: seen[-1] >= share)


def test_cancel_keeps_the_best_so_far(pair, tmp_path):
    result = run(pair, tmp_path / "own.safetensors", stopping(0.5), steps=60)
    assert 10 < result.steps < 50
    assert result.after["ergas"] < result.before["ergas"]
    assert load_weights(tmp_path / "own.safetensors").sha256 == result.weights_sha256


@pytest.mark.promise(27)
def test_cancel_that_keeps_the_weights_has_its_report(pair, tmp_path):
    result = run(pair, tmp_path / "own.safetensors", stopping(0.5), steps=60, report=tmp_path / "r.html")
    assert result.improved
    assert result.weights_sha256 in (tmp_path / "r.html").read_text()


@pytest.mark.promise(27)
def test_report_that_fails_leaves_the_weights_and_a_warning(pair, tmp_path, monkeypatch):
    """The weights are in place after any error of the report."""

    def broken(*arguments):
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(finetuning, "write_report", broken)
    lines: list[str] = []
    result = run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), report=tmp_path / "r.html")
    assert load_weights(tmp_path / "own.safetensors").sha256 == result.weights_sha256
    assert any("r.html cannot be written (float division by zero); the weights are" in line for line in lines)


@pytest.mark.parametrize(("share", "keep"), [(0.5, False), (0.01, True)])
def test_cancel_leaves_nothing_where_asked_or_nothing_was_found(pair, tmp_path, share, keep):
    tuning = job(pair, tmp_path / "own.safetensors", steps=60, keep=keep)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CancelledError):
        finetune(tuning, stopping(share))
    assert sorted(tmp_path.iterdir()) == before


def test_where_nothing_helps_the_start_weights_come_back(pair, tmp_path):
    lines: list[str] = []
    result = run(
        pair, tmp_path / "own.safetensors", Progress(log=lines.append), recipe=replace(QUICK, rate=0.0, floor=0.0)
    )
    assert not result.improved
    assert result.after == result.before
    assert any("start weights" in line for line in lines)
    assert torch.equal(tensors(tmp_path / "own.safetensors"), tensors(tmp_path / "start.safetensors"))


def test_weights_with_which_full_resolution_suffers_are_not_kept(pair, tmp_path, monkeypatch):
    """Every network loses much at full resolution here, which no gain at reduced resolution outweighs."""
    real = HoldoutEvaluator.indices

    def spoilt(self, network):
        figures = real(self, network)
        return figures if figures["ergas"] == before.before["ergas"] else {**figures, "hqnr": figures["hqnr"] - 0.1}

    before = run(pair, tmp_path / "own.safetensors", steps=1)
    monkeypatch.setattr(HoldoutEvaluator, "indices", spoilt)
    lines: list[str] = []
    result = run(pair, tmp_path / "own.safetensors", Progress(log=lines.append))
    assert not result.improved
    assert min(look.ergas for look in result.evaluations) < result.before["ergas"]
    scores = [float(line.split("score ")[1].split(";")[0].rstrip(".")) for line in lines if ": score " in line]
    assert scores
    assert min(scores) > 1.0
    assert not any("best so far" in line for line in lines)


def test_progress_is_even_and_the_log_has_loss_figures_and_time(pair, tmp_path):
    shares: list[float] = []
    lines: list[str] = []
    run(pair, tmp_path / "own.safetensors", Progress(report=shares.append, log=lines.append), steps=40)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert max(np.diff(shares)) < 0.07
    log = "\n".join(lines)
    for words in ("MTF gain 0.", "blocks held out", ": score 0.", "Held-out blocks before: ERGAS", " s left"):
        assert words in log


@pytest.mark.slow
def test_the_clock_ends_it(pair, tmp_path):
    result = run(pair, tmp_path / "own.safetensors", steps=None, minutes=0.15)
    assert result.steps > 1
    assert load_weights(result.output)


def test_the_header_says_what_it_learnt_from(pair, tmp_path):
    run(pair, tmp_path / "own.safetensors")
    header = load_weights(tmp_path / "own.safetensors").header
    notes = json.loads(header["finetuned"])
    (scene,) = notes["scenes"]
    assert (scene["pan"], scene["ms"], scene["bands"], scene["ratio"]) == ("pan.tif", "ms.tif", 3, 2.0)
    assert scene["gain"] == pytest.approx(0.2, abs=0.03)
    assert notes["recipe"]["batch"] == QUICK.batch
    assert json.loads(header["started_from"])["sha256"] == load_weights(tmp_path / "start.safetensors").sha256
    assert header["licence"] == "of the start"
    assert str(tmp_path) not in json.dumps(dict(header))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({}, None), ({"bands": 4}, "3 bands"), ({"ratio": 4}, "ratio 2"), ({"gain": 0.5}, "MTF gain 0.2")],
)
def test_pansharpen_warns_of_scenes_unlike_those_of_the_tuning(pair, tmp_path, changes, words):
    run(pair, tmp_path / "own.safetensors", steps=1)
    other = tmp_path / "other"
    other.mkdir()
    scene = replace(SENSOR, **changes).write(other)
    result = fuse(fusion_job(scene, other / "f.tif", weights=tmp_path / "own.safetensors"))
    warnings = [n.sentence for n in result.notices if n.code == "weights_of_another_scene"]
    assert not warnings if words is None else words in warnings[0]


@pytest.mark.parametrize(("names", "warned"), [(("red", "green", "nir"), False), (("nir", "green", "red"), True)])
def test_pansharpen_warns_of_bands_in_another_order(pair, tmp_path, names, warned):
    describe(pair.ms, ("red", "green", "nir"))
    run(pair, tmp_path / "own.safetensors", steps=1)
    describe(pair.ms, names)
    result = fuse(fusion_job(pair, tmp_path / "f.tif", weights=tmp_path / "own.safetensors"))
    warnings = [n.sentence for n in result.notices if n.code == "bands_in_another_order"]
    assert [("red, green, nir" in s, "-b 3 -b 2 -b 1" in s) for s in warnings] == [(True, True)] * warned


def test_several_pairs_of_one_sensor(pair, tmp_path):
    (tmp_path / "b").mkdir()
    second = replace(SENSOR, seed=8).write(tmp_path / "b")
    result = run(pair, tmp_path / "own.safetensors", pairs=(source(pair), source(second)))
    notes = json.loads(load_weights(result.output).header["finetuned"])
    assert len(notes["scenes"]) == 2
    third = replace(SENSOR, bands=5).write(tmp_path / "b")
    with pytest.raises(InputError, match=r"5 bands at ratio 2.*3 at 2"):
        run(pair, tmp_path / "own.safetensors", pairs=(source(pair), source(third)))


@pytest.mark.parametrize(("names", "refused"), [(("red", "green", "nir"), False), (("nir", "green", "red"), True)])
def test_pairs_whose_bands_come_in_another_order_are_refused(pair, tmp_path, names, refused):
    """Tuning learns which band is which from the first pair."""
    (tmp_path / "b").mkdir()
    second = replace(SENSOR, seed=8).write(tmp_path / "b")
    describe(pair.ms, ("red", "green", "nir"))
    describe(second.ms, names)
    expected = pytest.raises(InputError, match=r"nir, green, red.*-b 3 -b 2 -b 1") if refused else nullcontext()
    with expected:
        run(pair, tmp_path / "own.safetensors", steps=1, pairs=(source(pair), source(second)))


def test_an_extent_limits_what_is_learnt_from(pair, tmp_path):
    """Gaps outside the extent do no harm; an extent that is too small is refused with the numbers."""

    def change(pan, ms):
        ms[:, :, :40] = 0
        return pan, ms

    spoil(pair, change)
    inside = (5e5 + 160, 4e6 - 640, 5e5 + 640, 4e6)
    lines: list[str] = []
    run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), pairs=(source(pair, extent=inside),))
    with pytest.raises(InputError, match="101 x 81 MS pixels"):
        run(pair, tmp_path / "o.safetensors", pairs=(source(pair, extent=(5e5, 4e6 - 320, 5e5 + 400, 4e6)),))


@pytest.mark.slow
def test_gaps_are_not_learnt_from(pair, tmp_path):
    def change(pan, ms):
        ms[:, 60:75, 60:75] = 0
        pan[:, :20] = 0
        return pan, ms

    spoil(pair, change)
    result = run(pair, tmp_path / "own.safetensors", steps=150)
    assert result.after["ergas"] < 0.95 * result.before["ergas"]


def test_the_report_is_one_page_with_its_pictures(pair, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # which QGIS may lack
    report = tmp_path / "report <1> & more.html"
    result = run(pair, tmp_path / "own.safetensors", report=report)
    text = report.read_text()
    page = ET.fromstring(text.split("\n", 1)[1])
    pictures = [i.attrib["src"] for i in page.iter("img")]
    assert [c.text for c in page.iter("figcaption")][2:] == ["MS", "PAN", "before", "after", "difference"]
    assert len(pictures) == 5
    assert len(list(page.iter("svg"))) == 2
    for picture in pictures:
        prefix, data = picture.split(",", 1)
        assert prefix == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    words = " ".join(page.itertext())
    for value in (
        f"{result.before['ergas']:.4f}",
        f"{result.after['hqnr']:.4f}",
        result.weights_sha256,
        "ms.tif",
        "seed",
    ):
        assert value in words
    assert not re.search(r"[\[({]['\"]|\b(?:True|False|None)\b", words), "as Python writes it, not people"
    assert "http" not in text
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_new_weights_never_meet_an_old_hash(pair, tmp_path, monkeypatch):
    """Interrupted between the hash and the weights: the old files are back."""
    output = tmp_path / "own.safetensors"
    before = run(pair, output).weights_sha256
    real, interrupts = os.replace, iter([KeyboardInterrupt])

    def killed(source, target):
        if target == hash_path(output):
            for interrupt in interrupts:
                raise interrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        run(pair, output, seed=3, start=BUNDLED["fast"], steps=1, recipe=Recipe(batch=1, pool=1))
    assert load_weights(output).sha256 == before


def test_a_job_has_the_documented_defaults():
    tuning = FinetuneJob((), Path("o.safetensors"))
    assert (tuning.minutes, tuning.steps, tuning.keep, tuning.start) == (3.0, None, True, BUNDLED["fast"])


def test_the_lowest_printed_score_is_the_one_written(pair, tmp_path):
    lines: list[str] = []
    report = tmp_path / "report.html"
    result = run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), steps=20, report=report)
    printed = [line for line in lines if ": score " in line]
    scores = [line.split("score ")[1].split(";")[0].split(",")[0].rstrip(".") for line in printed]
    assert [f"{e.score:.4f}" for e in result.evaluations[1:]] == scores
    assert result.chosen == min(range(len(scores) + 1), key=lambda n: result.evaluations[n].score)
    text = report.read_text(encoding="utf-8")
    assert "chosen: " in text
    assert "<circle" in text
    assert "recipe" not in text


def test_the_log_says_whether_the_minutes_sufficed(pair, tmp_path):
    lines: list[str] = []
    recipe = replace(QUICK, ema=0.9999)  # the mean of 10,000 steps
    run(pair, tmp_path / "own.safetensors", Progress(log=lines.append), steps=None, minutes=0.05, recipe=recipe)
    assert any("10000 or more are usual" in line for line in lines)
