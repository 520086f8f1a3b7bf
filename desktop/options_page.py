"""The plugin's page in QGIS's options: what dialogs, scripts and the command line start from."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QLabel, QSpinBox, QWidget

from ..algorithms.otfm_algorithm import ICON
from ..algorithms.settings import DEVICE, MEMORY, QUALITY, WEIGHTS_FOLDER, setting, weights_folder
from ..algorithms.translation import tr
from ..model.options import BUNDLED, DEFAULT_SET, DEVICES

PAGE = "otfmOptions"  # by this name the page can be opened
LEAST_MEMORY, MOST_MEMORY = 128, 1 << 20  # MB


class OptionsPage(QgsOptionsPageWidget):
    """Shows what is set, and writes it when the options are accepted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(PAGE)
        self.device = _choice(DEVICES, setting(DEVICE) or DEVICES[0])
        self.quality = _choice(list(BUNDLED), setting(QUALITY) or DEFAULT_SET)
        self.memory = QSpinBox()
        self.memory.setRange(0, MOST_MEMORY)
        self.memory.setSingleStep(LEAST_MEMORY)
        self.memory.setSuffix(" MB")
        self.memory.setSpecialValueText(tr("Automatic"))
        self.memory.setValue(int(setting(MEMORY) or 0))
        self.weights = QgsFileWidget()
        self.weights.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.weights.setFilePath(str(weights_folder()))
        said = QLabel(
            tr("These are the defaults of dialogs, scripts and qgis_process. What is chosen there has precedence.")
        )
        said.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow(said)
        form.addRow(tr("Device"), self.device)
        form.addRow(tr("Quality"), self.quality)
        form.addRow(tr("Memory"), self.memory)
        form.addRow(tr("Folder of tuned weights"), self.weights)

    def apply(self) -> None:
        """Write what is shown. Memory that is less than a tile needs is raised to that."""
        memory = self.memory.value()
        settings = QgsSettings()
        settings.setValue(DEVICE, self.device.currentText())
        settings.setValue(QUALITY, self.quality.currentText())
        settings.setValue(MEMORY, max(memory, LEAST_MEMORY) if memory else "")
        settings.setValue(WEIGHTS_FOLDER, self.weights.filePath())


def _choice(words: Any, chosen: str) -> QComboBox:
    box = QComboBox()
    box.addItems(words)
    box.setCurrentText(chosen)
    return box


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page each time the options are opened."""

    def __init__(self) -> None:
        super().__init__("OTFM Pansharpen", QIcon(str(ICON)))

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def createWidget(self, parent: QWidget | None = None) -> OptionsPage:  # noqa: N802 - QGIS's name
        return OptionsPage(parent)
