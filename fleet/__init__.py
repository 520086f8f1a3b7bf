"""Many scenes on many machines, by Dask: no QGIS, and no part of the plugin's start."""
