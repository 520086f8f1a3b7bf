"""Fine-tuning runs that last seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from helpers.scenes import Pair, load_image, save
from helpers.scenes import Recipe as SceneRecipe
from otfm_pansharpen.model.finetuning.finetune import finetune
from otfm_pansharpen.model.finetuning.job import FinetuneJob, FinetuneResult, Recipe, TuningPair
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import save_weights
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource

SENSOR = SceneRecipe(bands=3, ratio=2, height=320, width=320, gain=0.2)
NETWORK = NetworkConfig(width=8, blocks=1, hidden=8, cell=2)
QUICK = Recipe(rate=3e-3, batch=2, pool=2)


def start(folder: Path) -> Path:
    """Untrained weights, which sharpen by plain injection."""
    path = folder / "start.safetensors"
    if not path.exists():
        torch.manual_seed(0)
        save_weights(FlowNetwork(NETWORK), path, {"name": "untrained", "licence": "of the start"})
    return path


def source(pair: Pair, **changes: Any) -> TuningPair:
    return replace(TuningPair(RasterSource(str(pair.pan)), RasterSource(str(pair.ms))), **changes)


def job(pair: Pair, output: Path, **changes: Any) -> FinetuneJob:
    if "start" not in changes:
        changes["start"] = start(output.parent)
    basic = FinetuneJob((source(pair),), output, steps=20, device="cpu", recipe=QUICK)
    return replace(basic, **changes)


def run(pair: Pair, output: Path, progress: Progress | None = None, **changes: Any) -> FinetuneResult:
    return finetune(job(pair, output, **changes), progress)


def spoil(pair: Pair, change: Any) -> None:
    """Change both rasters in place: `change` gets and returns PAN (1, H, W) and MS (bands, h, w)."""
    pan, ms = change(load_image(pair.pan), load_image(pair.ms))
    save(pair.pan, pan, transform=(5e5, 2, 0, 4e6, 0, -2), nodata=0)
    save(pair.ms, ms, transform=(5e5, 4, 0, 4e6, 0, -4), nodata=0)


def stopping(share: float) -> Progress:
    """Make a progress that cancels at a share."""
    seen = [0.0]
    return Progress(report=seen.append, cancelled=lambda: seen[-1] >= share)
