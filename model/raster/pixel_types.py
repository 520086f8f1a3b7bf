"""From fused values to the numbers of the output: type, range and nodata."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.grids import Window

NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "Byte": np.dtype(np.uint8),
    "Int8": np.dtype(np.int8),
    "UInt16": np.dtype(np.uint16),
    "Int16": np.dtype(np.int16),
    "UInt32": np.dtype(np.uint32),
    "Int32": np.dtype(np.int32),
    "UInt64": np.dtype(np.uint64),
    "Int64": np.dtype(np.int64),
    "Float16": np.dtype(np.float16),
    "Float32": np.dtype(np.float32),
    "Float64": np.dtype(np.float64),
}

INTEGER_TYPES = tuple(name for name, kind in NUMPY_TYPES.items() if kind.kind in "iu")
FLOAT_TYPES = tuple(name for name, kind in NUMPY_TYPES.items() if kind.kind == "f")
LARGEST_WHOLE = 2**53  # beyond it, 64-bit floats skip whole numbers


def value_limits(type_name: str) -> tuple[float, float]:
    """Least and largest value of a GDAL data type."""
    kind = NUMPY_TYPES[type_name]
    if kind.kind == "f":
        return float(np.finfo(kind).min), float(np.finfo(kind).max)
    low, high = _limits(kind)
    return float(low), float(high)


def holds(type_name: str, value: float) -> bool:
    """Whether a GDAL data type has a value, as exactly as it has any."""
    kind = NUMPY_TYPES[type_name]
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            return math.isnan(value) or math.isfinite(kind.type(value))
    low, high = _limits(kind)
    return bool(np.isfinite(value)) and value == int(value) and low <= value <= high


def _limits(kind: np.dtype[Any]) -> tuple[int, int]:
    bits = 8 * kind.itemsize
    low, high = (0, 2**bits - 1) if kind.kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return max(low, -LARGEST_WHOLE), min(high, LARGEST_WHOLE)


@dataclass(frozen=True)
class PixelEncoder:
    """Turns fused values into the output's type: rounded, clipped, never wrapped; gaps exactly nodata, nothing else.

    `offsets` are what was taken off each band as it was read; `highest` is the largest value that the format holds,
    where that is less than the type's.
    """

    type: str
    nodata: float | None
    lowest: float | None
    offsets: tuple[float, ...] = ()
    highest: float | None = None

    def limits(self, band: int) -> tuple[float, float]:
        """Least and largest value, as it is read, that is not clipped; `band` is its place among `offsets`."""
        low, high = value_limits(self.type)
        low = low if self.lowest is None else max(low, self.lowest)
        high = high if self.highest is None else min(high, self.highest)
        offset = self.offsets[band] if self.offsets else 0.0
        return low - offset, high - offset

    def empty(self, bands: int, tile: Window) -> NDArray[Any]:
        """A tile without a valid pixel."""
        return np.full((bands, tile.height, tile.width), self.nodata or 0, dtype=NUMPY_TYPES[self.type])

    def encode(self, values: NDArray[Any], valid: NDArray[np.bool_] | None, bands: Sequence[int]) -> NDArray[Any]:
        """(n, h, w) float32 and validity ((h, w) or (n, h, w); None where all are valid) to the output's type.

        `bands` are the places of the n bands among `offsets`. Uses `values` up.
        """
        kind = NUMPY_TYPES[self.type]
        added = [self.offsets[b] for b in bands] if self.offsets else []
        if any(added):
            values = values + np.array(added)[:, None, None]
        if self.lowest is not None:
            np.maximum(values, self.lowest, out=values)
        if kind.kind != "f":
            values = values if kind.itemsize <= 2 else values.astype(np.float64)  # float32 cannot hold the limits
            low, high = _limits(kind)
            high = high if self.highest is None else min(high, int(self.highest))
            np.clip(np.rint(values, out=values), low, high, out=values)
        result = values.astype(kind)
        if self.nodata is not None:
            self._avoid_nodata(result, kind)
            if valid is not None:
                np.copyto(result, kind.type(self.nodata), where=~valid)
        return result

    def _avoid_nodata(self, result: NDArray[Any], kind: np.dtype[Any]) -> None:
        """A valid value that happens to be the nodata value moves to its neighbour."""
        if kind.kind == "f":
            nodata = kind.type(self.nodata)
            np.putmask(result, result == nodata, np.nextafter(nodata, kind.type(np.inf)))
        else:
            nodata = int(self.nodata or 0)
            np.putmask(result, result == nodata, nodata + 1 if nodata < _limits(kind)[1] else nodata - 1)
