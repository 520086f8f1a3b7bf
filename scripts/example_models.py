"""Write the example models of the toolbox, resources/models/*.model3. Later versions read files of QGIS 3.22.

python scripts/example_models.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterBand,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtCore import QPointF

ROOT = Path(__file__).resolve().parents[1]
GROUP = "Example models"
LEFT, DOWN, ROW = 130, 60, 110  # of the designer's canvas, in pixels
RASTERS = (
    QgsProcessingParameterRasterLayer("PAN", "Panchromatic raster"),
    QgsProcessingParameterRasterLayer("MS", "Multispectral raster"),
)
PRODUCTS = QgsProcessingParameterFile("INPUT", "Folder, archive or metadata file")
PRODUCTS.setFileFilter("All files (*)")  # QGIS's own filter, *.*, refuses folders
PRODUCTS.setHelp("What was downloaded: a folder, an archive (.tar, .tar.gz, .zip), or a metadata file.")
RASTERS[0].setHelp("The sharp raster: one band with the smaller pixels.")
RASTERS[1].setHelp("The colour raster of the same scene, with larger pixels.")
FOLDER = QgsProcessingParameterFile("INPUT", "Folder of products", QgsProcessingParameterFile.Behavior.Folder)
MINUTES = QgsProcessingParameterNumber(
    "MINUTES", "Minutes of tuning", QgsProcessingParameterNumber.Type.Double, 3.0, False, 0.05
)
FOLDER.setHelp("A folder with several downloads of one sensor, as folders or archives.")
MINUTES.setHelp("How long to tune. 1 to 3 minutes are enough on most machines.")
RED = QgsProcessingParameterBand("RED", "Red band", 3, "MS")
NIR = QgsProcessingParameterBand("NIR", "Near infrared band", 4, "MS")


RED.setHelp("The band of MS that is red: 3 in blue, green, red, near infrared order.")
NIR.setHelp("The band of MS that is near infrared: 4 in blue, green, red, near infrared order.")


class Model:
    """A model under construction, step by step from top to bottom."""

    def __init__(self, name: str, words: str, *parameters: QgsProcessingParameterDefinition) -> None:
        self.model = QgsProcessingModelAlgorithm(name, GROUP)
        self.model.setHelpContent({"ALG_DESC": words, **{p.name(): p.help() for p in parameters}})
        self.model.setParameterOrder([p.name() for p in parameters])
        self.steps = 0
        for column, parameter in enumerate(parameters):
            component = QgsProcessingModelParameter(parameter.name())
            component.setPosition(QPointF(LEFT + 230 * column, DOWN))
            self.model.addModelParameter(parameter.clone(), component)

    def step(self, child: str, algorithm: str, given: dict[str, Any], results: dict[str, str] | None = None) -> None:
        """Add an algorithm.

        given    its parameters: a name in capitals is that of the model's parameter, "child.OUTPUT" the output of an
                 earlier step, any other value is a constant
        results  outputs that become the model's, by their titles
        """
        self.steps += 1
        added = QgsProcessingModelChildAlgorithm(algorithm)
        added.setChildId(child)
        added.setDescription(added.algorithm().displayName())
        added.setPosition(QPointF(LEFT + 115, DOWN + ROW * self.steps))
        for name, value in {**_get_defaults(added.algorithm()), **given}.items():
            added.addParameterSources(name, [self._make_source(value)])
        outputs: dict[str, QgsProcessingModelOutput] = {}
        for words, name in (results or {}).items():
            output = QgsProcessingModelOutput(words)
            output.setChildId(child)
            output.setChildOutputName(name)
            output.setDescription(words)
            output.setPosition(QPointF(LEFT + 400, DOWN + ROW * self.steps + 45 * len(outputs)))
            outputs[words] = output
        added.setModelOutputs(outputs)
        self.model.addChildAlgorithm(added)

    def _make_source(self, value: Any) -> QgsProcessingModelChildParameterSource:
        source = QgsProcessingModelChildParameterSource
        if isinstance(value, str) and value in self.model.parameterComponents():
            return source.fromModelParameter(value)
        if isinstance(value, str) and value.partition(".")[0] in self.model.childAlgorithms():
            return source.fromChildOutput(*value.split("."))
        return source.fromStaticValue(value)

    def write(self, folder: Path) -> None:
        """Write NAME.model3, with small letters and underscores."""
        for parameter in self.model.destinationParameterDefinitions():
            parameter.setGuiDefaultValueOverride(None)  # a path of this machine
        file = folder / f"{self.model.name().lower().replace(' ', '_')}.model3"
        if not self.model.toFile(str(file)):
            raise SystemExit(f"{file} cannot be written.")


def _get_defaults(algorithm: QgsProcessingAlgorithm) -> dict[str, Any]:
    """Return defaults of required parameters; without them the designer calls a step invalid."""
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional
    needed = [p for p in algorithm.parameterDefinitions() if not p.flags() & optional]
    return {p.name(): p.defaultValue() for p in needed if p.defaultValue() is not None}


def models() -> list[Model]:
    """Build all models."""
    pair = {"PAN": "PAN", "MS": "MS"}
    mosaic = {"RESOLUTION": 1, "SEPARATE": False}  # the highest resolution; rasters next to each other, not as bands

    composite = Model(
        "Product to colour composite",
        "Sharpens red, green and blue of a satellite product, and writes them as one compressed GeoTIFF.",
        PRODUCTS,
    )
    composite.step("sharpen", "otfm:product", {"INPUT": "INPUT", "BANDS": "natural colour", "LOAD": False})
    composite.step("together", "gdal:buildvirtualraster", {"INPUT": "sharpen.LAYERS", **mosaic})
    compressed = {"INPUT": "together.OUTPUT", "OPTIONS": "COMPRESS=DEFLATE|PREDICTOR=2|TILED=YES"}
    composite.step("write", "gdal:translate", compressed, {"Colour composite": "OUTPUT"})

    tuned = Model(
        "Tune and sharpen",
        "Tunes the weights on the scene for some minutes, then sharpens it with them. The tuned weights are kept for "
        "other scenes of the sensor.",
        *RASTERS,
        MINUTES,
    )
    tuned.step("tune", "otfm:finetune", {**pair, "MINUTES": "MINUTES"}, {"Tuned weights": "OUTPUT"})
    tuned.step("sharpen", "otfm:pansharpen", {**pair, "QUALITY": "tune.OUTPUT"}, {"Sharpened raster": "OUTPUT"})

    ndvi = Model(
        "Sharpen and NDVI",
        "Sharpens the scene and computes the vegetation index (NIR - red) / (NIR + red) of the result.",
        *RASTERS,
        RED,
        NIR,
    )
    ndvi.step("sharpen", "otfm:pansharpen", pair, {"Sharpened raster": "OUTPUT"})
    bands = {"INPUT_A": "sharpen.OUTPUT", "BAND_A": "NIR", "INPUT_B": "sharpen.OUTPUT", "BAND_B": "RED"}
    formula = "(1.0 * A - B) / (1.0 * A + B)"  # 1.0, as differences of whole numbers would wrap
    ndvi.step("index", "gdal:rastercalculator", {**bands, "FORMULA": formula, "RTYPE": 5}, {"NDVI": "OUTPUT"})

    assessed = Model("Sharpen and assess", "Sharpens the scene and writes a report on the result.", *RASTERS)
    assessed.step("sharpen", "otfm:pansharpen", pair, {"Sharpened raster": "OUTPUT"})
    assessed.step("assess", "otfm:assess", {**pair, "FUSED": "sharpen.OUTPUT"}, {"Report": "REPORT"})

    batch = Model(
        "Folder of products to mosaic",
        "Sharpens every product of a folder into another folder, and joins the results in one virtual raster. The "
        "products have to be of one sensor and in one reference system.",
        FOLDER,
    )
    batch.step("sharpen", "otfm:product", {"INPUT": "INPUT", "LOAD": False}, {"Sharpened rasters": "OUTPUT"})
    batch.step("together", "gdal:buildvirtualraster", {"INPUT": "sharpen.LAYERS", **mosaic}, {"Mosaic": "OUTPUT"})
    return [composite, tuned, ndvi, assessed, batch]


def main(folder: Path) -> None:
    """Start QGIS without windows, and write the models."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QgsApplication([], False)
    application.initQgis()
    sys.path.append(str(Path(QgsApplication.pkgDataPath()) / "python" / "plugins"))
    from otfm_pansharpen import classFactory
    from processing.core.Processing import Processing

    Processing.initialize()
    plugin = classFactory(None)
    plugin.initProcessing()
    folder.mkdir(parents=True, exist_ok=True)
    for model in models():
        model.write(folder)
    plugin.unload()
    os._exit(0)  # QGIS crashes where Python ends before it


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "resources" / "models")
