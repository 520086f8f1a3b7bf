"""Products as agencies, shops and other tools really leave them: more files, other names, more candidates."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from helpers.dimap import dimap
from helpers.landsat import gap_masks, landsat
from helpers.maxar import worldview
from helpers.products import (
    band_names,
    cut,
    named,
    only_product,
    packed,
    pair_for,
    refusal,
    renamed,
    sharpened,
)
from helpers.scenes import load_image
from osgeo import gdal
from otfm_pansharpen.model.raster.bands import rgb_bands

FOUR = ["blue", "green", "red", "nir"]
GF2 = "GF2_PMS1_E113.5_N23.0_20170201_L1A0002149370"
SKYSAT = "20200814_162132_ssc4d3_0021"


def only_run(folder, out, **changes):
    """Sharpen the only product of a folder; nothing else may be reported as a product. Returns the run and the log."""
    result, log = sharpened(folder, out, **changes)
    assert [r.status for r in result.runs] == ["sharpened"], log
    return result.runs[0], log


def ms_names(product):
    return [b.name for b in product.ms.bands]


# More than one delivery of a scene


@pytest.mark.parametrize("satellite", [7, 9])
def test_landsat_levels_in_two_archives_are_one_product(tmp_path, satellite):
    pair = pair_for(tmp_path / "pair", 6 if satellite == 7 else 7, 2)
    for level in (1, 2):
        landsat(tmp_path / str(level), pair, satellite, level=level, forms=("txt", "xml", "json"))
        (tmp_path / "in").mkdir(exist_ok=True)
        packed(tmp_path / str(level), tmp_path / "in" / f"level {level}.tar")
    run, log = only_run(tmp_path / "in", tmp_path / "out")
    assert "L2SP" in run.output
    assert "MS is of level 2; PAN is that of level 1" in log


@pytest.mark.parametrize("ending", [".tar", ".zip"])
def test_archive_next_to_its_unpacked_product_is_a_copy(tmp_path, landsat_pair, ending):
    product = landsat(tmp_path / "in" / "unpacked", landsat_pair)
    packed(tmp_path / "in" / "unpacked", tmp_path / "in" / f"{product}{ending}")
    assert not any(f.startswith("/vsi") for f in only_product(tmp_path / "in").files)


def test_complete_archive_helps_where_a_band_was_deleted(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    packed(tmp_path / "in", tmp_path / "p.tar").rename(tmp_path / "in" / f"{product}.tar")
    (tmp_path / "in" / f"{product}_B3.TIF").unlink()
    product = only_product(tmp_path / "in")
    assert (len(product.ms.bands), product.ms.missing) == (7, ())


@pytest.mark.parametrize("collections", [(2, 2), (1, 2)])
def test_newest_processing_of_a_scene_is_taken(tmp_path, landsat_pair, collections):
    """Public: davidfrantz/force issue 52, one acquisition with two dates of processing."""
    old = landsat(tmp_path / "in" / "old", landsat_pair, collection=collections[0], made="2020-07-08")
    new = landsat(tmp_path / "in" / "new", landsat_pair, collection=collections[1], made="2020-08-02")
    assert old != new
    product = only_product(tmp_path / "in")
    assert product.title == product.pan.title == new
    assert f"MS of {old}, Landsat 8, 2020-07-01, 7 band(s) is there too and is left out." in product.choices


def test_metadata_that_a_browser_numbered_are_known(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    (tmp_path / "in" / f"{product}_MTL.txt").rename(tmp_path / "in" / f"{product}_MTL (1).txt")
    assert only_product(tmp_path / "in").title == product


# Files that belong to a product, but are not bands of it


@pytest.mark.parametrize("forms", [("txt",), ()])
def test_gap_masks_of_landsat_7_are_not_a_product(tmp_path, forms):
    pair = pair_for(tmp_path / "pair", 6, 2)
    product = landsat(tmp_path / "in", pair, 7, 1, forms=forms)
    gap_masks(tmp_path / "in" / "gap_mask", product, pair)
    assert ms_names(only_product(tmp_path / "in")) == [*FOUR, "swir1", "swir2"]


@pytest.mark.parametrize(
    "name",
    ["a_ms_udm2.tif", "a_ms_clouds.tif", "masks/a_ms.tif", "a_ms_angles.tif", "a_ms_footprint.tif", "quality/ms.tif",
     "a_ms_SAA.tif", "a_ms_browse.tif", "a_ms_valid_mask.tif"],
)  # fmt: skip
def test_masks_angles_and_quality_are_not_bands(tmp_path, four_band_pair, name):
    named(tmp_path / "in", four_band_pair, "a_pan.tif", "a_ms.tif")
    cut(four_band_pair.ms, tmp_path / "in" / name, [1])
    cut(four_band_pair.pan, tmp_path / "in" / name.replace("ms", "pan"))
    assert len(only_product(tmp_path / "in").ms.bands) == 4


# Order by wavelength


@pytest.mark.parametrize(
    ("pattern", "tokens"),
    [
        ("po_3806174_{}_0000000.tif", ("blu", "grn", "red", "nir")),
        ("po_3806174_{}_0000000.ntf", ("blu", "grn", "red", "nir")),
        ("scene_{}.tif", ("B", "G", "R", "N")),
        ("scene_{}.tif", ("blue", "green", "red", "nir1")),
        ("{}-2020.tif", ("Blue", "Green", "Red", "NIR")),
        ("{}/scene.tif", ("blue", "green", "red", "nir")),
    ],
)
def test_bands_are_in_the_order_of_wavelength(tmp_path, four_band_pair, pattern, tokens):
    """Public: PolarGeospatialCenter/imagery_utils pull request 58, IKONOS with one file per band."""
    renamed(tmp_path / "in", four_band_pair, pattern, {"pan": "pan", **dict(zip(tokens, (1, 2, 3, 4)))})
    assert ms_names(only_product(tmp_path / "in")) == FOUR


def test_result_of_ordered_bands_is_shown_in_natural_colours(tmp_path, four_band_pair):
    renamed(
        tmp_path / "in", four_band_pair, "po_1_{}_0000000.tif", {"pan": "pan", "blu": 1, "grn": 2, "red": 3, "nir": 4}
    )
    run, _ = only_run(tmp_path / "in", tmp_path / "out")
    assert band_names(run.output) == FOUR
    assert run.colours == (3, 2, 1)
    fused, ms = load_image(run.output), load_image(four_band_pair.ms)
    np.testing.assert_allclose(fused.mean((1, 2)), ms.mean((1, 2)), rtol=0.02)


@pytest.mark.parametrize(
    ("word", "names", "colours"),
    [
        ("bgrn", FOUR, (3, 2, 1)),
        ("RGBN", ["red", "green", "blue", "nir"], (1, 2, 3)),
        ("nrg", ["nir", "red", "green"], (1, 2, 3)),
    ],
)
def test_letters_in_a_name_tell_the_order_of_bands(tmp_path, four_band_pair, word, names, colours):
    named(tmp_path / "in", four_band_pair, "po_3806174_pan_0000000.tif", f"po_3806174_{word}_0000000.tif")
    if len(names) == 3:
        cut(four_band_pair.ms, tmp_path / "in" / f"po_3806174_{word}_0000000.tif", [1, 2, 3])
    assert ms_names(only_product(tmp_path / "in")) == names
    assert tuple(i + 1 for i in rgb_bands(names)) == colours


# Names that other tools changed


@pytest.mark.parametrize(
    ("pan", "ms"),
    [
        (f"{GF2}-PAN1_ortho.tif", f"{GF2}-MSS1_ortho.tif"),
        (f"{GF2}-PAN1_ORTHO_PAN.tif", f"{GF2}-MSS1_ORTHO_MS.tif"),
        (f"{GF2}-PAN1_ORTHO_PAN_proj.tif", f"{GF2}-MSS1_rpcortho.tif"),
        (f"clip_{GF2}-PAN1.tiff", f"clip_{GF2}-MSS1.tiff"),
        ("GF6_PMS_E113.5_N23.0_20190201_L1A1119_PAN_fus.tif", "GF6_PMS_E113.5_N23.0_20190201_L1A1119_MUX_fus.tif"),
        ("ortho_K3_20130430042131_05025_18531170_L1G_P.tif", "ortho_K3_20130430042131_05025_18531170_L1G_MS.tif"),
        ("K3A_20130430042131_05025_18531170_L1G_PAN_utm.tif", "K3A_20130430042131_05025_18531170_L1G_MS_utm.tif"),
        ("warped_CBERS_4A_WPM_2020_L4_BAND0_v2.tif", "warped_CBERS_4A_WPM_2020_L4_BAND{}_v2.tif"),
    ],
)
def test_products_are_known_inside_a_longer_name(tmp_path, four_band_pair, pan, ms):
    """Public: Zhaoguanhua/AtmosphericCorrection issue 9, GaoFen named -MSS1_ORTHO_MS_proj by its orthorectification."""
    named(tmp_path / "in", four_band_pair, pan, ms)
    product = only_product(tmp_path / "in")
    assert ms_names(product) == FOUR
    assert product.ms.sensor.name in ("GaoFen", "KOMPSAT-3", "CBERS-4A WPM")


@pytest.mark.parametrize("name", ["toa_{}", "my toa {}", "{}_clip"])
def test_landsat_bands_are_known_in_a_longer_name(tmp_path, landsat_pair, name):
    """Its thermal and cirrus bands are not sharpened, whatever the prefix."""
    landsat(tmp_path / "in", landsat_pair, forms=())
    for file in list((tmp_path / "in").iterdir()):
        file.rename(file.with_stem(name.format(file.stem)))
    product = only_product(tmp_path / "in")
    assert (product.ms.sensor.name, len(product.ms.bands)) == ("Landsat 8", 7)


@pytest.mark.parametrize("name", ["clip_{}", "{}_clip", "{}.clip"])
def test_renamed_bands_are_found_by_their_metadata(tmp_path, landsat_pair, name):
    product = landsat(tmp_path / "in", landsat_pair)
    for file in list((tmp_path / "in").glob("*.TIF")):
        file.rename(file.with_stem(name.format(file.stem)))
    found = only_product(tmp_path / "in")
    assert (found.title, len(found.ms.bands), found.ms.missing) == (product, 7, ())


def test_originals_do_not_mix_with_their_orthoimages(tmp_path, four_band_pair):
    """The originals are a product of their own, in sensor geometry; here their RPC file is damaged."""
    for product, number in (("PAN1", None), ("MSS1", 4)):
        source = four_band_pair.pan if number is None else four_band_pair.ms
        cut(source, tmp_path / "in" / f"{GF2}-{product}_ortho.tif")
        raw = tmp_path / "in" / f"{GF2}-{product}.tiff"
        gdal.Translate(str(raw), str(source), creationOptions=["PROFILE=BASELINE"])
        raw.with_suffix(".tiff.aux.xml").unlink(missing_ok=True)
        raw.with_suffix(".rpb").write_text("made up")
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    runs = {r.title.removeprefix(GF2): r for r in result.runs}
    assert {title: r.status for title, r in runs.items()} == {"": "failed", "_ortho": "sharpened"}, log
    assert "RPC" in runs[""].sentence


# Metadata in the variants that agencies write


@pytest.mark.parametrize("swapped", [False, True])
def test_pleiades_neo_lists_bands_for_each_of_its_files(tmp_path, swapped):
    """As in GDAL's autotest: the lists number the bands of NED 4, 2, 3, and empty elements stand between."""
    dimap(tmp_path / "in", pair_for(tmp_path / "pair", 6, 4), "PNEO", "3", halves_swapped=swapped)
    product = only_product(tmp_path / "in")
    rgb, ned = ["red", "green", "blue"], ["nir", "red edge", "deep blue"]
    assert ms_names(product) == (ned + rgb if swapped else rgb + ned)
    assert ("NED" in product.ms.bands[0].files[0]) == swapped


@pytest.mark.parametrize(
    ("band_mode", "names"), [("MS-X", ["nir", "red", "green"]), ("MS-N", ["red", "green", "blue"])]
)
def test_three_bands_of_pleiades_are_those_of_their_mode(tmp_path, band_mode, names):
    """Public: OSGeo/gdal pull request 5420, the bands of the mode X are near infrared, red and green."""
    pair = pair_for(tmp_path / "pair", 3, 4)
    dimap(tmp_path / "in", pair, with_indices=False, band_modes=("", band_mode))
    assert ms_names(only_product(tmp_path / "in")) == names


def test_pleiades_volume_of_one_folder_with_short_names(tmp_path, four_band_pair):
    dimap(tmp_path / "in", four_band_pair, one_folder=True)
    product = only_product(tmp_path / "in")
    assert ms_names(product) == ["red", "green", "blue", "nir"]
    assert len(product.pan.bands[0].files) == 2


def test_renamed_dimap_file_is_known(tmp_path, four_band_pair):
    dimap(tmp_path / "in", four_band_pair)
    for file in list((tmp_path / "in").glob("*/DIM*")):
        file.rename(file.with_name(f"Copy of {file.name}"))
    assert ms_names(only_product(tmp_path / "in")) == ["red", "green", "blue", "nir"]


@pytest.mark.parametrize("satellite", ["QB02", "IK01", "GE01"])
def test_renamed_maxar_bundle_is_one_product(tmp_path, four_band_pair, satellite):
    worldview(tmp_path / "in", four_band_pair, across=1, satellite=satellite)
    for file in list((tmp_path / "in").glob("*/*")):
        file.rename(file.with_name(f"clip_{file.name}"))
    product = only_product(tmp_path / "in")
    assert ms_names(product) == FOUR
    assert product.choices == ()


def test_renamed_product_that_its_maker_sharpened_is_refused(tmp_path, four_band_pair):
    worldview(tmp_path / "in", four_band_pair)
    for file in (tmp_path / "in").glob("*_MUL/*.IMD"):
        file.write_text(file.read_text().replace('panSharpenAlgorithm = "None"', 'panSharpenAlgorithm = "UNB"'))
    assert "sharpened by its maker already" in refusal(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("form", ["txt", "xml", "json"])
def test_band_with_an_empty_name_in_mtl_is_absent(tmp_path, landsat_pair, form):
    product = landsat(tmp_path / "in", landsat_pair, forms=(form,))
    file = tmp_path / "in" / f"{product}_MTL.{form}"
    file.write_text(file.read_text().replace(f"{product}_B1.TIF", ""))
    (tmp_path / "in" / f"{product}_B1.TIF").unlink()
    found = only_product(tmp_path / "in")
    assert (len(found.ms.bands), found.ms.missing) == (6, ())


# MS by another name, or more than one


@pytest.mark.parametrize("suffix", ["", "_dn", "_clip"])
def test_skysat_is_sharpened(tmp_path, four_band_pair, suffix):
    """Public: stac-utils/stactools issue 40, the bands of SkySat."""
    named(tmp_path / "in", four_band_pair, f"{SKYSAT}_panchromatic{suffix}.tif", f"{SKYSAT}_analytic{suffix}.tif")
    for product, source in (("panchromatic", four_band_pair.pan), ("analytic", four_band_pair.ms)):
        for mask in ("udm", "udm2"):
            cut(source, tmp_path / "in" / f"{SKYSAT}_{product}{suffix}_{mask}.tif", [1])
    product = only_product(tmp_path / "in")
    assert ms_names(product) == FOUR
    assert product.ms.sensor.name == "SkySat"


@pytest.mark.parametrize(
    "names", [("scene_pan.tif", "image.tif"), ("grey.tif", "scene_ms.tif"), ("pan.tif", "data.tiff")]
)
def test_image_that_no_name_tells_is_found_by_its_pixels(tmp_path, four_band_pair, names):
    pan, ms = names
    cut(four_band_pair.pan, tmp_path / "in" / pan)
    cut(four_band_pair.ms, tmp_path / "in" / ms)
    cut(four_band_pair.ms, tmp_path / "in" / "classes.tif", [1])
    cut(four_band_pair.pan, tmp_path / "in" / "thumb.tif")
    product = only_product(tmp_path / "in")
    assert [p.split("/")[-1] for p in (*product.pan.files, *product.ms.files)] == list(names)
    assert "is taken, because its pixels fit" in product.choices[0]


def test_other_images_are_named_where_none_fits(tmp_path, four_band_pair):
    cut(four_band_pair.pan, tmp_path / "in" / "scene_pan.tif")
    gdal.Translate(str(tmp_path / "in" / "fine.tif"), str(four_band_pair.pan), bandList=[1, 1, 1])
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert "fine.tif (3 bands, pixels of 2)" in sentence
    assert "No MS image is there" not in sentence


def test_richest_of_several_ms_images_is_taken(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "a_pan.tif", "a_ms.tif")
    cut(four_band_pair.ms, tmp_path / "in" / "a_rgb.tif", [3, 2, 1])
    product = only_product(tmp_path / "in")
    assert len(product.ms.bands) == 4
    assert "3 band(s) is there too and is left out" in product.choices[0]


def test_swir_of_one_acquisition_does_not_replace_ms(tmp_path, four_band_pair):
    worldview(tmp_path / "in", four_band_pair, satellite="WV03")
    source = next((tmp_path / "in").glob("*_MUL"))
    target = source.with_name(source.name.replace("MUL", "SWI"))
    shutil.copytree(source, target)
    for file in list(target.iterdir()):
        file.rename(file.with_name(file.name.replace("M2AS", "A2AS")))
    for file in [*target.glob("*.IMD"), *target.glob("*.TIL")]:
        text = file.read_text().replace("M2AS", "A2AS")
        for number, token in enumerate("BGRN", start=1):
            text = text.replace(f"= BAND_{token}\n", f"= BAND_S{number}\n")
        file.write_text(text)
    product = only_product(tmp_path / "in")
    assert ms_names(product) == FOUR
    assert "is there too and is left out" in product.choices[0]


def test_only_pan_and_ms_of_a_folder_belong_together(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "ortho_pan.tif", "warped scene_ms.tif")
    assert "are the only ones here" in only_product(tmp_path / "in").choices[0]


def test_result_equals_that_of_the_plain_pair(tmp_path, four_band_pair):
    """Whatever the names, the pixels are those of PAN and MS."""
    cut(four_band_pair.pan, tmp_path / "one" / "scene_pan.tif")
    cut(four_band_pair.ms, tmp_path / "one" / "image.tif")
    named(tmp_path / "two", four_band_pair, "scene_pan.tif", "scene_ms.tif")
    one, two = (only_run(tmp_path / n, tmp_path / f"{n} out")[0] for n in ("one", "two"))
    np.testing.assert_array_equal(load_image(one.output), load_image(two.output))
