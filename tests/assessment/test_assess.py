"""Assessing rasters whose faults are known, because they were planted into the truth."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fusion import run as fuse_pair
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.assessment.assess import assess
from otfm_pansharpen.model.assessment.job import AssessJob
from otfm_pansharpen.model.errors import CancelledError, InputError, OutputError
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality import indices
from otfm_pansharpen.model.quality.classical import CLASSICAL
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.scene.registration import measure_registration
from scipy.ndimage import shift, zoom

NAMES = ["blue", "green", "red", "nir"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return Recipe(bands=4, ratio=4, height=256, width=320, names=NAMES).write(tmp_path_factory.mktemp("pair"))


def plain(pair):
    return zoom(load_image(pair.ms).astype(float), (1, 4, 4), order=3, mode="nearest", grid_mode=True)


def assessed(pair, folder, *results, progress=None, **saved):
    """Assess arrays or files against the pair."""
    files = [
        result if isinstance(result, Path) else save(folder / f"result {n}.tif", np.clip(result, 1, None), **saved)
        for n, result in enumerate(results, start=1)
    ]
    fused = tuple(RasterSource(str(f)) for f in files)
    sources = (RasterSource(str(pair.pan)), RasterSource(str(pair.ms)), fused)
    return assess(AssessJob(*sources, folder / "report.html"), progress)


@pytest.mark.promise(25)
def test_reference_has_no_fault(pair, tmp_path):
    result = assessed(pair, tmp_path, pair.reference)
    truth, interpolated = result.figures[:2]
    assert result.verdicts[0].faults == ()
    assert "It can be used unchanged" in result.verdicts[0].sentences[2]
    assert truth.indices["hqnr"] > interpolated.indices["hqnr"]
    assert all(abs(b.bias) < 0.01 for b in truth.bands)
    assert max(map(abs, truth.shift)) < 0.1
    assert [b.name for b in truth.bands] == NAMES


def test_a_shift_of_nothing_has_no_minus(pair, tmp_path, monkeypatch):
    def barely_off(*arguments, **options):
        return replace(measure_registration(*arguments, **options), shift=(-0.001, -0.001))

    monkeypatch.setattr("otfm_pansharpen.model.assessment.assess.measure_registration", barely_off)
    lines: list[str] = []
    assessed(pair, tmp_path, pair.reference, progress=Progress(log=lines.append))
    assert "+0.00 rows, +0.00 columns" in lines[0]
    assert "-0.00" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def seamed(reference):
    fused = reference.copy()
    fused[:, :, 160:] += 30.0
    return fused


def coloured(reference):
    fused = reference.copy()
    fused[2] *= 1.06
    return fused


FAULTS = {
    "shifted": lambda reference, lms: np.roll(reference, (2, -1), (1, 2)),
    "oversharpened": lambda reference, lms: lms + 3.0 * (reference - lms),
    "undersharpened": lambda reference, lms: lms,
    "colours": lambda reference, lms: coloured(reference),
    "seams": lambda reference, lms: seamed(reference),
}
WORDS = {
    "shifted": r"lies \+2\.0 rows and -1\.0 columns \(PAN pixels\) off",
    "oversharpened": r"It is oversharpened: it has \d\.\d times the detail",
    "undersharpened": "It is hardly sharpened",
    "colours": r"the mean is changed in red by \+6\.\d %",
    "seams": "Straight seams run through it, at PAN column 160",
}


@pytest.mark.promise(25)
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_reported_in_plain_words(pair, tmp_path, fault):
    result = assessed(pair, tmp_path, FAULTS[fault](pair.reference, plain(pair)))
    assert result.verdicts[0].faults == (fault,)
    assert re.search(WORDS[fault], result.verdicts[0].sentences[1])
    assert re.search(WORDS[fault], (tmp_path / "report.html").read_text(encoding="utf-8"))


def moved(image, away):
    return np.stack([shift(band, away, order=5, mode="nearest") for band in image])


@pytest.fixture(scope="module")
def displaced(tmp_path_factory):
    """PAN of this pair is 0.6 rows and 0.5 columns off MS and the reference."""
    pair = Recipe(bands=4, ratio=4, height=256, width=320, names=NAMES).write(tmp_path_factory.mktemp("displaced"))
    save(pair.pan, np.rint(moved(load_image(pair.pan).astype(float), (0.6, 0.5))))
    return pair


SHIFTED_AND = {
    "colours": lambda reference, lms: coloured(reference),
    "oversharpened": lambda reference, lms: lms + 3.5 * (reference - lms),
    "seams": lambda reference, lms: seamed(reference),
}


@pytest.mark.promise(25)
@pytest.mark.parametrize("fault", SHIFTED_AND)
@pytest.mark.parametrize("away", [(0.5, 0.5), (-0.7, 0.0), (2.0, -1.0)])
def test_shift_hides_no_other_fault(pair, tmp_path, fault, away):
    spoiled = SHIFTED_AND[fault](pair.reference, plain(pair))
    assert set(assessed(pair, tmp_path, moved(spoiled, away)).verdicts[0].faults) == {"shifted", fault}


@pytest.mark.promise(25)
@pytest.mark.parametrize("away", [(0.0, 0.0), (0.6, 0.5)])
def test_detail_may_lie_where_pan_or_where_ms_has_it(displaced, tmp_path, away):
    """The reference is where MS is, and most methods place the detail where PAN is."""
    assert assessed(displaced, tmp_path, moved(displaced.reference, away)).verdicts[0].faults == ()


@pytest.mark.promise(25)
@pytest.mark.parametrize("away", [(-0.7, 0.0), (2.0, 2.0)])
def test_faults_are_found_in_a_displaced_pair(displaced, tmp_path, away):
    result = assessed(displaced, tmp_path, moved(coloured(displaced.reference), away))
    assert set(result.verdicts[0].faults) == {"shifted", "colours"}


@pytest.mark.promise(25)
def test_edge_of_an_undeclared_collar_is_not_a_seam(tmp_path):
    pair = Recipe(bands=4, ratio=4, height=256, width=320).write(tmp_path)
    rasters = {"pan": load_image(pair.pan), "ms": load_image(pair.ms), "fused": np.rint(pair.reference)}
    for name, pixels in rasters.items():
        pixels[:, : pixels.shape[1] // 4] = 0
        save(
            tmp_path / f"{name}.tif",
            pixels,
            transform=(5e5, 8.0 if name == "ms" else 2.0, 0, 4e6, 0, -8.0 if name == "ms" else -2.0),
        )
    assert "seams" not in assessed(pair, tmp_path, tmp_path / "fused.tif").verdicts[0].faults


@pytest.mark.promise(25)
def test_edge_of_a_gap_in_ms_is_not_a_seam(tmp_path):
    pair = Recipe(bands=4, ratio=4, height=256, width=320).write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, 10:50, 30:50] = 0
    save(pair.ms, ms, nodata=0, transform=(5e5, 8.0, 0, 4e6, 0, -8.0))
    assert "seams" not in assessed(pair, tmp_path, pair.reference).verdicts[0].faults


def test_the_better_of_two_has_the_better_figures(pair, tmp_path):
    noise = pair.reference + np.random.default_rng(0).normal(0.0, 120.0, pair.reference.shape)
    result = assessed(pair, tmp_path, noise, pair.reference)
    assert [f.name for f in result.figures[:2]] == ["result 1", "result 2"]
    assert result.figures[0].indices["hqnr"] < result.figures[1].indices["hqnr"]
    assert result.figures[0].angle > result.figures[1].angle


@pytest.mark.promise(25)
def test_bands_in_another_order_and_fewer_are_matched(pair, tmp_path):
    result = assessed(pair, tmp_path, pair.reference[[3, 0]])
    assert result.verdicts[0].faults == ()
    assert [b.name for b in result.figures[0].bands] == ["nir", "blue"]
    assert "1 as 4, 2 as 1" in " ".join(result.figures[0].notes)


def test_red_and_blue_that_are_swapped_are_noticed(pair, tmp_path):
    result = assessed(pair, tmp_path, pair.reference[[2, 1, 0, 3]])
    assert [b.name for b in result.figures[0].bands] == ["red", "green", "blue", "nir"]
    assert result.verdicts[0].faults == ()


@pytest.mark.promise(25)
def test_a_bad_result_keeps_the_order_of_its_bands(pair, tmp_path):
    grey = load_image(pair.pan)[0] * pair.reference.mean((1, 2))[:, None, None] / load_image(pair.pan).mean()
    result = assessed(pair, tmp_path, grey)
    assert [b.name for b in result.figures[0].bands] == NAMES
    assert "colours" in result.verdicts[0].faults


@pytest.mark.promise(25)
def test_eight_bits_are_compared_after_a_straight_line(pair, tmp_path):
    result = assessed(pair, tmp_path, np.clip(pair.reference / 3000 * 255, 0, 255), dtype="uint8")
    assert "in other numbers than MS" in " ".join(result.figures[0].notes)
    assert result.verdicts[0].faults == ("stretched",)
    assert "they were stretched to 8 bits" in result.verdicts[0].sentences[1]
    assert "only to look at" in result.verdicts[0].sentences[2]


def test_reflectance_of_a_whole_scene_is_not_a_stretch(pair, tmp_path):
    result = assessed(pair, tmp_path, save(tmp_path / "f.tif", pair.reference / 1e4 - 0.1, dtype="float32"))
    assert "in other numbers than MS" in " ".join(result.figures[0].notes)
    assert result.verdicts[0].faults == ()


@pytest.mark.parametrize("system", ["EPSG:32633", "EPSG:4326"])
def test_other_pixels_and_systems_are_resampled(pair, tmp_path, system):
    file = save(tmp_path / "true.tif", pair.reference)
    moved = tmp_path / "moved.tif"
    more = {"xRes": 1.7, "yRes": 1.7} if system == "EPSG:32633" else {}
    gdal.Warp(str(moved), str(file), dstSRS=system, resampleAlg="cubic", dstNodata=0, **more)
    result = assessed(pair, tmp_path, moved)
    assert "was resampled to PAN's pixels" in " ".join(result.figures[0].notes)
    assert result.verdicts[0].faults == ()


def test_a_part_of_the_scene_is_assessed_there(pair, tmp_path):
    part = save(
        tmp_path / "part.tif", pair.reference[:, 32:224, 64:320], transform=(5e5 + 128, 2.0, 0, 4e6 - 64, 0, -2.0)
    )
    result = assessed(pair, tmp_path, part)
    assert result.verdicts[0].faults == ()
    assert max(map(abs, result.figures[0].shift)) < 0.1


@pytest.mark.promise(25)
def test_undeclared_gap_is_left_out_and_reported(pair, tmp_path):
    fused = pair.reference.copy()
    fused[:, :, :80] = 0
    file = save(tmp_path / "f.tif", fused)
    result = assessed(pair, tmp_path, file)
    assert result.verdicts[0].faults == ()
    notes = " ".join(result.figures[0].notes)
    assert "f has 0 in every band where PAN and MS show an image, and declares no nodata" in notes
    assert "f shows 75 % of what PAN and MS share" in notes


def test_a_result_without_georeference_is_taken_for_pans_pixels(pair, tmp_path):
    file = save(tmp_path / "f.tif", pair.reference, transform=(0, 1, 0, 0, 0, 1), crs=None)
    result = assessed(pair, tmp_path, file)
    assert result.verdicts[0].faults == ()
    assert "f has no georeference. It has PAN's size, so its pixels are taken for PAN's." in result.figures[0].notes


@pytest.mark.promise(25)
def test_half_a_pixel_to_the_side_is_a_shift(pair, tmp_path):
    file = save(tmp_path / "f.tif", pair.reference, transform=(5e5 + 1, 2.0, 0, 4e6 - 1, 0, -2.0))
    assert assessed(pair, tmp_path, file).verdicts[0].faults == ("shifted",)


def other_scene(pair, folder):
    return save(folder / "f.tif", Recipe(seed=5, height=256, width=320).write(folder).reference)


def far_away(pair, folder):
    return save(folder / "f.tif", pair.reference, transform=(9e5, 2.0, 0, 4e6, 0, -2.0))


def unplaced(pair, folder):
    return save(folder / "f.tif", pair.reference[:, :200], transform=(0, 1, 0, 0, 0, 1), crs=None)


REFUSED = {
    "PAN itself": (lambda pair, folder: pair.pan, "is PAN itself. Choose the result"),
    "a negative": (lambda pair, folder: save(folder / "f.tif", 3000 - pair.reference), "does not follow MS"),
    "gaps alone": (lambda pair, folder: save(folder / "f.tif", 0 * pair.reference, nodata=0), "Choose the result of"),
    "no georeference": (unplaced, "has no georeference, and 320 x 200 pixels where PAN has 320 x 256"),
    "another scene": (other_scene, "shows another scene"),
    "MS itself": (lambda pair, folder: pair.ms, "it is not a sharpened raster"),
    "far away": (far_away, "does not overlap PAN"),
    "a corner": (lambda p, folder: save(folder / "f.tif", p.reference[:, :40, :40]), "share 40 x 40 PAN pixels"),
}


@pytest.mark.promise(2)
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_refused(pair, tmp_path, case):
    make, words = REFUSED[case]
    (tmp_path / "in").mkdir()
    file = make(pair, tmp_path / "in")
    with pytest.raises(InputError, match=words):
        assessed(pair, tmp_path, file)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


@pytest.mark.promise(13)
def test_the_report_is_not_written_over_an_input(pair, tmp_path):
    file = save(tmp_path / "f.tif", pair.reference)
    sources = (RasterSource(str(pair.pan)), RasterSource(str(pair.ms)), (RasterSource(str(file)),))
    with pytest.raises(OutputError, match="is the input"):
        assess(AssessJob(*sources, file))


@pytest.mark.promise(9)
def test_cancelled_leaves_nothing(pair, tmp_path):
    file = save(tmp_path / "f.tif", pair.reference)
    job = AssessJob(RasterSource(str(pair.pan)), RasterSource(str(pair.ms)), (RasterSource(str(file)),), tmp_path / "r")
    shares: list[float] = []
    with pytest.raises(CancelledError):
        assess(job, Progress(report=shares.append, cancelled=lambda: bool(shares)))
    assert [p.name for p in tmp_path.iterdir()] == ["f.tif"]


def test_progress_moves_evenly_from_the_start(pair, tmp_path):
    """It begins before the first result is measured, never goes back, and no part of the run is silent."""
    fuse_pair(pair, tmp_path, "ours.tif")
    shares: list[float] = []
    assessed(pair, tmp_path, tmp_path / "ours.tif", progress=Progress(report=shares.append))
    assert shares == sorted(shares)
    assert shares[0] < 0.02
    assert shares[-1] == 1.0
    assert max(later - share for share, later in zip(shares, shares[1:])) < 0.15


@pytest.mark.parametrize("when", [1, 10])
def test_cancel_works_while_the_pair_is_measured(pair, tmp_path, when):
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) >= when

    with pytest.raises(CancelledError):
        assessed(pair, tmp_path, pair.reference, progress=Progress(cancelled=cancelled))
    assert len(asked) == when
    assert not (tmp_path / "report.html").exists()


@pytest.mark.promise(25)
def test_a_map_shows_where_it_is_bad(pair, tmp_path):
    spoiled = pair.reference.copy()
    spoiled[:, 64:96, 128:160] = spoiled[:, 64:96, 128:160][:, ::-1]
    file = save(tmp_path / "f.tif", spoiled)
    sources = (RasterSource(str(pair.pan)), RasterSource(str(pair.ms)), (RasterSource(str(file)),))
    result = assess(AssessJob(*sources, tmp_path / "r.html", tmp_path))
    assert result.maps == (str(tmp_path / "f_blocks.tif"),)
    error_map = gdal.Open(result.maps[0])
    assert error_map.GetGeoTransform() == (5e5, 64.0, 0.0, 4e6, 0.0, -64.0)
    worst = int(np.nanargmin(error_map.GetRasterBand(1).ReadAsArray()))
    assert divmod(worst, 10) == (2, 4)
    assert "PAN row 64, column 128" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.promise(25)
def test_our_own_results_are_made_again_one_scale_down(pair, tmp_path, monkeypatch):
    entry = indices.Index("Bands less two", ".2f", False, True, lambda images: len(images.fused) - 2.0)
    monkeypatch.setitem(indices.INDICES, "less", entry)  # an index that somebody adds
    fuse_pair(pair, tmp_path, "ours.tif")
    lines: list[str] = []
    result = assessed(pair, tmp_path, tmp_path / "ours.tif", progress=Progress(log=lines.append, detail=lines.append))
    by_name = result.reduced
    assert by_name["OTFM (fast)"]["ergas"] < by_name["interpolation"]["ergas"]
    assert set(by_name) == {"OTFM (fast)", "interpolation", *CLASSICAL}
    assert [figures["less"] for figures in by_name.values()] == [2.0] * len(by_name)
    assert "Bands less two: lower is better" in (tmp_path / "report.html").read_text(encoding="utf-8")
    ergas = f"ours has ERGAS {by_name['OTFM (fast)']['ergas']:.3g} (0 is perfect)"
    best = min(CLASSICAL, key=lambda name: by_name[name]["ergas"])
    first = result.verdicts[0].sentences[0]
    assert first.startswith(f"One scale down, where MS is the truth, {ergas}")
    assert f"the best classical method ({best}) {by_name[best]['ergas']:.3g}. ours has HQNR" in first
    assert "a few thousandths of HQNR mean nothing" in first
    assert not [line for line in lines if "array" in line], "of the run one scale down"


def test_the_report_needs_nothing_else(pair, tmp_path):
    file = save(tmp_path / "a <b> & c.tif", pair.reference)
    assessed(pair, tmp_path, file)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "a &lt;b&gt; &amp; c" in text
    assert "<b>" not in text
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", text)
    assert text.count("data:image/png;base64,") == 7
    assert "@media print" in text
    assert "made by another tool" in text
    assert not re.search(r"[\[({]['\"]|\b(?:True|False|None)\b", re.sub("<[^>]*>", "", text)), "as Python writes it"
