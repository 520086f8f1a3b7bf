"""Short training runs that differ in one thing each, measured on real pairs that none of them saw.

    python benchmarks/ablations.py scenes.safetensors PAIRS_FOLDER results.json --only sizes transport

Every arm is trained on one thread from the same seeds and measured zero-shot: ERGAS at ratio 4 and at the pairs' own
ratio, over the best classical method's, mean over the pairs. Arms that are in results.json already are not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from _package import load

load()

from otfm_pansharpen.model.fusion.job import FusionJob  # noqa: E402
from otfm_pansharpen.model.fusion.pipeline import fuse  # noqa: E402
from otfm_pansharpen.model.geometry.grids import register  # noqa: E402
from otfm_pansharpen.model.network.flow_network import FlowNetwork, Guidance, NetworkConfig  # noqa: E402
from otfm_pansharpen.model.network.weights import save_weights  # noqa: E402
from otfm_pansharpen.model.quality.classical import CLASSICAL, prepare  # noqa: E402
from otfm_pansharpen.model.quality.indices import ergas  # noqa: E402
from otfm_pansharpen.model.raster.source import RasterSource  # noqa: E402
from otfm_pansharpen.model.training.batches import Batch  # noqa: E402
from otfm_pansharpen.model.training.dataset import Source, read_sources  # noqa: E402
from otfm_pansharpen.model.training.learner import UpdateRule  # noqa: E402
from otfm_pansharpen.model.training.simulation import SimulationConfig  # noqa: E402
from otfm_pansharpen.model.training.trainer import Run, TrainingConfig  # noqa: E402
from otfm_pansharpen.model.training.transport import TransportConfig, marginal_weight, normalised, transport_cost  # noqa: E402
from unet_baseline import RivalUNet  # noqa: E402
from wald import Scene, list_pairs, read, reduced  # noqa: E402

CONTROL = TransportConfig(push=0.0, softness=(1e6, 1e6))  # the cost alone: no potential, all weights 1
TIGHT = TransportConfig(softness=(0.2, 1.0))
CORRUPT = SimulationConfig(corrupt_share=0.2)
SMALL = NetworkConfig(width=16, blocks=3)
SHORT = TrainingConfig(regression=2000, transport=0, renewal=8, rule=UpdateRule(half_precision=True))
GAME = replace(SHORT, regression=800, transport=2400, rates=(1e-3, 1e-3), floors=(1e-3, 1e-5))
HISTOGRAM_PATCHES = 400
FEW_SEEDS, MANY_SEEDS = 3, 10  # what is compared differs by less than seeds do


@dataclass(frozen=True)
class Arm:
    """One way to train; `seeds` runs of it. `sorted_out`: transport's stage is told which pairs are corrupt, and
    leaves them out, which is the most that any weights of the samples could do."""

    network: NetworkConfig = SMALL
    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    training: TrainingConfig = SHORT
    build: Callable[[NetworkConfig], FlowNetwork] = FlowNetwork
    seeds: int = 1
    sorted_out: bool = False


def transport_arms() -> dict[str, Arm]:
    """Regression against transport from the same first 800 steps, with clean and with corrupted pairs."""
    arms = {}
    for kind, simulation in (("clean", SimulationConfig()), ("20 % corrupt", CORRUPT)):
        for name, cost in (("regression", CONTROL), ("transport", TransportConfig()), ("transport, tight", TIGHT)):
            seeds = FEW_SEEDS if cost is TIGHT else MANY_SEEDS
            arms[f"{name}, {kind}"] = Arm(simulation=simulation, training=replace(GAME, cost=cost), seeds=seeds)
    control = replace(GAME, cost=CONTROL)
    oracle = Arm(simulation=CORRUPT, training=control, seeds=FEW_SEEDS, sorted_out=True)
    return arms | {"regression, sorted out": oracle}


def size_arms() -> dict[str, Arm]:
    """Sizes of the network, and the U-Net, after equal steps of regression."""
    sizes = ((24, 3, 4), (32, 4, 4), (48, 5, 4), (64, 6, 4), (96, 8, 4), (16, 3, 2), (16, 5, 2), (24, 4, 2), (32, 6, 2))
    networks = {f"{w} x {b}, cell {c}": NetworkConfig(width=w, blocks=b, cell=c) for w, b, c in sizes}
    arms = {name: Arm(network) for name, network in networks.items()}
    return arms | {"U-Net": Arm(NetworkConfig(cell=4), build=RivalUNet)}


GROUPS = {"transport": transport_arms, "sizes": size_arms}


@dataclass(frozen=True)
class Case:
    """A reduced pair on disk, its reference, and the best classical method's ERGAS."""

    pan: Path
    ms: Path
    reference: np.ndarray
    inside: np.ndarray
    ratio: int
    classical: float


def cases(folder: Path, zero_is_nodata: list[str], store: Path) -> list[Case]:
    """Every pair of a folder, reduced by 4 and by its own ratio."""
    found = []
    for name, *sources in list_pairs(folder, (), zero_is_nodata):
        scene = Scene(*sources)
        for ratio in sorted({4, round(scene.placement.ratio)}):
            place = store / f"{name}_{ratio}"
            place.mkdir()
            pan, ms, reference, inside = reduced(scene, ratio, place)
            small = Scene(RasterSource(str(pan)), RasterSource(str(ms)))
            pair = replace(small.on_pan(), origin=register(small.pan.grid, small.ms.grid).origin)
            given = prepare(pair, scene.registration.transfer, inside)
            best = min(ergas(reference, m(given), ratio, inside) for m in CLASSICAL.values())
            found.append(Case(pan, ms, reference, inside, ratio, best))
    return found


def score(network: FlowNetwork, found: list[Case]) -> dict[str, float]:
    """ERGAS over the best classical method's, mean over the cases, at ratio 4 and at ratio 2."""
    shares: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        weights = Path(name) / "arm.safetensors"
        save_weights(network, weights, {"name": "arm"})
        for case in found:
            output = Path(name) / "fused.tif"
            fuse(FusionJob(RasterSource(str(case.pan)), RasterSource(str(case.ms)), output, weights=weights))
            error = ergas(case.reference, read(output)[0], case.ratio, case.inside)
            shares.setdefault(f"ratio {case.ratio}", []).append(error / case.classical)
    return {label: float(np.mean(values)) for label, values in shares.items()}


def speed(network: FlowNetwork, config: NetworkConfig) -> float:
    """Megapixels of PAN a second in bfloat16 on one thread, one group of bands; median of five."""
    side = 512
    x = torch.randn(1, config.bands, side, side)
    scene = torch.zeros(1, config.conditions - 1)
    given = Guidance(torch.randn(1, 3, side, side), torch.ones(1, config.bands), torch.ones(1, config.bands + 1), scene)
    seconds = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(6):
            started = time.perf_counter()
            network(x, torch.zeros(1), given)
            seconds.append(time.perf_counter() - started)
    return side * side / 1e6 / float(np.median(seconds[1:]))


def weights_of_patches(run: Run) -> dict[str, list[float]]:
    """Marginal weights that the end of the transport stage gives to patches that fit and to corrupted ones."""
    batch = run.buffer.batch(HISTOGRAM_PATCHES, run.config.patch, 0)
    with torch.no_grad():
        y = batch.lms + run.network(batch.lms, batch.lms.new_zeros(len(batch.lms)), batch.given)
        value = run.potential(normalised(batch, y), batch.lms, batch.given)
        weight = marginal_weight(value - transport_cost(batch, y, run.config.cost), run.config.cost.softness[1])
    return {"fit": weight[batch.corrupt == 0].tolist(), "corrupt": weight[batch.corrupt > 0].tolist()}


def sorted_out(batch: Batch, y: torch.Tensor, config: TransportConfig) -> torch.Tensor:
    """The transport cost, 0 for corrupt pairs; the others count for them, (n,)."""
    kept = 1.0 - batch.corrupt
    return transport_cost(batch, y, config) * kept / kept.mean().clamp_min(1.0 / len(kept))


class Trainer:
    """Trains and scores arms; those that share simulation, network and seed share their first stage."""

    def __init__(self, sources: list[Source], found: list[Case]) -> None:
        self.sources, self.found = sources, found
        self.first_stages: dict[str, dict[str, torch.Tensor]] = {}

    def train(self, arm: Arm, seed: int) -> dict[str, Any]:
        """Figures of one run."""
        run = Run(
            arm.network, arm.simulation, replace(arm.training, seed=seed), self.sources, torch.device("cpu"),
            arm.build,
        )  # fmt: skip
        started = time.monotonic()
        key = f"{arm.build} {arm.network} {arm.simulation} {arm.training.regression} {seed}"
        if key in self.first_stages:
            for module in (run.network, run.average):
                module.load_state_dict(self.first_stages[key])
            run.step = arm.training.regression
        run.train(arm.training.regression, lambda step, loss: None)
        self.first_stages[key] = {k: v.clone() for k, v in run.average.state_dict().items()}
        run.network.load_state_dict(run.average.state_dict())
        with patch(
            "otfm_pansharpen.model.training.transport.transport_cost", sorted_out if arm.sorted_out else transport_cost
        ):
            run.train(run.config.steps, lambda step, loss: None)
        result: dict[str, Any] = {"minutes": (time.monotonic() - started) / 60.0}
        result["weights"] = sum(p.numel() for p in run.network.parameters())
        result["speed"] = speed(run.average.eval().channels_last(), arm.network)
        result |= score(run.average, self.found)
        if arm.simulation.corrupt_share > 0.0 and arm.training.cost.push > 0.0:
            result["marginal weights"] = weights_of_patches(run)
        return result


def show(results: Mapping[str, dict[str, Any]]) -> None:
    """One line an arm: means over the seeds and their spread."""
    print(f"{'':32}{'ratio 4':>16}{'ratio 2':>16}{'weights':>10}{'Mpx/s':>8}{'minutes':>9}")
    names = sorted({key.rsplit(" #", 1)[0] for key in results})
    for name in names:
        runs = [value for key, value in results.items() if key.rsplit(" #", 1)[0] == name]
        line = f"{name:32}"
        for label in ("ratio 4", "ratio 2"):
            values = [run[label] for run in runs]
            line += f"{np.mean(values):9.4f} ±{np.std(values):.4f}"
        line += f"{runs[0]['weights']:10,}"
        for label, width in (("speed", 8), ("minutes", 9)):
            line += f"{np.median([run[label] for run in runs]):{width}.1f}"
        print(line, flush=True)


def show_pairs(results: Mapping[str, dict[str, Any]]) -> None:
    """Transport less regression, seed by seed: mean, its standard error, and how many seeds it wins."""
    for kind in ("clean", "20 % corrupt"):
        for label in ("ratio 4", "ratio 2"):
            seeds = [key.rsplit(" #", 1)[1] for key in results if key.startswith(f"transport, {kind} #")]
            ours, control = (
                np.array([results[f"{arm}, {kind} #{s}"][label] for s in seeds]) for arm in ("transport", "regression")
            )
            gain = ours - control
            error = gain.std(ddof=1) / len(gain) ** 0.5
            print(f"{kind}, {label}: {gain.mean():+.4f} ± {error:.4f}, lower in {(gain < 0).sum()} of {len(gain)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", nargs="*", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--zero-is-nodata", nargs="*", default=[], help="names of pairs whose zeros are gaps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    with tempfile.TemporaryDirectory() as store:
        found = cases(arguments.folder, arguments.zero_is_nodata, Path(store))
        trainer = Trainer(read_sources(arguments.scenes), found)
        arms = {name: arm for group in arguments.only for name, arm in GROUPS[group]().items()}
        for seed in range(1, max(arm.seeds for arm in arms.values()) + 1):
            for name, arm in arms.items():
                if seed <= arm.seeds and f"{name} #{seed}" not in results:
                    results[f"{name} #{seed}"] = trainer.train(arm, seed)
                    arguments.results.write_text(json.dumps(results, indent=1))
                    show({f"{name} #{seed}": results[f"{name} #{seed}"]})
    show(results)
    if "transport" in arguments.only:
        show_pairs(results)


if __name__ == "__main__":
    main()
