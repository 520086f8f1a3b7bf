"""The plugin's page in QGIS's options: defaults of dialogs, scripts and the command line."""

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

PAGE = "otfmOptions"  # QGIS opens the page by this name.
# MB. The smallest tile needs the minimum; MEMORY of the algorithms has it too.
MIN_MEMORY, MAX_MEMORY = 128, 1 << 20


class OptionsPage(QgsOptionsPageWidget):
    """A form of the settings, written when the options are accepted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(PAGE)
        self.device = _make_choice(DEVICES, setting(DEVICE) or DEVICES[0])
        self.quality = _make_choice(list(BUNDLED), setting(QUALITY) or DEFAULT_SET)
        self.memory = QSpinBox()
        self.memory.setRange(0, MAX_MEMORY)
        self.memory.setSingleStep(MIN_MEMORY)
        self.memory.setSuffix(" MB")
        self.memory.setSpecialValueText(tr("Automatic"))
        self.memory.setValue(int(setting(MEMORY) or 0))
        self.weights = QgsFileWidget()
        self.weights.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.weights.setFilePath(str(weights_folder()))
        explanation = QLabel(
            tr("These are the defaults of dialogs, scripts and qgis_process. What is chosen there has precedence.")
        )
        explanation.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow(explanation)
        form.addRow(tr("Device"), self.device)
        form.addRow(tr("Quality"), self.quality)
        form.addRow(tr("Memory"), self.memory)
        form.addRow(tr("Folder of tuned weights"), self.weights)

    def apply(self) -> None:
        """Write the form. Memory below MIN_MEMORY is raised to it."""
        memory = self.memory.value()
        settings = QgsSettings()
        settings.setValue(DEVICE, self.device.currentText())
        settings.setValue(QUALITY, self.quality.currentText())
        settings.setValue(MEMORY, max(memory, MIN_MEMORY) if memory else "")
        settings.setValue(WEIGHTS_FOLDER, self.weights.filePath())


def _make_choice(choices: Any, chosen: str) -> QComboBox:
    box = QComboBox()
    box.addItems(choices)
    box.setCurrentText(chosen)
    return box


class OptionsFactory(QgsOptionsWidgetFactory):
    """The factory of the page, which QGIS calls each time the options are opened."""

    def __init__(self) -> None:
        super().__init__("OTFM Pansharpen", QIcon(str(ICON)))

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def createWidget(self, parent: QWidget | None = None) -> OptionsPage:  # noqa: N802 - QGIS's name
        return OptionsPage(parent)
