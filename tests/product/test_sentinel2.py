"""Sentinel-2 as it is delivered: both levels, old and new, folders and archives; offsets, masks and copied bands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.products import band_names, packed, refusal, sharpened
from helpers.safe import BANDS, CENTRES, RATIOS, Safe, write_jp2
from helpers.scenes import load_image
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError
from otfm_pansharpen.model.fusion.job import FusionOptions
from otfm_pansharpen.model.geometry.grids import Grid, Window, register
from otfm_pansharpen.model.product.inputs import ms_sources, pan_source
from otfm_pansharpen.model.product.job import ProductJob
from otfm_pansharpen.model.product.recognise import find_products
from otfm_pansharpen.model.product.run import sharpen_products
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.mask import covered
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.windows import read_with_margin

FORMS = {
    "L1C before 2016": Safe("L1C", "02.02"),
    "L1C, 02.09": Safe("L1C", "02.09"),
    "L1C, 04.00": Safe("L1C", "04.00"),
    "L2A before 2017": Safe("L2A", "02.01"),
    "L2A, 02.14": Safe("L2A", "02.14"),
    "L2A, 05.10": Safe("L2A", "05.10"),
}
RUN = """
import sys
from pathlib import Path
from otfm_pansharpen.model.fusion.job import FusionOptions
from otfm_pansharpen.model.product.job import ProductJob
from otfm_pansharpen.model.product.run import sharpen_products
from otfm_pansharpen.model.progress import Progress
job = ProductJob(sys.argv[1], Path(sys.argv[2]), FusionOptions(device="cpu", tile=64))
sharpen_products(job, Progress(report=lambda share: print(share, flush=True)))
"""
MEASURED = ("OTFM_TRANSFER_ROWS", "OTFM_TRANSFER_COLUMNS", "OTFM_SHIFT_ROWS_COLUMNS", "OTFM_MTF_GAIN")
CLOUD = np.s_[60:120, 120:180]


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    """Make a product of level 2A, and its folder."""
    made = Safe("L2A", "05.10")
    return made, made.write(tmp_path_factory.mktemp("safe"))


def find(place):
    with gdal_exceptions():
        (product,), refused = find_products(str(place), lambda: None)
    assert refused == []
    return product


@pytest.mark.parametrize("form", FORMS)
def test_sentinel2_gives_all_bands_at_10_m(tmp_path, form):
    made = FORMS[form]
    made.write(tmp_path / "in")
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [(r.status, r.sentence) for r in result.runs] == [("sharpened", "")], log
    assert "guide the others" in log
    names = [b for b in BANDS if b in made.images]
    dataset = gdal.Open(result.runs[0].output)
    image = dataset.ReadAsArray()
    assert image.shape == (len(names), made.side, made.side)
    for number, (band, pixels) in enumerate(zip(names, image), start=1):
        written = dataset.GetRasterBand(number)
        assert written.GetDescription().startswith(band)
        assert float(written.GetMetadataItem("wavelength")) == CENTRES[BANDS.index(band)]
        assert written.GetNoDataValue() == 0
        assert (written.GetScale(), written.GetOffset()) == (1e-4, made.offset / 1e4)
        if RATIOS[band] == 1:
            np.testing.assert_array_equal(pixels, made.images[band])
        else:
            ratio, inside = RATIOS[band], np.s_[10:-10, 10:-10]
            coarse = pixels.reshape(made.side // ratio, ratio, -1, ratio).mean((1, 3))
            np.testing.assert_allclose(coarse[inside].mean(), made.images[band][inside].mean(), rtol=0.01)
    assert dataset.GetGeoTransform() == (5e5, 10, 0, 4e6, 0, -10)
    assert [dataset.GetMetadataItem(k) for k in ("OTFM_RATIO", "OTFM_RATIO_2")] == ["2", "6"]
    assert [p.suffix for p in (tmp_path / "out").iterdir()] == [".tif"]


def test_sentinel2_archives_give_the_pixels_of_the_folder(tmp_path, safe):
    folder, _ = sharpened(safe[1], tmp_path / "folder")
    (tmp_path / "in").mkdir()
    archive, _ = sharpened(packed(safe[1].parent, tmp_path / "in" / "S2A.zip"), tmp_path / "zip")
    np.testing.assert_array_equal(load_image(archive.runs[0].output), load_image(folder.runs[0].output))


@pytest.mark.parametrize("name", ["MTD_MSIL2A.xml", "manifest.safe", "GRANULE/*/MTD_TL.xml", "GRANULE/*/*/R20m/*B11*"])
def test_files_of_a_safe_stand_for_the_product(safe, name):
    assert find(next(safe[1].glob(name))).title == safe[0].name


@pytest.mark.parametrize("form", FORMS)
def test_clouds_are_those_of_the_masks(tmp_path, form):
    made = Safe(FORMS[form].level, FORMS[form].baseline, side=240, cloud=CLOUD)
    made.write(tmp_path)
    product = find(tmp_path)
    assert {p.unmeasured for p in (product.ms, *product.coarser)} == {product.ms.unmeasured}
    grid, truth = Grid(240, 240, (5e5, 10, 0, 4e6, 0, -10)), np.zeros((240, 240), dtype=bool)
    truth[CLOUD] = True
    with gdal_exceptions():
        marked = covered(product.ms.unmeasured, grid, grid.window)
    edges = np.gradient(truth.astype(float))  # pixels that polygons touch may count
    np.testing.assert_array_equal(marked[(edges[0] == 0) & (edges[1] == 0)], truth[(edges[0] == 0) & (edges[1] == 0)])
    assert any("6.2 %" in c or "6.5 %" in c for c in product.choices), product.choices


def test_what_is_under_clouds_is_not_measured(tmp_path):
    kept = []
    for fill in (2000, 9000):
        made = Safe("L2A", "05.10", side=240, cloud=CLOUD)
        made.write(tmp_path / str(fill))
        for band in ("B04", "B08", "B11", "B12"):
            values, ratio = made.images[band], RATIOS[band]
            values[60 // ratio : 120 // ratio, 120 // ratio : 180 // ratio] = fill
            write_jp2(made.files[band], values, (5e5, 10, 0, 4e6), 10.0 * ratio)
        result, _ = sharpened(tmp_path / str(fill), tmp_path / f"out {fill}", bands="all")
        kept.append(gdal.Open(result.runs[0].output).GetMetadata())
    numbers = [[float(v) for key in MEASURED for v in facts[key].split()] for facts in kept]
    np.testing.assert_allclose(numbers[0], numbers[1], atol=0.01)  # PAN next to clouds is blurred with them


def test_saturated_pixels_are_not_measured(tmp_path):
    made = Safe("L1C", "04.00", side=240, saturated=True)
    made.write(tmp_path)
    product = find(tmp_path)
    with gdal_exceptions():
        levels, _ = ms_sources(product, product.image.bands, {})
        with Raster(pan_source(product), "PAN") as pan, Raster(levels[0], "MS") as ms:
            pair = read_with_margin(pan, ms, register(pan.grid, ms.grid), Window(0, 0, 120, 120))
    assert not pair.ms_valid[60:80, :20].any()
    assert pair.ms_valid[80:, :20].all()
    row, column = (-k for k in pair.pan_corner)
    assert not pair.pan_valid[row + 120 : row + 140, column : column + 20].any()


@pytest.mark.parametrize("keep", [True, False])
def test_second_runs_of_sentinel2_find_it_complete(tmp_path, safe, keep):
    first, _ = sharpened(safe[1], tmp_path / "out", keep_vrt=keep)
    again, _ = sharpened(safe[1], tmp_path / "out", keep_vrt=keep)
    assert [r.status for r in (*first.runs, *again.runs)] == ["sharpened", "complete already"]
    vrts = {"_pan": 4, "_ms_1": 6, "_ms_2": 2} if keep else {}
    stem = first.runs[0].output.removesuffix(".tif")
    assert {str(p) for p in (tmp_path / "out").glob("*.vrt")} == {f"{stem}{role}.vrt" for role in vrts}
    assert all(gdal.Open(f"{stem}{role}.vrt").RasterCount == count for role, count in vrts.items())


def test_masks_of_nearly_everything_are_not_used(tmp_path):
    made = Safe("L2A", "05.10", side=240, cloud=np.s_[0:240, 0:240])
    made.write(tmp_path / "in")
    product = find(tmp_path / "in")
    assert product.ms.unmeasured == ""
    assert any("100 % are clouds" in sentence for sentence in product.choices)


def test_granules_of_one_folder_are_products_of_their_own(tmp_path):
    made = Safe("L1C", "02.02", ("T32TQM", "T32TQN"), side=240)
    made.write(tmp_path / "in")
    result, log = sharpened(tmp_path / "in", tmp_path / "out", bands="natural colour")
    assert [(r.title[-7:], r.status) for r in result.runs] == [("_T32TQM", "sharpened"), ("_T32TQN", "sharpened")], log
    origins = [gdal.Open(r.output).GetGeoTransform()[3] for r in result.runs]
    assert origins == [4e6, 3.9e6]
    np.testing.assert_array_equal(load_image(result.runs[0].output), [made.images[b] for b in ("B04", "B03", "B02")])


def test_an_extent_gives_a_part_of_all_bands(tmp_path, safe):
    extent = (5e5 + 1200, 4e6 - 3000, 5e5 + 2400, 4e6 - 1800)
    result, _ = sharpened(safe[1], tmp_path / "out", extent=extent, bands="all")
    image = load_image(result.runs[0].output)
    assert gdal.Open(result.runs[0].output).GetGeoTransform() == (5e5 + 1200, 10, 0, 4e6 - 1800, 0, -10)
    np.testing.assert_array_equal(image[1], safe[0].images["B02"][180:300, 120:240])
    assert (image > 0).all()


@pytest.mark.parametrize(("missing", "choice"), [("B11", "all"), ("B04", "natural colour")])
def test_missing_bands_of_sentinel2_are_named(tmp_path, safe, missing, choice):
    shutil.copytree(safe[1], tmp_path / "in" / safe[1].name)
    for file in (tmp_path / "in").rglob(f"*{missing}*"):
        file.unlink()
    (tmp_path / "out").mkdir()
    with pytest.raises(Exception, match=rf"Missing: T32TQM_20220615T101559_{missing}_[12]0m.jp2"):
        sharpened(tmp_path / "in", tmp_path / "out", bands=choice)
    if choice == "all":
        result, _ = sharpened(tmp_path / "in", tmp_path / "out", bands="colour and NIR")
        assert [n[-3:] for n in band_names(result.runs[0].output)] == ["red", "een", "lue", "nir"]


def test_types_that_cannot_hold_copied_bands_are_refused(tmp_path, safe):
    (tmp_path / "out").mkdir()
    job = ProductJob(str(safe[1]), tmp_path / "out", FusionOptions(device="cpu", data_type="Byte"))
    with pytest.raises(Exception, match=r"DATA_TYPE Byte holds 0 to 255, but the bands of .* are UInt16"):
        sharpen_products(job)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.promise(9)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.93])
def test_a_cancel_of_sentinel2_leaves_nothing(tmp_path, safe, share):
    (tmp_path / "out").mkdir()
    seen: list[float] = []
    job = ProductJob(str(safe[1]), tmp_path / "out", FusionOptions(device="cpu"))
    with pytest.raises(CancelledError):
        sharpen_products(job, Progress(report=seen.append, cancelled=lambda: bool(seen) and seen[-1] >= share))
    assert list((tmp_path / "out").iterdir()) == []
    assert seen == sorted(seen)


@pytest.mark.promise(10)
def test_a_killed_run_of_sentinel2_is_cleaned_up(tmp_path, safe):
    (tmp_path / "out").mkdir()
    variables = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(safe[1]), str(tmp_path / "out")],
        stdout=subprocess.PIPE, text=True, env=variables, cwd=Path(__file__).parents[2] / ".demo" / "plugins",
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            if float(line) >= 0.3:
                process.kill()
                break
        process.communicate()
    assert [p.suffix for p in (tmp_path / "out").iterdir()] == [".part"]
    assert len(list((tmp_path / "state").rglob("*.run"))) == 2  # of the product and of the fusion within it
    code = "import sys; from pathlib import Path; from otfm_pansharpen.model.staging import remove_stale_runs as r; "
    done = [sys.executable, "-c", code + "r(Path(sys.argv[1]))", str(tmp_path / "out")]
    subprocess.run(done, env=variables, check=True, cwd=Path(__file__).parents[2] / ".demo" / "plugins")
    assert [*(tmp_path / "out").iterdir(), *(tmp_path / "state").rglob("*.run")] == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('BOA_QUANTIFICATION_VALUE unit="none">10000', 'BOA_QUANTIFICATION_VALUE unit="none">0', "has 0 for QUANTIFI"),
        ('<BOA_ADD_OFFSET band_id="3">-1000', '<BOA_ADD_OFFSET band_id="3">1e99', "has 1e99 for BOA_ADD_OFFSET"),
        ('<BOA_ADD_OFFSET band_id="3">', '<BOA_ADD_OFFSET band_id="13">', "has 13 for band_id"),
        ('<CENTRAL unit="nm">442.7', '<CENTRAL unit="nm">nan', "has nan for CENTRAL"),
        ("GRANULE/", "../../GRANULE/", "has no bands of two pixel sizes"),
        ("IMAGE_FILE", "IMAGE", "lists no image of a granule"),
    ],
)
def test_metadata_of_sentinel2_are_not_trusted(tmp_path, safe, before, after, words):
    shutil.copytree(safe[1], tmp_path / "in" / safe[1].name, ignore=shutil.ignore_patterns("*.jp2"))
    file = next((tmp_path / "in").rglob("MTD_MSIL2A.xml"))
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    assert words in refusal(tmp_path / "in", tmp_path / "out")


def test_loose_bands_of_sentinel2_need_no_metadata(tmp_path, safe):
    (tmp_path / "in").mkdir()
    for image in safe[1].rglob("*.jp2"):
        shutil.copy(image, tmp_path / "in")
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"], log
    names = ["coastal", "blue", "green", "red", "red edge 1", "red edge 2", "red edge 3", "nir", "narrow nir"]
    assert band_names(result.runs[0].output) == [*names, "water vapour", "swir1", "swir2"]
