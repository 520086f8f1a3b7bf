"""Scenes to train on, in one file that needs neither GDAL nor QGIS to read.

The file is safetensors; every raster in it is the zlib stream of its horizontal differences, which halves it. A pair
keeps its PAN as it was recorded, with the measured registration of the two grids.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import TrainingError
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow

MIN_SIDE = 160  # MS pixels. Smaller scenes hold no crop worth simulating.
MIN_VALID = 0.98  # share of the pixels of a scene
USUAL = TransferFunction.gaussian(0.3)  # of scenes without a PAN, where it is not used


@dataclass(frozen=True)
class Recording:
    """A scene as it was recorded."""

    name: str
    family: str
    ms: np.ndarray  # (bands, h, w)
    pan: np.ndarray | None = None  # (H, W), guides (guides, H, W) or None
    origin: tuple[float, float] = (0.0, 0.0)  # centre of MS pixel (0, 0) in PAN pixel indices, shift corrected
    spacing: tuple[float, float] = (1.0, 1.0)  # MS pixel size in PAN pixels
    transfer: TransferFunction = USUAL  # of MS relative to PAN

    def pair(self) -> PairWindow | None:
        """Return the pair at full resolution, as float32, or None without PAN."""
        if self.pan is None:
            return None
        pan, ms = (a.astype(np.float32) for a in (self.pan, self.ms))
        whole = [np.ones(i.shape[-2:], dtype=bool) for i in (pan, ms)]
        return PairWindow(pan, whole[0], ms, whole[1], self.origin, self.spacing)


@dataclass(frozen=True)
class Source:
    """A scene to simulate from, as float32."""

    name: str
    family: str
    ms: torch.Tensor  # (bands, h, w)
    pan: torch.Tensor | None = None  # on the same grid: (h, w), or (guides, h, w) where it has several bands
    pair: PairWindow | None = None  # the scene at full resolution, where it has a PAN
    transfer: TransferFunction = USUAL
    valid: torch.Tensor | None = None  # (h, w), pixels to learn from; None stands for all

    @property
    def place(self) -> str:
        """The name of the scene without a date (eight digits) at the end."""
        return re.sub(r"_\d{8}$", "", self.name)


Scene = TypeVar("Scene", Recording, Source)


def explain_unfit(ms: np.ndarray, valid: np.ndarray) -> str | None:
    """Return why a scene ms (bands, h, w), valid (h, w) cannot be trained on, as the end of a sentence, or None."""
    if ms.ndim != 3 or min(ms.shape[1:]) < MIN_SIDE:
        return f"it is smaller than {MIN_SIDE} pixels a side"
    if not np.isfinite(ms).all():
        return "it holds values that are not finite"
    if valid.mean() < MIN_VALID:
        return f"only {100 * valid.mean():.0f} % of its pixels are valid, {100 * MIN_VALID:.0f} % are needed"
    flat = [i + 1 for i, band in enumerate(ms) if band.max() == band.min()]
    return f"band {flat[0]} is constant" if flat else None


def write_recordings(path: Path, recordings: Sequence[Recording], budget: int) -> list[str]:
    """Write as many scenes as `budget` bytes hold, families in turn. Returns the names that are left out."""
    tensors: dict[str, torch.Tensor] = {}
    described: dict[str, dict[str, Any]] = {}
    size, left_out = 0, []
    for recording in _interleave_families(recordings):
        parts = {"ms": recording.ms} | ({} if recording.pan is None else {"pan": recording.pan})
        packed = {raster: _pack(array) for raster, array in parts.items()}
        length = sum(map(len, packed.values()))
        if size + length > budget:
            left_out.append(recording.name)
            continue
        size += length
        described[recording.name] = {
            "family": recording.family,
            "origin": recording.origin,
            "spacing": recording.spacing,
            "transfer": [recording.transfer.rows, recording.transfer.columns],
            "arrays": {raster: [str(a.dtype), a.shape] for raster, a in parts.items()},
        }
        tensors |= {f"{recording.name}.{raster}": torch.frombuffer(bytearray(b), dtype=torch.uint8)
                    for raster, b in packed.items()}  # fmt: skip
    save_file(tensors, path, metadata={"scenes": json.dumps(described)})
    return left_out


def read_sources(path: Path) -> list[Source]:
    """Read a file that `write_recordings` wrote. Raises TrainingError for another one, and for one without scenes."""
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {}).get("scenes", "{}"))
            sources = [_make_source(_read_recording(file, name, notes)) for name, notes in described.items()]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise TrainingError(f"{path} is not a file of training scenes ({error}).") from error
    if not sources:
        raise TrainingError(f"{path} holds no scenes; write it with scripts/prepare_training.py.")
    return sources


def _read_recording(file: Any, name: str, notes: dict[str, Any]) -> Recording:
    arrays = {
        raster: _unpack(file.get_tensor(f"{name}.{raster}").numpy().tobytes(), np.dtype(dtype), tuple(shape))
        for raster, (dtype, shape) in notes["arrays"].items()
    }
    origin, spacing = ((float(notes[key][0]), float(notes[key][1])) for key in ("origin", "spacing"))
    rows, columns = (tuple(float(value) for value in axis) for axis in notes["transfer"])
    transfer = TransferFunction(rows, columns)
    return Recording(name, notes["family"], arrays["ms"], arrays.get("pan"), origin, spacing, transfer)


def _make_source(recording: Recording) -> Source:
    """Bring PAN to the MS pixels, as sharp as MS, and cut both to where PAN's blur stays inside PAN."""
    ms, pair = torch.from_numpy(recording.ms.astype(np.float32)), recording.pair()
    if pair is None:
        return Source(recording.name, recording.family, ms)
    low, _ = pair.pan_at_ms(recording.transfer)
    inside = pair.inside(3.0 * pair.ratio)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    cut = np.s_[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Source(recording.name, recording.family, ms[cut], torch.from_numpy(low[cut]), pair, recording.transfer)


def _interleave_families(recordings: Sequence[Recording]) -> list[Recording]:
    """Order recordings: one of each family, then the second of each, and so on."""
    turns = zip_longest(*group_by_family(recordings))
    return [recording for turn in turns for recording in turn if recording]


def group_by_family(scenes: Sequence[Scene]) -> list[list[Scene]]:
    """Group recordings or sources by their family."""
    families: dict[str, list[Scene]] = {}
    for scene in scenes:
        families.setdefault(scene.family, []).append(scene)
    return list(families.values())


def _pack(array: np.ndarray) -> bytes:
    """Compress the differences along rows by zlib; floats are taken as whole numbers of the same bits."""
    whole = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
    return zlib.compress(np.diff(whole, axis=-1, prepend=whole.dtype.type(0)).tobytes(), 6)


def _unpack(stream: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    whole = np.frombuffer(zlib.decompress(stream), dtype=f"u{dtype.itemsize}").reshape(shape)
    return np.cumsum(whole, axis=-1, dtype=whole.dtype).view(dtype)
