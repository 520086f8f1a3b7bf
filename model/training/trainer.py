"""Training of the flow in two stages, resumable to the same result.

1 regression: the velocity at random times, against simulated sensors. 2 transport: the semi-dual game with the
potential. Needs neither GDAL nor QGIS. All randomness derives from the seed and the step number, so an interrupted run
continues exactly where its last state left it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import distributed, nn

from ..errors import TrainingError
from ..files import whole_file
from ..network.flow_network import NetworkConfig
from . import transport
from .batches import Batch, ExampleBuffer
from .dataset import Source
from .learner import Learner, UpdateRule
from .simulation_config import SimulationConfig
from .transport import Potential, TransportConfig

STAGES = ("regression", "transport")
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of training; saved with the weights."""

    regression: int = 48_000  # steps of the first stage
    transport: int = 6_000  # steps of the second stage
    rates: tuple[float, float] = (1e-3, 2e-4)  # learning rates at which the stages begin
    floors: tuple[float, float] = (1e-5, 1e-5)  # and end, along a cosine
    potential_rate: float = 1e-4  # learning rate of the potential
    batch: int = 8  # patches a step
    patch: int = 96  # side of a patch in PAN pixels
    pool: int = 96  # simulated examples kept in memory
    renewal: int = 3  # steps after which one is replaced
    warmup: int = 500  # steps to reach the first rate
    push_warmup: float = 0.1  # share of the transport stage over which the potential's push grows from 0
    flow_share: float = 0.25  # share of patches trained at a random time t > 0 instead of t = 0
    seed: int = 1
    rule: UpdateRule = field(default_factory=UpdateRule)
    cost: TransportConfig = field(default_factory=TransportConfig)

    @property
    def steps(self) -> int:
        """Steps of both stages."""
        return self.regression + self.transport

    def stage(self, step: int) -> tuple[int, float]:
        """Return the index of the stage of a step, and the share of that stage done before it."""
        if step < self.regression:
            return 0, step / self.regression
        return 1, min((step - self.regression) / max(self.transport, 1), 1.0)

    def rate(self, step: int) -> float:
        """Return the learning rate of the map at a step."""
        index, progress = self.stage(step)
        return cosine(self.rates[index], self.floors[index], progress) * min((step + 1) / self.warmup, 1.0)


def cosine(first: float, last: float, progress: float) -> float:
    """Go from `first` to `last` along half a cosine, as `progress` goes from 0 to 1."""
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * progress))


def draw_times(count: int, share: float, rng: np.random.Generator) -> torch.Tensor:
    """Draw the times of `count` patches, (count,): random for a `share` of them, 0 for the others."""
    late = rng.random(count) < share
    return torch.tensor(np.where(late, rng.random(count), 0.0), dtype=torch.float32)


def regression_loss(batch: Batch, y: torch.Tensor, time: torch.Tensor, cost: TransportConfig) -> torch.Tensor:
    """Compute the pixel and spectral cost of y (n, bands, s, s), mean over the patches; ()."""
    costs = transport.pixel_cost(batch, y, cost.absolute, cost.squares)
    return (costs + cost.spectral * transport.spectral_cost(batch, y) * (time == 0.0)).mean()


class Run(Learner):
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
    ) -> None:
        torch.manual_seed(config.seed)
        super().__init__(network, config.rule, device)
        self.config, self.simulation = config, simulation
        grouped = distributed.is_available() and distributed.is_initialized()
        self.rank, self.processes = (distributed.get_rank(), distributed.get_world_size()) if grouped else (0, 1)
        self.potential = Potential(network.bands).to(device)
        self.potential_optimizer = torch.optim.Adam(
            self.potential.parameters(), lr=config.potential_rate, betas=(0.5, 0.9)
        )
        self.parallel_potential: nn.Module = self.potential
        if grouped:
            self.parallel = nn.parallel.DistributedDataParallel(self.network)
            self.parallel_potential = nn.parallel.DistributedDataParallel(self.potential)
        self.buffer = ExampleBuffer(sources, simulation, network, config.pool, [config.seed, self.rank])

    def train(self, until: int, report: Report, every: int = 100) -> None:
        """Train to step `until`; `report` receives the mean loss of every `every` steps.

        Raises TrainingError where the loss is not finite; the state saved before is then the last good one.
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
        """Train one step. Returns its loss, ()."""
        stage, progress = self.config.stage(self.step)
        batch, time = self._draw_batch(self.step)
        if STAGES[stage] == "transport":
            loss = self._step_transport(batch, time, progress)
        else:
            loss = regression_loss(batch, self.estimate(batch, time), time, self.config.cost)
            loss.backward()
        self.update(self.config.rate(self.step))
        return loss.detach()

    def _draw_batch(self, step: int) -> tuple[Batch, torch.Tensor]:
        """Draw the patches of a step and their times."""
        config = self.config
        self.buffer.advance(step // config.renewal)
        batch = self.buffer.batch(config.batch, config.patch, step).to(self.device)
        rng = np.random.default_rng([config.seed, self.rank, step, 2])
        return batch, draw_times(config.batch, config.flow_share, rng).to(self.device)

    def _step_transport(self, batch: Batch, time: torch.Tensor, progress: float) -> torch.Tensor:
        """Move the potential once, then compute the gradient of the map: marginal weight x (cost - eta v), mean.

        Patches at t > 0 keep the map a flow: they have a cost and a weight, but no part in the game.
        """
        config, cost = self.config, self.config.cost
        softness = transport.softness_at(progress, cost.softness)
        y = self.estimate(batch, time)
        costs = transport.transport_cost(batch, y, cost)
        self.potential_optimizer.zero_grad()
        with self.precision():
            loss = transport.potential_loss(self.parallel_potential, batch, y, costs, softness, cost.smoothness)
        loss.backward()
        self.potential_optimizer.step()
        with self.precision():
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

    def save(self, path: Path) -> None:
        """Write the whole state to one file, complete or not at all."""
        tensors: dict[str, torch.Tensor] = {}
        for prefix, module in self._list_modules():
            tensors |= {f"{prefix}.{name}": value for name, value in module.state_dict().items()}
        for prefix, name, parameter, optimizer in self._list_moments():
            state = optimizer.state.get(parameter, {})
            tensors |= {f"{prefix}.{name}.{key}": value for key, value in state.items()}
        tensors = {k: v.detach().clone().contiguous().cpu() for k, v in tensors.items()}
        with whole_file(path) as draft:
            save_file(tensors, draft, metadata={"step": str(self.step), "settings": json.dumps(self.settings())})

    def resume(self, path: Path) -> None:
        """Continue from a saved state. Raises TrainingError where it comes from other settings or is damaged."""
        try:
            with safe_open(path, framework="pt", device=str(self.device)) as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        except (SafetensorError, OSError) as error:
            raise TrainingError(f"{path} cannot be read ({error}). Delete it to start again.") from error
        if json.loads(header.get("settings", "{}")) != json.loads(json.dumps(self.settings())):
            raise TrainingError(f"{path} was trained with other settings. Give them again or use another folder.")
        self.step = int(header["step"])
        for prefix, module in self._list_modules():
            module.load_state_dict(_strip_prefix(tensors, f"{prefix}."))
        for prefix, name, parameter, optimizer in self._list_moments():
            state = _strip_prefix(tensors, f"{prefix}.{name}.")
            if state:
                optimizer.state[parameter] = {**state, "step": state["step"].cpu()}

    def _list_modules(self) -> tuple[tuple[str, nn.Module], ...]:
        names = ("network", "average", "potential")
        return tuple((name, getattr(self, name)) for name in names)

    def _list_moments(self) -> Iterator[tuple[str, str, nn.Parameter, torch.optim.Optimizer]]:
        for prefix, module, optimizer in (
            ("optimizer", self.network, self.optimizer),
            ("potential_optimizer", self.potential, self.potential_optimizer),
        ):
            for name, parameter in module.named_parameters():
                yield prefix, name, parameter, optimizer

    def settings(self) -> dict[str, object]:
        """Return the settings that decide the result, for the state and the header of the weights."""
        return {
            "network": asdict(self.network.config),
            "simulation": asdict(self.simulation),
            "training": asdict(self.config),
            "processes": self.processes,
        }


def _strip_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
