"""Layers in sensor geometry, which QGIS draws in degrees by their RPCs."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.field import refusal, sharpen
from helpers.qgis import Listener
from helpers.scenes import load_image, save
from helpers.sensor import CENTRE, misplacement, sensor_pair, to_degrees
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)


@pytest.fixture
def sensed(algorithm, tmp_path):
    return sensor_pair(tmp_path)


def error(fused, truth):
    return np.abs(fused.astype(float) - truth).mean() / truth.std()


@pytest.mark.parametrize("height", [None, 300.0])
def test_layers_in_sensor_geometry_are_fused(algorithm, sensed, tmp_path, height):
    pan = QgsRasterLayer(str(sensed.pan), "raster pan")
    assert pan.crs().authid() == "EPSG:4326"
    fused, log = sharpen(algorithm, sensed, tmp_path / "o.tif", PAN=pan, HEIGHT=height)
    assert f"related by their RPCs at {height or 120:.0f} m" in log
    assert fused.shape == sensed.reference.shape
    assert error(fused, sensed.reference) < 0.25
    assert misplacement(tmp_path / "o.tif") < 0.5
    drawn = QgsRasterLayer(str(tmp_path / "o.tif"), "raster drawn")
    assert drawn.extent().center().distance(pan.extent().center()) < 1e-4


def test_extent_and_mask_in_sensor_geometry_are_those_of_the_map(algorithm, sensed, tmp_path):
    x, y = np.array([100.0, 400.0]) + CENTRE[0], np.array([-400.0, -100.0]) + CENTRE[1]
    (left, right), (bottom, top) = to_degrees(x, y)
    whole, _ = sharpen(algorithm, sensed, tmp_path / "whole.tif")
    extent = f"{left},{right},{bottom},{top} [EPSG:4326]"
    fused, _ = sharpen(algorithm, sensed, tmp_path / "o.tif", EXTENT=extent)
    assert 150 < fused.shape[2] < 200
    models = [gdal.Open(str(tmp_path / name)).GetMetadata("RPC") for name in ("whole.tif", "o.tif")]
    column, row = (round(float(models[0][k]) - float(models[1][k])) for k in ("SAMP_OFF", "LINE_OFF"))
    assert np.array_equal(fused, whole[:, row : row + fused.shape[1], column : column + fused.shape[2]])
    pan, ms = load_image(sensed.pan), load_image(sensed.ms)
    pan[:, 100:200, 100:200] = 60_000  # a cloud over PAN alone
    for path, values in ((sensed.pan, pan), (sensed.ms, ms)):
        dataset = gdal.Open(str(path), gdal.GA_Update)
        dataset.WriteArray(values if len(values) > 1 else values[0])
        dataset = None
    cloud = QgsVectorLayer("Polygon?crs=EPSG:32633", "clouds", "memory")
    over = QgsFeature()
    over.setGeometry(QgsGeometry.fromRect(QgsRectangle(CENTRE[0], CENTRE[1] - 400, CENTRE[0] + 400, CENTRE[1] + 20)))
    cloud.dataProvider().addFeature(over)
    masked, log = sharpen(algorithm, sensed, tmp_path / "masked.tif", MASK=cloud)
    assert "Areas under MASK are sharpened but excluded" in log
    assert error(masked[:, 220:300, 20:300], sensed.reference[:, 220:300, 20:300]) < 0.3


def test_a_result_in_sensor_geometry_is_assessed(algorithm, sensed, tmp_path):
    sharpen(algorithm, sensed, tmp_path / "o.tif")
    assess = QgsApplication.processingRegistry().algorithmById("otfm:assess").create()
    parameters = {
        "PAN": str(sensed.pan), "MS": str(sensed.ms), "FUSED": [str(tmp_path / "o.tif")],
        "REPORT": str(tmp_path / "r.html"),
    }  # fmt: skip
    results, passed = assess.run(parameters, QgsProcessingContext(), Listener(), {}, False)
    assert passed
    assert "shifted" not in results["FAULTS"]


def test_one_raster_in_sensor_geometry_is_refused_with_the_cure(algorithm, sensed, tmp_path):
    placed = save(tmp_path / "placed.tif", load_image(sensed.ms), transform=(5e5, 8.0, 0.0, 4e6, 0.0, -8.0))
    sentence = refusal(algorithm, sensed, tmp_path / "o.tif", MS=str(placed))
    assert "do not overlap" in sentence or "placed by rational polynomial coefficients (RPC) only" in sentence
    for path in (sensed.pan, sensed.ms):  # the cure
        gdal.Warp(str(path.with_suffix(".ortho.tif")), str(path), dstSRS="EPSG:32633", rpc=True,
                  transformerOptions=["RPC_HEIGHT=120"], xRes=2 if path == sensed.pan else 8,
                  yRes=2 if path == sensed.pan else 8, resampleAlg="cubic", dstNodata=0)  # fmt: skip
    pan, ms = (str(path.with_suffix(".ortho.tif")) for path in (sensed.pan, sensed.ms))
    fused, _ = sharpen(algorithm, sensed, tmp_path / "o.tif", PAN=pan, MS=ms)
    assert len(fused) == 4
