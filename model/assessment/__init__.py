"""How good a sharpened raster is, whoever made it: indices, faults by name, maps, and a report."""
