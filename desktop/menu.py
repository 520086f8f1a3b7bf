"""The plugin's entries in the Raster menu, and its buttons in the Plugins toolbar."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication, QgsProcessing, QgsProcessingContext, QgsProject
from qgis.PyQt import sip
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QMenu

from ..algorithms.otfm_algorithm import ICON
from ..algorithms.pair_of_layers import all_pairs, name_ms
from ..algorithms.settings import default_output
from ..algorithms.setup_offer import SetupOffer
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
        self.offer: SetupOffer | None = None
        self.example: tuple[str, ...] = ()  # files of the example data of this session
        self.dialogs: list[Any] = []  # Python's references: QGIS keeps only the windows.
        for name in IN_MENU:
            if name:
                self._add(name)
            else:
                self.menu.addSeparator()
            if name == "preview":
                action = self.menu.addAction(
                    QIcon(str(ICON)), tr("Sharpen all pairs of this project…"), self.open_batch
                )
                action.setObjectName("otfm:all")
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
        action.setToolTip(f"<b>{algorithm.displayName()}</b><br>{algorithm.shortDescription()}")
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
        """Open the dialog of an algorithm, after that of `otfm:setup` where torch is missing."""
        import processing

        if not QgsApplication.processingRegistry().algorithmById(f"otfm:{name}").canExecute()[0]:
            self.offer = SetupOffer(self.iface.messageBar(), lambda: self.open(name))
            self.offer.open()
            return
        dialog = processing.createAlgorithmDialog(f"otfm:{name}")
        self.dialogs = [*(d for d in self.dialogs if not sip.isdeleted(d)), dialog]
        dialog.show()

    def open_batch(self) -> None:
        """Open a table with all pairs of the project."""
        from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

        pairs = all_pairs()
        if not pairs:
            words = tr("The project has no PAN and MS of one scene in one reference system. Add both rasters first.")
            self.iface.messageBar().pushWarning("OTFM Pansharpen", words)
            return
        if not QgsApplication.processingRegistry().algorithmById(f"otfm:{FIRST}").canExecute()[0]:
            self.open(FIRST)
            return
        dialog = BatchAlgorithmDialog(QgsApplication.processingRegistry().createAlgorithmById(f"otfm:{FIRST}"))
        table, context = dialog.mainWidget(), QgsProcessingContext()
        context.setProject(QgsProject.instance())
        table.addRow(len(pairs) - 1)
        table.checkLoadLayersOnCompletion.setChecked(True)
        columns, outputs = table.parameter_to_column, list[str]()
        for row, (wrappers, pair) in enumerate(zip(table.wrappers, pairs), start=1):  # Row 0 holds "Autofill…".
            wrappers[columns["PAN"]].setParameterValue(pair.pan.id(), context)
            wrappers[columns["MS"]].setParameterValue([la.id() for la in pair.ms], context)
            outputs.append(default_output(name_ms(pair.ms), outputs) or QgsProcessing.TEMPORARY_OUTPUT)
            table.tblParameters.cellWidget(row, columns["OUTPUT"]).setValue(outputs[-1])
        dialog.messageBar().clearWidgets()  # QGIS asked for the bands of the empty rows.
        self.dialogs.append(dialog)
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
