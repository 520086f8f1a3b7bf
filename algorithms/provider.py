"""The Processing provider `otfm`."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsProcessingModelAlgorithm, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .assess import AssessAlgorithm
from .exampledata import ExampleDataAlgorithm
from .finetune import FinetuneAlgorithm
from .otfm_algorithm import ICON, ROOT
from .pansharpen import PansharpenAlgorithm
from .preview import PreviewAlgorithm
from .product import ProductAlgorithm
from .setup import SetupAlgorithm

ALGORITHMS = (
    *(PansharpenAlgorithm, PreviewAlgorithm, ProductAlgorithm, AssessAlgorithm, FinetuneAlgorithm, SetupAlgorithm),
    ExampleDataAlgorithm,
)
MODELS = ROOT / "resources" / "models"
OF_MODELS = ("otfm", "gdal")  # providers of the algorithms that the models are made of


class OtfmProvider(QgsProcessingProvider):
    """Lists the plugin's algorithms in the toolbox, the modeler and qgis_process."""

    def __init__(self) -> None:
        super().__init__()
        QgsApplication.processingRegistry().providerAdded.connect(self._added)

    def _added(self, name: str) -> None:
        """Read the models again once what they are made of is there; QGIS's own provider of models does the same."""
        if name in OF_MODELS:
            self.refreshAlgorithms()

    def loadAlgorithms(self) -> None:  # noqa: N802 - QGIS's name
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
        if QgsApplication.processingRegistry().providerById(self.id()) is None:
            return  # the models' steps are not found yet
        for file in sorted(MODELS.glob("*.model3")):
            model = QgsProcessingModelAlgorithm()
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
