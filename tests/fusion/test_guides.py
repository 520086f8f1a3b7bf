"""A PAN of several bands: each band of MS gets the combination of them that follows it best."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import job, run
from helpers.scenes import Pair, landscape, load_image, save, sense
from osgeo import gdal
from otfm_pansharpen.model.fusion.check import check_output, check_pair
from otfm_pansharpen.model.fusion.pipeline import fuse, fuse_window, plan_pair
from otfm_pansharpen.model.fusion.plan import FusionPlan
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.quality.full_resolution import interpolate_ms
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import open_pair, read_pair

SIDE = 240
FINE, COARSE = (5e5, 10.0, 0.0, 4e6, 0.0, -10.0), (5e5, 20.0, 0.0, 4e6, 0.0, -20.0)
MIX = np.array([[0.7, 0.4, 0.0, 0.0], [0.0, 0.3, 0.8, 0.1], [0.2, 0.0, 0.0, 0.9], [-0.3, 0.9, 0.5, 0.0]])


@pytest.fixture(scope="module")
def bands():
    """Four sharp guides, four sharp bands that they explain, and one that shows another place."""
    guides = np.stack([landscape(1, SIDE, SIDE, seed)[0] for seed in range(4)])
    explained = np.tensordot(MIX, guides, 1) + landscape(4, SIDE, SIDE, 8) * 0.05
    return guides, explained, landscape(1, SIDE, SIDE, 9)


@pytest.fixture
def pair(bands, tmp_path):
    guides, explained, _ = bands
    return write(tmp_path, guides, explained)


def write(folder, guides, reference, ratio=2, **options):
    folder.mkdir(exist_ok=True)
    coarse = tuple(v * ratio if n in (1, 5) else v for n, v in enumerate(FINE))
    files = folder / "guides.tif", folder / "ms.tif"
    save(files[0], guides, options.get("dtype", "uint16"), FINE, nodata=options.get("nodata"))
    save(files[1], sense(reference, ratio), "uint16", coarse)
    return Pair(*files, reference)


def interpolate(pair):
    with open_pair(RasterSource(str(pair.pan)), RasterSource(str(pair.ms))) as (pan, ms):
        placed = check_pair(pan, ms, job(pair, pair.ms)).placement
        whole = read_pair(pan, ms, placed, ms.grid.window, 4.0)
        row, column = whole.pan_corner
        return interpolate_ms(whole.cropped(Window(-column, -row, SIDE, SIDE)))


def errors(fused, reference, rim=8):
    inner = np.s_[:, rim:-rim, rim:-rim]
    return np.sqrt(((fused.astype(float) - reference)[inner] ** 2).mean((1, 2)))


def only(pair, *numbers):
    return RasterSource(str(pair.pan), bands=numbers)


@pytest.mark.parametrize("ratio", [2, 6])
def test_guides_sharpen_better_than_any_one_of_them(bands, tmp_path, ratio):
    pair = write(tmp_path, bands[0], bands[1], ratio)
    together = errors(run(pair, tmp_path)[0], pair.reference)
    for number in range(1, 5):
        alone = errors(run(pair, tmp_path, "one.tif", pan=only(pair, number))[0], pair.reference)
        assert (together < 0.8 * alone).all()


@pytest.mark.promise(4)
def test_one_guide_gives_the_bytes_of_a_one_band_pan(pair, tmp_path):
    first, _ = run(pair, tmp_path, "a.tif", pan=only(pair, 3))
    save(tmp_path / "pan.tif", load_image(pair.pan)[2:3], "uint16", FINE)
    pair.pan = tmp_path / "pan.tif"
    second, _ = run(pair, tmp_path, "b.tif")
    assert np.array_equal(first, second)


def test_a_mask_next_to_pan_is_not_a_guide(pair, tmp_path):
    """Its zeros, which mean that nothing is wrong, would be gaps where PAN declares 0 as nodata."""
    alone, _ = run(pair, tmp_path, "a.tif", pan=only(pair, 3))
    guide = load_image(pair.pan)[2:3]
    mask = np.zeros_like(guide)
    mask[0, 60:90, 100:140] = 1
    save(pair.pan, np.concatenate([guide, mask]), "uint16", FINE, nodata=0)
    lines: list[str] = []
    fuse(job(pair, tmp_path / "b.tif"), Progress(detail=lines.append))
    assert np.array_equal(load_image(tmp_path / "b.tif"), alone)
    assert "PAN has 2 bands; band 1 is used." in lines


@pytest.mark.promise(3)
def test_tiles_of_a_guided_scene_cannot_be_seen(bands, tmp_path):
    guides, explained = (np.tile(b, (1, 2, 1)) for b in bands[:2])
    pair = write(tmp_path, guides, explained)
    whole, _ = run(pair, tmp_path, tile=4096)
    tiled, _ = run(pair, tmp_path, tile=128)
    assert np.abs(tiled.astype(int) - whole.astype(int)).max() <= 1


def test_a_guided_plan_gives_the_same_bytes_elsewhere(pair, tmp_path):
    fused, _ = run(pair, tmp_path, tile=128)
    made = job(pair, tmp_path / "plan.tif", tile=128)
    with open_pair(made.pan, made.ms) as (pan, ms):
        _, _, plan, _ = plan_pair(check_output(check_pair(pan, ms, made), made), made, Progress())
    plan = FusionPlan.from_json(plan.to_json())
    for tile in plan.tiles():
        part = fused[:, tile.top : tile.bottom, tile.left : tile.right]
        assert np.array_equal(fuse_window(plan, tile), part)


def test_a_band_that_no_guide_explains_is_interpolated(bands, tmp_path):
    guides, explained, other = bands
    pair = write(tmp_path, guides, np.concatenate([explained[:2], other]))
    fused, result = run(pair, tmp_path, align="off")
    soft = np.rint(interpolate(pair))
    assert np.abs(fused[2] - soft[2])[4:-4, 4:-4].max() <= 1
    assert (errors(fused[:2], pair.reference[:2]) < 0.5 * errors(soft[:2], pair.reference[:2])).all()
    assert [(n.code, n.numbers["bands"]) for n in result.notices] == [("bands_interpolated", "3")]
    assert result.sharpened


def test_guides_of_another_place_sharpen_nothing(bands, tmp_path):
    pair = write(tmp_path, bands[0], landscape(3, SIDE, SIDE, 30))
    fused, result = run(pair, tmp_path, align="off")
    assert not result.sharpened
    assert np.abs(fused - np.rint(interpolate(pair)))[:, 4:-4, 4:-4].max() <= 1


def test_units_of_the_guides_do_not_matter(bands, pair, tmp_path):
    fused, _ = run(pair, tmp_path)
    scaled = bands[0] * np.array([1e-4, 3.0, 1e-2, 0.5])[:, None, None]
    other = write(tmp_path / "other", scaled, bands[1], dtype="float32")
    assert np.abs(run(other, tmp_path, "b.tif")[0].astype(int) - fused.astype(int)).max() <= 3


@pytest.mark.promise(5)
def test_a_gap_in_one_guide_is_a_gap(bands, tmp_path):
    guides = bands[0].copy()
    guides[2, 60:90, 100:140] = 0
    pair = write(tmp_path, guides, bands[1], nodata=0)
    fused, _ = run(pair, tmp_path)
    empty = (fused == 0).all(0)
    assert np.array_equal(empty, guides[2] == 0)
    ring = np.zeros_like(empty)
    ring[52:98, 92:148] = True
    ring &= ~empty
    wrong = np.abs(fused.astype(float) - pair.reference)[:, ring].mean(1)
    assert (wrong < 0.3 * pair.reference.std((1, 2))).all()


def test_the_shift_of_a_guided_pair_is_corrected(bands, tmp_path):
    guides, explained, _ = bands
    pair = write(tmp_path, guides, explained)
    save(pair.ms, sense(explained, 2, shift=(1.0, -2.0)), "uint16", COARSE)
    fused, result = run(pair, tmp_path)
    assert result.metrics.shift == pytest.approx((1.0, -2.0), abs=0.1)
    soft = interpolate(pair)
    assert (errors(fused, pair.reference, 12) < 0.4 * errors(soft, pair.reference, 12)).all()


def test_alpha_of_the_guides_marks_gaps(bands, pair, tmp_path):
    opaque = np.full((SIDE, SIDE), 65535)
    opaque[:, :40] = 0
    save(pair.pan, np.concatenate([bands[0], opaque[None]]), "uint16", FINE)
    file = gdal.Open(str(pair.pan), gdal.GA_Update)
    file.GetRasterBand(5).SetColorInterpretation(gdal.GCI_AlphaBand)
    del file
    lines: list[str] = []
    fuse(job(pair, tmp_path / "o.tif"), Progress(log=lines.append, detail=lines.append))
    fused = load_image(tmp_path / "o.tif")
    assert "bands 1, 2, 3, 4 of 5" in lines[0]
    assert any("alpha" in line for line in lines)
    assert (fused[:, :, :40] == 0).all()
    assert (errors(fused[:, :, 48:], pair.reference[:, :, 48:]) < 60).all()


def test_bad_bands_pass_through_a_hyperspectral_scene(bands, tmp_path):
    rng = np.random.default_rng(5)
    mixes = rng.uniform(0.0, 0.5, (24, 4))
    reference = np.tensordot(mixes, bands[0], 1)
    pair = write(tmp_path, bands[0], reference, 3)
    ms = load_image(pair.ms)
    ms[[7, 20]] = rng.integers(1, 9000, ms[:2].shape)
    save(pair.ms, ms, "uint16", (5e5, 30.0, 0.0, 4e6, 0.0, -30.0))
    gdal.Translate(str(tmp_path / "ms.img"), str(pair.ms), format="ENVI")
    marks = ", ".join("0" if n in (7, 20) else "1" for n in range(24))
    with (tmp_path / "ms.hdr").open("a") as header:
        header.write(f"bbl = {{ {marks} }}\n")
    pair.ms = tmp_path / "ms.img"
    lines: list[str] = []
    fuse(job(pair, tmp_path / "o.tif", align="off"), Progress(detail=lines.append))
    fused, soft = load_image(tmp_path / "o.tif"), interpolate(pair)
    assert np.abs(fused[[7, 20]] - np.rint(soft[[7, 20]]).clip(0))[:, 4:-4, 4:-4].max() <= 1
    good = [n for n in range(24) if n not in (7, 20)]
    assert (errors(fused[good], reference[good]) < 0.6 * errors(soft[good], reference[good])).all()
    assert any("bbl" in line and "8, 21" in line for line in lines)


def test_tuning_on_a_guided_scene_runs_and_repeats(pair, tmp_path):
    first, result = run(pair, tmp_path, "a.tif", adapt=1.0, adapt_steps=4)
    second, _ = run(pair, tmp_path, "b.tif", adapt=1.0, adapt_steps=4)
    assert np.array_equal(first, second)
    assert not [n for n in result.notices if n.code == "not_tuned"]


def test_provenance_names_the_guides(pair, tmp_path):
    run(pair, tmp_path)
    facts = gdal.Open(str(tmp_path / "fused.tif")).GetMetadata()
    assert facts["OTFM_PAN"] == "guides.tif band 1 2 3 4"
    rows = [[float(w) for w in row.split()] for row in facts["OTFM_GUIDES"].split(";")]
    assert np.allclose(rows, MIX, atol=0.12)
