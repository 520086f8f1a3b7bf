"""`otfm:setup`: install, examine, repair or remove what the engine runs on."""

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
    """Declares the parameters and hands the action to `engine`."""

    identifier, page = "setup", "installing"
    title, summary, about = SETUP
    keywords = ("install", "torch", "pytorch", "dependencies", "diagnostics", "report", "cuda", "otfm")
    parameters = ("ACTION", "BUILD", "WHEELS", "INDEX")
    outputs = ("TORCH", "REPORT")
    needs_torch = False

    def flags(self) -> Any:
        """Not for models: it changes the profile, not data."""
        return super().flags() | QgsProcessingAlgorithm.Flag.FlagHideFromModeler

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        from ..engine import setup
        from ..engine.installation import Wanted

        wheels = self.parameterAsFile(parameters, "WHEELS", context)
        wanted = Wanted(
            build=self.parameterAsEnumString(parameters, "BUILD", context),
            wheels=Path(wheels) if wheels else None,
            index=self.parameterAsString(parameters, "INDEX", context),
        )
        action = self.parameterAsEnumString(parameters, "ACTION", context)
        with progress_for(feedback) as progress:
            done = setup.set_up(action, own_packages(), wanted, progress)
        report = "\n".join((f"QGIS {Qgis.version()}", *done.report)) if done.report else ""
        if report:
            feedback.pushInfo(report)
        return {"TORCH": done.torch, "REPORT": report}
