"""A feedback object that keeps the log, and a main window to add entries to."""

from __future__ import annotations

from qgis.core import QgsProcessingContext, QgsProcessingFeedback
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtWidgets import QMainWindow


class Listener(QgsProcessingFeedback):
    """A feedback object that keeps the log, and may cancel at a share of progress."""

    def __init__(self, cancel_at=None):
        super().__init__(False)
        self.lines = []
        self.entries = []  # the same, each with its level
        self.shares = []
        self.cancel_at = cancel_at
        self.progressChanged.connect(self.collect_progress)

    def collect_progress(self, share):
        self.shares.append(share)
        if self.cancel_at is not None and share >= self.cancel_at:
            self.cancel()

    def collect_line(self, level, line):
        self.lines.append(line)
        self.entries.append((level, line))

    def pushInfo(self, line):  # noqa: N802 - QGIS's name
        self.collect_line("info", line)

    def pushWarning(self, line):  # noqa: N802 - QGIS's name
        self.collect_line("warning", line)

    def pushDebugInfo(self, line):  # noqa: N802 - QGIS's name
        self.collect_line("detail", line)

    def reportError(self, line, fatal=False):  # noqa: N802 - QGIS's name
        self.collect_line("error", line)


class Desktop:
    """QGIS's interface on a real main window with a Raster menu and a toolbar."""

    def __init__(self):
        self.window = QMainWindow()
        self.menu = self.window.menuBar().addMenu("Raster")
        self.toolbar = self.window.addToolBar("Plugins")
        self.pages = []
        self.warnings: list[str] = []
        self.canvas = QgsMapCanvas(self.window)
        self.canvas.resize(400, 300)
        self.bar = QgsMessageBar(self.window)
        self.bar.pushWarning = lambda title, text: self.warnings.append(text)
        self.layer = None

    def mapCanvas(self):  # noqa: N802 - QGIS's name
        return self.canvas

    def mapCanvases(self):  # noqa: N802 - QGIS's name
        return [self.canvas]

    def activeLayer(self):  # noqa: N802 - QGIS's name
        return self.layer

    def mainWindow(self):  # noqa: N802 - QGIS's name
        return self.window

    def rasterMenu(self):  # noqa: N802 - QGIS's name
        return self.menu

    def addToolBarIcon(self, action):  # noqa: N802 - QGIS's name
        self.toolbar.addAction(action)

    def removeToolBarIcon(self, action):  # noqa: N802 - QGIS's name
        self.toolbar.removeAction(action)

    def registerOptionsWidgetFactory(self, factory):  # noqa: N802 - QGIS's name
        self.pages.append(factory)

    def unregisterOptionsWidgetFactory(self, factory):  # noqa: N802 - QGIS's name
        self.pages.remove(factory)

    def messageBar(self):  # noqa: N802 - QGIS's name
        return self.bar


def run(algorithm, pair, output, feedback=None, context=None, **parameters):
    """Sharpen a pair with otfm:pansharpen; its results, and whether it succeeded."""
    context = context or QgsProcessingContext()
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(output), "PRECISION": "fp32", **parameters}
    return algorithm.run(parameters, context, feedback or Listener(), {}, False)
