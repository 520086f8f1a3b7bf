"""Table of figures before and after fine-tuning on each pair <name>_pan.tif and <name>_ms.tif of a folder.

    python benchmarks/finetuning.py FOLDER [--minutes 3] [--start fast] [--json FILE] [--zero-is-nodata NAME ...]
    python benchmarks/finetuning.py FOLDER --halves --minutes 1 --start best

Figures are of the held-out blocks, which training never sees: the indices of model/quality/indices.py at reduced
resolution (Wald, the pair's own ratio) and at full resolution. --halves tunes on the left half of each scene, and
evaluates in the right half alone, without a margin: ERGAS over that of the best classical method, and HQNR. --steps
instead of --minutes makes machines comparable. Next to other work set OMP_WAIT_POLICY=passive, as the engine does:
threads that spin starve each other.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from arguments import add_weights, make_pairs_parser
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.finetuning.finetune import finetune
from otfm_pansharpen.model.finetuning.job import FinetuneJob, TuningPair
from otfm_pansharpen.model.geometry.grids import Window, register
from otfm_pansharpen.model.quality.classical import CLASSICAL, prepare
from otfm_pansharpen.model.quality.comparison import Figures
from otfm_pansharpen.model.quality.full_resolution import full_resolution
from otfm_pansharpen.model.quality.indices import INDICES
from otfm_pansharpen.model.raster.source import RasterSource
from quality import OwnFusion
from wald import ValidationScene, indices, list_pairs, read, reduced

MARGIN = 16  # MS pixels between the part that is tuned on and the part that is evaluated
BLOCK = 32  # PAN pixels; HQNR takes whole blocks of that size
NOTE = "{0.steps:7d} steps{0.seconds:6.0f} s"


class Halves:
    """A pair cut in two, to evaluate weights in its right half."""

    def __init__(self, pan: RasterSource, ms: RasterSource, folder: Path) -> None:
        self.pan, self.ms, self.scene, self.folder = pan, ms, ValidationScene(pan, ms), folder
        self.ratio = round(self.scene.placement.ratio)
        coarse, fine, self.reference, inside = reduced(self.scene, self.ratio, folder)
        self.reduced = RasterSource(str(coarse)), RasterSource(str(fine))
        self.middle = self.reference.shape[2] // 2
        self.unseen = inside.copy()
        self.unseen[:, : self.middle + MARGIN] = False
        small = ValidationScene(*self.reduced)
        pair = replace(small.on_pan(), origin=register(small.pan.grid, small.ms.grid).origin)
        prepared = prepare(pair, self.scene.registration.transfer, inside)
        self.classical = min(self._measure_ergas(method(prepared)) for method in CLASSICAL.values())

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The left half, in PAN's system."""
        grid, across = self.scene.pan.grid, round(self.middle * self.scene.placement.spacing[1])
        left, step, _, top, _, down = grid.transform
        edges = sorted((left, left + across * step)), sorted((top, top + grid.height * down))
        return edges[0][0], edges[1][0], edges[0][1], edges[1][1]

    def evaluate(self, weights: Path) -> Figures:
        """Evaluate weights as users run them, files in, file out."""
        ours, output = OwnFusion(weights, 1), self.folder / "fused.tif"
        error = self._measure_ergas(ours.fuse(*self.reduced, output)) / self.classical
        fused = ours.fuse(self.pan, self.ms, output)
        first = round((self.middle + MARGIN) * self.scene.placement.spacing[1] / BLOCK) * BLOCK
        pair = self.scene.on_pan(read(output)[1])
        right = Window(first, 0, pair.pan.shape[1] - first, pair.pan.shape[0])
        transfer, rounded = self.scene.registration.transfer, self.scene.rounded
        figures = full_resolution(pair.cropped(right), fused[:, :, first:], transfer, rounded)
        return {"ergas": error, "hqnr": figures["hqnr"]}

    def _measure_ergas(self, fused: np.ndarray) -> float:
        return indices(self.reference, fused, self.ratio, self.unseen, False)["ergas"]


def tune(job: FinetuneJob, in_half: bool) -> tuple[Figures, Figures, str]:
    """Tune on a pair or its left half. Returns figures of what is held out before and after, and a note on the run."""
    if not in_half:
        result = finetune(job)
        return result.before, result.after, NOTE.format(result)
    pair = job.pairs[0]
    with tempfile.TemporaryDirectory() as folder:
        halves = Halves(pair.pan, pair.ms, Path(folder))
        before = halves.evaluate(job.start)
        try:
            result = finetune(replace(job, pairs=(TuningPair(pair.pan, pair.ms, halves.extent),)))
        except InputError as error:
            return before, before, f"  not tuned: {error}"
        return before, halves.evaluate(job.output), NOTE.format(result)


def print_summary(table: dict[str, tuple[Figures, Figures]]) -> None:
    """Print means before and after, and the worst change of a scene."""
    for column in next(iter(table.values()))[0]:
        before, after = np.array([[side[column] for side in sides] for sides in table.values()]).T
        change = after - before
        worst = change.min() if INDICES[column].higher_is_better else change.max()
        print(f"{column.upper()}: mean {before.mean():.4f} to {after.mean():.4f}; worst change {worst:+.4f}")
    shares = [after["ergas"] / before["ergas"] for before, after in table.values()]
    print(f"ERGAS after / before: mean {np.mean(shares):.4f}, worst {max(shares):.4f}")


def main() -> None:
    """Tune on each pair and print the table."""
    parser = make_pairs_parser(__doc__)
    parser.add_argument("--halves", action="store_true", help="tune on the left half, evaluate in the right one")
    parser.add_argument("--minutes", type=float, default=FinetuneJob.minutes)
    parser.add_argument("--steps", type=int)
    add_weights(parser, "--start")
    parser.add_argument("--seed", type=int, default=FinetuneJob.seed)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="folder for the weights and the reports")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scratch = tempfile.TemporaryDirectory()
    folder = arguments.output or Path(scratch.name)
    folder.mkdir(parents=True, exist_ok=True)
    table: dict[str, tuple[Figures, Figures]] = {}
    for name, pan, ms in list_pairs(arguments.folder, arguments.only, arguments.zero_is_nodata):
        output, report = folder / f"{name}.safetensors", folder / f"{name}.html" if arguments.output else None
        job = FinetuneJob((TuningPair(pan, ms),), output, arguments.start, arguments.minutes, arguments.steps,
                          report=report, seed=arguments.seed)  # fmt: skip
        before, after, words = tune(job, arguments.halves)
        cells = "".join(f"  {c.upper()} {before[c]:.4f} to {after[c]:.4f}" for c in before)
        print(f"{name:22}{cells}{words}", flush=True)
        table[name] = before, after
    print_summary(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
