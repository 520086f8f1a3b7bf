"""The plugin's entries in the Raster menu, and its buttons in the Plugins toolbar."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication, QgsProject
from qgis.PyQt import sip
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QMenu

from ..algorithms.otfm_algorithm import ICON
from ..algorithms.translation import tr
from .comparison import Comparison
from .live_preview import LivePreview

IN_MENU = ("pansharpen", "preview", "product", "assess", "finetune", "", "exampledata", "setup")  # empty: a separator
FIRST = "pansharpen"  # The button opens it.
EXAMPLE = "exampledata"  # It has no parameters to choose, so no dialog opens.


class Menu:
    """The entries, which `remove` takes out again."""

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.menu = QMenu("OTFM Pansharpen", iface.mainWindow())
        self.menu.setObjectName("otfmMenu")
        self.menu.setIcon(QIcon(str(ICON)))
        self.buttons: list[Any] = []
        self.example: tuple[str, ...] = ()  # files of the example data of this session
        self.dialogs: list[Any] = []  # Python's references: QGIS keeps only the windows.
        for name in IN_MENU:
            if name:
                self._add(name)
            else:
                self.menu.addSeparator()
        self.menu.addSeparator()
        self.live = LivePreview(
            iface,
            self._add_switch("live", tr("Sharpen the map"), tr("Sharpen what the map shows, after each pan and zoom.")),
            self.open,
        )
        self.comparison = Comparison(
            iface,
            self._add_switch(
                "swipe",
                tr("Compare before and after"),
                tr("Drag a line over the map between the active layer and the MS that it was made of."),
            ),
            self.live,
        )
        iface.rasterMenu().addMenu(self.menu)
        for button in self.buttons:
            iface.addToolBarIcon(button)

    def _add(self, name: str) -> None:
        algorithm = QgsApplication.processingRegistry().algorithmById(f"otfm:{name}")
        without_dialog = name == EXAMPLE
        label = algorithm.displayName() if without_dialog else f"{algorithm.displayName()}…"
        action = self.menu.addAction(
            QIcon(str(ICON)), label, self.add_example if without_dialog else lambda: self.open(name)
        )
        action.setObjectName(f"otfm:{name}")
        action.setToolTip(algorithm.shortDescription())
        if name == FIRST:
            self.buttons.append(action)

    def _add_switch(self, name: str, label: str, explanation: str) -> Any:
        """Add an action to menu and toolbar that is on or off."""
        action = self.menu.addAction(QIcon(str(ICON.with_name(f"{name}.svg"))), label)
        action.setObjectName(f"otfm:{name}")
        action.setToolTip(explanation)
        action.setCheckable(True)
        self.buttons.append(action)
        return action

    def open(self, name: str) -> None:
        """Open the dialog of an algorithm, or that of `otfm:setup` where torch is missing."""
        import processing

        can_run, reason = QgsApplication.processingRegistry().algorithmById(f"otfm:{name}").canExecute()
        if not can_run:
            self.iface.messageBar().pushWarning("OTFM Pansharpen", reason)
        dialog = processing.createAlgorithmDialog(f"otfm:{name if can_run else 'setup'}")
        self.dialogs = [*(d for d in self.dialogs if not sip.isdeleted(d)), dialog]
        dialog.show()

    def add_example(self) -> None:
        """Load the example data from temporary files, MS on top, unless the project has them already."""
        import processing

        project = QgsProject.instance()
        if any(layer.source() in self.example for layer in project.mapLayers().values()):
            return
        outputs = processing.runAndLoadResults(f"otfm:{EXAMPLE}", {"PAN": "TEMPORARY_OUTPUT", "MS": "TEMPORARY_OUTPUT"})
        self.example = (outputs["PAN"], outputs["MS"])
        root = project.layerTreeRoot()
        for node in root.findLayers():
            if node.layer() is not None and node.layer().source() == outputs["MS"]:
                root.insertChildNode(0, node.clone())
                node.parent().removeChildNode(node)

    def remove(self) -> None:
        """Remove the entries and the buttons from the main window."""
        self.live.action.setChecked(False)
        self.comparison.remove()
        for button in self.buttons:
            self.iface.removeToolBarIcon(button)
        self.iface.rasterMenu().removeAction(self.menu.menuAction())
        self.menu.deleteLater()
