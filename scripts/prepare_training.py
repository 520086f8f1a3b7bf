"""Read a folder of scenes through GDAL and write the one file that training reads.

    python scripts/prepare_training.py SCENES/index.json training.safetensors

index.json lists the scenes under "items": `group` (a sub-folder; only train_pairs and train_ms are read), `name`
and `sensor`. A pair is <name>_ms.tif and <name>_pan.tif, a scene without PAN only the first.
PAN is brought to the MS grid with the pair's own measured MTF and shift, so that it is as sharp as MS.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import torch
from _package import load
from safetensors.torch import save_file

load()

from osgeo import gdal  # noqa: E402
from otfm_pansharpen.model.alignment import PairWindow, measure_relation  # noqa: E402

GROUPS = ("train_pairs", "train_ms")
LARGEST_SIDE = 1400  # pixels; more of one scene adds little variety
log = logging.getLogger("prepare")


def read(path: Path) -> np.ndarray:
    """All bands of a file as (bands, h, w) float32."""
    dataset = gdal.Open(str(path))
    if dataset is None:
        raise SystemExit(f"{path} cannot be read by GDAL.")
    array = dataset.ReadAsArray().astype(np.float32)
    return array if array.ndim == 3 else array[None]


def origin(pan_path: Path, ms_path: Path) -> tuple[tuple[float, float], float]:
    """Centre of MS pixel (0, 0) in PAN pixel indices (row, column), and the ratio, from the geotransforms."""
    pan, ms = (gdal.Open(str(p)).GetGeoTransform() for p in (pan_path, ms_path))
    x, y = ms[0] + 0.5 * ms[1], ms[3] + 0.5 * ms[5]
    return ((y - pan[3]) / pan[5] - 0.5, (x - pan[0]) / pan[1] - 0.5), ms[1] / pan[1]


def pair(pan_path: Path, ms_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """MS, and PAN at the MS pixels, of a pair, both cut to where PAN's blur stays inside PAN."""
    ms, pan = torch.from_numpy(read(ms_path)), torch.from_numpy(read(pan_path)[0])
    offset, ratio = origin(pan_path, ms_path)
    window = PairWindow(pan, pan > 0, ms, (ms > 0).all(0), offset, (ratio, ratio))
    relation = measure_relation([window])
    log.info(
        "%s: gain %.3f, shift %.2f %.2f, correlation %.3f",
        ms_path.stem,
        relation.gain,
        *relation.shift,
        relation.correlation,
    )
    aligned = window.shifted(relation.shift)
    low, _ = aligned.pan_at_ms(relation.gain)
    inside = aligned.inside(3.0 * ratio).numpy()
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ms.numpy()[(slice(None), *cut)], low.numpy()[cut]


def _compact(array: np.ndarray, rounded: bool = True) -> torch.Tensor:
    """Whole numbers in as few bytes as hold them; reflectances and resampled PAN as they are."""
    if rounded and array.max() > 2:
        array = array.round().astype(np.uint8 if array.max() < 256 else np.uint16)
    return torch.from_numpy(np.ascontiguousarray(array))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tensors: dict[str, torch.Tensor] = {}
    families: dict[str, str] = {}
    for item in json.loads(arguments.index.read_text())["items"]:
        if item["group"] not in GROUPS:
            continue
        stem = arguments.index.parent / item["group"] / item["name"]
        ms_path, pan_path = Path(f"{stem}_ms.tif"), Path(f"{stem}_pan.tif")
        ms, pan = pair(pan_path, ms_path) if pan_path.exists() else (read(ms_path), None)
        ms = ms[:, :LARGEST_SIDE, :LARGEST_SIDE]
        whole = ms.min(0) > 0
        if not np.isfinite(ms).all() or whole.mean() < 0.5:
            log.warning("%s is left out: %.0f %% of its pixels are valid.", item["name"], 100 * whole.mean())
            continue
        tensors[f"{item['name']}.ms"] = _compact(ms)
        if pan is not None:
            tensors[f"{item['name']}.pan"] = _compact(pan[:LARGEST_SIDE, :LARGEST_SIDE], rounded=False)
        families[item["name"]] = f"{item['sensor'].split()[0]} {item['gsd_pan_ms_m'][1]} m"
    save_file(tensors, arguments.output, metadata={"families": json.dumps(families)})
    log.info("%d scenes, %.0f MB", len(families), arguments.output.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
