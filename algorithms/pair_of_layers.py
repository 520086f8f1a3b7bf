"""PAN and MS as layers before a run: the likely pair of a project, and faults of a pair.

Only open layers are read, so that no dialog waits.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from qgis.core import (
    Qgis,
    QgsCoordinateTransformContext,
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterDestination,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QCoreApplication, QThread

from .bridge import move_extent
from .settings import default_output
from .translation import tr

Bounds = Optional[tuple[float, float, float, float]]
MADE_OF = "otfm/made_of"  # Property of a result: ids of the layers of MS, one per band if they are several.
PREVIEW_LAYER = "otfm/preview"  # Property of a loaded preview.
MIN_PIXEL = 1e-30  # Map units, so that no division is by 0.
COMPLEX = ("CInt16", "CInt32", "CFloat32", "CFloat64")  # QGIS's names of complex types.


@dataclass(frozen=True)
class LayerPair:
    """PAN and MS of one scene; MS as one layer, or as one layer per band in the order of their wavelengths."""

    pan: QgsRasterLayer
    ms: tuple[QgsRasterLayer, ...]


def preselect_pair(algorithm: QgsProcessingAlgorithm) -> None:
    """Make the likely pair of the project the dialog's default of PAN and MS. Scripts and models do not see it."""
    parameters = [algorithm.parameterDefinition(name) for name in ("PAN", "MS")]
    if any(p is None or p.isDestination() for p in parameters):
        return
    takes_list = [isinstance(p, QgsProcessingParameterMultipleLayers) for p in parameters]
    for pair in [p for p in likely_pairs() if takes_list[1] or len(p.ms) == 1][:1]:
        for parameter, is_list, layers in zip(parameters, takes_list, ((pair.pan,), pair.ms)):
            ids = [layer.id() for layer in layers]
            parameter.setGuiDefaultValueOverride(ids if is_list else ids[0])
        fused = algorithm.parameterDefinition("FUSED")
        if fused is not None:
            fused.setGuiDefaultValueOverride([layer.id() for layer in list_results(pair.ms)] or None)
        output = algorithm.parameterDefinition("OUTPUT")
        if isinstance(output, QgsProcessingParameterRasterDestination) and algorithm.name() == "pansharpen":
            output.setGuiDefaultValueOverride(default_output(name_ms(pair.ms)) or None)


def likely_pairs() -> list[LayerPair]:
    """Find the pairs of the project, likeliest first: one band with finer pixels, and bands over the same ground.

    The pair of the active layer goes first, then the one that was sharpened last, then pairs whose names say one scene
    and PAN, with one data type, and with the largest overlap. Layers of two reference systems are left to the user.
    """
    application = QCoreApplication.instance()
    if application is None or QThread.currentThread() != application.thread():
        return []  # The project belongs to the main thread.
    layers = [la for la in QgsProject.instance().mapLayers().values() if isinstance(la, QgsRasterLayer)]
    layers = [la for la in layers if la.isValid() and la.providerType() == "gdal"]
    if len(layers) < 2:  # QGIS starts without layers, and must not wait for NumPy.
        return []

    from qgis.utils import iface

    from ..model.geometry.grids import MAX_RATIO, MIN_RATIO, RATIO_DIGITS

    active = iface.activeLayer() if iface else None
    single = [_LayerFacts.of((la,)) for la in layers if la.bandCount() == 1]
    multiple = [_LayerFacts.of((la,)) for la in layers if la.bandCount() > 1]
    pairs = [
        (pan.score(ms, active), LayerPair(pan.layers[0], ms.layers))
        for ms in (*multiple, *map(_LayerFacts.of, band_sets()))
        for pan in single
        if pan.crs == ms.crs
        and MIN_RATIO <= round(ms.pixel / pan.pixel, RATIO_DIGITS) <= MAX_RATIO
        and pan.overlap(ms) > 0.0
    ]
    for number, pair in enumerate(remembered_pairs(QgsProject.instance())):
        pairs.append(((active is not None and active in (pair.pan, *pair.ms), True, number), pair))
    return [pair for _, pair in sorted(pairs, key=lambda p: p[0], reverse=True)]


def list_results(ms: Sequence[QgsRasterLayer]) -> list[QgsMapLayer]:
    """Return the sharpened layers of the project that were made of MS, or of some of its bands, without previews."""
    ids = {layer.id() for layer in ms}
    results = [la for la in QgsProject.instance().mapLayers().values() if la.customProperty(MADE_OF)]
    return [la for la in results if ids.issuperset(la.customProperty(MADE_OF)) and not la.customProperty(PREVIEW_LAYER)]


def remember_pair(project: QgsProject, pan: QgsRasterLayer, ms: Sequence[QgsRasterLayer]) -> None:
    """Keep in the project which of its layers were PAN and MS, the last one last. Main thread only."""
    if any(project.mapLayer(layer.id()) is None for layer in (pan, *ms)):
        return
    pairs = [[p.pan.id(), *(la.id() for la in p.ms)] for p in remembered_pairs(project) if p.ms != tuple(ms)]
    project.writeEntry("otfm", "pairs", json.dumps([*pairs, [pan.id(), *(la.id() for la in ms)]]))


def remembered_pairs(project: QgsProject) -> list[LayerPair]:
    """Return the pairs that the project keeps and whose layers it still has."""
    try:
        kept = json.loads(project.readEntry("otfm", "pairs", "[]")[0])
        found = [[project.mapLayer(str(name)) for name in names] for names in kept if isinstance(names, list)]
    except (ValueError, TypeError, RecursionError):
        return []
    whole = [p for p in found if len(p) > 1 and all(isinstance(la, QgsRasterLayer) and la.isValid() for la in p)]
    return [LayerPair(pan, tuple(ms)) for pan, *ms in whole]


def all_pairs() -> list[LayerPair]:
    """Return the likeliest pair of each MS of the project."""
    best: dict[tuple[str, ...], LayerPair] = {}
    for pair in likely_pairs():
        best.setdefault(tuple(la.id() for la in pair.ms), pair)
    return list(best.values())


def band_sets() -> list[tuple[QgsRasterLayer, ...]]:
    """Return the layers of the project that are bands of one scene by their names, in the order of wavelengths."""
    sets: dict[tuple[Any, ...], dict[str, tuple[float, QgsRasterLayer]]] = {}
    for layer in QgsProject.instance().mapLayers().values():
        if isinstance(layer, QgsRasterLayer) and layer.isValid() and layer.bandCount() == 1:
            named = _parse_name(layer)
            if named is not None and named.band not in ("PAN", "MS"):
                grid = layer.width(), layer.height(), layer.extent().toString()
                sets.setdefault((named.scene, *grid), {}).setdefault(named.band, (named.rank, layer))
    return [tuple(la for _, la in sorted(s.values(), key=lambda b: b[0])) for s in sets.values()]


def name_ms(layers: Sequence[QgsRasterLayer]) -> str:
    """Return the name of MS: that of its layer, or what the names of its bands share."""
    scene, bands = split_names([layer.name() for layer in layers])
    return scene or ", ".join(bands)


def split_names(names: Sequence[str]) -> tuple[str, list[str]]:
    """Split names of layers into what they share, up to a separator, and the rest of each."""
    parts = [re.split(r"(?<=[_\-. ])", name) for name in names]
    count = next((i for i, same in enumerate(zip(*parts)) if len({*same}) > 1), 0)
    return "".join(parts[0][:count]).rstrip("_-. "), ["".join(p[count:]) for p in parts]


def _parse_name(layer: QgsRasterLayer) -> Any:
    """Return what the name of the file, or else that of the layer, states of a band; None where they do not."""
    from ..model.product.names import parse_band_name

    return parse_band_name(layer.source().split("|")[0]) or parse_band_name(f"{layer.name()}.tif")


@dataclass(frozen=True)
class _LayerFacts:
    """Facts of PAN or MS, read once because every two of a project's layers are compared."""

    layers: tuple[QgsRasterLayer, ...]
    data_type: object
    crs: str
    pixel: float
    extent: QgsRectangle
    named: Any

    @classmethod
    def of(cls, layers: tuple[QgsRasterLayer, ...]) -> _LayerFacts:
        first = layers[0]
        crs, pixel = first.crs().authid() or first.crs().toWkt(), max(first.rasterUnitsPerPixelX(), MIN_PIXEL)
        return cls(layers, first.dataProvider().dataType(1), crs, pixel, first.extent(), _parse_name(first))

    def score(self, ms: _LayerFacts, active: QgsMapLayer | None) -> tuple[Any, ...]:
        """Return how likely this is PAN of `ms`, as a tuple that sorts."""
        same_scene = bool(self.named and ms.named and self.named.scene == ms.named.scene)
        same_date = bool(self.named and ms.named and self.named.date and self.named.date == ms.named.date)
        is_pan = bool(self.named and self.named.band == "PAN")
        is_active = active is not None and active in (*self.layers, *ms.layers)
        return (
            *(is_active, False, same_scene, same_date, is_pan, self.data_type == ms.data_type),
            *(self.overlap(ms), len(ms.layers)),
        )

    def overlap(self, other: _LayerFacts) -> float:
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
    shared = find_shared_extent(pan, ms)
    if shared is not None and shared.isEmpty():
        sentence = tr("PAN {pan} and MS {ms} do not overlap: they show different areas. Choose one scene.")
        return sentence.format(pan=pan.name(), ms=ms.name())
    return ""


def _check_bounds(pan: QgsRasterLayer, ms: QgsRasterLayer, bounds: Bounds) -> str:
    """Return why `bounds` miss the area that both cover."""
    shared = find_shared_extent(pan, ms)
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


def find_shared_extent(pan: QgsRasterLayer, ms: QgsRasterLayer) -> QgsRectangle | None:
    """Return the area that both cover, in PAN's system; None where it cannot be computed."""
    extent = move_extent(ms.extent(), ms.crs(), pan.crs(), QgsCoordinateTransformContext())
    if extent is None or not (_read_grid(pan).georeferenced and _read_grid(ms).georeferenced):
        return None
    return pan.extent().intersect(extent)
