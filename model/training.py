"""Training of the flow: regression of the velocity on simulated sensors, resumable to the same result.

Needs neither GDAL nor QGIS: scenes come from one prepared safetensors file. All randomness derives from the seed and
the step number, so an interrupted run continues exactly where its last checkpoint left it.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .errors import TrainingError
from .network import FlowNetwork, NetworkConfig
from .simulation import Example, SimulationConfig, Source, simulate

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; saved with the weights.

    steps, batch, patch   optimiser steps, patches a step, side of a patch in PAN pixels
    pool, renewal         simulated scenes kept in memory, and after how many steps one is simulated anew
    learning_rate         peak of a cosine after `warmup` steps      ema   decay of the averaged weights
    flow_share            share of patches trained at a random time t > 0 instead of t = 0
    spectral              weight of the loss that the result, degraded, gives MS back
    squares               weights of squared errors beside absolute ones in the pixel loss, first and last: absolute
                          errors alone give the median, which injects too little of sparse strong details
    squares_from          share of the steps after which the last weight holds
    """

    steps: int = 60_000
    batch: int = 8
    patch: int = 96
    pool: int = 96
    renewal: int = 2
    learning_rate: float = 1e-3
    warmup: int = 500
    weight_decay: float = 1e-6
    gradient_norm: float = 1.0
    ema: float = 0.999
    flow_share: float = 0.25
    spectral: float = 0.1
    squares: tuple[float, float] = (0.3, 3.0)
    squares_from: float = 0.625
    half_precision: bool = False
    seed: int = 1


def read_sources(path: Path) -> list[Source]:
    """Scenes from a prepared file. Raises TrainingError where it holds none."""
    with safe_open(path, framework="pt") as file:
        families = json.loads((file.metadata() or {}).get("families", "{}"))
        names = set(file.keys())
        sources = [
            Source(
                name,
                family,
                file.get_tensor(f"{name}.ms").float(),
                file.get_tensor(f"{name}.pan").float() if f"{name}.pan" in names else None,
            )
            for name, family in families.items()
        ]
    if not sources:
        raise TrainingError(f"{path} holds no scenes; write it with scripts/prepare_training.py.")
    return sources


class Pool:
    """The last `size` simulated scenes; scene number n depends on the seed and n alone."""

    def __init__(
        self, sources: Sequence[Source], simulation: SimulationConfig, network: NetworkConfig, size: int, seed: int
    ) -> None:
        self.simulation, self.network, self.seed = simulation, network, seed
        self.families: dict[str, list[Source]] = {}
        for source in sources:
            if min(source.ms.shape[-2:]) >= simulation.crop:
                self.families.setdefault(source.family, []).append(source)
        if not self.families:
            raise TrainingError(f"No scene is as large as {simulation.crop} pixels a side.")
        self.examples: deque[Example] = deque(maxlen=size)
        self.size = size
        self.next = 0

    def advance(self, first: int) -> None:
        """Bring the pool to scenes first .. first + size - 1."""
        self.next = max(self.next, first)
        while self.next < first + self.size:
            self.examples.append(self._simulate(self.next))
            self.next += 1

    def _simulate(self, number: int) -> Example:
        rng = np.random.default_rng([self.seed, number])
        family = list(self.families.values())[rng.integers(len(self.families))]
        return simulate(family[rng.integers(len(family))], self.simulation, self.network, rng)

    def batch(self, count: int, patch: int, step: int) -> Batch:
        """`count` random patches of different scenes."""
        rng = np.random.default_rng([self.seed, step, 1])
        picks = rng.choice(len(self.examples), size=count, replace=count > len(self.examples))
        return Batch.cut([self.examples[i] for i in picks], patch, rng)


@dataclass(frozen=True)
class Batch(Example):
    """Patches of simulated scenes, stacked: the fields of `Example` with a first axis n.

    `known` (n, bands, k, k) marks the MS pixels whose whole blur lies inside the patch.
    """

    known: torch.Tensor

    @classmethod
    def cut(cls, examples: Sequence[Example], patch: int, rng: np.random.Generator) -> Batch:
        """One random patch of each example."""
        room = patch // 2 + 1
        parts = [_patch(e, patch, room, *rng.integers(0, e.target.shape[-1] - patch + 1, 2)) for e in examples]
        return cls(*(torch.stack(column) for column in zip(*parts)))

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


def _patch(e: Example, patch: int, room: int, top: int, left: int) -> tuple[torch.Tensor, ...]:
    window = np.s_[:, top : top + patch, left : left + patch]
    rows, known_rows, first_row = _inside(e.rows[:, :, top : top + patch], room)
    columns, known_columns, first_column = _inside(e.columns[:, :, left : left + patch], room)
    ms = e.ms.new_zeros(len(e.ms), room, room)
    piece = e.ms[:, first_row : first_row + room, first_column : first_column + room]
    ms[:, : piece.shape[1], : piece.shape[2]] = piece
    known = (known_rows[:, None] & known_columns[None, :]).expand(len(ms), -1, -1)
    images = (e.lms[window], e.target[window], e.guides[window])
    return (*images, e.injection, e.scale, e.scene, ms, rows, columns, known)


def _inside(matrix: torch.Tensor, room: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The rows of (bands, k, patch) that lie in the patch with nearly all their weight, in `room` places."""
    whole = (matrix.sum(2) > 0.999).all(0)
    indices = torch.nonzero(whole)[:, 0]
    first = int(indices[0]) if len(indices) else 0
    count = min(len(indices), room)
    placed = matrix.new_zeros(len(matrix), room, matrix.shape[2])
    placed[:, :count] = matrix[:, first : first + count]
    return placed, torch.arange(room) < count, first


def regression_loss(
    network: FlowNetwork, batch: Batch, time: torch.Tensor, spectral: float, squares: float
) -> torch.Tensor:
    """Errors of the velocity at x_t = (1 - t) lms + t target, in units of the target's high-pass deviation.

    `time` (n,) in [0, 1). The true velocity is target - lms. The spectral term holds where t = 0: the result,
    blurred and sampled like the sensor does it, is the MS that was given. `spectral` and `squares` are the weights of
    that term and of squared errors.
    """
    t = time[:, None, None, None]
    x = (1.0 - t) * batch.lms + t * batch.target
    velocity = network(x, batch.guides, batch.injection, torch.cat([time[:, None], batch.scene], dim=1)).float()
    scale = batch.scale[:, :, None, None]
    error = (velocity - (batch.target - batch.lms)) / scale
    pixel = error.abs().mean() + squares * error.clamp(-8.0, 8.0).square().mean()
    degraded = batch.rows @ (batch.lms + velocity) @ batch.columns.transpose(2, 3)
    known = batch.known & (time == 0.0)[:, None, None, None]
    mismatch = ((degraded - batch.ms).abs() / scale * known).sum() / known.sum().clamp_min(1)
    return pixel + spectral * mismatch


class Run:
    """A training run with its state: network, optimiser and averaged weights at a step."""

    def __init__(
        self,
        network: NetworkConfig,
        simulation: SimulationConfig,
        config: TrainingConfig,
        sources: Sequence[Source],
        device: torch.device,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.simulation, self.device = config, simulation, device
        self.network = FlowNetwork(network).to(device).channels_last()
        self.average = FlowNetwork(network).to(device).requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.pool = Pool(sources, simulation, network, config.pool, config.seed)
        self.step = 0

    def start_from(self, network: FlowNetwork) -> None:
        """Begin with trained weights. Raises TrainingError where their sizes are others."""
        if network.config != self.network.config:
            raise TrainingError(f"The weights to start from are of {network.config}, the run of {self.network.config}.")
        self.network.load_state_dict(network.state_dict())
        self.average.load_state_dict(network.state_dict())

    def train(self, until: int, report: Report, every: int = 100) -> None:
        """Train to step `until`; `report` hears the mean loss of every `every` steps. Raises TrainingError."""
        losses = []
        for step in range(self.step, until):
            losses.append(self._one_step(step))
            self.step = step + 1
            if self.step % every == 0 or self.step == until:
                mean = float(torch.stack(losses).mean())
                losses.clear()
                if not math.isfinite(mean):
                    raise TrainingError(f"Training diverged before step {self.step}: the loss is {mean}.")
                report(self.step, mean)

    def _one_step(self, step: int) -> torch.Tensor:
        config = self.config
        self.pool.advance(step // config.renewal)
        batch = self.pool.batch(config.batch, config.patch, step).to(self.device)
        rng = np.random.default_rng([config.seed, step, 2])
        late = rng.random(config.batch) < config.flow_share
        time = torch.tensor(np.where(late, rng.random(config.batch), 0.0), dtype=torch.float32, device=self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, config)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.half_precision):
            late_phase = step >= config.squares_from * config.steps
            loss = regression_loss(self.network, batch, time, config.spectral, config.squares[late_phase])
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_norm)
        self.optimizer.step()
        decay = min(config.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters()):
                mean.lerp_(value, 1.0 - decay)
        return loss.detach()

    def save(self, path: Path) -> None:
        """Write the whole state to one file, complete or not at all."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            state = self.optimizer.state.get(parameter, {})
            tensors |= {f"optimizer.{name}.{key}": value for key, value in state.items()}
        tensors = {k: v.detach().contiguous().cpu() for k, v in tensors.items()}
        temporary = path.with_name(f".{path.name}.part")
        save_file(tensors, temporary, metadata={"step": str(self.step), "settings": json.dumps(self.settings())})
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Continue from a saved state. Raises TrainingError where it comes from other settings."""
        with safe_open(path, framework="pt", device=str(self.device)) as file:
            header = file.metadata()
            if json.loads(header["settings"]) != json.loads(json.dumps(self.settings())):
                raise TrainingError(f"{path} was trained with other settings; give them again or use another folder.")
            self.step = int(header["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        self.network.load_state_dict(_part(tensors, "network."))
        self.average.load_state_dict(_part(tensors, "average."))
        for name, parameter in self.network.named_parameters():
            state = _part(tensors, f"optimizer.{name}.")
            if state:
                self.optimizer.state[parameter] = {**state, "step": state["step"].cpu()}

    def settings(self) -> dict[str, dict[str, object]]:
        """Everything that decides the result, for the checkpoint and the header of the weights."""
        return {
            "network": asdict(self.network.config),
            "simulation": asdict(self.simulation),
            "training": asdict(self.config),
        }


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _schedule(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine to one hundredth."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    progress = min((step - config.warmup) / max(config.steps - config.warmup, 1), 1.0)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress))
