"""Layers of results: drawn as MS is, named, and described in their metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from qgis.core import (
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsLayerMetadata,
    QgsMultiBandColorRenderer,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
    QgsRasterRenderer,
    QgsRasterShader,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

MAX_KEPT = 1000  # Post-processors of one session: more than a batch or model makes.


class MsLayer:
    """Rendering and metadata of the layer of MS: copies made on the main thread."""

    def __init__(self, layer: QgsRasterLayer, alone: bool) -> None:
        """Copy the layer. The rendering of one of several layers does not fit the result, so it needs `alone`."""
        self.name = layer.name()
        self.renderer = layer.renderer().clone() if layer.renderer() and alone else None
        self.filters = [f.clone() for f in (layer.brightnessFilter(), layer.hueSaturationFilter()) if f]
        self.metadata = layer.metadata().clone()


def described(ms: MsLayer, title: str, abstract: str, history: str) -> QgsLayerMetadata:
    """Return metadata of a result: its own title, abstract and last line of history, the rest from MS."""
    metadata = QgsLayerMetadata()
    metadata.setType("dataset")
    metadata.setTitle(title)
    metadata.setAbstract(abstract)
    metadata.setHistory([*ms.metadata.history(), history])
    metadata.setLicenses(ms.metadata.licenses())
    metadata.setRights(ms.metadata.rights())
    metadata.setConstraints(ms.metadata.constraints())
    return metadata


def make_result_renderer(renderer: QgsRasterRenderer | None, bands: Sequence[int]) -> QgsRasterRenderer | None:
    """Return the renderer of an MS layer for a result with its `bands`; None where it draws another band."""
    if renderer is None:
        return None
    number_of = {band: number for number, band in reversed(list(enumerate(bands, start=1)))}
    renderer.setAlphaBand(number_of.get(renderer.alphaBand(), -1))
    accessors = _list_drawn_bands(renderer)
    if accessors is None:
        return renderer if list(bands) == list(range(1, renderer.bandCount() + 1)) else None
    for get_band, set_band in accessors:
        band = get_band()
        if band > 0 and band not in number_of:
            return None
        set_band(number_of.get(band, band))
    return renderer


def _list_drawn_bands(renderer: QgsRasterRenderer) -> list[tuple[Any, Any]] | None:
    """Return getter and setter of each band that a renderer draws; None for unknown renderers."""
    if isinstance(renderer, QgsMultiBandColorRenderer):
        return [
            (renderer.redBand, renderer.setRedBand),
            (renderer.greenBand, renderer.setGreenBand),
            (renderer.blueBand, renderer.setBlueBand),
        ]
    if isinstance(renderer, QgsSingleBandGrayRenderer):
        return [(renderer.grayBand, renderer.setGrayBand)]
    if isinstance(renderer, QgsSingleBandPseudoColorRenderer):
        return [(renderer.band, renderer.setBand)]
    return None


class AfterLoading(QgsProcessingLayerPostProcessorInterface):
    """A post-processor that draws a loaded result. MAX_KEPT of them stay alive, as models and batches need."""

    kept: ClassVar[list[AfterLoading]] = []  # QGIS holds no reference until they have run.

    def __init__(self, draw: Callable[[QgsRasterLayer], None], warning: str = "") -> None:
        """Keep `draw`, which changes the layer, and a `warning` for the message bar."""
        super().__init__()
        self.draw, self.warning = draw, warning
        AfterLoading.kept = [*AfterLoading.kept[1 - MAX_KEPT :], self]

    def postProcessLayer(self, layer: Any, context: Any, feedback: Any) -> None:  # noqa: N802 - QGIS's name
        from qgis.utils import iface

        if self.warning and iface:
            iface.messageBar().pushWarning("OTFM Pansharpen", self.warning)
        if isinstance(layer, QgsRasterLayer):
            self.draw(layer)
            layer.triggerRepaint()


def render_like(ms: MsLayer, bands: Sequence[int], metadata: QgsLayerMetadata, warning: str = "") -> AfterLoading:
    """Give the result the rendering of the MS layer, its brightness and saturation too, and its metadata.

    `bands` are the numbers of the bands of MS that the result holds.
    """
    renderer = make_result_renderer(ms.renderer, bands)

    def draw(layer: QgsRasterLayer) -> None:
        if renderer is not None:
            layer.setRenderer(renderer.clone())
        for each in ms.filters:
            layer.pipe().set(each.clone())
        metadata.setCrs(layer.crs())
        layer.setMetadata(metadata)

    return AfterLoading(draw, warning)


def draw_shades(shades: Sequence[tuple[float, tuple[int, int, int], str]]) -> AfterLoading:
    """Draw the first band in shades, each with value, colour and legend, from the lowest value to the highest."""

    def draw(layer: QgsRasterLayer) -> None:
        ramp = QgsColorRampShader(shades[0][0], shades[-1][0])
        ramp.setColorRampItemList([QgsColorRampShader.ColorRampItem(v, QColor(*c), w) for v, c, w in shades])
        shader = QgsRasterShader()
        shader.setRasterShaderFunction(ramp)
        layer.setRenderer(QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader))

    return AfterLoading(draw)


def draw_colours(bands: tuple[int, int, int]) -> AfterLoading:
    """Draw the red, the green and the blue band in natural colours, stretched by a cumulative cut."""

    def draw(layer: QgsRasterLayer) -> None:
        if layer.bandCount() >= max(bands):
            layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), *bands))
            layer.setContrastEnhancement(
                QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
                QgsRasterMinMaxOrigin.Limits.CumulativeCut,
            )

    return AfterLoading(draw)
