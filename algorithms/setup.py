"""`otfm:setup`: install, check, repair or remove the engine's packages."""

from __future__ import annotations

from pathlib import Path

from qgis.core import Qgis, QgsSettings
from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback

from .bridge import own_packages, progress_for
from .help import SETUP
from .network import read_certificates, read_proxy
from .otfm_algorithm import OtfmAlgorithm, Parameters
from .settings import READY


class SetupAlgorithm(OtfmAlgorithm):
    """The algorithm: parameters in, one action of `engine.installation`."""

    identifier, page = "setup", "installing"
    title, summary, about = SETUP
    keywords = ("install", "torch", "pytorch", "dependencies", "diagnostics", "report", "cuda", "otfm")
    parameters = ("ACTION", "BUILD", "WHEELS", "INDEX")
    outputs = ("TORCH", "REPORT")
    needs_torch = in_models = False  # It changes the profile, not data.

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        from ..engine.installation import RequiredFiles, set_up

        wheels = self.parameterAsFile(parameters, "WHEELS", context)
        packages = RequiredFiles(
            build=self.parameterAsEnumString(parameters, "BUILD", context),
            wheels=Path(wheels) if wheels else None,
            index=self.parameterAsString(parameters, "INDEX", context),
            proxy=read_proxy(),
            certificates=read_certificates(),
        )
        action = self.parameterAsEnumString(parameters, "ACTION", context)
        with progress_for(feedback) as progress:
            result = set_up(action, own_packages(), packages, progress)
        QgsSettings().setValue(READY, result.ready)
        report = "\n".join((f"QGIS {Qgis.version()}", *result.report)) if result.report else ""
        if report:
            feedback.pushInfo(report)
        return {"TORCH": result.torch, "REPORT": report}
