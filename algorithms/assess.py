"""`otfm:assess`: the quality of sharpened rasters of any tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback

from .bridge import free_layers, raster_source, run_in_engine
from .help import ASSESS
from .otfm_algorithm import OtfmAlgorithm, Parameters
from .result_layer import draw_shades
from .translation import tr

if TYPE_CHECKING:
    from ..model.assessment.job import AssessJob, AssessResult


class AssessAlgorithm(OtfmAlgorithm):
    """The algorithm: parameters in, one `AssessJob` to the engine, its result back."""

    identifier, page = "assess", "assessing"
    title, summary, about = ASSESS
    keywords = ("pansharpening", "quality", "HQNR", "ERGAS", "SAM", "Q2n", "D_lambda", "D_s", "assessment", "report")
    parameters = ("PAN", "MS", "FUSED", "MS_BANDS", "REPORT", "MAPS")
    outputs = ("MAP_LAYERS", "VERDICT", "FAULTS", "D_LAMBDA", "D_S", "HQNR", "SECONDS")
    needs_torch = False

    def _find_fault(self, parameters: Parameters, context: Context) -> str:
        """Check the pair, and name the report as the Results Viewer will list it: by this object's output."""
        names = [layer.name() for layer in self.parameterAsLayerList(parameters, "FUSED", context)]
        if names:
            self.outputDefinition("REPORT").setDescription(tr("Assessment of {name}").format(name=", ".join(names)))
        return self._check_pair(parameters, context)

    @free_layers
    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """Copy out of the layers all that belongs to the main thread."""
        pan, ms, layers = (self._read_layers(parameters, name, context) for name in ("PAN", "MS", "FUSED"))
        bands = self._read_bands(parameters, "MS_BANDS", context)
        self._pan = raster_source(pan[0], [], "PAN")
        self._ms = tuple(raster_source(layer, bands, "MS") for layer in ms)
        self._names = tuple(layer.name() for layer in layers)
        self._fused = tuple(raster_source(layer, [], "FUSED") for layer in layers)
        return True

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        result = run_in_engine(self._make_job(parameters, context), feedback)
        first, verdict = result.figures[0], result.verdicts[0]
        self._load(result, context)
        return {
            "REPORT": str(result.report),
            "MAP_LAYERS": list(result.maps),
            "VERDICT": " ".join(s for v in result.verdicts for s in v.sentences),
            "FAULTS": " ".join(verdict.faults),
            **{name.upper(): value for name, value in first.indices.items()},
            "SECONDS": result.seconds,
        }

    @staticmethod
    def _load(result: AssessResult, context: Context) -> None:
        """Have QGIS load the block maps, drawn from bad to good."""
        from ..model.assessment.job import SHADES

        for verdict, path in zip(result.verdicts, result.maps):
            details = Context.LayerDetails(
                tr("{name}: quality").format(name=verdict.name), context.project(), "MAP_LAYERS"
            )
            details.setPostProcessor(draw_shades(SHADES))
            context.addLayerToLoadOnCompletion(path, details)

    def _make_job(self, parameters: Parameters, context: Context) -> AssessJob:
        from ..model.assessment.job import AssessJob

        folder = self.parameterAsFile(parameters, "MAPS", context) if parameters.get("MAPS") else ""
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
        return AssessJob(
            pan=self._pan,
            ms=self._ms[0],
            more_ms=self._ms[1:],
            fused=self._fused,
            report=Path(self.parameterAsFileOutput(parameters, "REPORT", context)),
            maps=Path(folder) if folder else None,
            names=self._names,
        )
