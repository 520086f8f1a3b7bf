"""The engine: a child process that does what needs torch, so that QGIS's own process never loads it."""
