"""Between QGIS and `model`: layers to plain sources, feedback to plain callables, errors to Processing's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsRasterRenderer,
)
from qgis.PyQt.QtGui import QIcon

if TYPE_CHECKING:
    from ..model.progress import Progress
    from ..model.raster.reader import RasterSource

ICON = Path(__file__).resolve().parent.parent / "resources" / "icon.svg"
TORCH_CURE = (
    "OTFM Pansharpen needs the Python packages torch and safetensors in the Python that QGIS uses, and they cannot be "
    "imported there ({error}). Install them with: {python} -m pip install torch safetensors. On Windows run this in "
    "the OSGeo4W Shell; on Linux see the plugin's README for a virtual environment. Then start QGIS again."
)
DLL_CURE = (
    "torch is installed but the operating system cannot load it ({error}). On Windows this happens when torch is "
    "newer than 2.8 and is imported after Qt: install torch 2.8 with {python} -m pip install torch==2.8.0, then start "
    "QGIS again."
)


class OtfmAlgorithm(QgsProcessingAlgorithm):
    """What the plugin's algorithms share: parameters that carry their help, choices by word, layers that open."""

    parameter_help: Mapping[str, str] = {}

    def createInstance(self) -> OtfmAlgorithm:  # noqa: N802 - QGIS's name
        return type(self)()

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def _add(self, parameter: QgsProcessingParameterDefinition) -> None:
        parameter.setHelp(self.parameter_help[parameter.name()])
        self.addParameter(parameter)

    def _add_advanced(self, parameter: QgsProcessingParameterDefinition) -> None:
        parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        self._add(parameter)

    def _add_choice(self, name: str, text: str, choices: Sequence[str], advanced: bool = False) -> None:
        """A choice by word, not by number, so that scripts and histories stay readable; the first is the default."""
        parameter = QgsProcessingParameterEnum(name, text, list(choices), False, choices[0], False, True)
        (self._add_advanced if advanced else self._add)(parameter)

    def _bounds(
        self, parameters: dict[str, Any], context: QgsProcessingContext, layer: QgsRasterLayer
    ) -> tuple[float, float, float, float] | None:
        """EXTENT in the layer's reference system; None where it is empty."""
        extent = self.parameterAsExtent(parameters, "EXTENT", context, layer.crs())
        if extent.isNull():
            return None
        return extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()


def opened(layer: QgsMapLayer | None, role: str, given: object) -> QgsRasterLayer:
    """The layer where it is a raster that opens. Raises QgsProcessingException, naming what was given for `role`."""
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
        raise QgsProcessingException(
            f"{role} {given} cannot be opened as a raster. Check that the file exists and that GDAL can read it."
        )
    return layer


@contextmanager
def sentences() -> Iterator[None]:
    """The model's errors, and those of a missing torch, as QgsProcessingException with one sentence and the cure."""
    try:
        from ..model.errors import PansharpenError

        with _torch_errors(), _waiting_threads_sleep():
            import safetensors  # noqa: F401 - asked for here so that its absence is said in words
            import torch  # noqa: F401
        yield
    except PansharpenError as error:
        raise QgsProcessingException(str(error)) from error


@contextmanager
def _waiting_threads_sleep() -> Iterator[None]:
    """Lets torch's threads sleep while they wait, which they decide as torch is loaded.

    Where another program keeps a core busy, threads that spin made a scene of one second take forty.
    """
    name = "OMP_WAIT_POLICY"
    before = os.environ.get(name)
    os.environ.setdefault(name, "passive")
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


@contextmanager
def _torch_errors() -> Iterator[None]:
    folder = Path(sys.exec_prefix)
    python = next((str(p) for p in (folder / "bin" / "python3", folder / "python.exe") if p.exists()), "python3")
    try:
        yield
    except ImportError as error:
        raise QgsProcessingException(TORCH_CURE.format(error=error, python=python)) from error
    except OSError as error:
        raise QgsProcessingException(DLL_CURE.format(error=error, python=python)) from error


def raster_source(layer: QgsRasterLayer, bands: list[int], role: str) -> RasterSource:
    """Plain data of a layer. Raises QgsProcessingException where GDAL does not provide it. Main thread only."""
    from ..model.raster.reader import RasterSource

    provider = layer.dataProvider()
    if provider is None or provider.name() != "gdal":
        kind = "an unknown provider" if provider is None else f"the provider '{provider.name()}'"
        raise QgsProcessingException(
            f"{role} {layer.name()} comes from {kind}, but only raster files that GDAL reads can be sharpened. "
            "Export the layer to a GeoTIFF first (right click, Export, Save As)."
        )
    uri = QgsProviderRegistry.instance().decodeUri("gdal", layer.source())
    chosen = bands or range(1, layer.bandCount() + 1)
    declared = {(r.min(), r.max()) for band in chosen for r in provider.userNoDataValues(band)}
    return RasterSource(
        path=layer.source().split("|option:")[0],
        open_options=tuple(uri.get("openOptions", ())),
        bands=tuple(bands),
        nodata=tuple(sorted(least for least, largest in declared if least == largest)),
        nodata_ranges=tuple(sorted((least, largest) for least, largest in declared if least < largest)),
        own_nodata=all(provider.useSourceNoDataValue(band) for band in chosen),
        crs=_replaced_crs(layer),
    )


def _replaced_crs(layer: QgsRasterLayer) -> str:
    """WKT of the layer's reference system where the user has set another one than the file's."""
    if not layer.crs().isValid() or layer.crs() == layer.dataProvider().crs():
        return ""
    return layer.crs().toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL)


def progress_for(feedback: QgsProcessingFeedback) -> Progress:
    """The model's view of a feedback object."""
    from ..model.progress import Progress

    return Progress(
        report=lambda share: feedback.setProgress(100.0 * share),
        cancelled=feedback.isCanceled,
        log=feedback.pushInfo,
        notice=lambda found: feedback.pushWarning(found.sentence),
    )


class RenderLike(QgsProcessingLayerPostProcessorInterface):
    """Gives the loaded result the rendering of the MS layer."""

    keep: RenderLike | None = None  # QGIS does not hold a reference to the one of the last run

    @classmethod
    def of(cls, renderer: QgsRasterRenderer | None) -> RenderLike:
        """A post-processor that stays alive until the next one is made."""
        cls.keep = cls()
        cls.keep.renderer = renderer
        return cls.keep

    renderer: QgsRasterRenderer | None = None

    def postProcessLayer(self, layer: Any, context: Any, feedback: Any) -> None:  # noqa: N802 - QGIS's name
        if self.renderer is not None and isinstance(layer, QgsRasterLayer):
            layer.setRenderer(self.renderer.clone())
            layer.triggerRepaint()
