"""Training of the flow in three stages, resumable to the same result.

1 regression: the velocity at random times, against simulated sensors. 2 transport: the semi-dual game with the
potential. 3 adaptation: real pairs at full resolution, without a target, in turn with steps of the first kind. Needs
neither GDAL nor QGIS. All randomness derives from the seed and the step number, so an interrupted run continues exactly
where its last state left it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import distributed, nn

from ..errors import TrainingError
from ..network.flow_network import FlowNetwork, NetworkConfig
from ..network.growth import grown
from . import transport
from .adaptation import AdaptationConfig, PairPool, adaptation_loss
from .batches import Batch, Pool
from .dataset import Source
from .simulation import SimulationConfig
from .transport import Potential, TransportConfig

STAGES = ("regression", "transport", "adaptation")
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; saved with the weights.

    regression, transport, adaptation   steps of the three stages
    rates                 learning rates at which the stages begin; each ends at `floors` along a cosine
    potential_rate        learning rate of the potential
    batch, patch          patches a step, side of a patch in PAN pixels
    pool, renewal         simulated scenes kept in memory, and after how many steps one is simulated anew
    flow_share            share of patches trained at a random time t > 0 instead of t = 0
    ema                   decay of the averaged weights     warmup   steps to reach the first rate
    push_warmup           share of the transport stage over which the potential's push grows from 0
    """

    regression: int = 48_000
    transport: int = 6_000
    adaptation: int = 0
    rates: tuple[float, float, float] = (1e-3, 2e-4, 2e-4)
    floors: tuple[float, float, float] = (1e-5, 1e-5, 1e-6)
    potential_rate: float = 1e-4
    batch: int = 8
    patch: int = 96
    pool: int = 96
    renewal: int = 3
    warmup: int = 500
    push_warmup: float = 0.1
    weight_decay: float = 1e-6
    gradient_norm: float = 1.0
    ema: float = 0.999
    flow_share: float = 0.25
    half_precision: bool = False
    seed: int = 1
    cost: TransportConfig = field(default_factory=TransportConfig)
    adapt: AdaptationConfig = field(default_factory=AdaptationConfig)

    @property
    def steps(self) -> int:
        return self.regression + self.transport + self.adaptation

    def stage(self, step: int) -> tuple[int, float]:
        """Index of the stage that a step belongs to, and the share of that stage done before it."""
        lengths = (self.regression, self.transport, self.adaptation)
        first = 0
        for index, length in enumerate(lengths):
            if step < first + length:
                return index, (step - first) / length
            first += length
        return len(lengths) - 1, 1.0

    def rate(self, step: int) -> float:
        """Learning rate of the map at a step."""
        index, progress = self.stage(step)
        top, floor = self.rates[index], self.floors[index]
        cosine = floor + (top - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
        return cosine * min((step + 1) / self.warmup, 1.0)


class Run:
    """A training run with its state: map, averaged map, potential and their optimisers at a step.

    `rank` of `processes` is this process's number where several train together (torch.distributed is then set up).
    """

    def __init__(
        self,
        network: NetworkConfig,
        simulation: SimulationConfig,
        config: TrainingConfig,
        sources: Sequence[Source],
        device: torch.device,
        build: Callable[[NetworkConfig], FlowNetwork] = FlowNetwork,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.simulation, self.device = config, simulation, device
        grouped = distributed.is_available() and distributed.is_initialized()
        self.rank, self.processes = (distributed.get_rank(), distributed.get_world_size()) if grouped else (0, 1)
        self.network = build(network).to(device).channels_last()
        self.average = build(network).to(device).requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.anchor = build(network).to(device).requires_grad_(False)
        self.potential = Potential(network.bands).to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), weight_decay=config.weight_decay)
        self.judge = torch.optim.Adam(self.potential.parameters(), lr=config.potential_rate, betas=(0.5, 0.9))
        self.parallel: nn.Module = self.network
        self.parallel_potential: nn.Module = self.potential
        if grouped:
            self.parallel = nn.parallel.DistributedDataParallel(self.network)
            self.parallel_potential = nn.parallel.DistributedDataParallel(self.potential)
        self.pool = Pool(sources, simulation, network, config.pool, [config.seed, self.rank])
        self.pairs = PairPool(sources, network, config.adapt, [config.seed, self.rank]) if config.adaptation else None
        self.step = 0

    def start_from(self, network: FlowNetwork) -> None:
        """Begin with trained weights, grown to this run's sizes. Raises TrainingError where they cannot grow so."""
        values = grown(network, self.network.config).state_dict()
        for own in (self.network, self.average):
            own.load_state_dict(values)

    def train(self, until: int, report: Report, every: int = 100) -> None:
        """Train to step `until`; `report` hears the mean loss of every `every` steps.

        Raises TrainingError where the loss is no number any more; what was saved before is then the last good state.
        """
        losses = []
        while self.step < until:
            losses.append(self.advance())
            if self.step % every == 0 or self.step == until:
                mean = float(torch.stack(losses).mean())
                losses.clear()
                if not math.isfinite(mean):
                    raise TrainingError(
                        f"Training diverged before step {self.step}: the loss is {mean}. The state saved last is kept; "
                        "start again from it with a lower learning rate."
                    )
                report(self.step, mean)

    def advance(self) -> torch.Tensor:
        """Train one step; returns its loss, ()."""
        step, self.step = self.step, self.step + 1
        stage, progress = self.config.stage(step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(step)
        self.optimizer.zero_grad()
        if STAGES[stage] == "adaptation" and progress == 0.0:
            self.anchor.load_state_dict(self.average.state_dict())
        if STAGES[stage] == "adaptation" and self.pairs and step % self.config.adapt.every == 1:
            loss = self._adaptation_step(self.pairs, step)
        elif STAGES[stage] == "transport":
            loss = self._transport_step(*self._draw(step), progress)
        else:
            loss = self._regression_step(*self._draw(step))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_norm)
        self.optimizer.step()
        decay = min(self.config.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters()):
                mean.lerp_(value, 1.0 - decay)
        return loss.detach()

    def _draw(self, step: int) -> tuple[Batch, torch.Tensor]:
        """Patches of a step and their times."""
        config = self.config
        self.pool.advance(step // config.renewal)
        batch = self.pool.batch(config.batch, config.patch, step).to(self.device)
        rng = np.random.default_rng([config.seed, self.rank, step, 2])
        late = rng.random(config.batch) < config.flow_share
        return batch, torch.tensor(np.where(late, rng.random(config.batch), 0.0), dtype=torch.float32).to(self.device)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.half_precision)

    def _estimate(self, batch: Batch, time: torch.Tensor) -> torch.Tensor:
        """Sharp bands that the velocity at x_t = (1 - t) lms + t target points to, (n, bands, s, s)."""
        t = time[:, None, None, None]
        with self._precision():
            velocity = self.parallel((1.0 - t) * batch.lms + t * batch.target, time, batch.given)
        return batch.lms + velocity.float()

    def _regression_step(self, batch: Batch, time: torch.Tensor) -> torch.Tensor:
        """Gradient of pixel and spectral cost."""
        cost = self.config.cost
        y = self._estimate(batch, time)
        costs = transport.pixel_cost(batch, y, cost.absolute, cost.squares)
        costs = costs + cost.spectral * transport.spectral_cost(batch, y) * (time == 0.0)
        loss = costs.mean()
        loss.backward()
        return loss

    def _transport_step(self, batch: Batch, time: torch.Tensor, progress: float) -> torch.Tensor:
        """One move of the potential, then the gradient of the map: marginal weight x (cost - eta v), mean.

        Patches at t > 0 keep the map a flow: they have a cost and a weight, but no part in the game.
        """
        config, cost = self.config, self.config.cost
        softness = transport.softness_at(progress, cost.softness)
        y = self._estimate(batch, time)
        costs = transport.transport_cost(batch, y, cost)
        self.judge.zero_grad()
        with self._precision():
            judged = transport.potential_loss(self.parallel_potential, batch, y, costs, softness, cost.smoothness)
        judged.backward()
        self.judge.step()
        with self._precision():
            value = self.potential(transport.normalised(batch, y), batch.lms, batch.given)
        weights = transport.marginal_weight((value - costs).detach(), softness)
        weights = weights / weights.mean()
        plain = (weights * costs).mean()
        pushed = (weights * value * (time == 0.0)).mean()
        by_cost, by_value = (torch.autograd.grad(part, y, retain_graph=True)[0] for part in (plain, pushed))
        last = self.network.tail.weight
        at_last = [torch.autograd.grad(y, last, g, retain_graph=True)[0] for g in (by_cost, by_value)]
        push = cost.push * min(progress / config.push_warmup, 1.0)
        y.backward(by_cost - transport.balance(at_last[0], at_last[1], push) * by_value)
        return plain

    def _adaptation_step(self, pairs: PairPool, step: int) -> torch.Tensor:
        """Gradient of the full-resolution terms; the map of the stage's beginning is the anchor."""
        patches = pairs.batch(self.config.batch, self.config.patch, step).to(self.device)
        with self._precision():
            time = patches.lms.new_zeros(len(patches.lms))
            y = patches.lms + self.parallel(patches.lms, time, patches.given).float()
            with torch.no_grad():
                anchor = patches.lms + self.anchor(patches.lms, time, patches.given).float()
        loss = adaptation_loss(patches, y, anchor, self.config.adapt)
        loss.backward()
        return loss

    def save(self, path: Path) -> None:
        """Write the whole state to one file, complete or not at all."""
        tensors: dict[str, torch.Tensor] = {}
        for prefix, module in self._modules():
            tensors |= {f"{prefix}.{name}": value for name, value in module.state_dict().items()}
        for prefix, name, parameter, optimizer in self._moments():
            state = optimizer.state.get(parameter, {})
            tensors |= {f"{prefix}.{name}.{key}": value for key, value in state.items()}
        tensors = {k: v.detach().clone().contiguous().cpu() for k, v in tensors.items()}
        temporary = path.with_name(f".{path.name}.part")
        save_file(tensors, temporary, metadata={"step": str(self.step), "settings": json.dumps(self.settings())})
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Continue from a saved state. Raises TrainingError where it comes from other settings or is damaged."""
        try:
            with safe_open(path, framework="pt", device=str(self.device)) as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        except (SafetensorError, OSError) as error:
            raise TrainingError(f"{path} cannot be read ({error}); delete it to start anew.") from error
        if json.loads(header.get("settings", "{}")) != json.loads(json.dumps(self.settings())):
            raise TrainingError(f"{path} was trained with other settings; give them again or use another folder.")
        self.step = int(header["step"])
        for prefix, module in self._modules():
            module.load_state_dict(_part(tensors, f"{prefix}."))
        for prefix, name, parameter, optimizer in self._moments():
            state = _part(tensors, f"{prefix}.{name}.")
            if state:
                optimizer.state[parameter] = {**state, "step": state["step"].cpu()}

    def _modules(self) -> tuple[tuple[str, nn.Module], ...]:
        names = ("network", "average", "anchor", "potential")
        return tuple((name, getattr(self, name)) for name in names)

    def _moments(self) -> Iterator[tuple[str, str, nn.Parameter, torch.optim.Optimizer]]:
        for prefix, module, optimizer in (
            ("optimizer", self.network, self.optimizer),
            ("judge", self.potential, self.judge),
        ):
            for name, parameter in module.named_parameters():
                yield prefix, name, parameter, optimizer

    def settings(self) -> dict[str, object]:
        """Everything that decides the result, for the state and the header of the weights."""
        return {
            "network": asdict(self.network.config),
            "simulation": asdict(self.simulation),
            "training": asdict(self.config),
            "processes": self.processes,
        }


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
