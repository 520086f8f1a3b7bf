"""A feedback object that remembers."""

from __future__ import annotations

from qgis.core import QgsProcessingFeedback


class Listener(QgsProcessingFeedback):
    """Collects what the log says; may cancel at a share of progress."""

    def __init__(self, cancel_at=None):
        super().__init__(False)
        self.lines = []
        self.heard = []  # the same, each with its kind
        self.shares = []
        self.cancel_at = cancel_at
        self.progressChanged.connect(self.hear)

    def hear(self, share):
        self.shares.append(share)
        if self.cancel_at is not None and share >= self.cancel_at:
            self.cancel()

    def say(self, kind, line):
        self.lines.append(line)
        self.heard.append((kind, line))

    def pushInfo(self, line):  # noqa: N802 - QGIS's name
        self.say("info", line)

    def pushWarning(self, line):  # noqa: N802 - QGIS's name
        self.say("warning", line)

    def pushDebugInfo(self, line):  # noqa: N802 - QGIS's name
        self.say("detail", line)

    def reportError(self, line, fatal=False):  # noqa: N802 - QGIS's name
        self.say("error", line)
