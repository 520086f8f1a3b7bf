"""Products that people report in public: other names for bands, files of other tools, deliveries of other portals."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.landsat import espa, landsat, landsat_before_2012, working_imd
from helpers.products import cut, named, only_product, pair_for, refusal, renamed, sharpened
from helpers.scenes import load_image
from osgeo import gdal

FOUR = ["blue", "green", "red", "nir"]
ETM = [*FOUR, "swir1", "swir2"]
OLI = ["coastal", *ETM]


def ms_names(product):
    return [b.name for b in product.ms.bands]


def file_names(part):
    return [f.rsplit("/", 1)[1] for b in part.bands for f in b.files]


# Landsat of other portals and times


@pytest.mark.parametrize("with_metadata", [True, False])
def test_landsat_7_named_as_before_2012_is_one_product(tmp_path, with_metadata):
    """Public: repositories list L71226098_09820011112_B10.TIF next to L72226098_09820011112_B70.TIF and B62, B80."""
    pair = pair_for(tmp_path / "pair", 6, 2)
    landsat_before_2012(tmp_path / "in", pair, with_metadata)
    product = only_product(tmp_path / "in")
    assert (product.ms.sensor.name, ms_names(product)) == ("Landsat 7", ETM)
    assert file_names(product.pan) == ["L72190024_02420000801_B80.TIF"]


def test_thermal_bands_of_landsat_7_are_known_by_number(tmp_path):
    pair = pair_for(tmp_path / "pair", 6, 2)
    product = landsat(tmp_path / "in", pair, 7, 1, forms=())
    for number in (1, 2):
        (tmp_path / "in" / f"{product}_B6_VCID_{number}.TIF").rename(tmp_path / "in" / f"{product}_b6{number}.tif")
    assert ms_names(only_product(tmp_path / "in")) == ETM


def test_metadata_of_gdal_next_to_bands_are_not_a_product(tmp_path, landsat_pair):
    """Public: landsat-pds on AWS, one LC80010022016230LGN00_B10_wrk.IMD for each band."""
    product = landsat(tmp_path / "in", landsat_pair, 8, 1)
    for number in range(1, 12):
        working_imd(tmp_path / "in" / f"{product}_B{number}_wrk.IMD")
        (tmp_path / "in" / f"{product}_B{number}.TIF.ovr").write_bytes(b"II*\0")
    assert ms_names(only_product(tmp_path / "in")) == OLI


@pytest.mark.parametrize("with_level_1", [True, False])
def test_surface_reflectance_of_espa_is_level_2(tmp_path, landsat_pair, with_level_1):
    """Public: orders of espa.cr.usgs.gov, sr_band1 to 7 next to the MTL file of level 1. Its 0 is a value."""
    product = espa(tmp_path / "in", landsat_pair, "sr", with_level_1)
    found = only_product(tmp_path / "in")
    assert file_names(found.ms) == [f"{product}_sr_band{n}.tif" for n in range(1, 8)]
    assert file_names(found.pan) == [f"{product}_B8.TIF"]
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert "MS is of level 2; PAN is that of level 1" in log
    assert gdal.Open(result.runs[0].output).GetRasterBand(1).GetNoDataValue() == -9999
    fused, ms = load_image(result.runs[0].output), load_image(landsat_pair.ms)
    np.testing.assert_allclose(fused.mean((1, 2)), ms.mean((1, 2)), rtol=0.02)


def test_reflectance_of_espa_is_found_with_its_pan(tmp_path, landsat_pair):
    product = espa(tmp_path / "in", landsat_pair, "toa", False)
    (tmp_path / "in" / f"{product}_B8.TIF").rename(tmp_path / "in" / f"{product}_toa_band8.tif")
    (tmp_path / "in" / f"{product}_toa_band3.tif").unlink()
    assert f"Missing: {product}_toa_band3.tif (green)" in refusal(tmp_path / "in", tmp_path / "out")


# Names of PAN, MS and bands


@pytest.mark.parametrize(
    ("pan", "ms"),
    [
        ("HJ2A_PMS_E113_L1A1-PAN1.tiff", "HJ2A_PMS_E113_L1A1-MSS1.tiff"),
        ("DE2_PAN_L1C_000000_20150501T101112_ABCD.tif", "DE2_MS4_L1C_000000_20150501T101112_ABCD.tif"),
        ("04DEC11050020-P2AS_R1C1-000000185964_01_P001.TIF", "04DEC11050020-M2AS_R1C1-000000185964_01_P001.TIF"),
        ("WV02_11MAR02231120-P1BS-500060588010_01_u16ns3031.tif",
         "WV02_11MAR02231120-M1BS-500060588010_01_u16ns3031.tif"),
        ("ZY3_NAD_E92.8_N35.0_20141207_L1A0002929919.tif", "ZY3_MUX_E92.8_N35.0_20141207_L1A0002929921.tif"),
        ("zy302a_nad_016497_003126_20190529112340_01.tif", "zy302a_mux_016497_003126_20190529112344_01.tif"),
    ],
)  # fmt: skip
def test_makers_words_for_pan_and_ms_are_known(tmp_path, four_band_pair, pan, ms):
    """Public: WorldView tiles without their IMD files; ZY-3 with two more, tilted PAN images of the same pass."""
    named(tmp_path / "in", four_band_pair, pan, ms)
    if "ZY3" in pan or "zy3" in pan:
        for word in ("fwd", "bwd"):
            cut(four_band_pair.pan, tmp_path / "in" / pan.replace("NAD", word.upper()).replace("nad", word))
    product = only_product(tmp_path / "in")
    assert [file_names(product.pan), file_names(product.ms)[:1]] == [[pan], [ms]]
    assert len(product.ms.bands) == 4


def test_pairs_of_two_cameras_are_two_products(tmp_path, four_band_pair):
    for camera in (1, 2):
        named(tmp_path / "in", four_band_pair, f"x-PAN{camera}.tiff", f"x-MSS{camera}.tiff")
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened", "sharpened"], log


@pytest.mark.parametrize(
    "tokens",
    [
        ("coastal_blue", "blue", "green", "yellow", "red", "red_edge", "nir_1", "nir_2"),
        ("Coastal", "Blue", "Green", "Yellow", "Red", "Red Edge", "Near-Infrared", "NIR2"),
        ("coastal", "band_blue", "band_green", "yellow", "red", "red-edge", "nir", "nir-2"),
    ],
)
def test_names_of_two_words_are_one_band(tmp_path, tokens):
    """Public: red edge as a second red band, as in RapidEye and MicaSense exports."""
    pair = pair_for(tmp_path / "pair", 8, 4)
    renamed(tmp_path / "in", pair, "wv_{}.tif", {"pan": "pan", **{t: n for n, t in enumerate(tokens, start=1)}})
    names = ["coastal", "blue", "green", "yellow", "red", "red edge", "nir", "nir2"]
    assert ms_names(only_product(tmp_path / "in")) == names


@pytest.mark.parametrize("pattern", ["scene_band_{}.tif", "Band {} of scene.tif"])
def test_numbers_behind_the_word_band_are_read(tmp_path, four_band_pair, pattern):
    named(tmp_path / "in", four_band_pair, "scene_pan.tif" if "of" not in pattern else "of scene pan.tif", pattern)
    assert ms_names(only_product(tmp_path / "in")) == ["band 1", "band 2", "band 3", "band 4"]


def test_bands_with_letters_before_another_word_are_known(tmp_path, four_band_pair):
    renamed(tmp_path / "in", four_band_pair, "K_{}_utm.tif", {"P": "pan", **{t: n for n, t in enumerate("BGRN", 1)}})
    assert ms_names(only_product(tmp_path / "in")) == FOUR


def test_near_infrared_in_a_file_of_its_own_joins_rgb(tmp_path, four_band_pair):
    folder = tmp_path / "in"
    cut(four_band_pair.pan, folder / "po_101_pan_0000000.tif")
    cut(four_band_pair.ms, folder / "po_101_rgb_0000000.tif", [3, 2, 1])
    cut(four_band_pair.ms, folder / "po_101_nir_0000000.tif", [4])
    assert ms_names(only_product(folder)) == ["red", "green", "blue", "nir"]


# Stacks of bands, and images that no name tells


@pytest.mark.parametrize(
    ("described", "count"),
    [
        (["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7", "SR_QA_AEROSOL", "ST_B10", "QA_PIXEL"], 7),
        (["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11"], 7),
        (["B4", "B3", "B2"], 3),
        ([""] * 7, 7),
        ([""] * 10, 7),
    ],
)
@pytest.mark.parametrize("name", ["LC08_044034_20140318_ms.tif", "LC08_044034_20140318.tif"])
def test_stacks_of_landsat_lose_masks_and_thermal_bands(tmp_path, landsat_pair, described, count, name):
    """Public: Earth Engine's exports hold SR_B1 to 7, ST_B10 and QA_PIXEL in one file; B8 is PAN at 30 m in them."""
    folder = tmp_path / "in"
    cut(landsat_pair.pan, folder / "LC08_044034_20140318_B8.tif")
    stack = gdal.Translate(
        str(folder / name), str(landsat_pair.ms), bandList=[1 + n % 7 for n in range(len(described))]
    )
    for number, text in enumerate(described, start=1):
        stack.GetRasterBand(number).SetDescription(text)
    del stack
    product = only_product(folder)
    assert ms_names(product) == (OLI if count == 7 else ["red", "green", "blue"])
    assert [b.number for b in product.ms.bands] == list(range(1, count + 1))
    assert product.ms.nodata == 0


@pytest.mark.parametrize(
    ("pan", "ms"),
    [
        ("SCENE01/IMAGERY.TIF", "SCENE02/IMAGERY.TIF"),
        ("scenePAN.tif", "sceneMS.tif"),
        ("escena_pancromatica.tif", "escena_multiespectral.tif"),
    ],
)
def test_only_two_images_that_fit_are_a_pair(tmp_path, four_band_pair, pan, ms):
    """Public: SPOT 5 as IMAGERY.TIF in folders of scenes, whose names tell nothing."""
    named(tmp_path / "in", four_band_pair, pan, ms)
    product = only_product(tmp_path / "in")
    assert [product.pan.files, product.ms.files] == [(f"{tmp_path}/in/{pan}",), (f"{tmp_path}/in/{ms}",)]
    assert "the only two images are taken" in product.choices[0]


def test_images_that_fit_in_two_ways_are_not_paired(tmp_path, four_band_pair):
    named(tmp_path / "in", four_band_pair, "one.tif", "two.tif")
    cut(four_band_pair.ms, tmp_path / "in" / "three.tif", [1, 2, 3])
    assert "folders whose files' names say PAN and MS" in refusal(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "one.tif").rename(tmp_path / "in" / "x_pan.tif")
    (tmp_path / "in" / "two.tif").rename(tmp_path / "in" / "x_ms.tif")
    assert len(only_product(tmp_path / "in").ms.bands) == 4


def test_pan_in_another_folder_is_found_by_its_pixels(tmp_path, four_band_pair):
    """Public: Cartosat BANDA.tif for LISS-4 BAND2.tif to BAND4.tif, in folders next to each other."""
    cut(four_band_pair.pan, tmp_path / "in" / "cartosat" / "BANDA.tif")
    for number in (2, 3, 4):
        cut(four_band_pair.ms, tmp_path / "in" / "liss4" / f"BAND{number}.tif", [number])
    product = only_product(tmp_path / "in")
    assert file_names(product.pan) == ["BANDA.tif"]
    assert "No name says which image is PAN" in product.choices[0]


def test_pan_that_belongs_to_another_image_is_not_absent(tmp_path, four_band_pair):
    """Public: SpaceNet's folders MS, PAN and PS-MS of one chip."""
    named(tmp_path / "in", four_band_pair, "PAN/chip_PAN_0.tif", "MS/chip_MS_0.tif")
    gdal.Translate(str(cut(four_band_pair.ms, tmp_path / "in" / "PS-MS" / "chip_PS-MS_0.tif")), str(four_band_pair.pan),
                   bandList=[1, 1, 1])  # fmt: skip
    result, _ = sharpened(tmp_path / "in", tmp_path / "out")
    other = next(r for r in result.runs if r.status == "no product")
    assert "belongs to another image: PAN of chip_0, one band" in other.sentence
