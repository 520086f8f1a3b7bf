"""PAN and MS as layers, before anything runs: which two a project seems to mean, and what is plainly wrong with two.

Only what QGIS knows of open layers is asked, so that no dialog waits.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Optional

from qgis.core import (
    Qgis,
    QgsCoordinateTransformContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterMultipleLayers,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QCoreApplication, QThread

from .bridge import move_extent
from .translation import tr

Bounds = Optional[tuple[float, float, float, float]]
MIN_PIXEL = 1e-30  # map units; what is divided by
COMPLEX = ("CInt16", "CInt32", "CFloat32", "CFloat64")  # names of QGIS's types that hold no measurements


def preselect(*parameters: QgsProcessingParameterDefinition) -> None:
    """Have dialogs begin with the two layers that the project seems to mean; scripts and models do not see it.

    `parameters` are PAN and MS.
    """
    for parameter, layer in zip(parameters, likely_pair() or ()):
        many = isinstance(parameter, QgsProcessingParameterMultipleLayers)
        parameter.setGuiDefaultValueOverride([layer.id()] if many else layer.id())


def likely_pair() -> tuple[QgsRasterLayer, QgsRasterLayer] | None:
    """One band with the finer pixels and several bands over the same ground; None where no two layers are so.

    Of several such pairs, the one of one data type whose layers cover each other best. Layers of two reference systems
    are left to the user.
    """
    application = QCoreApplication.instance()
    if application is None or QThread.currentThread() != application.thread():
        return None  # the project belongs to the main thread
    layers = [la for la in QgsProject.instance().mapLayers().values() if isinstance(la, QgsRasterLayer)]
    places = [_Place.of(la) for la in layers if la.isValid() and la.providerType() == "gdal"]
    if len(places) < 2:  # as when QGIS starts, which is not to wait for NumPy
        return None

    from ..model.geometry.grids import MAX_RATIO, MIN_RATIO, RATIO_DIGITS

    pairs = [
        (pan.kind == ms.kind, pan.overlap(ms), pan, ms)
        for ms in places
        for pan in places
        if pan.bands == 1 < ms.bands
        and pan.crs == ms.crs
        and MIN_RATIO <= round(ms.pixel / pan.pixel, RATIO_DIGITS) <= MAX_RATIO
        and pan.overlap(ms) > 0.0
    ]
    if not pairs:
        return None
    _, _, pan, ms = max(pairs, key=lambda p: (p[0], p[1]))
    return pan.layer, ms.layer


@dataclass(frozen=True)
class _Place:
    """What of a layer decides, asked once: a project may hold hundreds of layers, of which every two are compared."""

    layer: QgsRasterLayer
    bands: int
    kind: object
    crs: str
    pixel: float
    extent: QgsRectangle

    @classmethod
    def of(cls, layer: QgsRasterLayer) -> _Place:
        kind, crs = layer.dataProvider().dataType(1), layer.crs().authid() or layer.crs().toWkt()
        return cls(layer, layer.bandCount(), kind, crs, max(layer.rasterUnitsPerPixelX(), MIN_PIXEL), layer.extent())

    def overlap(self, other: _Place) -> float:
        """Area that both cover over the larger of their areas."""
        shared = self.extent.intersect(other.extent)
        return 0.0 if shared.isEmpty() else shared.area() / max(self.extent.area(), other.extent.area())


def refusal(pan: QgsRasterLayer, ms: QgsRasterLayer, bounds: Bounds = None) -> str:
    """Why two layers cannot be PAN and MS, or `bounds` (in PAN's system) no part of them; empty where nothing says so.

    What lies in two reference systems is compared roughly, and left to the run where that does not tell.
    """
    from ..model.raster.source import SAME_RASTER

    if any(not layer.isValid() or layer.providerType() != "gdal" for layer in (pan, ms)):
        return ""  # said as they are opened
    if os.path.realpath(pan.source()) == os.path.realpath(ms.source()):
        return SAME_RASTER.format(name=pan.source())
    return _complex(pan, ms) or _misplaced(pan, ms) or _beside(pan, ms, bounds)


def _complex(pan: QgsRasterLayer, ms: QgsRasterLayer) -> str:
    for role, layer in (("PAN", pan), ("MS", ms)):
        if layer.dataProvider().dataType(1) in {getattr(Qgis.DataType, name, None) for name in COMPLEX}:
            sentence = tr("{role} {name} holds complex numbers; real numbers are needed.")
            return sentence.format(role=role, name=layer.name())
    return ""


def _misplaced(pan: QgsRasterLayer, ms: QgsRasterLayer) -> str:
    """Why their grids cannot be fused."""
    from ..model.errors import InputError
    from ..model.geometry.grids import register

    if pan.crs() == ms.crs():
        fine, coarse = _grid(pan), _grid(ms)
        if fine.georeferenced != coarse.georeferenced:  # pixels of one unit from the origin on may be a place, too
            return ""
        try:
            register(fine, coarse)
        except InputError as error:
            return str(error)
        return ""
    shared = _shared(pan, ms)
    if shared is not None and shared.isEmpty():
        sentence = tr("PAN {pan} and MS {ms} do not overlap: they lie at different places. Choose one scene.")
        return sentence.format(pan=pan.name(), ms=ms.name())
    return ""


def _beside(pan: QgsRasterLayer, ms: QgsRasterLayer, bounds: Bounds) -> str:
    """Why `bounds` are no part of what both cover."""
    shared = _shared(pan, ms)
    if bounds is None or shared is None or shared.intersects(QgsRectangle(*bounds)):
        return ""
    return tr(
        "The extent {extent} does not meet the area that PAN and MS share: x {left:.10g} to {right:.10g}, y "
        "{bottom:.10g} to {top:.10g}. Choose another extent, or leave it empty for all that both cover."
    ).format(
        extent=bounds, left=shared.xMinimum(), right=shared.xMaximum(), bottom=shared.yMinimum(), top=shared.yMaximum()
    )


def _grid(layer: QgsRasterLayer) -> Any:
    """The layer's grid as QGIS shows it: north up."""
    from ..model.geometry.grids import NO_GEOREFERENCE, Grid

    place, wide, high = layer.extent(), layer.width(), layer.height()
    if (place.width(), place.height(), place.xMinimum(), place.yMinimum() * place.yMaximum()) == (wide, high, 0.0, 0.0):
        return Grid(wide, high, NO_GEOREFERENCE)  # pixels of one unit from the origin on
    transform = (place.xMinimum(), place.width() / wide, 0.0, place.yMaximum(), 0.0, -place.height() / high)
    return Grid(wide, high, transform)


def _shared(pan: QgsRasterLayer, ms: QgsRasterLayer) -> QgsRectangle | None:
    """What both cover, in PAN's system; empty where that is nothing, None where it cannot be told."""
    place = move_extent(ms.extent(), ms.crs(), pan.crs(), QgsCoordinateTransformContext())
    if place is None or not (_grid(pan).georeferenced and _grid(ms).georeferenced):
        return None
    return pan.extent().intersect(place)
