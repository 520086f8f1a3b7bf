"""The plugin's page in QGIS's options: defaults of dialogs, scripts and the command line."""

from __future__ import annotations

from typing import Any

from osgeo import gdal
from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSpinBox, QWidget

from ..algorithms.bridge import own_packages
from ..algorithms.otfm_algorithm import ICON
from ..algorithms.settings import (
    DEFAULT_PATTERN,
    DEVICE,
    MEMORY,
    NAME_PATTERN,
    OUTPUT_FOLDER,
    QUALITY,
    READY,
    WEIGHTS_FOLDER,
    setting,
    weights_folder,
)
from ..algorithms.translation import tr
from ..engine.packages import has_torch, manifest
from ..model.options import BUNDLED, DEFAULT_SET, DEVICES
from ..model.progress import format_bytes

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
        self.output = QgsFileWidget()
        self.output.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.output.setFilePath(str(setting(OUTPUT_FOLDER) or ""))
        self.output.lineEdit().setPlaceholderText(tr("Temporary layers"))
        self.pattern = QLineEdit(str(setting(NAME_PATTERN) or DEFAULT_PATTERN))
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
        form.addRow(tr("Folder of results"), self.output)
        form.addRow(tr("Names of results"), self.pattern)
        form.addRow(tr("Engine"), self._describe_engine())
        buttons = QHBoxLayout()
        for action, label in (("check", tr("Check")), ("repair", tr("Repair")), ("remove", tr("Remove"))):
            button = QPushButton(label)
            button.clicked.connect(lambda _, action=action: self.open_setup(action))
            buttons.addWidget(button)
        form.addRow("", buttons)

    def open_setup(self, action: str) -> None:
        """Open the dialog of `otfm:setup` with an action chosen."""
        import processing

        self.dialog = processing.createAlgorithmDialog("otfm:setup", {"ACTION": action})
        self.dialog.show()

    @staticmethod
    def _describe_engine() -> QLabel:
        """Name torch, device and number type of the last check, the memory, and the size of the packages."""
        folder, ready = own_packages(), setting(READY)
        installed = manifest(folder).get("torch")
        if not has_torch(folder):
            state = tr("not set up")
        else:
            state = str(ready) if ready else tr("torch {version}, not checked yet").format(version=installed or "")
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) if installed else 0
        memory = gdal.GetUsablePhysicalRAM()
        label = QLabel(
            tr("{state}. Packages: {size}. Memory of the machine: {memory}.").format(
                state=state, size=format_bytes(size), memory=format_bytes(memory)
            )
        )
        label.setWordWrap(True)
        return label

    def apply(self) -> None:
        """Write the form. Memory below MIN_MEMORY is raised to it."""
        memory = self.memory.value()
        settings = QgsSettings()
        settings.setValue(DEVICE, self.device.currentText())
        settings.setValue(QUALITY, self.quality.currentText())
        settings.setValue(MEMORY, max(memory, MIN_MEMORY) if memory else "")
        settings.setValue(WEIGHTS_FOLDER, self.weights.filePath())
        settings.setValue(OUTPUT_FOLDER, self.output.filePath())
        settings.setValue(NAME_PATTERN, self.pattern.text())


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
