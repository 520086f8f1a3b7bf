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
