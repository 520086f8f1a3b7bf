"""The Processing provider `otfm`."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication, QgsProcessingModelAlgorithm, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .assess import AssessAlgorithm
from .exampledata import ExampleDataAlgorithm
from .finetune import FinetuneAlgorithm
from .otfm_algorithm import ICON, ROOT
from .pair_of_layers import preselect_pair
from .pansharpen import PansharpenAlgorithm
from .preview import PreviewAlgorithm
from .product import ProductAlgorithm
from .setup import SetupAlgorithm

ALGORITHMS = (
    *(PansharpenAlgorithm, PreviewAlgorithm, ProductAlgorithm, AssessAlgorithm, FinetuneAlgorithm, SetupAlgorithm),
    ExampleDataAlgorithm,
)
MODELS = ROOT / "resources" / "models"
MODEL_PROVIDERS = ("otfm", "gdal")  # The example models use their algorithms.


class ExampleModel(QgsProcessingModelAlgorithm):
    """A model whose dialog begins with the likely PAN and MS of the project."""

    def createInstance(self) -> ExampleModel:  # noqa: N802 - QGIS's name
        model = ExampleModel()
        model.loadVariant(self.toVariant())
        model.setProvider(self.provider())
        model.setSourceFilePath(self.sourceFilePath())
        return model

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        super().initAlgorithm(configuration or {})
        preselect_pair(self)


class OtfmProvider(QgsProcessingProvider):
    """The plugin's algorithms and example models."""

    def __init__(self) -> None:
        super().__init__()
        QgsApplication.processingRegistry().providerAdded.connect(self._reload_models)

    def _reload_models(self, name: str) -> None:
        """Read the models again once a provider of their algorithms is there, as QGIS's own provider of models does."""
        if name in MODEL_PROVIDERS:
            self.refreshAlgorithms()

    def loadAlgorithms(self) -> None:  # noqa: N802 - QGIS's name
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
        if QgsApplication.processingRegistry().providerById(self.id()) is None:
            return  # The models' steps are not found yet.
        for file in sorted(MODELS.glob("*.model3")):
            model = ExampleModel()
            if model.fromFile(str(file)):
                model.setSourceFilePath(str(file))
                self.addAlgorithm(model)

    def id(self) -> str:
        return "otfm"

    def name(self) -> str:
        return "OTFM Pansharpen"

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:  # noqa: N802 - QGIS's name
        return str(ICON)
