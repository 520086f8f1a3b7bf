"""`otfm:finetune`: fine-tune weights on the user's own scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingException, QgsRasterLayer
from qgis.core import QgsProcessingFeedback as Feedback

from ..model.options import BUNDLED
from .bridge import free_layers, raster_source, run_in_engine
from .help import FINETUNE
from .otfm_algorithm import OtfmAlgorithm, Parameters
from .pair_of_layers import find_pair_fault
from .settings import weights_folder
from .translation import tr

if TYPE_CHECKING:
    from ..model.finetuning.job import FinetuneJob, FinetuneResult


class FinetuneAlgorithm(OtfmAlgorithm):
    """The algorithm: parameters in, one `FinetuneJob` to the engine, its result back."""

    identifier, page = "finetune", "finetuning"
    title, summary, about = FINETUNE
    keywords = ("pansharpening", "fine-tuning", "training", "weights", "neural", "sensor")
    parameters = (
        *("PAN", "MS", "START", "MINUTES", "EXTENT", "MASK", "SENSOR", "DEVICE", "STEPS", "SEED", "KEEP_ON_CANCEL"),
        *("OUTPUT", "REPORT"),
    )
    outputs = ("ERGAS_BEFORE", "ERGAS_AFTER", "HQNR_BEFORE", "HQNR_AFTER", "STEPS", "SECONDS")

    def _find_fault(self, parameters: Parameters, context: Context) -> str:
        sentence = self._check_quality(parameters, context, "START")
        pairs = self._read_layer_pairs(parameters, context)
        faults = (find_pair_fault(pan, ms, self._read_bounds(parameters, context, pan)) for pan, ms, *_ in pairs)
        return sentence or next(filter(None, faults), "")

    @free_layers
    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """Copy out of the layers all that belongs to the main thread."""
        from ..model.finetuning.job import TuningPair

        self._pairs = tuple(
            TuningPair(
                raster_source(pan, [], "PAN"),
                raster_source(ms, [], "MS", self._read_mask(parameters, context, feedback, pan)),
                self._read_bounds(parameters, context, pan),
                tuple(raster_source(layer, [], "MS") for layer in more),
            )
            for pan, ms, *more in self._read_layer_pairs(parameters, context)
        )
        return True

    def _read_layer_pairs(self, parameters: Parameters, context: Context) -> list[Sequence[QgsRasterLayer]]:
        """Return PAN and the layers of MS of each scene: several of one band with one PAN are its bands.

        Raises QgsProcessingException where one is missing or cannot be opened.
        """
        pans, mss = (self._read_layers(parameters, name, context) for name in ("PAN", "MS"))
        if len(pans) == 1 and (len(mss) == 1 or all(layer.bandCount() == 1 for layer in mss)):
            return [(*pans, *mss)]
        if len(pans) != len(mss):
            raise QgsProcessingException(
                tr("PAN has {pans} rasters and MS has {mss}; give one MS for each PAN, in the same order.").format(
                    pans=len(pans), mss=len(mss)
                )
            )
        return list(zip(pans, mss))

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        job = self._make_job(parameters, context)
        result = run_in_engine(job, feedback)
        report = {"REPORT": str(job.report)} if job.report else {}
        return {"OUTPUT": str(result.output), **report, **self._list_outputs(result)}

    def _make_job(self, parameters: Parameters, context: Context) -> FinetuneJob:
        from ..model.finetuning.job import FinetuneJob

        start = self._read_quality(parameters, context, "START")
        output = Path(self.parameterAsFileOutput(parameters, "OUTPUT", context))
        if output.parent == weights_folder():
            output.parent.mkdir(parents=True, exist_ok=True)
        report = self.parameterAsFileOutput(parameters, "REPORT", context)
        has_steps = parameters.get("STEPS") is not None
        return FinetuneJob(
            pairs=self._pairs,
            output=output,
            start=BUNDLED.get(start, Path(start)),
            minutes=self.parameterAsDouble(parameters, "MINUTES", context),
            steps=self.parameterAsInt(parameters, "STEPS", context) if has_steps else None,
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
            sensor=self.parameterAsString(parameters, "SENSOR", context).strip(),
            keep=self.parameterAsBoolean(parameters, "KEEP_ON_CANCEL", context),
            report=Path(report) if report else None,
        )

    @staticmethod
    def _list_outputs(result: FinetuneResult) -> dict[str, Any]:
        return {
            "ERGAS_BEFORE": result.before["ergas"],
            "ERGAS_AFTER": result.after["ergas"],
            "HQNR_BEFORE": result.before["hqnr"],
            "HQNR_AFTER": result.after["hqnr"],
            "STEPS": result.steps,
            "SECONDS": result.seconds,
        }
