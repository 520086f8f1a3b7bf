"""The choice of quality in dialogs: bundled sets with their cost, tuned weights by name, any other file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from processing.gui.wrappers import DIALOG_STANDARD, WidgetWrapper
from qgis.core import QgsApplication, QgsMapLayerProxyModel, QgsProcessingContext, QgsProject, QgsSettings
from qgis.gui import QgsFilterLineEdit, QgsGui, QgsMapLayerComboBox, QgsProcessingGui, QgsProcessingMultipleInputDialog
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from ..model.options import TUNED
from ..model.weight_sets import read_sensor
from .bridge import list_tuned_weights, start_engine
from .help import CHOICE_NAMES, CHOOSE, COSTS, NAMES, SEVERAL_LAYERS, WEIGHTS_FILTER
from .pair_of_layers import band_sets, split_names
from .setup_offer import SetupOffer
from .translation import tr

FORECAST_FROM = ("PAN", "MS", "QUALITY", "EXTENT", "MS_BANDS", "DATA_TYPE", "MEMORY", "OUTPUT")


class _Wrapper(WidgetWrapper):
    """A widget that makes the dialog fit a small screen, and its tooltips speak the language of the help.

    The modeler, whose values come from other steps, gets QGIS's own; so do tables of batches if `in_batches` is False.
    """

    in_batches = True

    def __new__(cls, parameter: Any, dialog: Any, row: int = 0, col: int = 0, **options: Any) -> Any:
        """Make the widget, with the `options` of `createWidget`."""
        registry = QgsGui.processingGuiRegistry()
        if hasattr(dialog, "childId"):  # The modeler's dialog.
            native = registry.createModelerParameterWidget(dialog.model, dialog.childId, parameter, dialog.context)
        elif not cls.in_batches and type(dialog).__name__ == "BatchAlgorithmDialog":
            native = registry.createParameterWidgetWrapper(parameter, QgsProcessingGui.WidgetType.Batch)
        else:
            return super().__new__(cls)
        native.setDialog(dialog)
        return native

    def postInitialize(self, wrappers: Sequence[Any]) -> None:  # noqa: N802 - QGIS's name
        """Let long labels wrap and lists shrink, and replace internal names in tooltips."""
        for wrapper in wrappers:
            label, widget = _find_parts(wrapper)
            for part in filter(None, (label, widget)):
                part.setToolTip(f"<p>{wrapper.parameterDefinition().help()}</p>")
            if label is not None:
                label.setWordWrap(True)
            for box in [widget, *widget.findChildren(QComboBox)] if widget else []:
                if isinstance(box, QComboBox):
                    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            for box in [widget, *widget.findChildren(QCheckBox)] if widget else []:
                if isinstance(box, QCheckBox):
                    box.setMinimumWidth(1)
                    if wrapper.parameterDefinition().isDestination():  # QGIS's own text is as wide as the dialog.
                        box.setText(tr("Load the result as a layer"))


class MsWidget(_Wrapper):
    """A list of layers and of sets of bands; its value is a layer, a file, or a list of those with one band each."""

    in_batches = False

    def createWidget(self) -> QWidget:  # noqa: N802 - QGIS's name
        """Make the list, and a button for files and for other sets."""
        self.box = QgsMapLayerComboBox()
        self.box.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.values: dict[str, Any] = {}  # Of the entries that are not layers.
        self.refresh()
        self.setValue(self.parameterDefinition().guiDefaultValueOverride())
        self.box.currentIndexChanged.connect(lambda: self.widgetValueHasChanged.emit(self))
        return _make_row(self.box, _make_button(tr(SEVERAL_LAYERS), self._choose_several))

    def postInitialize(self, wrappers: Sequence[Any]) -> None:  # noqa: N802 - QGIS's name
        """Keep the list of bands, which is that of one layer, from a warning where MS is several."""
        super().postInitialize(wrappers)
        for wrapper in (w for w in wrappers if w.parameterDefinition().name() == "MS_BANDS"):
            context = wrapper.widgetContext()
            context.setMessageBar(None)
            wrapper.setWidgetContext(context)

    def refresh(self) -> None:
        """Offer the sets of bands that the project has now."""
        for layers in band_sets():
            if len(layers) > 1:
                self._add([layer.id() for layer in layers])

    def setValue(self, value: Any) -> None:  # noqa: N802 - QGIS's name
        """Show a layer, a file, or a list of them."""
        values = [getattr(v, "id", lambda v=v: v)() for v in (value if isinstance(value, (list, tuple)) else [value])]
        layer = QgsProject.instance().mapLayer(str(values[0])) if len(values) == 1 else None
        if layer is not None:
            self.box.setLayer(layer)
        elif any(values):
            self.box.setCurrentIndex(self.box.findText(self._add(values)))

    def value(self) -> Any:
        layer = self.box.currentLayer()
        return layer.id() if layer else self.values.get(self.box.currentText())

    def _add(self, values: Sequence[Any]) -> str:
        """Offer a file, or several layers or files, as one entry; returns its text."""
        layers = [QgsProject.instance().mapLayer(str(v)) for v in values]
        scene, bands = split_names([la.name() if la else Path(str(v)).name for la, v in zip(layers, values)])
        label = tr("{bands} of {scene}").format(bands=", ".join(bands), scene=scene) if scene else ", ".join(bands)
        if label not in self.values:
            self.box.setAdditionalItems([*self.box.additionalItems(), label])
        self.values[label] = list(values) if len(values) > 1 else values[0]
        return label

    def _choose_several(self) -> None:
        """Ask for layers or files, in the order of the output."""
        value = self.value()
        chosen = value if isinstance(value, list) else [value] if value else []
        dialog = QgsProcessingMultipleInputDialog(self.parameterDefinition(), chosen, [], None, self.widget)
        dialog.setProject(QgsProject.instance())
        if dialog.exec():
            self.setValue(dialog.selectedOptions())


class PathWidget(_Wrapper):
    """A path to paste or drop, a button for a folder, and one for a file."""

    def createWidget(self) -> QWidget:  # noqa: N802 - QGIS's name
        """Make the line and its buttons."""
        self.line = QgsFilterLineEdit()
        self.line.textChanged.connect(lambda: self.widgetValueHasChanged.emit(self))
        self.folder = _make_button(tr("Choose a folder…"), self._choose_folder, "/mActionFileOpen.svg")
        self.file = _make_button(tr("Choose a file…"), self._choose_file)
        return _make_row(self.line, self.folder, self.file)

    def setValue(self, value: Any) -> None:  # noqa: N802 - QGIS's name
        self.line.setText(str(value or ""))

    def value(self) -> str:
        return str(self.line.text()).strip().strip('"')

    def _choose_folder(self) -> None:
        self._show(QFileDialog.getExistingDirectory(self.widget, tr("Choose a folder…"), self._find_start()))

    def _choose_file(self) -> None:
        self._show(QFileDialog.getOpenFileName(self.widget, tr("Choose a file…"), self._find_start())[0])

    def _find_start(self) -> str:
        """Return where choosing begins: at the chosen path, else where QGIS's dialogs were last."""
        return self.value() or str(QgsSettings().value("/Processing/LastInputPath", ""))

    def _show(self, path: str) -> None:
        if path:
            QgsSettings().setValue("/Processing/LastInputPath", str(Path(path).parent))
            self.setValue(path)


def _find_parts(wrapper: Any) -> tuple[Any, Any]:
    """Return label and widget of a parameter; None where a table of batches has no label."""
    if isinstance(wrapper, WidgetWrapper):
        return wrapper.label, wrapper.widget
    return wrapper.wrappedLabel(), wrapper.wrappedWidget()


def _make_button(tooltip: str, action: Callable[[], None], icon: str = "") -> QToolButton:
    button = QToolButton()
    button.setText("…")
    button.setToolTip(tooltip)
    if icon:
        button.setIcon(QgsApplication.getThemeIcon(icon))
    button.clicked.connect(action)
    return button


def _make_row(*parts: QWidget) -> QWidget:
    widget = QWidget()
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        row.addWidget(part)
    return widget


class ChoiceWidget(_Wrapper):
    """A list of words under their names; its value is a word."""

    def createWidget(self) -> QComboBox:  # noqa: N802 - QGIS's name
        """Make the list."""
        self.combo = QComboBox()
        for word, name in CHOICE_NAMES[self.parameterDefinition().name()].items():
            self.combo.addItem(tr(name), word)
        self.combo.currentIndexChanged.connect(lambda: self.widgetValueHasChanged.emit(self))
        return self.combo

    def setValue(self, value: Any) -> None:  # noqa: N802 - QGIS's name
        self.combo.setCurrentIndex(max(self.combo.findData(value), 0))

    def value(self) -> Any:
        return self.combo.currentData()


class QualityWidget(ChoiceWidget):
    """A list of qualities; its value is fast, best, tuned or the path of a weights file."""

    def createWidget(self, choices: Sequence[str] = (), costs: bool = True) -> QComboBox:  # noqa: N802 - QGIS's name
        """Make the list, with the cost of each quality where `costs`: weights to start from have none."""
        start_engine()
        self.combo = QComboBox()
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

    def postInitialize(self, wrappers: Sequence[Any]) -> None:  # noqa: N802 - QGIS's name
        """Show the minutes of tuning only where tuning is chosen, and a file for its weights among the advanced."""
        super().postInitialize(wrappers)
        if self.dialogType != DIALOG_STANDARD:
            return
        if not self.dialog.algorithm().canExecute()[0]:
            self.offer = SetupOffer(self.dialog.messageBar(), start_engine)
        parts = {w.parameterDefinition().name(): _find_parts(w) for w in wrappers}
        if {"SEED", "WEIGHTS_OUT"} <= parts.keys():
            for part in parts["WEIGHTS_OUT"]:  # QGIS puts every output next to the main one.
                parts["SEED"][1].parentWidget().layout().addWidget(part)
        self.minutes = parts.get("MINUTES", ()) if self.combo.findData(TUNED) >= 0 else ()
        self._show_minutes()
        self.forecast = self.dialog.findChild(QLabel, "lblProgress")  # QGIS's line above the progress bar.
        if hasattr(self.dialog.algorithm(), "describe_run") and self.forecast:
            self.forecast.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            self.inputs = [w for w in wrappers if w.parameterDefinition().name() in FORECAST_FROM]
            for wrapper in self.inputs:
                wrapper.widgetValueHasChanged.connect(self._show_forecast)
            self._show_forecast()

    def _show_forecast(self, *_: Any) -> None:
        """Show what the run will take, in red where disk or memory are too small."""
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        parameters = {w.parameterDefinition().name(): w.parameterValue() for w in self.inputs}
        text, fits = self.dialog.algorithm().describe_run(parameters, context)
        self.forecast.setText(text if fits else tr("Does not fit: {forecast}").format(forecast=text))
        self.forecast.setToolTip(text)
        self.forecast.setStyleSheet("" if fits else "color: #b00020")

    def _show_minutes(self) -> None:
        for part in getattr(self, "minutes", ()):
            part.setEnabled(self.value() == TUNED)
            part.setVisible(self.value() == TUNED)

    def _notify(self, index: int) -> None:
        self._show_minutes()
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
