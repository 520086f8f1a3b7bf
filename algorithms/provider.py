"""The Processing provider `otfm`."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .assess import AssessAlgorithm
from .bridge import ICON
from .exampledata import ExampleDataAlgorithm
from .finetune import FinetuneAlgorithm
from .pansharpen import PansharpenAlgorithm
from .preview import PreviewAlgorithm
from .product import ProductAlgorithm
from .setup import SetupAlgorithm


class OtfmProvider(QgsProcessingProvider):
    """Lists the plugin's algorithms in the toolbox, the modeler and qgis_process."""

    def loadAlgorithms(self) -> None:  # noqa: N802 - QGIS's name
        self.addAlgorithm(PansharpenAlgorithm())
        self.addAlgorithm(PreviewAlgorithm())
        self.addAlgorithm(ProductAlgorithm())
        self.addAlgorithm(AssessAlgorithm())
        self.addAlgorithm(FinetuneAlgorithm())
        self.addAlgorithm(SetupAlgorithm())
        self.addAlgorithm(ExampleDataAlgorithm())

    def id(self) -> str:
        return "otfm"

    def name(self) -> str:
        return "OTFM Pansharpen"

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:  # noqa: N802 - QGIS's name
        return str(ICON)
