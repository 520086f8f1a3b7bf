"""The choice of quality as dialogs show it: each with what it costs, own weights by name, any other by its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from processing.gui.wrappers import WidgetWrapper
from qgis.gui import QgsGui
from qgis.PyQt.QtWidgets import QComboBox, QFileDialog

from ..model.options import TUNED
from .bridge import own_weights
from .help import CHOOSE, COSTS, NAMES, WEIGHTS_FILTER
from .translation import tr


class QualityWidget:
    """What QGIS makes for a parameter of quality: a list in dialogs, its own widget in the modeler."""

    def __new__(cls, parameter: Any, dialog: Any, row: int = 0, col: int = 0, **options: Any) -> Any:
        """As QGIS calls a widget wrapper. `options` are those of the list."""
        if hasattr(dialog, "childId"):  # the modeler's dialog: there, values come from other steps too
            widget = QgsGui.processingGuiRegistry().createModelerParameterWidget(
                dialog.model, dialog.childId, parameter, dialog.context
            )
            widget.setDialog(dialog)
            return widget
        return _QualityList(parameter, dialog, row, col, **options)


class _QualityList(WidgetWrapper):
    """A list of qualities; its value is fast, best, tuned or the path of a weights file."""

    def createWidget(self, choices: Sequence[str] = (), costs: bool = True) -> QComboBox:  # noqa: N802 - QGIS's name
        """What sharpening costs says nothing of weights that only are to be started from: without `costs`, by name."""
        self.combo = QComboBox()
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for choice in choices:
            self.combo.addItem(tr((COSTS if costs else NAMES)[choice]), choice)
        for file in own_weights():
            self.combo.addItem(file.stem, str(file))
        self.combo.addItem(tr(CHOOSE), None)
        self.chosen = 0
        self.combo.activated.connect(self._activated)
        self.combo.currentIndexChanged.connect(self._changed)
        return self.combo

    def setValue(self, value: Any) -> None:  # noqa: N802 - QGIS's name
        """Show a value; a file that is not in the list comes into it."""
        value = str(value or "")
        place = self.combo.findData(value)
        if place < 0 and value:
            place = self.combo.count() - 1
            self.combo.insertItem(place, Path(value).stem, value)
        self.combo.setCurrentIndex(max(place, 0))

    def value(self) -> Any:
        return self.combo.currentData()

    def postInitialize(self, wrappers: Sequence[Any]) -> None:  # noqa: N802 - QGIS's name
        """The minutes of tuning are open only where tuning is chosen."""
        self.minutes = [w.wrappedWidget() for w in wrappers if w.parameterDefinition().name() == "MINUTES"]
        self._open_minutes()

    def _open_minutes(self) -> None:
        for widget in getattr(self, "minutes", ()):
            if self.combo.findData(TUNED) >= 0:
                widget.setEnabled(self.value() == TUNED)

    def _changed(self, place: int) -> None:
        self._open_minutes()
        self.widgetValueHasChanged.emit(self)

    def _activated(self, place: int) -> None:
        """Ask for a file where its entry was chosen; without one, what was chosen before stays."""
        if self.combo.itemData(place) is None:
            file, _ = QFileDialog.getOpenFileName(self.combo, tr(CHOOSE), "", tr(WEIGHTS_FILTER))
            if file:
                self.setValue(file)
            else:
                self.combo.setCurrentIndex(self.chosen)
        self.chosen = self.combo.currentIndex()
