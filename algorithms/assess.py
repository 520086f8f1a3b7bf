"""`otfm:assess`: how good sharpened rasters are, whoever made them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBand,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
)

from .bridge import opened, raster_source, run_in_engine
from .help import ASSESS, ASSESS_PARAMETERS
from .otfm_algorithm import OtfmAlgorithm
from .result_layer import DrawShades
from .translation import tr

if TYPE_CHECKING:
    from ..model.assessment.job import AssessJob, AssessResult


class AssessAlgorithm(OtfmAlgorithm):
    """Declares the parameters, hands one frozen job to `model.assessment`, and its result back."""

    parameter_help = ASSESS_PARAMETERS
    needs_torch = False

    def name(self) -> str:
        return "assess"

    def displayName(self) -> str:  # noqa: N802 - QGIS's name
        return tr("OTFM Assess a sharpened raster")

    def shortDescription(self) -> str:  # noqa: N802 - QGIS's name
        return tr(
            "Say how good sharpened rasters of any tool are, in plain sentences, with figures, maps and a report."
        )

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        return tr(ASSESS)

    def tags(self) -> list[str]:
        return ["pansharpening", "quality", "HQNR", "ERGAS", "SAM", "Q2n", "D_lambda", "D_s", "assessment", "report"]

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        layers = QgsProcessingParameterMultipleLayers
        self._add_pair()
        self._add(layers("FUSED", tr("Sharpened rasters, by any tool"), QgsProcessing.SourceType.TypeRaster))
        self._add_advanced(
            QgsProcessingParameterBand(
                "MS_BANDS", tr("Multispectral bands"), None, "MS", optional=True, allowMultiple=True
            )
        )
        self._add(QgsProcessingParameterFileDestination("REPORT", tr("Report"), tr("HTML files (*.html)")))
        maps = QgsProcessingParameterFolderDestination("MAPS", tr("Folder for block maps"), None, True)
        maps.setCreateByDefault(False)
        self._add(maps)
        self.addOutput(QgsProcessingOutputMultipleLayers("MAP_LAYERS", tr("Block maps")))
        self.addOutput(QgsProcessingOutputString("VERDICT", tr("Verdict")))
        self.addOutput(QgsProcessingOutputString("FAULTS", tr("Faults of the first raster, by one word each")))
        self.addOutput(QgsProcessingOutputNumber("D_LAMBDA", tr("D_lambda of the first raster")))
        self.addOutput(QgsProcessingOutputNumber("D_S", tr("D_s of the first raster")))
        self.addOutput(QgsProcessingOutputNumber("HQNR", tr("HQNR of the first raster")))
        self.addOutput(QgsProcessingOutputNumber("SECONDS", tr("Seconds")))

    def _refused(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        return self._refused_pair(parameters, context)

    def prepareAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Copy everything that belongs to the main thread out of the layers."""
        pan, ms = (
            opened(self.parameterAsRasterLayer(parameters, name, context), name, parameters.get(name))
            for name in ("PAN", "MS")
        )
        given = self.parameterAsLayerList(parameters, "FUSED", context) or [None]
        self._pan = raster_source(pan, [1], "PAN")
        self._ms = raster_source(ms, self._bands(parameters, "MS_BANDS", context), "MS")
        self._names = tuple(layer.name() if layer else "" for layer in given)
        self._fused = tuple(
            raster_source(opened(layer, "FUSED", parameters.get("FUSED")), [], "FUSED") for layer in given
        )
        return True

    def _run(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        result = run_in_engine(self._job(parameters, context), feedback)
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
    def _load(result: AssessResult, context: QgsProcessingContext) -> None:
        """Have QGIS load the block maps, drawn from bad to good."""
        from ..model.assessment.job import SHADES

        for verdict, path in zip(result.verdicts, result.maps):
            details = QgsProcessingContext.LayerDetails(
                tr("{name}: quality").format(name=verdict.name), context.project(), "MAP_LAYERS"
            )
            details.setPostProcessor(DrawShades.of(SHADES))
            context.addLayerToLoadOnCompletion(path, details)

    def _job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> AssessJob:
        from ..model.assessment.job import AssessJob

        folder = self.parameterAsFile(parameters, "MAPS", context) if parameters.get("MAPS") else ""
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
        return AssessJob(
            pan=self._pan,
            ms=self._ms,
            fused=self._fused,
            report=Path(self.parameterAsFileOutput(parameters, "REPORT", context)),
            maps=Path(folder) if folder else None,
            names=self._names,
        )
