"""Outputs as people ask for them, through QGIS layers: types, options, names that exist already."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.field import COARSE, FINE, RATIO, SIDE, near, refusal, sharpen
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from qgis.core import QgsProcessingContext, QgsProcessingException, QgsRasterLayer


@pytest.mark.promise(6)
def test_a_type_that_would_clip_most_values_is_refused(algorithm, pair, tmp_path):
    sentence = refusal(algorithm, pair, tmp_path / "o.tif", DATA_TYPE="Byte")
    assert "Leave DATA_TYPE as MS" in sentence


@pytest.mark.promise(6)
def test_eleven_bits_stay_eleven_bits(algorithm, pair, tmp_path):
    for path, transform in ((pair.pan, FINE), (pair.ms, COARSE)):
        pixels = np.minimum(load_image(path).astype(int) * 2, 2047)
        pixels[:, 40:60, 40:60] = 2047
        file = gdal.GetDriverByName("GTiff").Create(
            str(path), *pixels.shape[:0:-1], len(pixels), gdal.GDT_UInt16, ["NBITS=11"]
        )
        file.SetGeoTransform(transform)
        file.WriteArray(pixels)
        file = None
    fused, _ = sharpen(algorithm, pair, tmp_path / "o.tif")
    assert fused.max() == 2047
    written = gdal.Open(str(tmp_path / "o.tif"))
    assert written.GetRasterBand(1).GetMetadataItem("NBITS", "IMAGE_STRUCTURE") == "11"


def test_sidecars_of_a_previous_output_are_removed(algorithm, pair, tmp_path):
    output = tmp_path / "o.tif"
    save(output, np.full((6, SIDE, SIDE), 60000), "uint16", FINE)
    gdal.Open(str(output)).BuildOverviews("NEAREST", [2, 4])
    (tmp_path / "o.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><NoDataValue>900</NoDataValue></PAMRasterBand></PAMDataset>"
    )
    sharpen(algorithm, pair, output)
    layer = QgsRasterLayer(str(output), "raster out")
    assert not layer.dataProvider().sourceHasNoDataValue(1)
    assert gdal.Open(str(output)).GetRasterBand(1).GetOverviewCount() == 0


@pytest.mark.promise(13)
def test_a_file_behind_a_virtual_raster_is_an_input(algorithm, pair, tmp_path):
    gdal.BuildVRT(str(tmp_path / "stack.vrt"), [str(pair.ms)]).FlushCache()
    before = pair.ms.read_bytes()
    parameters = {"PAN": str(pair.pan), "MS": str(tmp_path / "stack.vrt"), "OUTPUT": str(pair.ms)}
    assert algorithm.prepare(parameters, QgsProcessingContext(), Listener())
    with pytest.raises(QgsProcessingException, match="input"):
        algorithm.runPrepared(parameters, QgsProcessingContext(), Listener())
    assert pair.ms.read_bytes() == before


@pytest.mark.parametrize("options", ["COMPRES=LZW", "COMPRESS=FOO"])
def test_creation_options_that_do_not_exist_are_refused(algorithm, pair, tmp_path, options):
    assert "COMPRES" in refusal(algorithm, pair, tmp_path / "o.tif", CREATE_OPTIONS=options)


def test_the_profile_of_qgis_for_jpeg_compression(algorithm, tmp_path):
    small = Recipe(bands=3, ratio=RATIO, height=SIDE, width=SIDE, dtype="uint8", scale=0.08).write(tmp_path)
    fused, log = sharpen(algorithm, small, tmp_path / "o.tif", CREATE_OPTIONS="COMPRESS=JPEG|JPEG_QUALITY=75")
    assert near(fused, small, within=0.4)
    assert "lossy" in log
