"""Training runs that last seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from otfm_pansharpen.model.network.flow_network import NetworkConfig
from otfm_pansharpen.model.training.dataset import Source
from otfm_pansharpen.model.training.simulation_config import SimulationConfig
from otfm_pansharpen.model.training.trainer import Run, TrainingConfig

NETWORK = NetworkConfig(width=8, blocks=1, hidden=8)
SIMULATION = SimulationConfig(crop=64)
CALM = SimulationConfig(
    crop=64, gamma=1.0, glare=0.0, built_share=0.0, noise=0.0, pan_noise=0.0, pan_blur=0.0, stray_share=0.0,
    mixed_share=0.0, coarse_share=0.0, saturated_share=0.0, haze_share=0.0, cloud_share=0.0, hole_share=0.0, shift=0.0,
    band_shift=0.0, guides_share=0.0, sharpened_share=0.0, bright_share=0.0,
    smooth_share=0.0, low_gain_share=0.0, anisotropy=0.0, band_bend_share=0.0,
)  # fmt: skip
TRAINING = TrainingConfig(regression=8, transport=8, batch=3, patch=32, pool=4, warmup=2)


def run(sources: Sequence[Source], **changes: Any) -> Run:
    return Run(NETWORK, SIMULATION, replace(TRAINING, **changes), sources, torch.device("cpu"))


def silent(step: int, loss: float) -> None:
    pass


def weights(run: Run) -> torch.Tensor:
    return torch.cat([p.flatten() for p in (*run.average.parameters(), *run.potential.parameters())])
