"""Layers of results: drawn as MS is, named, and described in their metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from qgis.core import (
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsLayerMetadata,
    QgsMultiBandColorRenderer,
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
    QgsRasterRenderer,
    QgsRasterShader,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from .pair_of_layers import MADE_OF, name_ms
from .translation import tr

PARTS = ("Band", "ContrastEnhancement")  # Of the names of a renderer's functions.
MAX_KEPT = 1000  # Post-processors of one session: more than a batch or model makes.


class MsLayer:
    """Name, rendering and metadata of MS: copies made on the main thread."""

    def __init__(self, layers: Sequence[QgsRasterLayer]) -> None:
        """Copy MS, which is one layer, or one per band."""
        layer, self.ids = layers[0], [each.id() for each in layers]
        self.name = name_ms(layers)
        self.renderer = _choose_renderer(layers)
        self.filters = [f.clone() for f in (layer.brightnessFilter(), layer.hueSaturationFilter()) if f]
        self.metadata = layer.metadata().clone()


def _choose_renderer(layers: Sequence[QgsRasterLayer]) -> QgsRasterRenderer | None:
    """Return the rendering of MS, in natural colours where QGIS drew the first three bands, blue before red.

    Natural colours are stretched as MS is: by each layer's stretch, or by that of the one layer for other bands. QGIS
    stretches single bands to their extremes; these are stretched by a cumulative cut, as several bands are.
    """
    from ..model.product.names import find_natural_colours

    renderer = layers[0].renderer()
    is_first_three = isinstance(renderer, QgsMultiBandColorRenderer) and renderer.usesBands()[:3] == [1, 2, 3]
    colours = find_natural_colours([la.source() for la in layers]) if len(layers) > 1 or is_first_three else None
    if colours is None or (len(layers) == 1 and colours[0] < colours[2]):
        return renderer.clone() if renderer and len(layers) == 1 else None
    if len(layers) == 1:
        natural = layers[0].clone()
        stretch, origin = renderer.redContrastEnhancement(), renderer.minMaxOrigin()
        natural.setRenderer(QgsMultiBandColorRenderer(natural.dataProvider(), *colours))
        if stretch and stretch.contrastEnhancementAlgorithm() and origin.limits():
            natural.setContrastEnhancement(stretch.contrastEnhancementAlgorithm(), origin.limits())
        return natural.renderer().clone()
    drawn = QgsMultiBandColorRenderer(None, *colours)
    for get_band, _, _, set_stretch in _list_channels(drawn):
        band = layers[get_band() - 1].clone()
        grey = band.renderer()
        if isinstance(grey, QgsSingleBandGrayRenderer) and grey.contrastEnhancement():
            if grey.minMaxOrigin().limits() == QgsRasterMinMaxOrigin.Limits.MinMax:
                kind = grey.contrastEnhancement().contrastEnhancementAlgorithm()
                band.setContrastEnhancement(kind, QgsRasterMinMaxOrigin.Limits.CumulativeCut)
            set_stretch(QgsContrastEnhancement(band.renderer().contrastEnhancement()))
    return drawn


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
    renderer.setAlphaBand(-1)  # All bands of the result are image.
    channels = [channel[:2] for channel in _list_channels(renderer)]
    if isinstance(renderer, QgsSingleBandPseudoColorRenderer):
        channels = [(renderer.band, renderer.setBand)]
    if not channels:
        return renderer if list(bands) == list(range(1, renderer.bandCount() + 1)) else None
    for get_band, set_band in channels:
        band = get_band()
        if band > 0 and band not in number_of:
            return None
        set_band(number_of.get(band, band))
    return renderer


def _list_channels(renderer: QgsRasterRenderer | None) -> list[tuple[Any, ...]]:
    """Return getter and setter of the band of each channel, and those of its stretch; empty for other renderers."""
    if isinstance(renderer, QgsSingleBandGrayRenderer):
        return [
            (renderer.grayBand, renderer.setGrayBand, renderer.contrastEnhancement, renderer.setContrastEnhancement)
        ]
    if not isinstance(renderer, QgsMultiBandColorRenderer):
        return []
    names = [(f"{c}{part}", f"set{c.title()}{part}") for c in ("red", "green", "blue") for part in PARTS]
    functions = [getattr(renderer, name) for pair in names for name in pair]
    return [tuple(functions[n : n + 4]) for n in (0, 4, 8)]


class AfterLoading(QgsProcessingLayerPostProcessorInterface):
    """A post-processor that draws a loaded result. MAX_KEPT of them stay alive, as models and batches need."""

    kept: ClassVar[list[AfterLoading]] = []  # QGIS holds no reference until they have run.
    offers: ClassVar[list[Callable[[QgsRasterLayer], None]]] = []  # Called with each result in a project, by desktop/.

    def __init__(self, draw: Callable[[QgsRasterLayer], None], warning: str = "") -> None:
        """Keep `draw`, the first of the steps that change the layer, and a `warning` for the message bar."""
        super().__init__()
        self.steps, self.warning = [draw], warning
        AfterLoading.kept = [*AfterLoading.kept[1 - MAX_KEPT :], self]

    def postProcessLayer(self, layer: Any, context: Any, feedback: Any) -> None:  # noqa: N802 - QGIS's name
        from qgis.utils import iface

        if self.warning and iface:
            iface.messageBar().pushWarning("OTFM Pansharpen", self.warning)
        if isinstance(layer, QgsRasterLayer):
            for step in self.steps:
                step(layer)
            layer.triggerRepaint()
            for offer in self.offers if layer.project() and layer.customProperty(MADE_OF) else ():
                offer(layer)


def read_drawing(ms: MsLayer, bands: Sequence[int]) -> tuple[list[int], tuple[tuple[float, float], ...]]:
    """Return the bands that a picture of MS shows, and the values that are black and white in each.

    The rendering of MS then has no stretch, as the picture needs none. Raises QgsProcessingException where the layer is
    not drawn by a stretch of its bands, or draws others than `bands`.
    """
    channels = _list_channels(ms.renderer)
    shown = [channel[0]() for channel in channels]
    if not shown or not all(b > 0 and (not bands or b in bands) for b in shown):
        raise QgsProcessingException(
            tr(
                "{name} cannot be printed as it is drawn. Draw it as Multiband color with three of its bands in the "
                "layer's properties (Symbology), or choose another form of the output."
            ).format(name=ms.name)
        )
    limits: list[tuple[float, float]] = []
    for _, _, get_stretch, set_stretch in channels:
        stretch = get_stretch()
        limits.append((stretch.minimumValue(), stretch.maximumValue()) if stretch else (0.0, 255.0))
        set_stretch(None)
    return shown, tuple(limits)


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


def draw_colours(bands: tuple[int, int, int], limits: tuple[float, float] | None = None) -> AfterLoading:
    """Draw the red, the green and the blue band in natural colours.

    All are stretched between `limits`; without limits, each by a cumulative cut.
    """
    stretch = QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum

    def draw(layer: QgsRasterLayer) -> None:
        if layer.bandCount() >= max(bands):
            layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), *bands))
            layer.setContrastEnhancement(stretch, QgsRasterMinMaxOrigin.Limits.CumulativeCut)
        if limits and layer.bandCount() >= max(bands):
            renderer = layer.renderer().clone()
            origin = QgsRasterMinMaxOrigin()
            origin.setLimits(QgsRasterMinMaxOrigin.Limits.None_)
            renderer.setMinMaxOrigin(origin)
            for _, _, get_stretch, _ in _list_channels(renderer):
                get_stretch().setMinimumValue(limits[0])
                get_stretch().setMaximumValue(limits[1])
            layer.setRenderer(renderer)

    return AfterLoading(draw)
