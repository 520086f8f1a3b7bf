"""Map of where a result is good, with one value for each block, as a raster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from osgeo import gdal

from ..errors import OutputError
from ..files import whole_file
from ..geometry.grids import Window
from ..quality.indices import BLOCK, BlockQualities, Image
from ..raster.gdal_errors import quote_messages
from ..raster.reader import Raster

BANDS = ("quality", "colours", "detail")


@dataclass(frozen=True)
class BlockMap:
    """Values (3, rows, columns) in [0, 1], NaN without measurement; the first block begins at PAN `left`, `top`.

    colours is the block's Q2n against MS, detail one minus its part of D_s, quality their product.
    """

    values: Image
    left: int
    top: int

    @classmethod
    def of(cls, windows: Sequence[Window], blocks: Sequence[BlockQualities]) -> BlockMap:
        """Make the map of the blocks of several windows, whose corners lie whole blocks apart."""
        left, top = min(w.left for w in windows), min(w.top for w in windows)
        rows = max((w.bottom - top) // BLOCK for w in windows)
        columns = max((w.right - left) // BLOCK for w in windows)
        values = np.full((len(BANDS), rows, columns), np.nan)
        for window, quality in zip(windows, blocks):
            detail = 1.0 - np.abs(quality.sharp - quality.soft).mean(0)
            row, column = quality.rows + (window.top - top) // BLOCK, quality.columns + (window.left - left) // BLOCK
            values[:, row, column] = np.clip([quality.spectral * detail, quality.spectral, detail], 0.0, 1.0)
        return cls(values, left, top)

    def ranked(self) -> list[tuple[int, int]]:
        """Return PAN row and column of the blocks' corners, the worst first."""
        order = np.argsort(self.values[0], axis=None)
        count = int(np.isfinite(self.values[0]).sum())
        places = zip(*np.unravel_index(order[:count], self.values[0].shape))
        return [(self.top + int(r) * BLOCK, self.left + int(c) * BLOCK) for r, c in places]


def write_map(block_map: BlockMap, pan: Raster, path: Path) -> str:
    """Write the map as a GeoTIFF, complete or not at all; returns its path. Raises OutputError."""
    count, rows, columns = block_map.values.shape
    t = pan.grid.cropped(Window(block_map.left, block_map.top, 1, 1)).transform
    try:
        with whole_file(path) as draft:
            dataset = gdal.GetDriverByName("GTiff").Create(str(draft), columns, rows, count, gdal.GDT_Float32)
            dataset.SetGeoTransform((t[0], t[1] * BLOCK, t[2] * BLOCK, t[3], t[4] * BLOCK, t[5] * BLOCK))
            dataset.SetProjection(pan.crs)
            dataset.WriteArray(block_map.values.astype(np.float32))
            for number, name in enumerate(BANDS, start=1):
                dataset.GetRasterBand(number).SetDescription(name)
                dataset.GetRasterBand(number).SetNoDataValue(float("nan"))
            dataset.FlushCache()
            dataset = None
    except (RuntimeError, OSError) as error:
        raise OutputError(
            f"The map {path} cannot be written: {quote_messages(error)}. Choose another folder."
        ) from error
    return str(path)
