"""Additions to QGIS's main window: entries of the Raster menu, a button, a page of options."""
