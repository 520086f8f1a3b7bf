"""Between QGIS and `model`: layers to plain sources, feedback to plain callables, jobs to the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsFeatureRequest,
    QgsGeometry,
    QgsMapLayer,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsRectangle,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QCoreApplication, QEventLoop, QThread

from .settings import weights_folder
from .translation import tr

if TYPE_CHECKING:
    from ..model.progress import Progress
    from ..model.raster.source import RasterSource

ONLY_IN_QGIS = ("/vsimem/", "MEM:::", "authcfg=")  # in a layer's source: memory of this process, its stored passwords


def opened(layer: QgsMapLayer | None, role: str, given: object) -> QgsRasterLayer:
    """The layer where it is a raster that opens. Raises QgsProcessingException, naming what was given for `role`."""
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
        raise QgsProcessingException(
            tr(
                "{role} {given} cannot be opened as a raster. Check that the file exists and that GDAL can read it."
            ).format(role=role, given=given)
        )
    return layer


def run_in_engine(job: Any, feedback: QgsProcessingFeedback) -> Any:
    """Have a job done by the engine; returns its result. Raises PansharpenError."""
    from ..engine.client import ENGINES

    with progress_for(feedback) as progress:
        return ENGINES.run(job, own_packages(), progress)


def own_packages() -> Path:
    """The folder of the profile that `otfm:setup` installs into."""
    from ..engine.packages import packages_folder

    return packages_folder(Path(QgsApplication.qgisSettingsDirPath()))


def own_weights() -> list[Path]:
    """Weights files in that folder, by name."""
    return sorted(weights_folder().glob("*.safetensors"))


def read_polygons(source: QgsProcessingFeatureSource, request: QgsFeatureRequest) -> tuple[list[QgsGeometry], int]:
    """Read polygons of a user's layer: flat, without curves, valid. Second, how many features cannot be repaired.

    QGIS's own check of each feature is switched off: it raises through the Python iterator, which breaks QGIS's Python.
    """
    polygons, lost = [], 0
    for feature in source.getFeatures(request, QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks):
        shape = feature.geometry()
        if shape.isEmpty():
            continue
        shape.convertToStraightSegment()
        shape.get().dropZValue()
        shape.get().dropMValue()
        if not shape.isGeosValid():
            shape = shape.makeValid()
        parts = [p for p in shape.asGeometryCollection() if p.type() == QgsWkbTypes.GeometryType.PolygonGeometry]
        polygons += parts
        lost += not parts
    return polygons, lost


def move_extent(
    extent: QgsRectangle,
    source: QgsCoordinateReferenceSystem,
    target: QgsCoordinateReferenceSystem,
    transforms: QgsCoordinateTransformContext,
) -> QgsRectangle | None:
    """Bring an extent to another reference system; None where it has no place there."""
    if source.isValid() and target.isValid() and source != target:
        try:
            extent = QgsCoordinateTransform(source, target, transforms).transformBoundingBox(extent)
        except QgsCsException:
            return None
    return extent if extent.isFinite() else None


def raster_source(layer: QgsRasterLayer, bands: list[int], role: str, unmeasured: str = "") -> RasterSource:
    """Plain data of a layer, with polygons of ground that is not measured (WKB as hexadecimal, in PAN's system).

    Raises QgsProcessingException where GDAL does not provide it. Main thread only.
    """
    from ..model.raster.source import RasterSource

    provider = layer.dataProvider()
    if provider is None or provider.name() != "gdal":
        raise QgsProcessingException(
            tr(
                "{role} {name} comes from the provider '{provider}', but only raster files that GDAL reads can be "
                "sharpened. Export the layer to a GeoTIFF first (right click, Export, Save As)."
            ).format(role=role, name=layer.name(), provider=provider.name() if provider else "")
        )
    if any(word in layer.source() for word in ONLY_IN_QGIS):
        raise QgsProcessingException(
            tr(
                "{role} {name} ({source}) can be opened by this QGIS alone, not by the engine, which is a process of "
                "its own. Export the layer to a GeoTIFF first (right click, Export, Save As)."
            ).format(role=role, name=layer.name(), source=layer.source())
        )
    uri = QgsProviderRegistry.instance().decodeUri("gdal", layer.source())
    every = range(1, layer.bandCount() + 1)
    declared = [(band, r.min(), r.max()) for band in every for r in provider.userNoDataValues(band)]
    switched_off = [b for b in every if not provider.useSourceNoDataValue(b)]  # bands without one are among them
    return RasterSource(
        path=layer.source().split("|option:")[0],
        open_options=tuple(uri.get("openOptions", ())),
        bands=tuple(bands),
        band_nodata=tuple(declared),
        ignored_nodata=tuple(switched_off),
        crs=_replaced_crs(layer),
        unmeasured=unmeasured,
    )


def _replaced_crs(layer: QgsRasterLayer) -> str:
    """WKT of the layer's reference system where the user has set another one than the file's."""
    if not layer.crs().isValid() or layer.crs() == layer.dataProvider().crs():
        return ""
    return layer.crs().toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL)


@contextmanager
def progress_for(feedback: QgsProcessingFeedback) -> Iterator[Progress]:
    """The model's view of a feedback object; details come at the end, however that is reached."""
    from ..model.progress import Progress

    main = QThread.currentThread() == QCoreApplication.instance().thread()

    def cancelled() -> bool:
        if main:  # as in qgis_process, where Ctrl-C arrives as an event
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        return bool(feedback.isCanceled())

    details: list[str] = []
    try:
        yield Progress(
            report=lambda share: feedback.setProgress(100.0 * share),
            cancelled=cancelled,
            log=feedback.pushInfo,
            notice=lambda found: feedback.pushWarning(found.sentence),
            detail=details.append,
        )
    finally:
        for line in [tr("Details"), *details] if details else []:
            feedback.pushDebugInfo(line)
