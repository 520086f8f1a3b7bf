"""The offer to set up the engine, in a message bar, where a tool needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qgis.core import Qgis, QgsApplication
from qgis.PyQt import sip
from qgis.PyQt.QtWidgets import QPushButton

from .translation import tr


class SetupOffer:
    """A hint with a button that opens the set-up. It goes away once the engine works, and `after` is called."""

    def __init__(self, bar: Any, after: Callable[[], None]) -> None:
        self.bar, self.after = bar, after
        self.dialog: Any = None
        self.item = bar.createMessage(tr("The engine is not set up yet."))
        self.button = QPushButton(tr("Set up the engine…"))
        self.button.clicked.connect(self.open)
        self.item.layout().addWidget(self.button)
        bar.pushWidget(self.item, Qgis.MessageLevel.Warning)

    def open(self) -> None:
        """Open the dialog of `otfm:setup`."""
        import processing

        self.dialog = processing.createAlgorithmDialog("otfm:setup")
        self.dialog.algorithmFinished.connect(self._finish)
        self.dialog.show()

    def _finish(self, *_: Any) -> None:
        if QgsApplication.processingRegistry().algorithmById("otfm:pansharpen").canExecute()[0]:
            if not sip.isdeleted(self.item):
                self.bar.popWidget(self.item)
            self.dialog.close()
            self.after()
