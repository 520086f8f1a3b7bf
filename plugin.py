"""Registers the Processing provider; there is no other user interface."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication

from .algorithms.provider import OtfmProvider


class OtfmPansharpenPlugin:
    """The plugin as QGIS sees it. `iface` may be None (qgis_process)."""

    def __init__(self, iface: Any = None) -> None:
        self.iface = iface
        self.provider: OtfmProvider | None = None

    def initProcessing(self) -> None:  # noqa: N802 - QGIS's name
        """Called alone by qgis_process, and by initGui."""
        self.provider = OtfmProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802 - QGIS's name
        """Called by QGIS desktop."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider back, and let engines go that wait for jobs."""
        from .engine.client import ENGINES

        ENGINES.close()
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
