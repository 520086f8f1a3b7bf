"""Table of the quality of all methods on a folder of pairs <name>_pan.tif and <name>_ms.tif.

    python benchmarks/quality.py FOLDER [--weights NAME] [--json FILE] [--zero-is-nodata NAME ...] [--soften 0.05]

Reduced resolution (Wald): PAN is brought to the MS pixels and MS degraded by 4 and by the pair's own ratio, with the
pair's measured transfer function (--gaussian: with the Gaussian nearest to it, as the literature does); the original MS
is the reference. All methods get shift and transfer function (model/quality/comparison.py, which log and report use
too); the classical ones get a Gaussian except where their name has "measured". Full resolution: D_lambda, D_s and HQNR.
There ours runs as users run it, files in, file out, and measures shift and transfer function by itself.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arguments import add_weights, make_pairs_parser
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.fusion.quality_estimate import compare_job
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.quality.classical import CLASSICAL, Prepared, interpolation, prepare
from otfm_pansharpen.model.quality.full_resolution import full_resolution
from otfm_pansharpen.model.quality.indices import INDICES, Image
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.source import RasterSource
from wald import ValidationScene, list_pairs, read, softened

OURS, FULL = "OTFM", "full resolution"
PUBLISHED = [name for name in CLASSICAL if not name.endswith("measured")]


def gdal_brovey(p: Prepared) -> Image:
    """Fuse by the weighted Brovey of gdal_pansharpen: equal weights, PAN unchanged."""
    pseudo = p.lms.mean(0)
    return np.asarray(p.lms * (p.pan / np.where(np.abs(pseudo) > 1e-9, pseudo, 1.0)))


METHODS = {"interpolation": interpolation, "GDAL Brovey": gdal_brovey, **CLASSICAL}


@dataclass(frozen=True)
class OwnFusion:
    """The plugin with its options."""

    weights: Path
    steps: int

    def job(self, pan: RasterSource, ms: RasterSource, output: Path) -> FusionJob:
        """Make the job that fuses a pair."""
        return FusionJob(pan, ms, output, FusionOptions(self.weights, steps=self.steps))

    def fuse(self, pan: RasterSource, ms: RasterSource, output: Path) -> np.ndarray:
        """Run the plugin. Returns its result, (bands, h, w)."""
        fuse(self.job(pan, ms, output))
        return read(output)[0]


def compare_reduced(
    scene: ValidationScene, ratio: float, plugin: OwnFusion, transfer: TransferFunction | None = None
) -> dict[str, dict[str, float]]:
    """Measure indices of all methods on the pair reduced by `ratio` and `transfer` (default: the scene's own)."""
    with gdal_exceptions():
        small = scene.measured.reduced(ratio, transfer)
    if small is None:
        raise SystemExit(f"{scene.ms.source.name} is too small to be reduced by {ratio:g}. Choose a larger scene.")
    job = plugin.job(scene.pan.source, scene.ms.source, Path())
    return small.compare_methods(methods=METHODS) | {OURS: compare_job(small, job, lambda: None)}


def compare_full(
    scene: ValidationScene, pan: RasterSource, ms: RasterSource, plugin: OwnFusion
) -> dict[str, dict[str, float]]:
    """Measure indices of all methods at full resolution."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "fused.tif"
        fused = plugin.fuse(pan, ms, output)
        pair = scene.on_pan(read(output)[1])
    transfer = scene.registration.transfer
    prepared = prepare(pair, transfer, pair.pan_valid)
    results = {name: method(prepared) for name, method in METHODS.items()} | {OURS: fused}
    return {name: full_resolution(pair, result, transfer, scene.rounded) for name, result in results.items()}


def print_table(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print a table with scenes down and methods across."""
    methods = list(next(iter(rows.values())))
    print(f"\n{title}\n{'':22}" + "".join(f"{m:>14}" for m in methods))
    for name, row in rows.items():
        print(f"{name:22}" + "".join(f"{row[m]:14.4f}" for m in methods))
    means = {m: float(np.nanmean([row[m] for row in rows.values()])) for m in methods}
    print(f"{'mean':22}" + "".join(f"{means[m]:14.4f}" for m in methods))


def relative(rows: Mapping[str, Mapping[str, float]], methods: Sequence[str]) -> dict[str, float]:
    """Divide our error by that of the best classical method on each scene; rows are errors."""
    return {name: row[OURS] / min(row[m] for m in methods) for name, row in rows.items()}


def by_sensor(shares: Mapping[str, float]) -> str:
    """Average scenes whose names begin with the same letters up to the first underscore."""
    sensors = dict.fromkeys(name.split("_")[0] for name in shares)
    return ", ".join(f"{s} {np.mean([v for n, v in shares.items() if n.startswith(s)]):.3f}" for s in sensors)


def main() -> None:
    """Evaluate each pair and print the tables."""
    parser = make_pairs_parser(__doc__)
    add_weights(parser)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--soften", type=float, metavar="GAIN", help="blur MS first by what takes its gain to this")
    parser.add_argument("--gaussian", action="store_true", help="reduce by the Gaussian nearest to what was measured")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    plugin = OwnFusion(arguments.weights, arguments.steps)
    softer = tempfile.TemporaryDirectory()
    report: dict[str, dict[str, dict[str, float]]] = {}
    for name, pan, crisp in list_pairs(arguments.folder, arguments.only, arguments.zero_is_nodata):
        soft = Path(softer.name) / f"{name}_ms.tif"
        ms = softened(pan, crisp, arguments.soften, soft) if arguments.soften else crisp
        scene = ValidationScene(pan, ms)
        native = scene.placement.ratio
        row, column = scene.registration.shift
        transfer = scene.registration.transfer
        transfer = transfer.nearest_gaussian() if arguments.gaussian else transfer
        print(
            f"{name}: ratio {native:.4g}, gain {scene.registration.transfer.gain:.3f}, shift {row:+.2f} {column:+.2f}",
            flush=True,
        )
        for label, ratio in (("ratio 4", 4), ("own ratio", native)):
            for method, values in compare_reduced(scene, ratio, plugin, transfer).items():
                for index, value in values.items():
                    error, title = (1.0 - value, "1-") if INDICES[index].higher_is_better else (value, "")
                    title = f"{title}{INDICES[index].title}, {label}"
                    report.setdefault(title, {}).setdefault(name, {})[method] = error
        for method, values in compare_full(scene, pan, ms, plugin).items():
            for index, value in values.items():
                report.setdefault(f"{INDICES[index].title}, {FULL}", {}).setdefault(name, {})[method] = value
    for title, rows in report.items():
        print_table(title, rows)
        if not title.endswith(FULL):
            for label, methods in (("classical", PUBLISHED), ("classical, measured too", list(CLASSICAL))):
                shares = relative(rows, methods)
                worst = max(shares, key=lambda n: shares[n])
                print(
                    f"ours / best {label}: mean {np.mean(list(shares.values())):.3f} ({by_sensor(shares)}), "
                    f"worst {shares[worst]:.3f} ({worst})"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
