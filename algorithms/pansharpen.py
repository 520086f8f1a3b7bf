"""`otfm:pansharpen`: sharpen a multispectral raster with the panchromatic band of the same scene."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    Qgis,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from ..model.options import ALIGNMENTS, BUNDLED, DATA_TYPES, DEVICES, PRECISIONS, TUNED, TUNED_FROM
from .bridge import opened, raster_source, run_in_engine
from .help import (
    ABSTRACT,
    FORMER,
    HISTORY,
    JUDGED,
    NOT_SHARPENED_TITLE,
    PANSHARPEN,
    PANSHARPEN_PARAMETERS,
    SHARPENED_RASTER,
    SHARPENED_TITLE,
    WEIGHTS_FILTER,
)
from .otfm_algorithm import AS_MS, OtfmAlgorithm
from .result_layer import MsLayer, RenderLike, described
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionJob, FusionResult

NATIVE_OPTIONS_WIDGET = 34000  # the first version in which QGIS's own widget for creation options is used


def offered_types() -> list[str]:
    """Data types that the GDAL at hand has, which knows Int8 from 3.7 on only."""
    from osgeo import gdal

    return [name for name in DATA_TYPES if gdal.GetDataTypeByName(name) != gdal.GDT_Unknown]


class PansharpenAlgorithm(OtfmAlgorithm):
    """Declares the parameters, hands one frozen job to `model.fusion`, and its result back."""

    parameter_help = PANSHARPEN_PARAMETERS
    qualities = (*BUNDLED, TUNED)
    result_name, title = SHARPENED_RASTER, SHARPENED_TITLE

    def name(self) -> str:
        return "pansharpen"

    def displayName(self) -> str:  # noqa: N802 - QGIS's name
        return "OTFM Pansharpen"

    def shortDescription(self) -> str:  # noqa: N802 - QGIS's name
        return tr("Make a multispectral raster as sharp as the panchromatic band, with a one-step neural flow.")

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        return tr(PANSHARPEN)

    def tags(self) -> list[str]:
        return ["pansharpening", "pan-sharpening", "fusion", "satellite", "resolution", "neural", "optimal transport"]

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        self._add_pair()
        self._add_quality("QUALITY", tr("Quality"), self.qualities)
        self._add_minutes(tr("Minutes of tuning"))
        self._add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self._add_bands()
        self._add_tuning()
        self._add_form()
        self._add_machine()
        self._add_former(*FORMER)
        self._add(QgsProcessingParameterRasterDestination("OUTPUT", tr(self.result_name)))
        self.addOutput(QgsProcessingOutputString("DEVICE_USED", tr("Device used")))
        self.addOutput(QgsProcessingOutputNumber("RATIO", tr("Ratio of the pixel sizes")))
        self.addOutput(QgsProcessingOutputNumber("SHIFT_X", tr("Measured shift across, in PAN pixels")))
        self.addOutput(QgsProcessingOutputNumber("SHIFT_Y", tr("Measured shift down, in PAN pixels")))
        self.addOutput(QgsProcessingOutputNumber("MTF_GAIN_USED", tr("MTF gain used")))
        self.addOutput(QgsProcessingOutputNumber("HQNR", tr("Quality without reference (HQNR) of pieces")))
        self.addOutput(QgsProcessingOutputNumber("ERGAS", tr("ERGAS of the same pieces, made coarser by the ratio")))
        self.addOutput(QgsProcessingOutputString("WEIGHTS_SHA256", tr("SHA-256 of the weights")))
        self.addOutput(QgsProcessingOutputNumber("SECONDS", tr("Seconds")))

    def _add_bands(self) -> None:
        """Which bands, and how the rasters lie on each other."""
        self._add_advanced(QgsProcessingParameterBand("PAN_BAND", tr("Panchromatic band"), 1, "PAN", optional=True))
        self._add_advanced(
            QgsProcessingParameterBand(
                "MS_BANDS", tr("Multispectral bands"), None, "MS", optional=True, allowMultiple=True
            )
        )
        more = tr("More bands of the multispectral raster, one raster a band")
        self._add_advanced(
            QgsProcessingParameterMultipleLayers("MS_MORE", more, QgsProcessing.SourceType.TypeRaster, optional=True)
        )
        self._add_choice("ALIGN", tr("Correct the shift between the rasters"), ALIGNMENTS, advanced=True)
        self._add_mask()
        number = QgsProcessingParameterNumber
        self._add_advanced(number("MTF_GAIN", tr("MTF gain at Nyquist"), number.Type.Double, None, True, 0.01, 0.9))

    def _add_tuning(self) -> None:
        """What is kept of the tuning, and its chance."""
        kept = QgsProcessingParameterFileDestination(
            "WEIGHTS_OUT", tr("Tuned weights to keep"), tr(WEIGHTS_FILTER), None, True, False
        )
        number = QgsProcessingParameterNumber
        self._add_advanced(kept)
        self._add_advanced(number("SEED", tr("Seed of the tuning"), number.Type.Integer, 1, False, 0, 2**31 - 1))

    def _add_form(self) -> None:
        """How the output is kept."""
        self._add_choice("DATA_TYPE", tr("Data type of the output"), [AS_MS, *offered_types()], advanced=True)
        self._add_advanced(QgsProcessingParameterBoolean("OVERVIEWS", tr("Build overviews"), False))
        options = QgsProcessingParameterString(
            "CREATE_OPTIONS", tr("Creation options of the output"), "", optional=True
        )
        native = Qgis.versionInt() >= NATIVE_OPTIONS_WIDGET
        legacy = {"class": "processing.algs.gdal.ui.RasterOptionsWidget.RasterOptionsWidgetWrapper"}
        options.setMetadata({"widget_wrapper": {"widget_type": "rasteroptions"} if native else legacy})
        self._add_advanced(options)

    def _add_machine(self) -> None:
        """What computes, and how."""
        number, whole = QgsProcessingParameterNumber, QgsProcessingParameterNumber.Type.Integer
        self._add_choice("DEVICE", tr("Device"), DEVICES, advanced=True)
        self._add_choice("PRECISION", tr("Precision"), PRECISIONS, advanced=True)
        self._add_advanced(number("STEPS", tr("Steps of the flow"), whole, 1, False, 1, 16))
        self._add_advanced(number("MEMORY", tr("Memory (MB)"), whole, None, True, 128))
        self._add_advanced(number("TILE", tr("Tile size (PAN pixels)"), whole, None, True, 64, 8192))

    def checkParameterValues(  # noqa: N802 - QGIS's name
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        first = parameters.get("MS")
        first = first[0] if isinstance(first, list) and first else first  # scripts may give all of MS as a list
        return super().checkParameterValues({**parameters, "MS": first}, context)

    def _refused(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        sentence = self._refused_quality("QUALITY", self._quality(parameters, context), self.qualities)
        return sentence or self._refused_pair(parameters, context)

    def prepareAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Copy everything that belongs to the main thread out of the layers."""
        pan = opened(self.parameterAsRasterLayer(parameters, "PAN", context), "PAN", parameters.get("PAN"))
        layers = [
            opened(layer, name, parameters.get(name))
            for name in ("MS", "MS_MORE")
            for layer in self.parameterAsLayerList(parameters, name, context) or ([None] if name == "MS" else [])
        ]
        self._pan = raster_source(pan, self._bands(parameters, "PAN_BAND", context) or [1], "PAN")
        bands = self._bands(parameters, "MS_BANDS", context)
        mask = self._mask(parameters, context, feedback, pan)
        self._ms, *self._more_ms = (raster_source(layer, bands, "MS", mask) for layer in layers)
        self._extent = self._bounds(parameters, context, pan)
        self._ms_layer, self._pan_name = MsLayer(layers[0], len(layers) == 1), pan.name()
        return True

    def _run(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        result = run_in_engine(self._job(parameters, context, Path(output)), feedback)
        if context.willLoadLayerOnCompletion(output):
            self._describe(context.layerToLoadOnCompletionDetails(output), result, self._quality(parameters, context))
        return {"OUTPUT": output, **self._outputs(result)}

    def _job(self, parameters: dict[str, Any], context: QgsProcessingContext, output: Path) -> FusionJob:
        from ..model.fusion.job import FusionJob

        quality, minutes = self._quality(parameters, context), 0.0
        if quality == TUNED:
            quality, minutes = TUNED_FROM, self.parameterAsDouble(parameters, "MINUTES", context)
        elif parameters.get("ADAPT") is not None:
            minutes = self.parameterAsDouble(parameters, "ADAPT", context)
        kept = self.parameterAsFileOutput(parameters, "WEIGHTS_OUT", context)
        options = self._options(parameters, context, quality, adapt=minutes)
        more, weights_out = tuple(self._more_ms), Path(kept) if kept else None
        return FusionJob(self._pan, self._ms, output, options, self._extent, more, weights_out)

    def _describe(self, loading: Any, result: FusionResult, quality: str) -> None:
        """Name, rendering and metadata of the result; the name that a model gives stays."""
        from ..model.version import VERSION

        metrics = result.metrics
        quality = quality if quality in self.qualities else Path(quality).stem
        title = tr(self.title if result.sharpened else NOT_SHARPENED_TITLE)
        title = title.format(ms=self._ms_layer.name, quality=quality)
        if loading.name == tr(self.result_name) or not result.sharpened:
            loading.name = title
        abstract = tr(ABSTRACT).format(
            ms=self._ms_layer.name, pan=self._pan_name, version=VERSION, quality=quality, ratio=metrics.ratio,
            rows=round(metrics.shift[0], 2) + 0.0, columns=round(metrics.shift[1], 2) + 0.0, gain=metrics.gain,
        )  # fmt: skip
        if metrics.hqnr is not None:
            abstract = f"{abstract} {tr(JUDGED).format(hqnr=metrics.hqnr)}"
        history = tr(HISTORY).format(
            date=date.today().isoformat(), version=VERSION, pan=self._pan.name, ms=self._ms.name,
            sha256=result.weights_sha256,
        )  # fmt: skip
        metadata = described(self._ms_layer, title, abstract, history)
        loading.setPostProcessor(
            RenderLike.of(self._ms_layer, result.bands, metadata, "" if result.sharpened else title)
        )

    @staticmethod
    def _outputs(result: FusionResult) -> dict[str, Any]:
        metrics = result.metrics
        return {
            "DEVICE_USED": result.device,
            "RATIO": metrics.ratio,
            "SHIFT_X": metrics.shift[1],
            "SHIFT_Y": metrics.shift[0],
            "MTF_GAIN_USED": metrics.gain,
            "HQNR": metrics.hqnr,
            "ERGAS": metrics.ergas,
            "WEIGHTS_SHA256": result.weights_sha256,
            "SECONDS": result.seconds,
        }
