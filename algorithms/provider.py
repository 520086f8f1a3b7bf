"""The Processing provider `otfm`."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .pansharpen import PansharpenAlgorithm

ICON = Path(__file__).resolve().parent.parent / "resources" / "icon.svg"


class OtfmProvider(QgsProcessingProvider):
    """Lists the plugin's algorithms in the toolbox, the modeler and qgis_process."""

    def loadAlgorithms(self) -> None:  # noqa: N802 - QGIS's name
        self.addAlgorithm(PansharpenAlgorithm())

    def id(self) -> str:
        return "otfm"

    def name(self) -> str:
        return "OTFM Pansharpen"

    def icon(self) -> QIcon:
        return QIcon(str(ICON))
