"""`otfm:setup`: install, check, repair or remove the engine's packages."""

from __future__ import annotations

from pathlib import Path

from qgis.core import Qgis, QgsApplication, QgsNetworkAccessManager, QgsSettings
from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkProxy

from .bridge import own_packages, progress_for
from .help import SETUP
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


def read_proxy() -> str:
    """Return the address of the proxy of QGIS's options, with user and password; empty where there is none."""
    manager = QgsNetworkAccessManager.instance()
    manager.setupDefaultProxyAndCache()  # qgis_process does not read these settings by itself
    proxy = manager.fallbackProxy()
    if not proxy.hostName() or proxy.type() == QNetworkProxy.ProxyType.NoProxy:
        return ""
    address = QUrl()
    address.setScheme("socks5" if proxy.type() == QNetworkProxy.ProxyType.Socks5Proxy else "http")
    address.setHost(proxy.hostName())
    address.setPort(proxy.port() or -1)
    address.setUserName(proxy.user())
    address.setPassword(proxy.password())
    return address.toString(QUrl.ComponentFormattingOption.FullyEncoded)


def read_certificates() -> str:
    """Return all authorities that QGIS trusts, in PEM format; empty where the user has added none to the system's."""
    manager = QgsApplication.authManager()
    if manager.isDisabled() or not (manager.extraFileCAs() or manager.databaseCAs()):
        return ""
    return bytes(manager.trustedCaCertsPemText()).decode("ascii")
