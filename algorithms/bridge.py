"""Conversion between QGIS and `model`: layers to plain sources, feedback to callables, jobs to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

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
from .translation import tr, translate_message

if TYPE_CHECKING:
    from ..model.progress import Progress
    from ..model.raster.source import RasterSource

Method = TypeVar("Method", bound=Callable[..., Any])
ONLY_IN_QGIS = ("/vsimem/", "MEM:::", "authcfg=")  # Sources in memory or with stored passwords.


def free_layers(method: Method) -> Method:
    """Raise a method's error for Processing from here: QGIS keeps errors for ever, and all that their frames hold.

    A layer that a script made would then keep its file open, and crash Python as it ends.
    """

    @wraps(method)
    def call(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except QgsProcessingException as error:
            sentence = str(error)
        del arguments
        raise QgsProcessingException(sentence)

    return cast(Method, call)


def require_layer(layer: QgsMapLayer | None, role: str, given: object) -> QgsRasterLayer:
    """Return the layer if it is a valid raster. Raises QgsProcessingException with `given`, the value of `role`."""
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
        raise QgsProcessingException(
            tr(
                "{role} {given} cannot be opened as a raster. Check that the file exists and that GDAL can read it."
            ).format(role=role, given=given)
        )
    return layer


def run_in_engine(job: Any, feedback: QgsProcessingFeedback) -> Any:
    """Run a job in the engine and return its result. Raises PansharpenError."""
    from ..engine.client import ENGINES

    with progress_for(feedback) as progress:
        return ENGINES.run(job, own_packages(), progress)


def start_engine() -> None:
    """Start an engine while the user fills in a dialog, if torch is there, so that the run begins at once."""
    from ..engine.client import ENGINES
    from ..engine.packages import has_torch

    if has_torch(own_packages()):
        ENGINES.prepare(own_packages())


def own_packages() -> Path:
    """Return the folder of the profile that `otfm:setup` installs into."""
    from ..engine.packages import packages_folder

    return packages_folder(Path(QgsApplication.qgisSettingsDirPath()))


def list_tuned_weights() -> list[Path]:
    """List the files of tuned weights by name."""
    return sorted(weights_folder().glob("*.safetensors"))


def read_polygons(
    source: QgsProcessingFeatureSource, pan: QgsRasterLayer, transforms: QgsCoordinateTransformContext
) -> tuple[list[QgsGeometry], int]:
    """Read valid 2D polygons without curves over PAN, in its reference system, and count features beyond repair.

    QGIS's own check is off: it raises through the Python iterator, which breaks QGIS's Python. QGIS's own
    transformation is not used: it drops features that it cannot transform without a word.
    """
    polygons, lost = [], 0
    moving = QgsCoordinateTransform(source.sourceCrs(), pan.crs(), transforms)  # It does nothing if one is unknown.
    request = QgsFeatureRequest().setNoAttributes()
    area = move_extent(pan.extent(), pan.crs(), source.sourceCrs(), transforms)
    if area is not None:
        request.setFilterRect(area)
    for feature in source.getFeatures(request, QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks):
        shape = feature.geometry()
        if shape.isEmpty():
            continue
        shape.convertToStraightSegment()
        shape.get().dropZValue()
        shape.get().dropMValue()
        try:
            shape.transform(moving)
        except QgsCsException:
            lost += 1
            continue
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
    """Transform an extent to another reference system; None where that is not possible."""
    if source.isValid() and target.isValid() and source != target:
        try:
            extent = QgsCoordinateTransform(source, target, transforms).transformBoundingBox(extent)
        except QgsCsException:
            return None
    return extent if extent.isFinite() else None


def raster_source(layer: QgsRasterLayer, bands: list[int], role: str, unmeasured: str = "") -> RasterSource:
    """Describe a layer as plain data, with polygons to exclude from measurements (hexadecimal WKB in PAN's system).

    Raises QgsProcessingException for layers of other providers than GDAL. Main thread only.
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
    all_bands = range(1, layer.bandCount() + 1)
    declared = [(band, r.min(), r.max()) for band in all_bands for r in provider.userNoDataValues(band)]
    switched_off = [
        b for b in all_bands if not provider.useSourceNoDataValue(b)
    ]  # Bands without a nodata value are among them.
    return RasterSource(
        path=layer.source().split("|option:")[0],
        open_options=tuple(uri.get("openOptions", ())),
        bands=tuple(bands),
        band_nodata=tuple(declared),
        ignored_nodata=tuple(switched_off),
        crs=_read_replaced_crs(layer),
        unmeasured=unmeasured,
    )


def _read_replaced_crs(layer: QgsRasterLayer) -> str:
    """Return the WKT of the reference system that the user has set; empty if it is the file's."""
    if not layer.crs().isValid() or layer.crs() == layer.dataProvider().crs():
        return ""
    return layer.crs().toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL)


@contextmanager
def progress_for(feedback: QgsProcessingFeedback) -> Iterator[Progress]:
    """Wrap a feedback object for the model. Details are logged at the end, also after an error."""
    from ..model.progress import Progress

    is_main_thread = QThread.currentThread() == QCoreApplication.instance().thread()

    def cancelled() -> bool:
        if is_main_thread:  # In qgis_process, Ctrl-C arrives as an event.
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        return bool(feedback.isCanceled())

    details: list[str] = []
    try:
        yield Progress(
            report=lambda share: feedback.setProgress(100.0 * share),
            cancelled=cancelled,
            log=lambda line: feedback.pushInfo(translate_message(line)),
            notice=lambda notice: feedback.pushWarning(translate_message(notice.sentence)),
            detail=details.append,
        )
    finally:
        for line in [tr("Details"), *details] if details else []:
            feedback.pushDebugInfo(translate_message(line))
