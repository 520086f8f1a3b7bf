"""The fastest number type on this machine, measured once with the network itself and cached."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

from ..codec import parse_json
from ..files import read_small_file, whole_file
from ..network.flow_network import SHARED_GUIDES, FlowNetwork
from .folded_network import FoldedNetwork

SIDE = 64  # planes of the measured tile
ROUNDS = 4  # measurements of both types in turn; the quickest of each counts
MAX_BYTES = 65536  # of the file; a processor takes 100
MIN_SHARE, MAX_SHARE = 0.01, 1000.0  # plausible range; others are not from this program
WORTH = 0.85  # bfloat16 is coarser, so it has to take less than this share of float32's time


def choose_precision(wanted: str, device: torch.device, network: FlowNetwork) -> tuple[torch.dtype, str]:
    """Choose the number type for `wanted`, one of options.PRECISIONS, with the reason; auto takes the faster one."""
    if wanted != "auto":
        return (torch.bfloat16 if wanted == "bf16" else torch.float32), "as asked"
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
        return (torch.bfloat16, "the GPU multiplies it") if fast else (torch.float32, "the GPU has no bf16")
    share = _load_share(network)
    reason = f"on this CPU bfloat16 takes {share:.2f} of float32's time"
    return (torch.bfloat16 if share < WORTH else torch.float32), reason


def measure_bf16_share(network: FlowNetwork) -> float:
    """Measure the time of a tile in bfloat16 over that in float32, on the CPU."""
    scene, config = [0.0] * (network.film.in_features - 1), network.config
    channels = (2 * config.bands + SHARED_GUIDES) * config.cell**2  # of bands that share one PAN
    timed: dict[torch.dtype, float] = {}
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for dtype in (torch.float32, torch.bfloat16):
                folded = FoldedNetwork(network, scene, 0.0, 1.0, torch.device("cpu"), dtype)
                planes = torch.zeros(channels, SIDE, SIDE, dtype=dtype)
                began = time.perf_counter()
                list(folded(planes))
                timed[dtype] = min(time.perf_counter() - began, timed.get(dtype, float("inf")))
    return timed[torch.bfloat16] / timed[torch.float32]


def _load_share(network: FlowNetwork) -> float:
    """Return the share; a cached one where this torch on this processor was measured: runs stay repeatable."""
    file = _find_cache_folder() / "precision.json"
    key = f"torch {torch.__version__}, {_name_processor()}, {network.config.width} channels"
    kept = _read_cache(file)
    if key not in kept:
        kept[key] = round(measure_bf16_share(network), 3)
        with suppress(OSError):  # a share that is not cached is measured again
            file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(file) as new:
                new.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return kept[key]


def _read_cache(file: Path) -> dict[str, float]:
    """Read cached shares; none where the file is not one that this user's runs write."""
    try:
        kept = parse_json(read_small_file(file, MAX_BYTES, own=True).decode("utf-8"), max_depth=1)
        return {str(key): float(share) for key, share in kept.items() if MIN_SHARE <= float(share) <= MAX_SHARE}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _find_cache_folder() -> Path:
    """Return the folder where this system's programs keep caches."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "otfm_pansharpen"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "otfm_pansharpen"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otfm_pansharpen"


def _name_processor() -> str:
    """Return the processor's name, as far as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
