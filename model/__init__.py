"""The pansharpening itself: pure numpy, torch and GDAL, usable without QGIS."""
