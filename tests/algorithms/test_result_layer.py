"""The layers that QGIS loads: drawn as MS is, distinguished by their names, described in their metadata."""

from __future__ import annotations

import gc

import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe
from qgis.core import (
    QgsLayerMetadata,
    QgsMultiBandColorRenderer,
    QgsProcessingContext,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsRasterLayer,
)


@pytest.fixture
def ms(tmp_path, algorithm):
    """Make a styled layer of a scene whose PAN is next to it."""
    layer = QgsRasterLayer(str(Recipe(bands=4).write(tmp_path).ms), "raster harbour")
    layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), 4, 3, 2))
    layer.brightnessFilter().setBrightness(35)
    layer.brightnessFilter().setContrast(-12)
    layer.hueSaturationFilter().setSaturation(40)
    metadata = QgsLayerMetadata()
    metadata.setLicenses(["CC BY 4.0"])
    metadata.setHistory(["2020-07-01: recorded"])
    layer.setMetadata(metadata)
    return layer


def loaded(context):
    """Return the layers of a run by their names, as QGIS loads them."""
    gc.collect()
    layers = {}
    for path, details in context.layersToLoadOnCompletion().items():
        layer = QgsRasterLayer(path, f"raster {details.name}")
        details.postProcessor().postProcessLayer(layer, context, Listener())
        layers[details.name] = layer
    return layers


def drawn_like(layer, ms):
    bands = [
        [r.redBand(), r.greenBand(), r.blueBand()] for r in (layer.renderer(), ms.renderer())
    ]  # fmt: skip
    filters = [
        (la.brightnessFilter().brightness(), la.brightnessFilter().contrast(), la.hueSaturationFilter().saturation())
        for la in (layer, ms)
    ]
    return bands[0] == bands[1] and filters[0] == filters[1]


@pytest.mark.promise(8)
def test_a_result_alone_is_named_drawn_and_described(algorithm, ms, tmp_path):
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    target = QgsProcessingOutputLayerDefinition(str(tmp_path / "o.tif"), QgsProject.instance())
    parameters = {"PAN": str(tmp_path / "pan.tif"), "MS": ms, "OUTPUT": target, "QUALITY": "best"}
    assert algorithm.run(parameters, context, Listener(), {}, False)[1]
    ((name, layer),) = loaded(context).items()
    assert name == "raster harbour, sharpened (best)"
    assert drawn_like(layer, ms)
    metadata = layer.metadata()
    assert metadata.title() == name
    assert "Ratio 4;" in metadata.abstract()
    assert metadata.licenses() == ["CC BY 4.0"]
    assert metadata.history()[0] == "2020-07-01: recorded"
    assert "SHA-256" in metadata.history()[1]


@pytest.mark.promise(8)
def test_every_result_of_a_model_is_drawn_like_ms(algorithm, ms, tmp_path):
    model = QgsProcessingModelAlgorithm("twice", "tests")
    for name in ("PAN", "MS"):
        model.addModelParameter(QgsProcessingParameterRasterLayer(name, name), QgsProcessingModelParameter(name))
    for number, bands in (("first", "1;2;3;4"), ("second", "4;3;2")):
        child = QgsProcessingModelChildAlgorithm("otfm:pansharpen")
        child.setChildId(number)
        for name in ("PAN", "MS"):
            child.addParameterSources(name, [QgsProcessingModelChildParameterSource.fromModelParameter(name)])
        child.addParameterSources("MS_BANDS", [QgsProcessingModelChildParameterSource.fromStaticValue(bands)])
        output = QgsProcessingModelOutput(number)
        output.setChildOutputName("OUTPUT")
        output.setChildId(number)
        child.setModelOutputs({number: output})
        model.addChildAlgorithm(child)
    model.initAlgorithm()
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    parameters = {"PAN": str(tmp_path / "pan.tif"), "MS": ms}
    for number in ("first", "second"):
        target = QgsProcessingOutputLayerDefinition(str(tmp_path / f"{number}.tif"), QgsProject.instance())
        parameters[f"{number}:{number}"] = target
    assert model.run(parameters, context, Listener(), {}, False)[1]
    layers = loaded(context)
    assert sorted(layers) == ["first", "second"]
    assert drawn_like(layers["first"], ms)
    second = layers["second"].renderer()
    assert [second.redBand(), second.greenBand(), second.blueBand()] == [1, 2, 3]
