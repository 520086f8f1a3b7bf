"""`otfm:setup`: install, examine, repair or remove what the engine runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)

from .bridge import own_packages, progress_for
from .help import SETUP, SETUP_PARAMETERS
from .otfm_algorithm import OtfmAlgorithm
from .translation import tr

ACTIONS = ("install", "check", "repair", "remove")
BUILDS = ("auto", "cpu", "cuda")


class SetupAlgorithm(OtfmAlgorithm):
    """Declares the parameters and hands the action to `engine`."""

    parameter_help = SETUP_PARAMETERS
    needs_torch = False

    def name(self) -> str:
        return "setup"

    def displayName(self) -> str:  # noqa: N802 - QGIS's name
        return tr("Set up the engine")

    def shortDescription(self) -> str:  # noqa: N802 - QGIS's name
        return tr("Install what OTFM Pansharpen computes with (torch), into a folder of its own; or examine it.")

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        return tr(SETUP)

    def tags(self) -> list[str]:
        return ["install", "torch", "pytorch", "dependencies", "diagnostics", "report", "cuda", "otfm"]

    def flags(self) -> Any:
        """Not for models: it changes the profile, not data."""
        return super().flags() | QgsProcessingAlgorithm.Flag.FlagHideFromModeler

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        self._add_choice("ACTION", tr("What to do"), ACTIONS)
        self._add_choice("BUILD", tr("Build of torch"), BUILDS)
        folder = QgsProcessingParameterFile.Behavior.Folder
        self._add_advanced(
            QgsProcessingParameterFile("WHEELS", tr("Folder of wheels, without network"), folder, optional=True)
        )
        self._add_advanced(QgsProcessingParameterString("INDEX", tr("Address of a package index"), "", optional=True))
        self.addOutput(QgsProcessingOutputString("TORCH", tr("Version of torch")))
        self.addOutput(QgsProcessingOutputString("REPORT", tr("Report on this machine")))

    def _run(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        from ..engine.installation import Wanted, set_up

        wheels = self.parameterAsFile(parameters, "WHEELS", context)
        wanted = Wanted(
            build=self.parameterAsEnumString(parameters, "BUILD", context),
            wheels=Path(wheels) if wheels else None,
            index=self.parameterAsString(parameters, "INDEX", context),
        )
        action = self.parameterAsEnumString(parameters, "ACTION", context)
        with progress_for(feedback) as progress:
            done = set_up(action, own_packages(), wanted, progress)
        report = "\n".join((f"QGIS {Qgis.version()}", *done.report)) if done.report else ""
        if report:
            feedback.pushInfo(report)
        return {"TORCH": done.torch, "REPORT": report}
