"""Pictures of the documentation: loss curves of runs, and marginal weights of patches.

python benchmarks/figures.py loss docs/loss.png best=RUN/best/log.csv fast=RUN/fast/log.csv
python benchmarks/figures.py weights docs/weights.png results.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot

SMOOTHING = 20  # log lines averaged


def loss(target: Path, runs: list[str]) -> None:
    """Mean loss against steps, for each NAME=log.csv."""
    figure, axis = pyplot.subplots(figsize=(7, 3.5))
    for run in runs:
        name, path = run.split("=", 1)
        steps, values = np.loadtxt(path, delimiter=",", usecols=(0, 1), unpack=True)
        window = np.ones(SMOOTHING) / SMOOTHING
        axis.plot(steps[SMOOTHING - 1 :], np.convolve(values, window, "valid"), label=name)
    axis.set(xlabel="step", ylabel="loss of the stage")
    axis.grid(alpha=0.3)
    axis.legend()
    _save(figure, target)


def weights(target: Path, results: Path) -> None:
    """Histograms of the marginal weights of the ablation arms that have them."""
    arms: dict[str, dict[str, list[float]]] = {}
    for key, run in json.loads(results.read_text()).items():
        for kind, values in run.get("marginal weights", {}).items():
            arms.setdefault(key.rsplit(" #", 1)[0], {}).setdefault(kind, []).extend(values)
    figure, axes = pyplot.subplots(1, len(arms), figsize=(4.5 * len(arms), 3.2), squeeze=False)
    for axis, (name, kinds) in zip(axes[0], arms.items(), strict=True):
        edges = np.linspace(0.0, max(max(v) for v in kinds.values()), 40)
        for kind, values in kinds.items():
            axis.hist(values, edges, density=True, alpha=0.6, label=f"{kind}, median {np.median(values):.2f}")
        axis.set(title=name, xlabel="marginal weight", ylabel="density")
        axis.legend()
    _save(figure, target)


def _save(figure: pyplot.Figure, target: Path) -> None:
    figure.tight_layout()
    figure.savefig(target, dpi=90)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("loss", "weights"))
    parser.add_argument("target", type=Path)
    parser.add_argument("sources", nargs="+")
    arguments = parser.parse_args()
    if arguments.kind == "loss":
        loss(arguments.target, arguments.sources)
    else:
        weights(arguments.target, Path(arguments.sources[0]))


if __name__ == "__main__":
    main()
