"""A feedback object that remembers."""

from __future__ import annotations

from qgis.core import QgsProcessingFeedback


class Listener(QgsProcessingFeedback):
    """Collects what the log says; may cancel at a share of progress."""

    def __init__(self, cancel_at=None):
        super().__init__(False)
        self.lines = []
        self.shares = []
        self.cancel_at = cancel_at
        self.progressChanged.connect(self.hear)

    def hear(self, share):
        self.shares.append(share)
        if self.cancel_at is not None and share >= self.cancel_at:
            self.cancel()

    def pushInfo(self, line):  # noqa: N802 - QGIS's name
        self.lines.append(line)

    def pushWarning(self, line):  # noqa: N802 - QGIS's name
        self.lines.append(line)

    def reportError(self, line, fatal=False):  # noqa: N802 - QGIS's name
        self.lines.append(line)
