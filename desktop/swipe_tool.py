"""Before and after on a map: a line between two layers, which follows the mouse."""

from __future__ import annotations

from functools import partial
from typing import Any

from qgis.core import QgsMapLayer, QgsProject
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QRectF, Qt, QTimer
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtWidgets import QFrame, QLabel

from .map_picture import MapPicture

FLICKER_MS = 600  # Below three changes a second, which everybody can look at.
LINE_WIDTH = 5  # Pixels.
LINE_STYLE = "background: white; border: 1px solid black;"
LABEL_MARGINS = 20  # Pixels, of the line too.
LABEL_STYLE = "background: rgba(0, 0, 0, 160); color: white; padding: 3px;"


class SwipeTool(QgsMapTool):
    """A map tool that shows one layer left of a line, or above it, and another one on the other side.

    It changes neither the layers of the canvas nor the project, and ends when another tool is chosen.
    """

    def __init__(self, canvas: QgsMapCanvas, before: QgsMapLayer, after: QgsMapLayer) -> None:
        super().__init__(canvas)
        self.map, self.layers, self.previous = canvas, [before, after], canvas.mapTool()
        self.place = {layer.id() for layer in self.layers}
        self.upright, self.share, self.blinking = True, 0.5, -1  # -1, or the number of the layer that is shown alone
        self.pictures: list[MapPicture] = []
        self.timer = QTimer(self)
        self.timer.setInterval(FLICKER_MS)
        self.timer.timeout.connect(self._blink)

    def end(self) -> None:
        """Give the canvas its previous tool back."""
        if self.map.mapTool() is self:
            if self.previous is None or sip.isdeleted(self.previous):
                self.map.unsetMapTool(self)
            else:
                self.map.setMapTool(self.previous)

    def flags(self) -> Any:
        """Let QGIS zoom to a rectangle by Shift, and not come back to this tool by itself."""
        return QgsMapTool.Flag.Transient | QgsMapTool.Flag.AllowZoomRect

    def activate(self) -> None:
        """Put pictures, line and names on the canvas."""
        super().activate()
        self.line, *self.labels = self.widgets = [QFrame(self.map), QLabel(self.map), QLabel(self.map)]
        for widget, style in zip(self.widgets, (LINE_STYLE, LABEL_STYLE, LABEL_STYLE)):
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            widget.setStyleSheet(style)
        self.pictures = [MapPicture(self.map, self.place, True, partial(self._find_side, n)) for n in (0, 1)]
        for picture, layer in zip(self.pictures, self.layers):
            picture.show_layer(layer)
        self.map.extentsChanged.connect(self._arrange)  # The canvas may have another size.
        QgsProject.instance().layersWillBeRemoved.connect(self._leave)
        self._arrange()

    def deactivate(self) -> None:
        """Take them off the canvas."""
        if self.pictures:
            QgsProject.instance().layersWillBeRemoved.disconnect(self._leave)
            self.timer.stop()
            for picture in self.pictures:
                picture.remove()
            if not sip.isdeleted(self.map):
                self.map.extentsChanged.disconnect(self._arrange)
                for widget in self.widgets:
                    widget.deleteLater()
            self.pictures = []
        super().deactivate()

    def show_before(self, layer: QgsMapLayer) -> None:
        """Compare with another layer."""
        self.layers[0] = layer
        self.place.clear()
        self.place.update(each.id() for each in self.layers)
        for picture, each in zip(self.pictures, self.layers):
            picture.show_layer(each)
        self._arrange()

    def turn(self) -> None:
        """Change between an upright and a level line."""
        self.upright = not self.upright
        self._arrange()

    def flicker(self) -> None:
        """Show the layers in turns all over the canvas, or end that."""
        self.blinking = -1
        if self.timer.isActive():
            self.timer.stop()
            self._arrange()
        else:
            self.timer.start()
            self._blink()

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        self.canvasMoveEvent(event)

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        """Move the line while the left button is down."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            x, y = event.pos().x() / max(self.map.width(), 1), event.pos().y() / max(self.map.height(), 1)
            self.share = min(max(x if self.upright else y, 0.0), 1.0)
            self._arrange()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - QGIS's name
        """Flicker by F, turn the line by X, end by Esc."""
        actions = {Qt.Key.Key_F: self.flicker, Qt.Key.Key_X: self.turn, Qt.Key.Key_Escape: self.end}
        if event.key() in actions and not event.isAutoRepeat():
            event.accept()
            actions[event.key()]()
        else:
            event.ignore()

    def _leave(self, removed: list[str]) -> None:
        if self.place.intersection(removed):
            self.end()

    def _blink(self) -> None:
        self.blinking = 1 if self.blinking == 0 else 0
        self._arrange()

    def _find_side(self, number: int) -> QRectF:
        """Return the part of the canvas that a layer covers, in pixels."""
        width, height = self.map.width(), self.map.height()
        if self.blinking >= 0:
            return QRectF(0, 0, width, height) if number == self.blinking else QRectF()
        x, y = (self.share * width, height) if self.upright else (width, self.share * height)
        if number == 0:
            return QRectF(0, 0, x, y)
        return QRectF(x, 0, width - x, height) if self.upright else QRectF(0, y, width, height - y)

    def _arrange(self, *_: Any) -> None:
        """Put line and names where they belong, and draw both sides."""
        width, height, margin = self.map.width(), self.map.height(), LINE_WIDTH // 2
        x, y = int(self.share * width), int(self.share * height)
        self.line.setGeometry(
            *((x - margin, 0, LINE_WIDTH, height) if self.upright else (0, y - margin, width, LINE_WIDTH))
        )
        self.line.setVisible(self.blinking < 0)
        for number, (label, layer) in enumerate(zip(self.labels, self.layers)):
            side = self._find_side(number)
            room = int(side.width() if self.upright else width) - LABEL_MARGINS
            label.setText(label.fontMetrics().elidedText(layer.name(), Qt.TextElideMode.ElideMiddle, room))
            label.adjustSize()
            label.setVisible(self.blinking in (-1, number))
            away = margin + 1 if number else -margin - (label.width() if self.upright else label.height())
            label.move(*((x + away, height - label.height()) if self.upright else (0, y + away)))
        self.setCursor(Qt.CursorShape.SplitHCursor if self.upright else Qt.CursorShape.SplitVCursor)
        for picture in self.pictures:
            picture.update()
