"""The layers that QGIS loads: drawn as MS is, distinguished by their names, described in their metadata."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe
from osgeo import gdal
from qgis.core import (
    QgsContrastEnhancement,
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
    QgsRasterMinMaxOrigin,
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
    assert name == "Sharpened: raster harbour (best)"
    assert drawn_like(layer, ms)
    metadata = layer.metadata()
    assert metadata.title() == name
    assert "Ratio 4;" in metadata.abstract()
    assert metadata.licenses() == ["CC BY 4.0"]
    assert metadata.history()[0] == "2020-07-01: recorded"
    assert "SHA-256" in metadata.history()[1]


def sharpen_layers(algorithm, folder, layers, **more):
    """Sharpen layers of the project as MS; name and layer of the result, as QGIS loads it."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    QgsProject.instance().addMapLayers(layers, False)
    target = QgsProcessingOutputLayerDefinition(str(folder / "o.tif"), QgsProject.instance())
    parameters = {"PAN": str(folder / "pan.tif"), "MS": [la.id() for la in layers], "OUTPUT": target, **more}
    assert algorithm.run(parameters, context, Listener(), {}, False)[1]
    ((name, layer),) = loaded(context).items()
    return name, layer


def limits(renderer):
    channels = renderer.redContrastEnhancement, renderer.greenContrastEnhancement, renderer.blueContrastEnhancement
    return [(c().minimumValue(), c().maximumValue()) for c in channels]


def by_names(file):
    dataset = gdal.Open(str(file), gdal.GA_Update)
    for number, name in enumerate(("Blue", "Green", "Red", "Red edge"), start=1):
        dataset.GetRasterBand(number).SetDescription(name)
    return file


def by_wavelengths(file):
    dataset = gdal.Open(str(file), gdal.GA_Update)
    for number, centre in enumerate((0.48, 0.56, 0.66, 0.83), start=1):
        dataset.GetRasterBand(number).SetMetadataItem("CENTRAL_WAVELENGTH_UM", str(centre), "IMAGERY")
    return file


def by_sensor(file):
    return file.rename(file.with_name("GF2_PMS1_E108.9_N34.2_20181026_L1A0003549596-MSS1.tif"))


@pytest.mark.parametrize("known", [by_names, by_wavelengths, by_sensor])
def test_blue_green_red_is_drawn_in_natural_colours(algorithm, tmp_path, known):
    """QGIS draws the first three bands, which shows fields violet."""
    file = known(Recipe(bands=4).write(tmp_path).ms)
    layer = QgsRasterLayer(str(file), "harbour")
    layer.setContrastEnhancement(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
        QgsRasterMinMaxOrigin.Limits.CumulativeCut,
    )
    assert layer.renderer().usesBands()[:3] == [1, 2, 3]
    before = limits(layer.renderer())
    _, result = sharpen_layers(algorithm, tmp_path, [layer])
    assert result.renderer().usesBands()[:3] == [3, 2, 1]
    assert limits(result.renderer()) == before[::-1]


def test_bands_of_an_unknown_kind_are_drawn_as_ms(algorithm, tmp_path):
    _, result = sharpen_layers(
        algorithm, tmp_path, [QgsRasterLayer(str(Recipe(bands=4).write(tmp_path).ms), "harbour")]
    )
    assert result.renderer().usesBands()[:3] == [1, 2, 3]


@pytest.mark.parametrize("drawn", ["MinMax", "CumulativeCut", "StdDev"])
def test_single_bands_are_drawn_in_natural_colours(algorithm, tmp_path, drawn):
    """QGIS stretches single bands to their extremes: one cloud would make all else black."""
    pair, layers, scene = Recipe(bands=4).write(tmp_path), [], "LC08_L1TP_195025_20200723_20200911_02_T1"
    for number in range(1, 5):
        file = tmp_path / f"{scene}_B{number + 1}.tif"
        gdal.Translate(str(file), str(pair.ms), bandList=[number])
        layers.append(QgsRasterLayer(str(file), file.stem))
        layers[-1].setContrastEnhancement(
            QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
            getattr(QgsRasterMinMaxOrigin.Limits, drawn),
        )
    stretches = [la.renderer().contrastEnhancement() for la in layers[2::-1]]
    expected = [(s.minimumValue(), s.maximumValue()) for s in stretches]
    if drawn == "MinMax":
        expected = [la.dataProvider().cumulativeCut(1, 0.02, 0.98) for la in layers[2::-1]]
    name, result = sharpen_layers(algorithm, tmp_path, layers)
    assert name == f"Sharpened: {scene} (fast)"
    assert result.renderer().usesBands()[:3] == [3, 2, 1]
    assert limits(result.renderer()) == expected


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


def test_for_printing_it_is_8_bits_as_ms_is_drawn(algorithm, tmp_path):
    layer = QgsRasterLayer(str(by_names(Recipe(bands=4).write(tmp_path).ms)), "harbour")
    layer.setContrastEnhancement(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
        QgsRasterMinMaxOrigin.Limits.CumulativeCut,
    )
    drawn = limits(layer.renderer())[::-1]
    _, result = sharpen_layers(algorithm, tmp_path, [layer], FORM="printing", PRECISION="fp32")
    dataset = gdal.Open(str(tmp_path / "o.tif"))
    assert [gdal.GetDataTypeName(dataset.GetRasterBand(n).DataType) for n in (1, 2, 3)] == ["Byte"] * 3
    assert [dataset.GetRasterBand(n).GetColorInterpretation() for n in (1, 2, 3)] == [3, 4, 5]
    assert result.renderer().usesBands()[:3] == [1, 2, 3]
    picture, plain = dataset.ReadAsArray().astype(float), tmp_path / "plain.tif"
    parameters = {"PAN": str(tmp_path / "pan.tif"), "MS": layer, "MS_BANDS": [3, 2, 1], "OUTPUT": str(plain)}
    assert algorithm.run({**parameters, "PRECISION": "fp32"}, QgsProcessingContext(), Listener(), {}, False)[1]
    for band, whole, (black, white) in zip(picture, gdal.Open(str(plain)).ReadAsArray().astype(float), drawn):
        expected = np.clip(255 * (whole - black) / (white - black), 0, 255)
        assert np.abs(band - expected).max() <= 1.0


def test_what_is_not_drawn_by_bands_cannot_be_printed(algorithm, tmp_path):
    layer = QgsRasterLayer(str(Recipe(bands=4).write(tmp_path).ms), "harbour")
    parameters = {"PAN": str(tmp_path / "pan.tif"), "MS": layer, "MS_BANDS": [4], "FORM": "printing"}
    listener, output = Listener(), str(tmp_path / "o.tif")
    assert not algorithm.run({**parameters, "OUTPUT": output}, QgsProcessingContext(), listener, {}, False)[1]
    assert any("harbour cannot be printed as it is drawn" in line for line in listener.lines)
    assert not (tmp_path / "o.tif").exists()


def test_cloud_optimised_output_is_one_and_compressed(algorithm, tmp_path):
    layer = QgsRasterLayer(str(Recipe(bands=4).write(tmp_path).ms), "harbour")
    _, result = sharpen_layers(algorithm, tmp_path, [layer], FORM="cloud", COMPRESS=True)
    assert result.source() == str(tmp_path / "o.cog.tif")
    structure = gdal.Open(result.source()).GetMetadata("IMAGE_STRUCTURE")
    assert (structure["LAYOUT"], structure["COMPRESSION"]) == ("COG", "DEFLATE")
    assert not (tmp_path / "o.tif").exists()
