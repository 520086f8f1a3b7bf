"""Assessment of a sharpened raster of any tool: indices, faults by name, maps, and a report."""
