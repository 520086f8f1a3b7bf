"""Train weights on a prepared file of scenes; run again, it continues where it stopped.

    python scripts/train.py scenes.safetensors RUN_FOLDER
    torchrun --nproc-per-node 4 scripts/train.py scenes.safetensors RUN_FOLDER --device cuda

RUN_FOLDER gets state.safetensors (to resume), log.csv (step, loss, seconds) and NAME.safetensors (the weights).
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import torch
from otfm_pansharpen.model.devices import choose_device
from otfm_pansharpen.model.inference.precision import choose_precision
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import load_weights, save_weights
from otfm_pansharpen.model.options import DEVICES, PRECISIONS
from otfm_pansharpen.model.training.dataset import read_sources
from otfm_pansharpen.model.training.learner import UpdateRule
from otfm_pansharpen.model.training.simulation_config import SimulationConfig
from otfm_pansharpen.model.training.trainer import STAGES, Run, TrainingConfig
from torch import distributed

NOTES = {
    "version": "1",
    "method": "optimal transport flow matching, a reconstruction",
    "licence": "GPL-2.0-or-later",
    "credits": "Landsat imagery courtesy of USGS/NASA; NAIP courtesy of USDA; "
    "contains modified Copernicus Sentinel data",
}
SAVE_EVERY = 1000


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="otfm", help="name in the header of the weights")
    for stage in STAGES:
        default = getattr(TrainingConfig, stage)
        parser.add_argument(f"--{stage}", type=int, default=default, metavar="STEPS", help=f"steps of {stage}")
    parser.add_argument("--width", type=int, default=NetworkConfig.width)
    parser.add_argument("--blocks", type=int, default=NetworkConfig.blocks)
    parser.add_argument("--seed", type=int, default=TrainingConfig.seed)
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=TrainingConfig.rates[0], help="first learning rate of regression")
    parser.add_argument("--family", help="train for this family of sensors alone, such as Landsat, on its pairs")
    parser.add_argument("--start", type=Path, help="weights to start from, of these sizes or smaller ones")
    return parser.parse_args()


def join() -> None:
    """Join the processes that torchrun started, if it did."""
    if "RANK" in os.environ:
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def forget_after(log: Path, step: int) -> None:
    """Drop the lines of steps after the saved state, which are repeated."""
    if log.exists():
        lines = [line for line in log.read_text().splitlines() if int(line.split(",")[0]) <= step]
        log.write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    """Train, or resume, and write the weights."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    join()
    device = choose_device(arguments.device)
    network = NetworkConfig(width=arguments.width, blocks=arguments.blocks)
    half = choose_precision(arguments.precision, device, FlowNetwork(network))[0] is torch.bfloat16
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    lengths = {stage: getattr(arguments, stage) for stage in STAGES}
    config = TrainingConfig(**lengths, seed=arguments.seed, rule=UpdateRule(half_precision=half))
    config = replace(config, rates=(arguments.rate, *config.rates[1:]))
    sources, simulation = read_sources(arguments.scenes), SimulationConfig()
    if arguments.family:
        sources = [s for s in sources if s.family.startswith(arguments.family)]
        simulation = SimulationConfig.of_sensor(sources)
    run = Run(network, simulation, config, sources, device)
    state = arguments.folder / "state.safetensors"
    parent = load_weights(arguments.start) if arguments.start else None
    if state.exists():
        run.resume(state)
        forget_after(arguments.folder / "log.csv", run.step)
    elif parent:
        run.start_from(parent.network)
    started = time.monotonic()

    def report(step: int, loss: float) -> None:
        if run.rank > 0:
            return
        with (arguments.folder / "log.csv").open("a") as log:
            log.write(f"{step},{loss:.5f},{time.monotonic() - started:.1f}\n")
        if step % SAVE_EVERY == 0 or step == config.steps:
            run.save(state)
            notes = {"name": arguments.name, **NOTES, **run.settings(), "step": step}
            if parent:
                notes["started_from"] = {"sha256": parent.sha256, **parent.header}
            save_weights(run.average, arguments.folder / f"{arguments.name}.safetensors", notes)

    run.train(config.steps, report)
    if run.processes > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
