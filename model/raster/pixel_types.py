"""Conversion of fused values to the numbers of the output: type, range and nodata."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.grids import Window

_NAMES = ("Int8", "UInt16", "Int16", "UInt32", "Int32", "UInt64", "Int64", "Float16", "Float32", "Float64")
NUMPY_TYPES: dict[str, np.dtype[Any]] = {"Byte": np.dtype("uint8"), **{n: np.dtype(n.lower()) for n in _NAMES}}

INTEGER_TYPES = tuple(name for name, kind in NUMPY_TYPES.items() if kind.kind in "iu")
FLOAT_TYPES = tuple(name for name, kind in NUMPY_TYPES.items() if kind.kind == "f")
MAX_WHOLE = 2**53  # 64-bit floats skip larger whole numbers


def value_limits(type_name: str) -> tuple[float, float]:
    """Return the least and largest value of a GDAL data type."""
    dtype = NUMPY_TYPES[type_name]
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    low, high = _compute_limits(dtype)
    return float(low), float(high)


def holds(type_name: str, value: float) -> bool:
    """Tell whether a GDAL data type has a value, as exactly as it has any."""
    dtype = NUMPY_TYPES[type_name]
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return math.isnan(value) or math.isfinite(dtype.type(value))
    low, high = _compute_limits(dtype)
    return bool(np.isfinite(value)) and value == int(value) and low <= value <= high


def _compute_limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return max(limits.min, -MAX_WHOLE), min(limits.max, MAX_WHOLE)


@dataclass(frozen=True)
class PixelEncoder:
    """Encoder of fused values in the output's type: rounded, clipped, never wrapped; only gaps are nodata.

    `offsets` were taken off each band by reading; `highest` is the largest value of the format where it is less than
    the type's. `stretch` has for each place among `offsets` the values that become black and white of 8 bits.
    """

    type: str
    nodata: float | None
    lowest: float | None
    offsets: tuple[float, ...] = ()
    highest: float | None = None
    stretch: tuple[tuple[float, float], ...] = ()

    def limits(self, band: int) -> tuple[float, float]:
        """Return the least and largest value, as it is read, that is not clipped, of a place among `offsets`."""
        if self.stretch:
            return -math.inf, math.inf
        low, high = value_limits(self.type)
        low = low if self.lowest is None else max(low, self.lowest)
        high = high if self.highest is None else min(high, self.highest)
        offset = self.offsets[band] if self.offsets else 0.0
        return low - offset, high - offset

    def empty(self, bands: int, tile: Window) -> NDArray[Any]:
        """Return a tile without a valid pixel."""
        return np.full((bands, tile.height, tile.width), self.nodata or 0, dtype=NUMPY_TYPES[self.type])

    def encode(self, values: NDArray[Any], valid: NDArray[np.bool_] | None, bands: Sequence[int]) -> NDArray[Any]:
        """Encode (n, h, w) float32 with validity ((h, w) or (n, h, w); None where all are valid).

        `bands` are the places of the n bands among `offsets`. Uses `values` up.
        """
        dtype = NUMPY_TYPES[self.type]
        added = [self.offsets[b] for b in bands] if self.offsets else []
        if any(added):
            values = values + np.array(added)[:, None, None]
        if self.lowest is not None:
            np.maximum(values, self.lowest, out=values)
        if self.stretch:
            black, white = np.array([self.stretch[b] for b in bands], np.float32).T[..., None, None]
            values = (values - black) * (np.float32(255.0) / (white - black))
        if dtype.kind != "f":
            values = values if dtype.itemsize <= 2 else values.astype(np.float64)  # float32 cannot hold the limits
            low, high = _compute_limits(dtype)
            high = high if self.highest is None else min(high, int(self.highest))
            np.clip(np.rint(values, out=values), low, high, out=values)
        result = values.astype(dtype)
        if self.nodata is not None:
            self._avoid_nodata(result, dtype)
            if valid is not None:
                np.copyto(result, dtype.type(self.nodata), where=~valid)
        return result

    def _avoid_nodata(self, result: NDArray[Any], dtype: np.dtype[Any]) -> None:
        """Move valid values that happen to be the nodata value to their neighbour."""
        if dtype.kind == "f":
            nodata = dtype.type(self.nodata)
            np.putmask(result, result == nodata, np.nextafter(nodata, dtype.type(np.inf)))
        else:
            nodata = int(self.nodata or 0)
            np.putmask(result, result == nodata, nodata + 1 if nodata < _compute_limits(dtype)[1] else nodata - 1)
