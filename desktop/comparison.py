"""Before and after: which layers are compared, and the messages that offer and explain it."""

from __future__ import annotations

from typing import Any

from qgis.core import Qgis, QgsMapLayer, QgsProcessingException, QgsProject, QgsRasterLayer
from qgis.PyQt import sip
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QPushButton, QWidget

from ..algorithms.bridge import raster_source
from ..algorithms.pair_of_layers import MADE_OF, name_ms
from ..algorithms.result_layer import AfterLoading
from ..algorithms.translation import tr
from ..model.errors import PansharpenError
from .live_preview import LivePreview
from .swipe_tool import SwipeTool

OFFER_SECONDS = 60  # A run may end while the user is busy elsewhere.
SHOWN_LETTERS = 16  # Of the names of layers in the message.


class Comparison:
    """The checkable action that starts and ends a comparison of the active layer."""

    def __init__(self, iface: Any, action: Any, live: LivePreview) -> None:
        self.iface, self.action, self.live = iface, action, live
        self.tool: SwipeTool | None = None
        self.message: Any = None
        action.triggered.connect(lambda on: self.start() if on else self.end())
        live.action.toggled.connect(lambda _: self.end())
        AfterLoading.offers.append(self.offer)

    def remove(self) -> None:
        """End, and offer nothing any more."""
        self.end()
        AfterLoading.offers.remove(self.offer)

    def offer(self, layer: QgsRasterLayer) -> None:
        """Offer to compare a result that was just loaded."""
        name = layer.id()
        text = tr("Compare the result with the layer that it was made of.")
        self._tell(text, _make_button(tr("Compare"), lambda: self.start(QgsProject.instance().mapLayer(name))))

    def start(self, after: QgsMapLayer | None = None) -> None:
        """Compare a result, by default what is sharpened now or the active one, with what it was made of."""
        self.end()
        after = after or self.live.layer or find_result(self.iface.activeLayer())
        before = find_before(after) if after is not None else None
        if after is None or before is None:
            self.action.setChecked(False)
            self._tell(
                tr(
                    "There are no two rasters to compare. Add the result and the raster that it was made of to the "
                    "project, choose the result in the Layers panel, and try again."
                )
            )
            return
        canvas = next((c for c in self.iface.mapCanvases() if c.hasFocus()), self.iface.mapCanvas())
        self.tool = tool = SwipeTool(canvas, before, after)
        tool.setAction(self.action)
        tool.deactivated.connect(self._close)
        canvas.setMapTool(tool)
        canvas.setFocus()
        choice = QComboBox()
        choice.setToolTip(tr("The layer on the left or at the top"))
        choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        choice.setMinimumContentsLength(SHOWN_LETTERS)  # A long name would widen QGIS's window.
        others = [la for la in QgsProject.instance().layerTreeRoot().layerOrder() if la not in (before, after)]
        for layer in (before, *others):
            choice.addItem(layer.name(), layer)
        choice.activated.connect(lambda _: self._choose(choice.currentData()))
        self._tell(
            tr("Drag the line."),
            choice,
            _make_button(tr("Flicker (F)"), tool.flicker),
            _make_button(tr("Turn (X)"), tool.turn),
            _make_button(tr("End (Esc)"), tool.end),
            seconds=0,
        )

    def end(self) -> None:
        """End the comparison, if there is one."""
        if self.tool is not None and not sip.isdeleted(self.tool):
            self.tool.end()

    def _choose(self, layer: QgsMapLayer) -> None:
        if self.tool is not None and not sip.isdeleted(layer):
            self.tool.show_before(layer)
            self.tool.map.setFocus()

    def _close(self) -> None:
        tool, self.tool = self.tool, None
        if tool is not None:
            tool.deleteLater()
        self._tell("")

    def _tell(self, text: str, *widgets: QWidget, seconds: int = OFFER_SECONDS) -> None:
        """Show one message instead of the last one; none where it is empty."""
        bar = self.iface.messageBar()
        if self.message is not None and not sip.isdeleted(self.message):
            bar.popWidget(self.message)
        self.message = None
        if text:
            self.message = bar.createMessage("OTFM Pansharpen", text)
            for widget in widgets:
                self.message.layout().addWidget(widget)
            bar.pushWidget(self.message, Qgis.MessageLevel.Info, seconds)


def find_result(active: QgsMapLayer | None) -> QgsMapLayer | None:
    """Return the active result, else a result of the active layer, else the active raster, else any result."""
    results = [la for la in QgsProject.instance().layerTreeRoot().layerOrder() if la.customProperty(MADE_OF)]
    if isinstance(active, QgsRasterLayer) and active not in results:
        made_of_it = (result for result in results if active.id() in result.customProperty(MADE_OF))
        return next(made_of_it, active)
    return active if active in results else next(iter(results), None)


def find_before(after: QgsMapLayer) -> QgsMapLayer | None:
    """Return the layer that a result was made of, else the raster below it, else another raster."""
    project = QgsProject.instance()
    layers = [project.mapLayer(name) for name in after.customProperty(MADE_OF) or ()]
    if layers and None not in layers:
        return layers[0] if len(layers) == 1 else stack_bands(layers, after)
    rasters = [la for la in project.layerTreeRoot().layerOrder() if isinstance(la, QgsRasterLayer)]
    first = rasters.index(after) + 1 if after in rasters else 0
    return next((la for la in (*rasters[first:], *rasters) if la is not after), None)


def stack_bands(layers: list[QgsRasterLayer], result: QgsRasterLayer) -> QgsRasterLayer:
    """Return a layer of the bands of several layers, drawn as the result; the first one where they do not fit."""
    from ..model.raster.stack import stack_sources

    try:
        source = stack_sources([raster_source(layer, [1], "MS") for layer in layers], "MS")
    except (PansharpenError, QgsProcessingException):
        return layers[0]
    stack = QgsRasterLayer(source.xml, name_ms(layers), "gdal")
    if not stack.isValid() or stack.bandCount() != result.bandCount():
        return layers[0]
    stack.setCrs(layers[0].crs())
    stack.setRenderer(result.renderer().clone())
    return stack


def _make_button(text: str, press: Any) -> QPushButton:
    button = QPushButton(text)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # The canvas keeps the keys.
    button.clicked.connect(lambda _: press())
    return button
