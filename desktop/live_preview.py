"""What the map shows, sharpened as long as an action is checked, also after a pan or a zoom."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QObject, QTimer

from ..algorithms.translation import tr
from .map_picture import MapPicture

PREVIEW = "preview"
PAUSE_MS = 400  # From the last movement of the map to the run.


class _Feedback(QgsProcessingFeedback):
    """The last error of a run."""

    error = ""

    def reportError(self, error: str, fatalError: bool = False) -> None:  # noqa: N802, N803 - QGIS's names
        self.error = error


class LivePreview(QObject):
    """Runs of `otfm:preview`, one at a time, shown over the map. The project does not change.

    The first run of a pair measures the scene for all others, so the map may move meanwhile. Later ones are cancelled
    as soon as it moves.
    """

    def __init__(self, iface: Any, action: Any, set_up: Callable[[str], None]) -> None:
        """Keep `set_up`, which opens the set-up of the engine where an algorithm cannot run."""
        super().__init__(action)
        self.iface, self.action, self.set_up = iface, action, set_up
        self.layer: Any = None  # of the last preview; it is not in the project
        self.picture: MapPicture | None = None
        self.run: tuple[Any, ...] = ()  # feedback, context, algorithm and task while they work
        self.pair: dict[str, Any] = {}  # that was measured
        self.warning = ""  # that the message bar has had
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.setInterval(PAUSE_MS)
        self.timer.timeout.connect(self.update)
        action.toggled.connect(self._toggle)

    def _toggle(self, on: bool) -> None:
        canvas, project = self.iface.mapCanvas(), QgsProject.instance()
        for signal in (canvas.extentsChanged, canvas.rotationChanged, project.layersRemoved):
            (signal.connect if on else signal.disconnect)(self._wait)
        if on:
            self.update()
            return
        self.timer.stop()
        self.pair, self.warning = {}, ""
        if self.run:
            self.run[0].cancel()
        if self.picture is not None:
            self.picture.remove()
            _delete_file(self.layer.source())
            self.layer = self.picture = None

    def _wait(self, *_: Any) -> None:
        self.timer.start()
        if self.run and self.pair:
            self.run[0].cancel()

    def _end(self, reason: str) -> None:
        self.action.setChecked(False)
        self.iface.messageBar().pushWarning("OTFM Pansharpen", reason)

    def update(self) -> None:
        """Sharpen what the map shows, after the run that is under way."""
        if self.run:
            self.timer.start()
            return
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"otfm:{PREVIEW}")
        if not algorithm.canExecute()[0]:
            self.action.setChecked(False)
            self.set_up(PREVIEW)
            return
        pair = {name: algorithm.parameterDefinition(name).guiDefaultValueOverride() for name in ("PAN", "MS")}
        project, context, feedback = QgsProject.instance(), QgsProcessingContext(), _Feedback()
        context.setTransformContext(project.transformContext())  # Without a project: a run may change its own.
        output = QgsProcessingUtils.generateTempFilename(f"{PREVIEW}.tif")
        parameters: dict[str, Any] = {
            name: [project.mapLayer(each) for each in value] if isinstance(value, list) else project.mapLayer(value)
            for name, value in pair.items()
        }
        # A definition with a project makes the algorithm describe the layer; the task loads none.
        parameters["OUTPUT"] = QgsProcessingOutputLayerDefinition(output, project)
        if all(pair.values()):
            reason = algorithm.checkParameterValues(parameters, context)[1]
        else:
            reason = tr(
                "The project has no PAN and MS of one scene in one reference system. Add both rasters, zoom to them, "
                "then sharpen the map again."
            )
        if reason and pair == self.pair:
            return  # The map has left the scene, and may come back.
        if reason:
            self._end(reason)
            return
        self.pair = self.pair if pair == self.pair else {}
        task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
        task.executed.connect(lambda done, _: self._finish(done, pair, output))
        self.run = feedback, context, algorithm, task
        QgsApplication.taskManager().addTask(task)

    def _finish(self, done: bool, pair: dict[str, Any], output: str) -> None:
        """Show the preview of a run; one that was cancelled may have written its file without describing it."""
        (feedback, context, *_), self.run = self.run, ()
        if not done or not self.action.isChecked() or not os.path.exists(output):
            _delete_file(output)
            if self.action.isChecked() and not feedback.isCanceled():
                self._end(feedback.error)
            return
        self.pair = pair
        details = context.layerToLoadOnCompletionDetails(output)
        processor = details.postProcessor()
        warning, processor.warning = processor.warning, "" if processor.warning == self.warning else processor.warning
        self.warning = warning
        layer = self.layer or QgsRasterLayer()
        previous = layer.source()
        layer.setDataSource(output, details.name, "gdal")
        processor.postProcessLayer(layer, context, feedback)
        _delete_file(previous)
        if self.picture is None:
            self.layer, self.picture = layer, MapPicture(self.iface.mapCanvas(), set(), False)
            self.picture.show_layer(layer)
        ids = [value for each in pair.values() for value in (each if isinstance(each, list) else [each])]
        self.picture.place = set(ids)


def _delete_file(file: str) -> None:
    """Delete a preview. What another program holds open goes when QGIS ends."""
    with suppress(OSError):
        os.remove(file)
