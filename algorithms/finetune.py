"""`otfm:finetune`: make weights better on the user's own scenes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsRasterLayer,
)

from ..model.options import BUNDLED, DEVICES
from .bridge import opened, raster_source, run_in_engine
from .help import FINETUNE, FINETUNE_PARAMETERS, STARTS, WEIGHTS_FILTER
from .otfm_algorithm import OtfmAlgorithm
from .pair_of_layers import preselect, refusal
from .settings import default_quality, weights_folder
from .translation import tr

if TYPE_CHECKING:
    from ..model.finetuning.job import FinetuneJob, FinetuneResult


class StartWidget:
    """The choice of quality by names alone: what sharpening costs says nothing of weights to start from."""

    def __new__(cls, *given: Any, **options: Any) -> Any:
        """As QGIS calls a widget wrapper."""
        from .widgets import QualityWidget

        wrapper = QualityWidget(*given, **options)
        for choice, label in STARTS.items() if hasattr(wrapper, "combo") else ():
            wrapper.combo.setItemText(wrapper.combo.findData(choice), tr(label))
        return wrapper


class FinetuneAlgorithm(OtfmAlgorithm):
    """Declares the parameters, hands one frozen job to `model.finetuning`, and its result back."""

    parameter_help = FINETUNE_PARAMETERS

    def name(self) -> str:
        return "finetune"

    def displayName(self) -> str:  # noqa: N802 - QGIS's name
        return tr("OTFM Fine-tune weights")

    def shortDescription(self) -> str:  # noqa: N802 - QGIS's name
        return tr("Make the weights of OTFM Pansharpen better on your own scene, in minutes.")

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        return tr(FINETUNE)

    def tags(self) -> list[str]:
        return ["pansharpening", "fine-tuning", "training", "weights", "neural", "sensor"]

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        number, layers = QgsProcessingParameterNumber, QgsProcessingParameterMultipleLayers
        pan = layers("PAN", tr("Panchromatic rasters"), QgsProcessing.SourceType.TypeRaster)
        ms = layers("MS", tr("Multispectral rasters, in the same order"), QgsProcessing.SourceType.TypeRaster)
        preselect(pan, ms, many=True)
        self._add(pan)
        self._add(ms)
        self._add_quality("START", tr("Weights to start from"), tuple(BUNDLED))
        start = self.parameterDefinition("START")
        widget = start.metadata()["widget_wrapper"]
        start.setMetadata({"widget_wrapper": {**widget, "class": f"{__package__}.finetune.StartWidget"}})
        self._add_minutes(tr("Minutes of tuning"))
        self._add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self._add_mask()
        self._add_choice("DEVICE", tr("Device"), DEVICES, advanced=True)
        self._add_advanced(
            number("STEPS", tr("Steps, in place of minutes"), number.Type.Integer, None, True, 1, 1_000_000)
        )
        self._add_advanced(number("SEED", tr("Seed"), number.Type.Integer, 1, False, 0, 2**31 - 1))
        self._add_advanced(
            QgsProcessingParameterBoolean("KEEP_ON_CANCEL", tr("Keep the best weights so far on cancel"), True)
        )
        output = QgsProcessingParameterFileDestination("OUTPUT", tr("Fine-tuned weights"), tr(WEIGHTS_FILTER))
        output.setGuiDefaultValueOverride(str(weights_folder() / f"tuned {datetime.now():%Y-%m-%d %H.%M}.safetensors"))
        self._add(output)
        self._add(
            QgsProcessingParameterFileDestination("REPORT", tr("Report"), tr("HTML files (*.html)"), None, True, False)
        )
        for name, text in (
            ("ERGAS_BEFORE", tr("ERGAS of the held-out blocks before")),
            ("ERGAS_AFTER", tr("ERGAS of the held-out blocks after")),
            ("HQNR_BEFORE", tr("Quality without reference (HQNR) of the held-out blocks before")),
            ("HQNR_AFTER", tr("Quality without reference (HQNR) of the held-out blocks after")),
            ("STEPS", tr("Steps trained")),
            ("SECONDS", tr("Seconds")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, text))

    def _refused(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        sentence = self._refused_quality("START", self._start(parameters, context), tuple(BUNDLED))
        pairs = self._layer_pairs(parameters, context)
        told = (refusal(pan, ms, self._bounds(parameters, context, pan)) for pan, ms in pairs)
        return sentence or next(filter(None, told), "")

    def _start(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        return self.parameterAsString(parameters, "START", context) or default_quality()

    def prepareAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Copy everything that belongs to the main thread out of the layers."""
        from ..model.finetuning.job import TuningPair

        self._pairs = tuple(
            TuningPair(
                raster_source(pan, [1], "PAN"),
                raster_source(ms, [], "MS", self._mask(parameters, context, feedback, pan)),
                self._bounds(parameters, context, pan),
            )
            for pan, ms in self._layer_pairs(parameters, context)
        )
        return True

    def _layer_pairs(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> list[tuple[QgsRasterLayer, QgsRasterLayer]]:
        """PAN and MS of each scene. Raises QgsProcessingException where one is missing or cannot be opened."""
        pans, mss = (self._layers(parameters, name, context) for name in ("PAN", "MS"))
        if len(pans) != len(mss):
            raise QgsProcessingException(
                tr("PAN has {pans} rasters and MS has {mss}; give one MS for each PAN, in the same order.").format(
                    pans=len(pans), mss=len(mss)
                )
            )
        return list(zip(pans, mss))

    def _layers(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> list[QgsRasterLayer]:
        """The layers of a parameter. Raises QgsProcessingException where one of them cannot be opened."""
        layers, given = self.parameterAsLayerList(parameters, name, context), parameters.get(name)
        if not layers or (isinstance(given, list) and len(layers) < len(given)):
            opened(None, name, given)  # QGIS drops those that it cannot open
        return [opened(layer, name, given) for layer in layers]

    def _run(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        job = self._job(parameters, context)
        result = run_in_engine(job, feedback)
        report = {"REPORT": str(job.report)} if job.report else {}
        return {"OUTPUT": str(result.output), **report, **self._outputs(result)}

    def _job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> FinetuneJob:
        from ..model.finetuning.job import FinetuneJob

        start = self._start(parameters, context)
        output = Path(self.parameterAsFileOutput(parameters, "OUTPUT", context))
        if output.parent == weights_folder():
            output.parent.mkdir(parents=True, exist_ok=True)
        report = self.parameterAsFileOutput(parameters, "REPORT", context)
        counted = parameters.get("STEPS") is not None
        return FinetuneJob(
            pairs=self._pairs,
            output=output,
            start=BUNDLED.get(start, Path(start)),
            minutes=self.parameterAsDouble(parameters, "MINUTES", context),
            steps=self.parameterAsInt(parameters, "STEPS", context) if counted else None,
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
            keep=self.parameterAsBoolean(parameters, "KEEP_ON_CANCEL", context),
            report=Path(report) if report else None,
        )

    @staticmethod
    def _outputs(result: FinetuneResult) -> dict[str, Any]:
        return {
            "ERGAS_BEFORE": result.before["ergas"],
            "ERGAS_AFTER": result.after["ergas"],
            "HQNR_BEFORE": result.before["hqnr"],
            "HQNR_AFTER": result.after["hqnr"],
            "STEPS": result.steps,
            "SECONDS": result.seconds,
        }
