"""A trial run of a network on synthetic scenes, which finds nonsensical weights before a raster is written."""

from __future__ import annotations

import torch

from ..geometry.transfer import TransferFunction
from ..scene.statistics import SceneStatistics
from .flow_network import FlowNetwork, Guidance

CELLS = 8  # along the side of a trial scene
TIMES = (0.0, 0.5)


@torch.inference_mode()
def measure_trial_velocity(network: FlowNetwork) -> float:
    """Measure the largest velocity, in deviations, in two different scenes at two times; NaN where one is NaN."""
    bands, side = network.config.bands, CELLS * network.config.cell
    scenes = [_make_scene(bands, sign) for sign in (-1.0, 1.0) for _ in TIMES]
    line = torch.arange(side, dtype=torch.float32)
    low = torch.outer((line / 5.0).sin(), (line / 5.0).cos())
    pan = low + 0.5 * torch.outer(line.sin(), (1.3 * line).sin())
    x = torch.stack([low * (1.0 - 0.5 * b / bands) for b in range(bands)])
    guidance = Guidance(
        guides=torch.stack([pan] * bands + [low] * (bands + 1)).expand(len(scenes), -1, -1, -1),
        injection=torch.tensor([s.injection for s in scenes]),
        depth=torch.tensor([s.depth(range(bands)) for s in scenes]),
        scene=torch.tensor([s.condition(range(bands)) for s in scenes]),
    )
    return float(network(x.expand(len(scenes), -1, -1, -1), torch.tensor(TIMES * 2), guidance).abs().max())


def _make_scene(bands: int, sign: float) -> SceneStatistics:
    """Make an ordinary scene whose statistics differ from usual ones by `sign`, so that no layer reads only zeros."""
    wave = [sign * (-1.0) ** b for b in range(bands)]
    return SceneStatistics(
        ratio=3.0 * 2.0 ** (0.5 * sign), transfer=TransferFunction.gaussian(0.3 - 0.15 * sign),
        ms_mean=(0.0,) * bands, ms_std=(1.0,) * bands, ms_dark=tuple(-1.6 - 0.4 * w for w in wave),
        pan_mean=(0.0,), pan_std=(1.0,), pan_dark=(-1.6 + 0.4 * sign,),
        injection=tuple(0.7 + 0.2 * w for w in wave), slope=tuple(0.05 * w for w in wave),
        correlation=tuple(0.8 + 0.1 * w for w in wave), intensity=(1.0 / bands,) * bands, fit=0.9 + 0.05 * sign,
    )  # fmt: skip
