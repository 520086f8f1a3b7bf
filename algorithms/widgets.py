"""The choice of quality in dialogs: bundled sets with their cost, tuned weights by name, any other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from processing.gui.wrappers import WidgetWrapper
from qgis.gui import QgsGui
from qgis.PyQt.QtWidgets import QComboBox, QFileDialog

from ..model.options import TUNED
from ..model.weight_sets import read_sensor
from .bridge import list_tuned_weights
from .help import CHOOSE, COSTS, NAMES, WEIGHTS_FILTER
from .translation import tr


class QualityWidget:
    """The widget of a parameter of quality: a list in dialogs, QGIS's own widget in the modeler."""

    def __new__(cls, parameter: Any, dialog: Any, row: int = 0, col: int = 0, **options: Any) -> Any:
        """Make the widget. `options` are those of the list."""
        if hasattr(dialog, "childId"):  # The modeler's dialog, where values also come from other steps.
            widget = QgsGui.processingGuiRegistry().createModelerParameterWidget(
                dialog.model, dialog.childId, parameter, dialog.context
            )
            widget.setDialog(dialog)
            return widget
        return _QualityList(parameter, dialog, row, col, **options)


class _QualityList(WidgetWrapper):
    """A list of qualities; its value is fast, best, tuned or the path of a weights file."""

    def createWidget(self, choices: Sequence[str] = (), costs: bool = True) -> QComboBox:  # noqa: N802 - QGIS's name
        """Make the list, with the cost of each quality where `costs`: weights to start from have none."""
        self.combo = QComboBox()
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for choice in choices:
            self.combo.addItem(tr((COSTS if costs else NAMES)[choice]), choice)
        for file in list_tuned_weights():
            sensor = read_sensor(file)
            self.combo.addItem(f"{file.stem} ({sensor})" if sensor else file.stem, str(file))
        self.combo.addItem(tr(CHOOSE), None)
        self.chosen = 0
        self.combo.activated.connect(self._choose_file)
        self.combo.currentIndexChanged.connect(self._notify)
        return self.combo

    def setValue(self, value: Any) -> None:  # noqa: N802 - QGIS's name
        """Show a value. A file that is not in the list is added."""
        value = str(value or "")
        index = self.combo.findData(value)
        if index < 0 and value:
            index = self.combo.count() - 1
            self.combo.insertItem(index, Path(value).stem, value)
        self.combo.setCurrentIndex(max(index, 0))

    def value(self) -> Any:
        return self.combo.currentData()

    def postInitialize(self, wrappers: Sequence[Any]) -> None:  # noqa: N802 - QGIS's name
        """Enable the minutes of tuning only where tuning is chosen."""
        self.minutes = [w.wrappedWidget() for w in wrappers if w.parameterDefinition().name() == "MINUTES"]
        self._enable_minutes()

    def _enable_minutes(self) -> None:
        for widget in getattr(self, "minutes", ()):
            if self.combo.findData(TUNED) >= 0:
                widget.setEnabled(self.value() == TUNED)

    def _notify(self, index: int) -> None:
        self._enable_minutes()
        self.widgetValueHasChanged.emit(self)

    def _choose_file(self, index: int) -> None:
        """Ask for a file where that entry was chosen. Without a file, the previous choice stays."""
        if self.combo.itemData(index) is None:
            file, _ = QFileDialog.getOpenFileName(self.combo, tr(CHOOSE), "", tr(WEIGHTS_FILTER))
            if file:
                self.setValue(file)
            else:
                self.combo.setCurrentIndex(self.chosen)
        self.chosen = self.combo.currentIndex()
