"""Read a folder of scenes through GDAL and write the one file that training reads.

    python scripts/prepare_training.py SCENES/index.json training.safetensors

index.json lists the scenes under "items": `group` (a sub-folder; only train_pairs and train_ms are read), `name`
and `sensor`. A pair is <name>_ms.tif and <name>_pan.tif, a scene without PAN only the first. <name>_10m_ms.tif holds
the guides of <name>_20m_ms.tif. Shift and transfer
function are measured and written with them. Scenes that cannot be trained on or exceed the budget are logged with the
reason. Families of sensors take turns, so none crowds out another.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from otfm_pansharpen.model.errors import PansharpenError
from otfm_pansharpen.model.geometry.grids import Window, register
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.reader import Raster
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import pan_window, sample_scene
from otfm_pansharpen.model.scene.guides import lead_windows
from otfm_pansharpen.model.scene.registration import measure_registration
from otfm_pansharpen.model.training.dataset import Recording, explain_unfit, write_recordings

GROUPS = ("train_pairs", "train_ms")
GUIDED = "_20m"  # end of the names of scenes whose guides have 10 m
MAX_SIDE = 1000  # MS pixels; more of one scene adds little variety
MEGABYTE = 1_000_000
log = logging.getLogger("prepare")


def sensor_of(words: str) -> str:
    """Return the sensor that a description begins with or names; sensors of one design are one."""
    name = "NAIP" if "NAIP" in words else words.split(maxsplit=1)[0].rstrip(",").split("/")[0]
    return "Landsat-8" if name == "Landsat-9" else re.sub(r"^(Sentinel-2)[A-D]$", r"\1", name)


def record(folder: Path, item: dict[str, Any], halved: Sequence[str] = ()) -> Recording:
    """Read a scene of the index, only its left half if its name begins with one of `halved`.

    Raises PansharpenError where it cannot be trained on.
    """
    name, pan_path = item["name"], folder / f"{item['name']}_pan.tif"
    if name.endswith(GUIDED):
        pan_path = folder / f"{name.removesuffix(GUIDED)}_10m_ms.tif"
    family = f"{sensor_of(item['sensor'])} {item['gsd_pan_ms_m'][1]} m"
    with gdal_exceptions(), Raster(RasterSource(str(folder / f"{name}_ms.tif"), nodata=(0.0,)), "MS") as ms:
        width = ms.grid.width // 2 if name.startswith(tuple(halved)) else ms.grid.width
        window = Window(0, 0, min(width, MAX_SIDE), min(ms.grid.height, MAX_SIDE))
        values, valid = ms.read(window)
        if not pan_path.exists():
            return _check(Recording(name, family, _compact(values)), valid)
        with Raster(RasterSource(str(pan_path), nodata=(0.0,)), "PAN") as pan:
            placement = register(pan.grid, ms.grid)
            sample = [w for w in sample_scene(pan, ms, placement) if w.ms_place.clipped(window) == w.ms_place]
            registration = measure_registration(lead_windows(sample))
            if not registration.reliable:
                raise PansharpenError(f"PAN and MS do not fit (correlation of details {registration.correlation:.2f})")
            cut = pan_window(placement, window, 2.0 * placement.ratio).clipped(pan.grid.window)
            fine, fine_valid = pan.read(cut)
    origin = [o + s - c for o, s, c in zip(placement.origin, registration.shift, (cut.top, cut.left), strict=True)]
    transfer = registration.transfer
    log.info("%s: gain %.3f, peak %.2f, shift %+.2f %+.2f", name, transfer.gain, transfer.peak, *registration.shift)
    pan_values, start = _compact(fine[0] if len(fine) == 1 else fine), (origin[0], origin[1])
    scene = Recording(name, family, _compact(values), pan_values, start, placement.spacing, transfer)
    reason = explain_unfit(fine, fine_valid)
    if reason:
        raise PansharpenError(f"its PAN cannot be used, {reason}")
    return _check(scene, valid)


def _check(recording: Recording, valid: np.ndarray) -> Recording:
    reason = explain_unfit(recording.ms, valid)
    if reason:
        raise PansharpenError(reason)
    return recording


def _compact(array: np.ndarray) -> np.ndarray:
    """Convert whole numbers to the smallest type that holds them, and reflectances to float32."""
    if (array == array.round()).all() and array.min() >= 0 and array.max() < 65536:
        return array.astype(np.uint8 if array.max() < 256 else np.uint16)
    return array.astype(np.float32)


def main() -> None:
    """Collect the scenes and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--budget", type=float, default=200.0, help="size of the file in megabytes")
    parser.add_argument(
        "--halve", nargs="*", default=[], metavar="NAME", help="scenes whose right half is for validation"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recordings = []
    for item in json.loads(arguments.index.read_text())["items"]:
        if item["group"] in GROUPS:
            try:
                recordings.append(record(arguments.index.parent / item["group"], item, arguments.halve))
            except PansharpenError as error:
                log.warning("%s is left out: %s.", item["name"], str(error).rstrip("."))
    left_out = write_recordings(arguments.output, recordings, int(arguments.budget * MEGABYTE))
    if left_out:
        log.warning("Left out, as they do not fit into %.0f MB: %s.", arguments.budget, ", ".join(left_out))
    size = arguments.output.stat().st_size / MEGABYTE
    log.info("%d scenes, %.1f MB: %s", len(recordings) - len(left_out), size, arguments.output)


if __name__ == "__main__":
    main()
