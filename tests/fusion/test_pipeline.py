"""The pipeline on files: what comes out, on which grid, of which type, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.fusion import job, run, temporaries
from helpers.scenes import Recipe, load_image, save, sense
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, InputError
from otfm_pansharpen.model.fusion import measure
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.fusion.measure import MEASURING_SHARE
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.geometry.grids import Window
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource
from scipy.ndimage import binary_dilation, zoom


def error(image, truth, border=8):
    inner = (slice(None), slice(border, -border), slice(border, -border))
    return float(np.sqrt(np.mean((image.astype(float)[inner] - truth[inner]) ** 2)))


def interpolated(pair, shape):
    ms = load_image(pair.ms).astype(float)
    factors = (shape[1] / ms.shape[1], shape[2] / ms.shape[2])
    return np.stack([zoom(band, factors, order=3, grid_mode=True, mode="nearest") for band in ms])


@pytest.mark.parametrize(
    ("bands", "ratio"), [(1, 4), (3, 2), (3, 4), (4, 2), (4, 2.5), (4, 3), (4, 4), (6, 2), (6, 4), (8, 4), (8, 2.5)]
)
def test_sharper_than_interpolation_for_any_band_count_and_ratio(tmp_path, bands, ratio):
    pair = Recipe(bands=bands, ratio=ratio, height=200, width=240).write(tmp_path)
    image, result = run(pair, tmp_path)
    assert image.shape == (bands, 200 if ratio != 3 else 198, 240)
    assert image.dtype == np.uint16
    assert result.ratio == pytest.approx(ratio)
    truth = pair.sharp[:, : image.shape[1]]
    assert error(image, truth) < 0.75 * error(interpolated(pair, image.shape), truth)


@pytest.mark.promise(3)
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_tiles_cannot_be_seen(tmp_path, kind):
    pair = Recipe(height=416, width=352, kind=kind, scale=1 if kind == "uint16" else 1e-4).write(tmp_path)
    whole, _ = run(pair, tmp_path, tile=4096)
    limit = 1 if kind == "uint16" else 1e-4 * (whole.max() - whole.min())
    for tile in (128, 256, 300):
        tiled, _ = run(pair, tmp_path, tile=tile)
        assert np.abs(tiled.astype(float) - whole.astype(float)).max() <= limit


@pytest.mark.promise(1)
def test_an_extent_gives_the_same_pixels(tmp_path):
    pair = Recipe(height=240, width=320).write(tmp_path)
    whole, _ = run(pair, tmp_path)
    part, _ = run(pair, tmp_path, "part.tif", extent=(5e5 + 2 * 37, 4e6 - 2 * 150, 5e5 + 2 * 219, 4e6 - 2 * 45))
    grid = gdal.Open(str(tmp_path / "part.tif")).GetGeoTransform()
    assert grid == (5e5 + 74, 2, 0, 4e6 - 90, 0, -2)
    assert part.shape == (4, 105, 182)
    assert np.abs(part.astype(int) - whole[:, 45:150, 37:219].astype(int)).max() <= 1


@pytest.mark.promise(4)
def test_same_input_same_bytes(tmp_path):
    pair = Recipe().write(tmp_path)
    run(pair, tmp_path, "a.tif")
    run(pair, tmp_path, "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_the_order_of_the_bands_changes_nothing(tmp_path):
    pair = Recipe(bands=6).write(tmp_path)
    plain, _ = run(pair, tmp_path)
    order = (4, 1, 6, 3, 2, 5)
    mixed = fuse(replace(job(pair, tmp_path / "m.tif"), ms=RasterSource(str(pair.ms), bands=order)))
    assert np.abs(load_image(mixed.output).astype(int) - plain[[b - 1 for b in order]].astype(int)).max() <= 1


def test_shift_is_corrected(tmp_path):
    pair = Recipe(height=320, width=320, shift=(1.6, -1.2)).write(tmp_path)
    with_it, result = run(pair, tmp_path)
    without, _ = run(pair, tmp_path, align=False)
    assert result.shift == pytest.approx((1.6, -1.2), abs=0.1)
    straight = Recipe(height=320, width=320).write(tmp_path)
    ideal, _ = run(straight, tmp_path)
    assert error(with_it, pair.sharp) < 1.15 * error(ideal, straight.sharp) < 0.8 * error(without, pair.sharp)


def test_negative_values_that_the_sample_misses_stay(tmp_path):
    """Reflectances a little below zero, in a corner between the windows from which statistics are measured."""
    sharp = np.tile(Recipe(bands=1, height=256, width=256).write(tmp_path).sharp, (1, 8, 8)) / 1e4
    sharp[:, 360:420, 360:420] -= sharp[:, 360:420, 360:420].max() + 0.02
    ms = sharp.reshape(1, 1024, 2, 1024, 2).mean((2, 4))
    save(tmp_path / "pan.tif", sharp, "float32", (5e5, 2, 0, 4e6, 0, -2))
    save(tmp_path / "ms.tif", ms, "float32", (5e5, 4, 0, 4e6, 0, -4))
    fuse(
        FusionJob(RasterSource(str(tmp_path / "pan.tif")), RasterSource(str(tmp_path / "ms.tif")), tmp_path / "o.tif",
                  extent=(5e5, 4e6 - 1024, 5e5 + 1024, 4e6), precision="fp32", device="cpu")
    )  # fmt: skip
    assert load_image(tmp_path / "o.tif")[0, 370:410, 370:410].max() < -0.01


@pytest.mark.promise(9)
def test_cancel_is_heard_while_ms_is_looked_through(tmp_path, monkeypatch):
    pair = Recipe(ratio=2.0, height=512, width=512, kind="int16").write(tmp_path)
    read: list[Window] = []
    real = Raster.read

    def noted(self, window):
        read.append(window)
        return real(self, window)

    monkeypatch.setattr(Raster, "read", noted)
    monkeypatch.setattr(measure, "SCAN_SIDE", 16)
    pieces = Window(0, 0, 256, 256).split(16)
    with pytest.raises(CancelledError):
        fuse(job(pair, tmp_path / "o.tif"), Progress(cancelled=lambda: len(set(read) & set(pieces)) == 5))
    assert read[-1] == pieces[4]
    assert temporaries(tmp_path) == []


def test_progress_moves_while_ms_is_looked_through(tmp_path, monkeypatch):
    pair = Recipe(ratio=2.0, height=512, width=512, kind="int16").write(tmp_path)
    monkeypatch.setattr(measure, "SCAN_SIDE", 64)
    shares: list[float] = []
    fuse(job(pair, tmp_path / "o.tif"), Progress(report=shares.append))
    assert shares == sorted(shares)
    assert sum(share <= MEASURING_SHARE for share in shares) >= len(Window(0, 0, 256, 256).split(64))


def test_a_pan_that_is_all_noise_does_not_blow_up_the_colours(tmp_path):
    pair = Recipe(ratio=8.0, height=240, width=240).write(tmp_path)
    noise = 1000.0 + 30.0 * np.random.default_rng(0).standard_normal((1, 240, 240))
    save(pair.pan, noise, transform=(5e5, 2, 0, 4e6, 0, -2))
    said: list[str] = []
    fuse(job(pair, tmp_path / "out.tif"), Progress(log=said.append))
    image = load_image(tmp_path / "out.tif")
    spread = pair.sharp.std((1, 2))
    assert (np.abs(image.mean((1, 2)) - pair.sharp.mean((1, 2))) < 0.05 * spread).all()
    assert (image.std((1, 2)) < 1.05 * spread).all()
    assert any("hardly follows" in line for line in said)


def test_ms_on_a_larger_area_and_off_the_grid(tmp_path):
    """The output has PAN's pixels where MS exists, also when MS starts elsewhere and does not nest."""
    pair = Recipe(height=240, width=240).write(tmp_path)
    ms = load_image(pair.ms)[:, 5:, 3:]
    save(pair.ms, ms, transform=(5e5 + 8 * 3, 8, 0, 4e6 - 8 * 5, 0, -8))
    image, _ = run(pair, tmp_path)
    assert gdal.Open(str(tmp_path / "fused.tif")).GetGeoTransform() == (5e5 + 24, 2, 0, 4e6 - 40, 0, -2)
    assert image.shape == (4, 220, 228)
    assert error(image, pair.sharp[:, 20:, 12:]) < 0.75 * error(interpolated(pair, pair.sharp.shape), pair.sharp)


def test_another_reference_system_is_reprojected(tmp_path):
    pair = Recipe(height=240, width=240).write(tmp_path)
    straight, _ = run(pair, tmp_path)
    gdal.Warp(str(tmp_path / "other.tif"), str(pair.ms), dstSRS="EPSG:32632", resampleAlg="cubic", dstNodata=0)
    said: list[str] = []
    moved = replace(job(pair, tmp_path / "moved.tif"), ms=RasterSource(str(tmp_path / "other.tif")))
    fuse(moved, Progress(log=said.append))
    assert any("reprojected" in line for line in said)
    assert not any("0 in every band" in line for line in said)
    result = gdal.Open(str(tmp_path / "moved.tif"))
    left = round((result.GetGeoTransform()[0] - 5e5) / 2)
    top = round((4e6 - result.GetGeoTransform()[3]) / 2)
    image = result.ReadAsArray()
    there = straight[:, top : top + image.shape[1], left : left + image.shape[2]]
    inner = (slice(None), slice(60, -60), slice(60, -60))
    difference = np.abs(image[inner].astype(float) - there[inner])
    assert np.median(difference) < 0.05 * straight.std()


def test_several_nodata_values_of_a_layer_are_refused_where_ms_is_reprojected(tmp_path):
    pair = Recipe().write(tmp_path)
    gdal.Warp(str(tmp_path / "other.tif"), str(pair.ms), dstSRS="EPSG:32632")
    for declared in ({"nodata": (1.0, 2.0)}, {"band_nodata": ((2, 1.0, 5.0),)}):
        ms = RasterSource(str(tmp_path / "other.tif"), **declared)
        with pytest.raises(InputError, match="cannot be kept apart while it is reprojected"):
            fuse(replace(job(pair, tmp_path / "o.tif"), ms=ms))


@pytest.mark.promise(5)
@pytest.mark.parametrize("value", [0.0, -9999.0, 65535.0, float("nan")])
def test_nodata_in_is_nodata_out_and_nothing_else(tmp_path, value):
    kind = "float32" if value < 0 or np.isnan(value) else "uint16"
    pair = Recipe(height=200, width=240, kind=kind).write(tmp_path)
    clean, _ = run(pair, tmp_path)
    pan, ms = load_image(pair.pan), load_image(pair.ms)
    pan[:, 100:, 200:] = value
    ms[:, :20, :10] = value
    ms[2, 30, 30] = value  # a gap of that band alone
    pixel = (5e5, 2, 0, 4e6, 0, -2), (5e5, 8, 0, 4e6, 0, -8)
    save(pair.pan, pan, kind, pixel[0], nodata=value)
    save(pair.ms, ms, kind, pixel[1], nodata=value)
    image, _ = run(pair, tmp_path)
    fused = gdal.Open(str(tmp_path / "fused.tif"))  # GDAL's bands do not keep their dataset alive
    declared = fused.GetRasterBand(1).GetNoDataValue()
    assert declared == value or (np.isnan(value) and np.isnan(declared))
    gaps = np.isnan(image) if np.isnan(value) else image == value
    expected = np.zeros((4, 200, 240), dtype=bool)
    expected[:, 100:, 200:] = expected[:, :80, :40] = expected[2, 120:124, 120:124] = True
    assert np.array_equal(gaps, expected)
    beside = binary_dilation(expected[2], iterations=6) & ~expected[2]
    fringe, usual = (np.abs(i[:, beside].astype(float) - pair.sharp[:, beside]).mean() for i in (image, clean))
    assert fringe < 1.35 * usual


@pytest.mark.promise(5)
def test_a_mask_band_marks_gaps_too(tmp_path):
    pair = Recipe().write(tmp_path)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.full((48, 60), 255, dtype=np.uint8)
    mask[:10] = 0
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(mask)
    dataset = None
    image, _ = run(pair, tmp_path)
    assert (image[:, :40] == 0).all()
    assert (image[:, 40:] != 0).all()


@pytest.mark.promise(5)
def test_a_users_nodata_counts(tmp_path):
    pair = Recipe().write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :12, :12] = 7
    save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8))
    fuse(replace(job(pair, tmp_path / "n.tif"), ms=RasterSource(str(pair.ms), nodata=(7.0,))))
    image = load_image(tmp_path / "n.tif")
    assert (image[:, :48, :48] == 7).all()
    assert (image[:, 48:, 48:] != 7).all()


def test_bands_of_different_types_get_the_type_that_holds_all(tmp_path):
    pair = Recipe(bands=2).write(tmp_path)
    ms = load_image(pair.ms)
    for number, kind in enumerate(("uint8", "uint16")):
        scale = 0.05 if kind == "uint8" else 1.0
        save(tmp_path / f"{kind}.tif", scale * ms[number : number + 1], kind, (5e5, 8, 0, 4e6, 0, -8))
    gdal.BuildVRT(
        str(tmp_path / "mixed.vrt"), [str(tmp_path / "uint8.tif"), str(tmp_path / "uint16.tif")], separate=True
    )
    fuse(replace(job(pair, tmp_path / "out.tif"), ms=RasterSource(str(tmp_path / "mixed.vrt"))))
    image = load_image(tmp_path / "out.tif")
    assert image.dtype == np.uint16
    assert image[1].max() > 1500


def test_a_users_nodata_leaves_no_fringe_when_ms_is_reprojected(tmp_path):
    pair = Recipe(height=240, width=240, kind="float32").write(tmp_path)
    gdal.Warp(str(tmp_path / "other.tif"), str(pair.ms), dstSRS="EPSG:32632", resampleAlg="near", dstNodata=-5000)
    dataset = gdal.Open(str(tmp_path / "other.tif"), gdal.GA_Update)
    for number in range(1, 5):
        dataset.GetRasterBand(number).DeleteNoDataValue()
    dataset = None
    ms = RasterSource(str(tmp_path / "other.tif"), nodata=(-5000.0,))
    fuse(replace(job(pair, tmp_path / "out.tif"), ms=ms))
    image = load_image(tmp_path / "out.tif")
    assert image[np.isfinite(image) & (image != -5000)].min() > -500


def test_absurd_floats_are_gaps_without_being_declared(tmp_path):
    """Other programs mark gaps by the lowest float and often do not declare it."""
    pair = Recipe(kind="float32").write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :12, :12] = -3.4028235e38
    save(pair.ms, ms, "float32", (5e5, 8, 0, 4e6, 0, -8))
    image, _ = run(pair, tmp_path)
    assert np.isnan(image[:, :48, :48]).all()
    inside = image[:, 60:, 60:]
    assert np.abs(inside - pair.sharp[:, 60:, 60:]).mean() < 0.2 * pair.sharp.std()


def test_an_undeclared_collar_is_said(tmp_path):
    pair = Recipe().write(tmp_path)
    ms = load_image(pair.ms)
    ms[:, :, :10] = 0
    found = {}
    for nodata in (None, 0):
        save(pair.ms, ms, transform=(5e5, 8, 0, 4e6, 0, -8), nodata=nodata)
        found[nodata] = {n.code: n.numbers for n in fuse(job(pair, tmp_path / "out.tif")).notices}
    assert found[None]["undeclared_nodata"]["share"] == pytest.approx(10 / 60, abs=0.03)
    assert found[0] == {}


@pytest.mark.promise(5)
def test_valid_pixels_never_become_nodata(tmp_path):
    pair = Recipe().write(tmp_path)
    plain, _ = run(pair, tmp_path)
    save(pair.ms, load_image(pair.ms), transform=(5e5, 8, 0, 4e6, 0, -8), nodata=900)
    image, _ = run(pair, tmp_path)
    gaps = (load_image(pair.ms) == 900).repeat(4, 1).repeat(4, 2)
    assert (plain[~gaps] == 900).any()
    assert np.array_equal(image == 900, gaps)


@pytest.mark.promise(6)
@pytest.mark.parametrize(("kind", "top"), [("uint8", 255), ("int16", 32767), ("uint16", 65535)])
def test_values_are_clipped_and_never_wrap(tmp_path, kind, top):
    """Scenes that fill their type: a wrapped value would differ from the truth by the whole range."""
    scale = top / 2000
    recipe = Recipe(kind=kind, scale=scale)
    pair = recipe.write(tmp_path)
    pan = np.clip(recipe_pan(pair), 0, top)
    save(pair.pan, pan, kind, (5e5, 2, 0, 4e6, 0, -2))
    save(pair.ms, np.clip(load_sharp_ms(pair), 0, top), kind, (5e5, 8, 0, 4e6, 0, -8))
    image, _ = run(pair, tmp_path)
    assert image.dtype == np.dtype(kind)
    assert np.abs(image.astype(float) - np.clip(pair.sharp, 0, top)).max() < 0.7 * top
    assert (image == top).any()


def recipe_pan(pair):
    return pair.sharp.mean(0)[None]


def load_sharp_ms(pair):
    return sense(pair.sharp, 4.0)


@pytest.mark.promise(7)
def test_bands_keep_their_properties(tmp_path):
    pair = Recipe(bands=3, names=["red", "green", "blue"]).write(tmp_path)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    colours = (gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand)
    for number, colour in enumerate(colours, start=1):
        band = dataset.GetRasterBand(number)
        band.SetColorInterpretation(colour)
        band.SetScale(0.0001)
        band.SetOffset(-0.1)
        band.SetMetadataItem("WAVELENGTH", str(400 + number))
    dataset = None
    _, result = run(pair, tmp_path)
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    bands = [fused.GetRasterBand(n) for n in (1, 2, 3)]
    assert [b.GetDescription() for b in bands] == ["red", "green", "blue"]
    assert [b.GetColorInterpretation() for b in bands] == list(colours)
    assert [(b.GetScale(), b.GetOffset()) for b in bands] == [(0.0001, -0.1)] * 3
    assert [b.GetMetadataItem("WAVELENGTH") for b in bands] == ["401", "402", "403"]
    assert fused.GetMetadataItem("OTFM_WEIGHTS_SHA256") == result.weights_sha256
    assert "32633" in fused.GetProjection()


@pytest.mark.parametrize("count", [2, 4, 5])
def test_alpha_is_left_out_and_marks_gaps(tmp_path, count):
    """GDAL itself takes the last band of two or four for a mask, but not that of five."""
    pair = Recipe(bands=count).write(tmp_path)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    alpha = np.full((48, 60), 255, dtype=np.uint16)
    alpha[:, :15] = 0
    dataset.GetRasterBand(count).WriteArray(alpha)
    dataset.GetRasterBand(count).SetColorInterpretation(gdal.GCI_AlphaBand)
    dataset = None
    image, _ = run(pair, tmp_path)
    assert len(image) == count - 1
    assert (image[:, :, :60] == 0).all()
    assert (image[:, :, 60:] != 0).all()


@pytest.mark.parametrize("extension", ["tif", "img", "png", "vrt.tif"])
def test_other_formats_by_extension(tmp_path, extension):
    pair = Recipe(bands=3).write(tmp_path)
    plain, _ = run(pair, tmp_path, "plain.tif")
    image, _ = run(pair, tmp_path, f"other.{extension}")
    assert np.array_equal(plain, image)
    assert temporaries(tmp_path) == []


def test_creation_options_are_used(tmp_path):
    pair = Recipe().write(tmp_path)
    run(pair, tmp_path, creation_options=("COMPRESS=DEFLATE", "BLOCKXSIZE=128", "BLOCKYSIZE=128"))
    fused = gdal.Open(str(tmp_path / "fused.tif"))
    assert fused.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "DEFLATE"
    assert fused.GetRasterBand(1).GetBlockSize() == [128, 128]


@pytest.mark.promise(1)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bands=st.integers(1, 9),
    ratio=st.sampled_from([1.5, 2, 2.5, 3, 4, 5]),
    height=st.integers(60, 130),
    width=st.integers(60, 130),
    kind=st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"]),
    tile=st.sampled_from([64, 128]),
    seed=st.integers(0, 5),
)
def test_any_pair_gives_pans_grid_and_mss_type(tmp_path, bands, ratio, height, width, kind, tile, seed):
    scale = {"uint8": 0.08, "float32": 1e-4}.get(kind, 1.0)
    pair = Recipe(bands, ratio, height, width, kind, seed=seed, scale=scale).write(tmp_path)
    image, result = run(pair, tmp_path, tile=tile)
    cover = [int(n / ratio) * ratio for n in (height, width)]
    assert image.shape == (bands, *(int(np.floor(c + 0.5)) for c in cover))
    assert image.dtype == np.dtype(kind)
    assert np.isfinite(image).all()
    assert result.ratio == pytest.approx(ratio)
    assert error(image, pair.sharp[:, : image.shape[1], : image.shape[2]]) < pair.sharp.std()
