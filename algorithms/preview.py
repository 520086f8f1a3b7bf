"""`otfm:preview`: the extent of the map, sharpened in seconds with the statistics of the whole scene."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingException, QgsRasterLayer, QgsRectangle
from qgis.core import QgsProcessingFeedback as Feedback

from ..model.options import BUNDLED
from .bridge import move_extent
from .help import PREVIEW, PREVIEW_TITLE
from .otfm_algorithm import Parameters
from .pair_of_layers import MADE_OF, PREVIEW_LAYER, Bounds
from .pansharpen import PansharpenAlgorithm
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionJob, FusionResult

MAX_PIXELS = 1920 * 1080  # Of PAN: a screen, so that a preview takes seconds.


class PreviewAlgorithm(PansharpenAlgorithm):
    """`otfm:pansharpen` with few parameters and the map's extent."""

    identifier, page = "preview", "previewing"
    title, summary, about = PREVIEW
    keywords = ("pansharpening", "preview", "canvas", "map")
    parameters = (
        *("PAN", "MS", "QUALITY", "EXTENT", "PAN_BAND", "MS_BANDS", "MS_MORE", "ALIGN", "MASK", "MTF_GAIN"),
        *("WEIGHTS_FOR", "OUTPUT"),
    )
    outputs = ()
    qualities = tuple(BUNDLED)
    result_title = PREVIEW_TITLE
    in_models = False  # They have no map.

    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """Prepare as `otfm:pansharpen`, and log where the map shows more than is sharpened."""
        prepared = super().prepareAlgorithm(parameters, context, feedback)
        if self._left_out:
            feedback.pushInfo(self._left_out)
        return prepared

    def _read_bounds(self, parameters: Parameters, context: Context, layer: QgsRasterLayer) -> Bounds:
        """Return EXTENT, or that of the map, in PAN's system; the middle of it where it is large."""
        bounds = super()._read_bounds(parameters, context, layer)
        shown = (QgsRectangle(*bounds) if bounds else _read_map_extent(layer, context)).intersect(layer.extent())
        if shown.isEmpty():
            raise QgsProcessingException(
                tr(
                    "The map shows nothing of PAN {pan}. Zoom to what you want to see sharpened, then run again."
                ).format(pan=layer.name())
            )
        wide, high = shown.width() / layer.rasterUnitsPerPixelX(), shown.height() / layer.rasterUnitsPerPixelY()
        share = min(1.0, math.sqrt(MAX_PIXELS / (wide * high)))
        self._left_out = ""
        if share < 1.0:
            shown.scale(share)
            self._left_out = tr(
                "The map shows {wide:.0f} x {high:.0f} pixels of PAN; the middle {columns:.0f} x {rows:.0f} are "
                "sharpened. Zoom in to see another part."
            ).format(wide=wide, high=high, columns=share * wide, rows=share * high)
        return shown.xMinimum(), shown.yMinimum(), shown.xMaximum(), shown.yMaximum()

    def _make_job(self, parameters: Parameters, context: Context, output: Path) -> FusionJob:
        from ..model.fusion.job import FusionJob

        options = self._read_options(
            parameters, context, self._read_quality(parameters, context), estimate_quality=False
        )
        return FusionJob(self._pan, self._ms, output, options, self._extent, tuple(self._more_ms))

    def _describe(self, loading: Any, result: FusionResult, quality: str) -> None:
        super()._describe(loading, result, quality)
        pan = self._pan_id
        loading.postProcessor().steps.append(lambda layer: replace_previous(layer, pan))

    def describe_run(self, parameters: Parameters, context: Context) -> tuple[str, bool]:
        """Describe nothing: a preview takes seconds."""
        return "", True

    @staticmethod
    def _list_outputs(result: FusionResult) -> dict[str, Any]:
        return {}


def replace_previous(layer: QgsRasterLayer, pan: str) -> None:
    """Put a loaded preview above PAN, its MS and their results, and remove the temporary previews of that MS."""
    project, made_of = layer.project(), layer.customProperty(MADE_OF)
    node = project.layerTreeRoot().findLayer(layer.id()) if project else None
    if node is None:
        return
    previous = [
        other.id()
        for other in project.mapLayers().values()
        if other.customProperty(PREVIEW_LAYER) and other.customProperty(MADE_OF) == made_of
        if other.isTemporary() or other.source() == layer.source()
    ]
    project.removeMapLayers(previous)
    layer.setCustomProperty(PREVIEW_LAYER, True)
    shown = [la for la in project.layerTreeRoot().layerOrder() if la is not layer]
    scene = [la for la in shown if la.id() in (pan, *made_of) or la.customProperty(MADE_OF) == made_of]
    if scene:
        below = project.layerTreeRoot().findLayer(scene[0].id())
        below.parent().insertChildNode(below.parent().children().index(below), node.clone())
        node.parent().removeChildNode(node)


def _read_map_extent(layer: QgsRasterLayer, context: Context) -> QgsRectangle:
    """Return the map's extent in the layer's system. Raises QgsProcessingException where there is no map."""
    from qgis.utils import iface

    canvas = iface.mapCanvas() if iface else None
    if canvas is None:
        raise QgsProcessingException(tr("There is no map here. Give EXTENT, the part that is to be sharpened."))
    system = canvas.mapSettings().destinationCrs()
    moved = move_extent(canvas.mapSettings().visibleExtent(), system, layer.crs(), context.transformContext())
    if moved is None:
        raise QgsProcessingException(
            tr(
                "What the map shows cannot be brought to the reference system of {name} ({system}). Zoom to the layer, "
                "then run again."
            ).format(name=layer.name(), system=layer.crs().userFriendlyIdentifier())
        )
    return moved
