"""MASK: ground that is sharpened, but neither measured nor tuned on."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.field import FINE, FINE_LAKE, LAKE, RATIO, SIDE
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image, save
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)

CLOUD = QgsRectangle(5e5 + 232, 4e6 - 248, 5e5 + 368, 4e6 - 152)  # the lake and a little more


def polygons(*rectangles):
    """Make a layer in memory, in degrees, of places given in EPSG:32633."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "clouds", "memory")
    to_degrees = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:32633"), layer.crs(), QgsProject.instance()
    )  # fmt: skip
    for rectangle in rectangles:
        shape = QgsGeometry.fromRect(rectangle)
        shape.transform(to_degrees)
        feature = QgsFeature()
        feature.setGeometry(shape)
        layer.dataProvider().addFeature(feature)
    return layer


def shapes(*texts, geometry_type="Polygon"):
    """Make a layer in memory, in EPSG:32633, of geometries as WKT."""
    layer = QgsVectorLayer(f"{geometry_type}?crs=EPSG:32633", "clouds", "memory")
    for text in texts:
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromWkt(text))
        assert layer.dataProvider().addFeature(feature)
    return layer


def strict():
    """Return a context that stops at the first feature that is not valid, as QGIS's own does by default."""
    context = QgsProcessingContext()
    context.setInvalidGeometryCheck(QgsFeatureRequest.InvalidGeometryCheck.GeometryAbortOnInvalid)
    return context


@pytest.fixture
def cloudy(tmp_path):
    """Unchanged, and with a cloud over the lake that lies elsewhere in PAN."""
    clear = Recipe(bands=3, ratio=RATIO, height=SIDE, width=SIDE).write(tmp_path)
    pixels = {"PAN": load_image(clear.pan), "MS": load_image(clear.ms)}
    rng = np.random.default_rng(0)
    pixels["PAN"][(0, *FINE_LAKE)] = rng.integers(30_000, 50_000, (40, 60))
    pixels["MS"][(slice(None), *LAKE)] = rng.integers(30_000, 50_000, (3, 20, 30))
    ms = save(tmp_path / "cloudy_ms.tif", pixels["MS"], transform=(5e5, 4.0, 0, 4e6, 0, -4.0))
    return clear, {"PAN": str(save(tmp_path / "cloudy_pan.tif", pixels["PAN"], transform=FINE)), "MS": str(ms)}


def run(algorithm, parameters, output):
    feedback = Listener()
    parameters = {**parameters, "OUTPUT": str(output), "PRECISION": "fp32"}
    results, passed = algorithm.run(parameters, QgsProcessingContext(), feedback, {}, False)
    assert passed, feedback.lines
    return load_image(output).astype(float), results, feedback.entries


def test_under_a_cloud_nothing_is_measured_but_all_is_sharpened(algorithm, cloudy, tmp_path):
    clear, parameters = cloudy
    truth, figures, _ = run(algorithm, {"PAN": str(clear.pan), "MS": str(clear.ms)}, tmp_path / "clear.tif")
    bare, _, _ = run(algorithm, parameters, tmp_path / "bare.tif")
    mask = polygons(CLOUD, QgsRectangle(0, 0, 9e5, 10))
    masked, masked_figures, log = run(algorithm, {**parameters, "MASK": mask}, tmp_path / "masked.tif")
    away = np.ones(truth.shape[1:], bool)
    away[60:140, 100:200] = False
    error = [np.abs(pixels - truth)[:, away].mean() for pixels in (bare, masked)]
    assert error[1] < 0.25 * error[0]
    assert masked_figures["MTF_GAIN_USED"] == pytest.approx(figures["MTF_GAIN_USED"], abs=0.03)
    assert masked[(slice(None), *FINE_LAKE)].mean() > 30_000
    assert any("Areas under MASK are sharpened but excluded from measurements" in line for _, line in log)


def test_a_mask_elsewhere_is_warned_of(algorithm, cloudy, tmp_path):
    clear, _ = cloudy
    parameters = {"PAN": str(clear.pan), "MS": str(clear.ms), "MASK": polygons(QgsRectangle(6e5, 4e6, 6.1e5, 4.1e6))}
    _, _, log = run(algorithm, parameters, tmp_path / "o.tif")
    assert any(level == "warning" and "No polygon of MASK clouds overlaps PAN" in line for level, line in log)


def test_nothing_is_learnt_under_a_mask(algorithm, cloudy, tmp_path):
    """All but a rim is masked, so that no block can be held out."""
    clear, _ = cloudy
    tune = QgsApplication.processingRegistry().algorithmById("otfm:finetune").create()
    mask = polygons(QgsRectangle(5e5 + 20, 4e6 - 620, 5e5 + 620, 4e6 - 20))
    parameters = {
        "PAN": [str(clear.pan)],
        "MS": [str(clear.ms)],
        "MASK": mask,
        "OUTPUT": str(tmp_path / "o.safetensors"),
    }
    context = QgsProcessingContext()
    assert tune.prepare(parameters, context, Listener())
    with pytest.raises(QgsProcessingException, match="too many gaps here to fine-tune on"):
        tune.runPrepared(parameters, context, Listener())


def ring(corners):
    return "(" + ",".join(f"{5e5 + x} {4e6 - y}" for x, y in corners) + ")"


BOX = ring([(232, 152), (368, 152), (368, 248), (232, 248), (232, 152)])
CROSSED = ring([(232, 152), (368, 248), (368, 152), (232, 248), (232, 152)])
HIGH = BOX.replace(",", " 7 9,").replace(")", " 7 9)")
ARC = ring([(232, 200), (300, 132), (368, 200), (300, 268), (232, 200)])


@pytest.mark.parametrize(
    ("geometry_type", "text"),
    [
        ("Polygon", f"POLYGON({CROSSED})"),
        ("Polygon", f"POLYGON({BOX},{CROSSED})"),
        ("MultiPolygon", f"MULTIPOLYGON(({BOX}),({BOX}))"),
        ("MultiPolygonZM", f"MULTIPOLYGON ZM(({HIGH}))"),
        ("CurvePolygon", f"CURVEPOLYGON(CIRCULARSTRING{ARC})"),
        ("MultiSurface", f"MULTISURFACE(CURVEPOLYGON(CIRCULARSTRING{ARC}))"),
    ],
)
def test_mask_polygons_of_any_form_are_left_out(algorithm, cloudy, tmp_path, geometry_type, text):
    """Valid or not, flat or not, straight or not, under QGIS's strict check: Python goes on as before."""
    _, parameters = cloudy
    feedback = Listener()
    parameters = {
        **parameters,
        "MASK": shapes(text, geometry_type=geometry_type),
        "OUTPUT": str(tmp_path / "o.tif"),
        "PRECISION": "fp32",
    }
    _, passed = algorithm.run(parameters, strict(), feedback, {}, False)
    assert passed, feedback.lines
    assert any("Areas under MASK are sharpened but excluded from measurements" in line for line in feedback.lines)
    assert not any(level == "warning" and "MASK" in line for level, line in feedback.entries)
    assert sum(number * number for number in range(100)) == 328350  # "unknown opcode" otherwise


def test_mask_features_that_cannot_be_repaired_are_reported(algorithm, cloudy, tmp_path):
    _, parameters = cloudy
    line = f"POLYGON({ring([(232, 152), (368, 152), (232, 152)])})"
    endless = f"POLYGON({BOX.replace(str(5e5 + 368), '1e400')})"
    feedback = Listener()
    mask = shapes(line, endless, f"POLYGON({BOX})")
    parameters = {**parameters, "MASK": mask, "OUTPUT": str(tmp_path / "o.tif"), "PRECISION": "fp32"}
    _, passed = algorithm.run(parameters, strict(), feedback, {}, False)
    assert passed, feedback.lines
    warnings = [line for level, line in feedback.entries if level == "warning"]
    assert any("features of MASK clouds are not polygons that can be repaired" in line for line in warnings)


def test_a_mask_that_cannot_be_transformed_is_reported(algorithm, cloudy, tmp_path):
    """QGIS drops such features, so the whole scene would be measured."""
    _, parameters = cloudy
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "clouds", "memory")
    for text in ("POLYGON((1e30 95, 1e30 96, 2e30 96, 1e30 95))", "POLYGON((15 200, 15.1 300, 15.1 200, 15 200))"):
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromWkt(text))
        layer.dataProvider().addFeature(feature)
    layer.updateExtents()
    context, feedback = strict(), Listener()
    wide = {**parameters, "PAN": parameters["PAN"], "MASK": layer, "OUTPUT": str(tmp_path / "o.tif")}
    far = QgsVectorLayer("Polygon?crs=EPSG:32633", "far", "memory")
    shape = QgsFeature()
    shape.setGeometry(QgsGeometry.fromWkt(f"POLYGON({BOX})"))
    far.dataProvider().addFeature(shape)
    far.setCrs(QgsCoordinateReferenceSystem("EPSG:4326"))  # metres taken for degrees
    for mask in (layer, far):
        try:
            prepared = algorithm.create().prepare({**wide, "MASK": mask}, context, feedback)
        except QgsProcessingException as error:
            feedback.pushWarning(str(error))
            prepared = False
        warned = [line for level, line in feedback.entries if level in ("warning", "error") and "MASK" in line]
        assert warned or not prepared, feedback.entries
        feedback.entries.clear()


def test_a_crossed_mask_does_not_stop_fine_tuning(algorithm, cloudy, tmp_path):
    clear, _ = cloudy
    tune = QgsApplication.processingRegistry().algorithmById("otfm:finetune").create()
    crossed = ring([(20, 20), (120, 120), (120, 20), (20, 120), (20, 20)])
    parameters = {
        "PAN": [str(clear.pan)], "MS": [str(clear.ms)], "MASK": shapes(f"POLYGON({crossed})"), "STEPS": 1,
        "OUTPUT": str(tmp_path / "o.safetensors"),
    }  # fmt: skip
    context = strict()
    assert tune.prepare(parameters, context, Listener())
    assert tune.runPrepared(parameters, context, Listener())["STEPS"] == 1
