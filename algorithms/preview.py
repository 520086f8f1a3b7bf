"""`otfm:preview`: what the map shows, sharpened in seconds, with the figures of the whole scene."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import QgsProcessingAlgorithm, QgsProcessingException, QgsRasterLayer, QgsRectangle
from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback

from ..model.options import BUNDLED
from .bridge import move_extent
from .help import PREVIEW, PREVIEW_TITLE
from .otfm_algorithm import Parameters
from .pair_of_layers import Bounds
from .pansharpen import PansharpenAlgorithm
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionJob, FusionResult

MOST_PIXELS = 1920 * 1080  # of PAN; a screen


class PreviewAlgorithm(PansharpenAlgorithm):
    """Declares a few parameters of `otfm:pansharpen`; its extent is the map's."""

    identifier, page = "preview", "previewing"
    title, summary, about = PREVIEW
    keywords = ("pansharpening", "preview", "canvas", "map")
    parameters = (
        *("PAN", "MS", "QUALITY", "EXTENT", "PAN_BAND", "MS_BANDS", "MS_MORE", "ALIGN", "MASK", "MTF_GAIN", "OUTPUT"),
    )
    outputs = ()
    qualities = tuple(BUNDLED)
    result_title = PREVIEW_TITLE

    def flags(self) -> Any:
        """Not for models: they have no map to look at."""
        return super().flags() | QgsProcessingAlgorithm.Flag.FlagHideFromModeler

    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """As in `otfm:pansharpen`; says where the map shows more than is sharpened."""
        prepared = super().prepareAlgorithm(parameters, context, feedback)
        if self._left_out:
            feedback.pushInfo(self._left_out)
        return prepared

    def _bounds(self, parameters: Parameters, context: Context, layer: QgsRasterLayer) -> Bounds:
        """EXTENT, or what the map shows, in PAN's system: the middle of it where it is large."""
        given = super()._bounds(parameters, context, layer)
        shown = (QgsRectangle(*given) if given else _map_extent(layer, context)).intersect(layer.extent())
        if shown.isEmpty():
            raise QgsProcessingException(
                tr(
                    "The map shows nothing of PAN {pan}. Zoom to what you want to see sharpened, then run again."
                ).format(pan=layer.name())
            )
        wide, high = shown.width() / layer.rasterUnitsPerPixelX(), shown.height() / layer.rasterUnitsPerPixelY()
        share = min(1.0, math.sqrt(MOST_PIXELS / (wide * high)))
        self._left_out = ""
        if share < 1.0:
            shown.scale(share)
            self._left_out = tr(
                "The map shows {wide:.0f} x {high:.0f} pixels of PAN; the middle {columns:.0f} x {rows:.0f} are "
                "sharpened. Zoom in to see another part."
            ).format(wide=wide, high=high, columns=share * wide, rows=share * high)
        return shown.xMinimum(), shown.yMinimum(), shown.xMaximum(), shown.yMaximum()

    def _job(self, parameters: Parameters, context: Context, output: Path) -> FusionJob:
        from ..model.fusion.job import FusionJob

        quality = self._quality(parameters, context)
        return FusionJob(
            pan=self._pan,
            ms=self._ms,
            more_ms=tuple(self._more_ms),
            output=output,
            weights=BUNDLED.get(quality, Path(quality)),
            extent=self._extent,
            align=self.parameterAsEnumString(parameters, "ALIGN", context) == "auto",
            gain=self._gain(parameters, context),
            judged=False,
        )

    @staticmethod
    def _outputs(result: FusionResult) -> dict[str, Any]:
        return {}


def _map_extent(layer: QgsRasterLayer, context: Context) -> QgsRectangle:
    """What QGIS's map shows, in the layer's system. Raises QgsProcessingException where there is no map."""
    from qgis.utils import iface

    canvas = iface.mapCanvas() if iface else None
    if canvas is None:
        raise QgsProcessingException(tr("There is no map here. Give EXTENT, the part that is to be sharpened."))
    system = canvas.mapSettings().destinationCrs()
    moved = move_extent(canvas.extent(), system, layer.crs(), context.transformContext())
    if moved is None:
        raise QgsProcessingException(
            tr(
                "What the map shows cannot be brought to the reference system of {name} ({system}). Zoom to the layer, "
                "then run again."
            ).format(name=layer.name(), system=layer.crs().userFriendlyIdentifier())
        )
    return moved
