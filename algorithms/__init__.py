"""QGIS Processing algorithms: parameters in, one call of `model`, results and errors back."""
