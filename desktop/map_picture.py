"""A picture over the map: what the canvas shows, with one layer in the place of others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

from qgis.core import QgsMapLayer, QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapCanvasItem
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QRect, QRectF
from qgis.PyQt.QtGui import QImage, QPainter, QPainterPath

ABOVE_MAP = -9  # QGIS draws the map at -10, and rubber bands from 0 on. What is alone is above the other pictures.


def stack_layers(
    shown: Sequence[QgsMapLayer], layer: QgsMapLayer, place: Collection[str], alone: bool
) -> list[QgsMapLayer]:
    """Put a layer where the first of `place` (ids) is among the shown layers, else on top.

    Rasters above it would hide it, so they are left out, and so is all of `place` if the layer is to be `alone`.
    """
    first = next((number for number, other in enumerate(shown) if other.id() in place), 0)
    above = [other for other in shown[:first] if not isinstance(other, QgsRasterLayer)]
    below = [other for other in shown[first:] if not (alone and other.id() in place)]
    return [*above, layer, *below]


class MapPicture(QgsMapCanvasItem):
    """A picture that is drawn again, in threads of QGIS's renderer, each time the canvas is drawn.

    It changes neither the canvas nor the project. `clip` returns the part of the canvas that it covers, in pixels.
    """

    # Cancelled jobs end by themselves: one that is collected as garbage makes QGIS wait, and still calls `_keep`.
    running: ClassVar[set[QgsMapRendererParallelJob]] = set()

    def __init__(
        self, canvas: QgsMapCanvas, place: Collection[str], alone: bool, clip: Callable[[], QRectF] | None = None
    ) -> None:
        super().__init__(canvas)
        self.canvas, self.place, self.alone, self.clip = canvas, place, alone, clip
        self.layer: QgsMapLayer | None = None
        self.image = QImage()
        self.job: Any = None  # that draws the next image
        self.setZValue(ABOVE_MAP + alone)
        canvas.renderStarting.connect(self.draw)

    def show_layer(self, layer: QgsMapLayer) -> None:
        """Draw this layer from now on. The previous picture stays until the new one is complete."""
        if self.layer is not None:
            self.layer.repaintRequested.disconnect(self.draw)
        self.layer = layer
        layer.repaintRequested.connect(self.draw)  # The canvas follows only the layers that it shows.
        self.draw()

    def draw(self) -> None:
        """Start to draw what the canvas shows now; an unfinished picture is dropped."""
        self._drop_job()
        settings = QgsMapSettings(self.canvas.mapSettings())
        if self.layer is None or not settings.hasValidSettings():
            return
        settings.setLayers(stack_layers(settings.layers(), self.layer, self.place, self.alone))
        self.job = job = QgsMapRendererParallelJob(settings)
        self.running.add(job)
        job.finished.connect(lambda: self._keep(job))
        job.start()

    def _keep(self, job: QgsMapRendererParallelJob) -> None:
        if job is self.job:
            self.job, self.image = None, job.renderedImage()
            to_map, size = job.mapSettings().mapToPixel(), job.mapSettings().outputSize()
            corner, pixel = to_map.toMapCoordinates(0, 0), to_map.mapUnitsPerPixel()
            right, bottom = corner.x() + pixel * size.width(), corner.y() - pixel * size.height()
            # The canvas keeps this rectangle, of a map turned back around its corner, in place while it moves.
            self.setRect(QgsRectangle(corner.x(), bottom, right, corner.y()))
            self.update()
        self.running.discard(job)
        job.deleteLater()

    def paint(self, painter: QPainter, *_: Any) -> None:
        """Draw the picture within `clip`."""
        if self.clip is not None:
            path = QPainterPath()
            path.addPolygon(self.mapFromScene(self.canvas.mapToScene(self.clip().toAlignedRect())))
            painter.setClipPath(path)
        size = self.boundingRect().size()
        painter.drawImage(QRect(0, 0, round(size.width()) - 2, round(size.height()) - 2), self.image)  # QGIS adds 2.

    def remove(self) -> None:
        """Take the picture off the canvas."""
        self._drop_job()
        if self.layer is not None:
            self.layer.repaintRequested.disconnect(self.draw)
        if not sip.isdeleted(self.canvas):  # A second map may just be closed.
            self.canvas.renderStarting.disconnect(self.draw)
            self.canvas.scene().removeItem(self)

    def _drop_job(self) -> None:
        if self.job is not None:
            self.job.cancelWithoutBlocking()
            self.job = None
