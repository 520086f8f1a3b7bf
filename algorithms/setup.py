"""`otfm:setup`: install, check, repair or remove the engine's packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import Qgis, QgsProcessingAlgorithm
from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback

from .bridge import own_packages, progress_for
from .help import SETUP
from .otfm_algorithm import OtfmAlgorithm, Parameters


class SetupAlgorithm(OtfmAlgorithm):
    """The algorithm: parameters in, one action of `engine.installation`."""

    identifier, page = "setup", "installing"
    title, summary, about = SETUP
    keywords = ("install", "torch", "pytorch", "dependencies", "diagnostics", "report", "cuda", "otfm")
    parameters = ("ACTION", "BUILD", "WHEELS", "INDEX")
    outputs = ("TORCH", "REPORT")
    needs_torch = False

    def flags(self) -> Any:
        """Hide it from the modeler: it changes the profile, not data."""
        return super().flags() | QgsProcessingAlgorithm.Flag.FlagHideFromModeler

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        from ..engine.installation import RequiredFiles, set_up

        wheels = self.parameterAsFile(parameters, "WHEELS", context)
        packages = RequiredFiles(
            build=self.parameterAsEnumString(parameters, "BUILD", context),
            wheels=Path(wheels) if wheels else None,
            index=self.parameterAsString(parameters, "INDEX", context),
        )
        action = self.parameterAsEnumString(parameters, "ACTION", context)
        with progress_for(feedback) as progress:
            result = set_up(action, own_packages(), packages, progress)
        report = "\n".join((f"QGIS {Qgis.version()}", *result.report)) if result.report else ""
        if report:
            feedback.pushInfo(report)
        return {"TORCH": result.torch, "REPORT": report}
