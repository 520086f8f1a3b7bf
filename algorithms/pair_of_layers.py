"""PAN and MS as layers before a run: the likely pair of a project, and faults of a pair.

Only open layers are read, so that no dialog waits.
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
MIN_PIXEL = 1e-30  # Map units, so that no division is by 0.
COMPLEX = ("CInt16", "CInt32", "CFloat32", "CFloat64")  # QGIS's names of complex types.


def preselect(*parameters: QgsProcessingParameterDefinition) -> None:
    """Make the likely pair of the project the dialog's default of PAN and MS. Scripts and models do not see it."""
    for parameter, layer in zip(parameters, guess_pair() or ()):
        is_list = isinstance(parameter, QgsProcessingParameterMultipleLayers)
        parameter.setGuiDefaultValueOverride([layer.id()] if is_list else layer.id())


def guess_pair() -> tuple[QgsRasterLayer, QgsRasterLayer] | None:
    """Find a layer of one band with finer pixels and one of several bands over the same ground; None without a pair.

    Pairs with one data type and the largest overlap go first. Layers of two reference systems are left to the user.
    """
    application = QCoreApplication.instance()
    if application is None or QThread.currentThread() != application.thread():
        return None  # The project belongs to the main thread.
    layers = [la for la in QgsProject.instance().mapLayers().values() if isinstance(la, QgsRasterLayer)]
    candidates = [_Candidate.of(la) for la in layers if la.isValid() and la.providerType() == "gdal"]
    if len(candidates) < 2:  # QGIS starts without layers, and must not wait for NumPy.
        return None

    from ..model.geometry.grids import MAX_RATIO, MIN_RATIO, RATIO_DIGITS

    pairs = [
        (pan.data_type == ms.data_type, pan.overlap(ms), pan, ms)
        for ms in candidates
        for pan in candidates
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
class _Candidate:
    """Facts of a layer, read once because every two of a project's layers are compared."""

    layer: QgsRasterLayer
    bands: int
    data_type: object
    crs: str
    pixel: float
    extent: QgsRectangle

    @classmethod
    def of(cls, layer: QgsRasterLayer) -> _Candidate:
        data_type, crs = layer.dataProvider().dataType(1), layer.crs().authid() or layer.crs().toWkt()
        return cls(
            layer, layer.bandCount(), data_type, crs, max(layer.rasterUnitsPerPixelX(), MIN_PIXEL), layer.extent()
        )

    def overlap(self, other: _Candidate) -> float:
        """Return the area that both cover over the larger of their areas."""
        shared = self.extent.intersect(other.extent)
        return 0.0 if shared.isEmpty() else shared.area() / max(self.extent.area(), other.extent.area())


def find_pair_fault(pan: QgsRasterLayer, ms: QgsRasterLayer, bounds: Bounds = None) -> str:
    """Return why two layers cannot be PAN and MS, or `bounds` (in PAN's system) miss them; empty without a fault.

    Layers in two reference systems are compared roughly. The run checks them again.
    """
    from ..model.raster.source import SAME_RASTER

    if any(not layer.isValid() or layer.providerType() != "gdal" for layer in (pan, ms)):
        return ""  # `require_layer` refuses them.
    if os.path.realpath(pan.source()) == os.path.realpath(ms.source()):
        return SAME_RASTER.format(name=pan.source())
    return _check_types(pan, ms) or _check_grids(pan, ms) or _check_bounds(pan, ms, bounds)


def _check_types(pan: QgsRasterLayer, ms: QgsRasterLayer) -> str:
    for role, layer in (("PAN", pan), ("MS", ms)):
        if layer.dataProvider().dataType(1) in {getattr(Qgis.DataType, name, None) for name in COMPLEX}:
            sentence = tr("{role} {name} holds complex numbers; real numbers are needed.")
            return sentence.format(role=role, name=layer.name())
    return ""


def _check_grids(pan: QgsRasterLayer, ms: QgsRasterLayer) -> str:
    """Return why their grids cannot be fused."""
    from ..model.errors import InputError
    from ..model.geometry.grids import register

    if pan.crs() == ms.crs():
        fine, coarse = _read_grid(pan), _read_grid(ms)
        if fine.georeferenced != coarse.georeferenced:  # Unit pixels at the origin may be georeferenced, too.
            return ""
        try:
            register(fine, coarse)
        except InputError as error:
            return str(error)
        return ""
    shared = _intersect(pan, ms)
    if shared is not None and shared.isEmpty():
        sentence = tr("PAN {pan} and MS {ms} do not overlap: they show different areas. Choose one scene.")
        return sentence.format(pan=pan.name(), ms=ms.name())
    return ""


def _check_bounds(pan: QgsRasterLayer, ms: QgsRasterLayer, bounds: Bounds) -> str:
    """Return why `bounds` miss the area that both cover."""
    shared = _intersect(pan, ms)
    if bounds is None or shared is None or shared.intersects(QgsRectangle(*bounds)):
        return ""
    return tr(
        "The extent {extent} does not meet the area that PAN and MS share: x {left:.10g} to {right:.10g}, y "
        "{bottom:.10g} to {top:.10g}. Choose another extent, or leave it empty for all that both cover."
    ).format(
        extent=bounds, left=shared.xMinimum(), right=shared.xMaximum(), bottom=shared.yMinimum(), top=shared.yMaximum()
    )


def _read_grid(layer: QgsRasterLayer) -> Any:
    """Return the layer's grid, north up as in QGIS."""
    from ..model.geometry.grids import NO_GEOREFERENCE, Grid

    extent, width, height = layer.extent(), layer.width(), layer.height()
    corner = extent.xMinimum(), extent.yMinimum() * extent.yMaximum()
    if (extent.width(), extent.height(), *corner) == (width, height, 0.0, 0.0):
        return Grid(width, height, NO_GEOREFERENCE)  # Unit pixels at the origin.
    transform = (extent.xMinimum(), extent.width() / width, 0.0, extent.yMaximum(), 0.0, -extent.height() / height)
    return Grid(width, height, transform)


def _intersect(pan: QgsRasterLayer, ms: QgsRasterLayer) -> QgsRectangle | None:
    """Return the area that both cover, in PAN's system; None where it cannot be computed."""
    extent = move_extent(ms.extent(), ms.crs(), pan.crs(), QgsCoordinateTransformContext())
    if extent is None or not (_read_grid(pan).georeferenced and _read_grid(ms).georeferenced):
        return None
    return pan.extent().intersect(extent)
