"""Train weights on a prepared file of scenes; run again, it continues where it stopped.

    python scripts/train.py training.safetensors RUN_FOLDER --steps 60000

RUN_FOLDER gets state.safetensors (to resume), log.csv (step, loss, seconds) and otfm.safetensors (the weights).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from _package import load

load()

from otfm_pansharpen.model.network import NetworkConfig  # noqa: E402
from otfm_pansharpen.model.simulation import SimulationConfig  # noqa: E402
from otfm_pansharpen.model.training import Run, TrainingConfig, read_sources  # noqa: E402
from otfm_pansharpen.model.weights import load_weights, save_weights  # noqa: E402

NOTES = {
    "name": "otfm",
    "method": "regression of the flow's velocity (stage 1)",
    "licence": "GPL-2.0-or-later",
    "credits": "Landsat imagery courtesy of USGS/NASA; NAIP courtesy of USDA; "
    "contains modified Copernicus Sentinel data",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=TrainingConfig.steps)
    parser.add_argument("--width", type=int, default=NetworkConfig.width)
    parser.add_argument("--blocks", type=int, default=NetworkConfig.blocks)
    parser.add_argument("--seed", type=int, default=TrainingConfig.seed)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--half", action="store_true", help="compute in bfloat16")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--learning-rate", type=float, default=TrainingConfig.learning_rate)
    parser.add_argument("--squares", type=float, nargs=2, default=TrainingConfig.squares, metavar=("FIRST", "LAST"))
    parser.add_argument("--pan-blur", type=float, default=SimulationConfig.pan_blur)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    config = replace(
        TrainingConfig(),
        steps=arguments.steps,
        seed=arguments.seed,
        half_precision=arguments.half,
        learning_rate=arguments.learning_rate,
        squares=tuple(arguments.squares),
    )
    simulation = replace(SimulationConfig(), pan_blur=arguments.pan_blur)
    network = replace(NetworkConfig(), width=arguments.width, blocks=arguments.blocks)
    run = Run(network, simulation, config, read_sources(arguments.scenes), torch.device(arguments.device))
    state = arguments.folder / "state.safetensors"
    if state.exists():
        run.resume(state)
    elif arguments.start:
        run.start_from(load_weights(arguments.start).network)
    started = time.monotonic()

    def report(step: int, loss: float) -> None:
        with (arguments.folder / "log.csv").open("a") as log:
            log.write(f"{step},{loss:.5f},{time.monotonic() - started:.1f}\n")
        if step % 2000 == 0 or step == config.steps:
            run.save(state)
            save_weights(run.average, arguments.folder / "otfm.safetensors", {**NOTES, **run.settings(), "step": step})

    run.train(config.steps, report)


if __name__ == "__main__":
    main()
