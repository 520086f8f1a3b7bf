"""Registration of the Processing provider and, in QGIS desktop, of menu entries, a button and a page of options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import QgsApplication

from .algorithms.provider import OtfmProvider
from .algorithms.translation import install

if TYPE_CHECKING:
    from .desktop.menu import Menu
    from .desktop.options_page import OptionsFactory


class OtfmPansharpenPlugin:
    """The plugin as QGIS sees it. `iface` may be None (qgis_process)."""

    def __init__(self, iface: Any = None) -> None:
        self.iface = iface
        self.translator = install()
        self.provider: OtfmProvider | None = None
        self.menu: Menu | None = None
        self.options: OptionsFactory | None = None

    def initProcessing(self) -> None:  # noqa: N802 - QGIS's name
        """Add the provider. qgis_process calls this alone; initGui calls it too."""
        self.provider = OtfmProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802 - QGIS's name
        """Add what QGIS desktop shows."""
        self.initProcessing()
        if self.iface is not None:
            from .desktop.menu import Menu
            from .desktop.options_page import OptionsFactory

            self.menu = Menu(self.iface)
            self.options = OptionsFactory()
            self.iface.registerOptionsWidgetFactory(self.options)

    def unload(self) -> None:
        """Remove what was added, and end engines that wait for jobs."""
        from .engine.client import ENGINES

        ENGINES.shutdown(wait=False)
        if self.menu is not None:
            self.menu.remove()
            self.menu = None
        if self.options is not None:
            self.iface.unregisterOptionsWidgetFactory(self.options)
            self.options = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        if self.translator is not None:
            QgsApplication.removeTranslator(self.translator)
            self.translator = None
