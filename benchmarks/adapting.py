"""Tuning on one half of each scene, judged on the other: what QUALITY=tuned wins on ground that it never saw.

    python benchmarks/adapting.py FOLDER [--minutes 1] [--start best] [--threads 2] [--only NAME ...] [--json FILE]

Each pair <name>_pan.tif and <name>_ms.tif is tuned on with the EXTENT of its left half. Before and after, in the right
half alone less a margin: ERGAS over that of the best classical method, the pair's own ratio (Wald), and HQNR at full
resolution. Nothing is chosen there. --steps in place of --minutes makes machines comparable.

Beside other work set OMP_WAIT_POLICY=passive, as the engine does: threads that spin starve each other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from _package import load

load()

from classical import CLASSICAL, prepare  # noqa: E402
from otfm_pansharpen.model.errors import InputError  # noqa: E402
from otfm_pansharpen.model.finetuning.finetune import finetune  # noqa: E402
from otfm_pansharpen.model.finetuning.job import FinetuneJob, TuningPair  # noqa: E402
from otfm_pansharpen.model.geometry.grids import Window, register  # noqa: E402
from otfm_pansharpen.model.options import BUNDLED  # noqa: E402
from otfm_pansharpen.model.quality.full_resolution import full_resolution  # noqa: E402
from otfm_pansharpen.model.raster.source import RasterSource  # noqa: E402
from quality import Ours  # noqa: E402
from wald import Scene, indices, read, reduced  # noqa: E402

MARGIN = 16  # MS pixels between what is tuned on and what is judged
BLOCK = 32  # PAN pixels, of which HQNR takes whole blocks


@dataclass(frozen=True)
class Judged:
    """ERGAS over that of the best classical method at the pair's own ratio, and HQNR, in the half that was not seen."""

    ergas: float
    hqnr: float


class Halves:
    """A pair cut in two: how weights do in its right half."""

    def __init__(self, pan: RasterSource, ms: RasterSource, folder: Path) -> None:
        self.pan, self.ms, self.scene, self.folder = pan, ms, Scene(pan, ms), folder
        self.ratio = round(self.scene.placement.ratio)
        self.coarse, self.fine, self.truth, inside = reduced(self.scene, self.ratio, folder)
        self.middle = self.truth.shape[2] // 2
        self.seen_not = inside.copy()
        self.seen_not[:, : self.middle + MARGIN] = False
        small = Scene(RasterSource(str(self.coarse)), RasterSource(str(self.fine)))
        pair = replace(small.on_pan(), origin=register(small.pan.grid, small.ms.grid).origin)
        prepared = prepare(pair, self.scene.registration.transfer, inside)
        self.classical = min(self._ergas(method(prepared)) for method in CLASSICAL.values())

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The left half, in PAN's system."""
        grid, across = self.scene.pan.grid, round(self.middle * self.scene.placement.spacing[1])
        left, step, _, top, _, down = grid.transform
        edges = sorted((left, left + across * step)), sorted((top, top + grid.height * down))
        return edges[0][0], edges[1][0], edges[0][1], edges[1][1]

    def judge(self, weights: Path) -> Judged:
        """The weights as users run them, files in, file out."""
        ours, output = Ours(weights, 1), self.folder / "fused.tif"
        image = ours.fuse(RasterSource(str(self.coarse)), RasterSource(str(self.fine)), output)
        error = self._ergas(image) / self.classical
        sharp = ours.fuse(self.pan, self.ms, output)
        first = round((self.middle + MARGIN) * self.scene.placement.spacing[1] / BLOCK) * BLOCK
        pair = self.scene.cropped_to(read(output)[1])
        right = Window(first, 0, pair.pan.shape[1] - first, pair.pan.shape[0])
        result = sharp[:, :, first:].astype(np.float32)
        found = full_resolution(pair.cropped(right), result, self.scene.registration.transfer, self.scene.rounded)
        return Judged(error, found.hqnr if found else float("nan"))

    def _ergas(self, image: np.ndarray) -> float:
        return indices(self.truth, image, self.ratio, self.seen_not, False)["ERGAS"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--start", default="best", help=f"{' or '.join(BUNDLED)}, or a file")
    parser.add_argument("--seed", type=int, default=FinetuneJob.seed)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], help="names to take")
    parser.add_argument("--zero-is-nodata", nargs="*", default=[], help="names whose zeros are gaps")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = BUNDLED.get(arguments.start, Path(arguments.start))
    table: dict[str, tuple[Judged, Judged]] = {}
    print(f"{'':20}{'ERGAS':>9}{'after':>9}{'HQNR':>9}{'after':>9}{'steps':>7}{'s':>5}", flush=True)
    for path in sorted(arguments.folder.glob("*_pan.tif")):
        name = path.name.removesuffix("_pan.tif")
        if arguments.only and name not in arguments.only:
            continue
        nodata = (0.0,) if name in arguments.zero_is_nodata else ()
        pan = RasterSource(str(path), bands=(1,), nodata=nodata)
        ms = RasterSource(str(path.with_name(f"{name}_ms.tif")), nodata=nodata)
        with tempfile.TemporaryDirectory() as folder:
            halves, output = Halves(pan, ms, Path(folder)), Path(folder) / "tuned.safetensors"
            before, after = halves.judge(start), None
            job = FinetuneJob(
                (TuningPair(pan, ms, halves.extent),), output, start, arguments.minutes, arguments.steps,
                seed=arguments.seed,
            )  # fmt: skip
            try:
                result = finetune(job)
                after, told = halves.judge(output), f"{result.steps:7d}{result.seconds:5.0f}"
            except InputError as error:
                after, told = before, f"  not tuned: {error}"
        table[name] = (before, after)
        print(f"{name:20}{before.ergas:9.4f}{after.ergas:9.4f}{before.hqnr:9.4f}{after.hqnr:9.4f}{told}", flush=True)
    for field in ("ergas", "hqnr"):
        sides = np.array([[getattr(side, field) for side in pair] for pair in table.values()])
        change = sides[:, 1] - sides[:, 0]
        worst = change.max() if field == "ergas" else change.min()
        print(f"{field.upper()}: mean {sides[:, 0].mean():.4f} to {sides[:, 1].mean():.4f}; worst change {worst:+.4f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({n: [vars(side) for side in pair] for n, pair in table.items()}, indent=1))


if __name__ == "__main__":
    main()
