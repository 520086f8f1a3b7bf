"""Quality of all methods side by side on a folder of pairs <name>_pan.tif and <name>_ms.tif.

    python benchmarks/quality.py FOLDER [--weights NAME] [--json FILE] [--sheets FOLDER] [--zero-is-nodata NAME ...]
                                 [--soften 0.05]

Reduced resolution (Wald): PAN is brought to the MS pixels and MS degraded by 4 and by the pair's own ratio, with the
pair's measured transfer function (--gaussian: with the Gaussian nearest to it, as the literature does); the original MS
is the reference. Full resolution: HQNR. Ours runs as users run it, files in, file out, and measures shift and transfer
function by itself; the classical methods are given both, and know a Gaussian except where their name says "measured".
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from _package import load

load()

from classical import CLASSICAL, SIMPLE, prepare  # noqa: E402
from contact_sheet import contact_sheet  # noqa: E402
from otfm_pansharpen.model.fusion.job import FusionJob  # noqa: E402
from otfm_pansharpen.model.fusion.pipeline import fuse  # noqa: E402
from otfm_pansharpen.model.geometry.grids import register  # noqa: E402
from otfm_pansharpen.model.geometry.transfer import TransferFunction  # noqa: E402
from otfm_pansharpen.model.options import BUNDLED, DEFAULT_SET  # noqa: E402
from otfm_pansharpen.model.quality.full_resolution import full_resolution  # noqa: E402
from otfm_pansharpen.model.raster.band_names import rgb_bands  # noqa: E402
from otfm_pansharpen.model.raster.source import RasterSource  # noqa: E402
from wald import Scene, band_names, indices, list_pairs, read, reduced, softened  # noqa: E402

OURS = "OTFM"
PUBLISHED = [name for name in CLASSICAL if not name.endswith("measured")]


@dataclass(frozen=True)
class Ours:
    """How the plugin is run."""

    weights: Path
    steps: int

    def fuse(self, pan: RasterSource, ms: RasterSource, output: Path) -> np.ndarray:
        """The plugin's result, (bands, h, w)."""
        fuse(FusionJob(pan, ms, output, weights=self.weights, steps=self.steps))
        return read(output)[0]


def compare_reduced(
    scene: Scene, ratio: int, plugin: Ours, transfer: TransferFunction | None = None
) -> dict[str, dict[str, float]]:
    """Indices of all methods on the pair reduced by `ratio` and `transfer`, without one the scene's own."""
    transfer = transfer or scene.registration.transfer
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pan_path, ms_path, reference, inside = reduced(scene, ratio, folder, transfer)
        pan, ms = RasterSource(str(pan_path)), RasterSource(str(ms_path))
        small = Scene(pan, ms)
        pair = replace(small.on_pan(), origin=register(small.pan.grid, small.ms.grid).origin)
        prepared = prepare(pair, transfer, inside)
        results = {name: method(prepared) for name, method in {**SIMPLE, **CLASSICAL}.items()}
        results[OURS] = plugin.fuse(pan, ms, folder / "fused.tif")
    return {name: indices(reference, image, ratio, inside, scene.rounded) for name, image in results.items()}


def compare_full(
    scene: Scene, pan: RasterSource, ms: RasterSource, plugin: Ours, sheet: Path | None
) -> dict[str, float]:
    """HQNR of all methods at full resolution; draws them where `sheet` says to what file."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "fused.tif"
        fused = plugin.fuse(pan, ms, output)
        pair = scene.cropped_to(read(output)[1])
    transfer = scene.registration.transfer
    prepared = prepare(pair, transfer, pair.pan_valid)
    results = {name: method(prepared) for name, method in {**SIMPLE, **CLASSICAL}.items()} | {OURS: fused}
    if sheet:
        contact_sheet(sheet, pair, results, rgb_bands(band_names(Path(ms.path))))
    table = {}
    for name, result in results.items():
        found = full_resolution(pair, result.astype(np.float32), transfer, scene.rounded)
        table[name] = found.hqnr if found else float("nan")
    return table


def print_table(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Scenes down, methods across."""
    methods = list(next(iter(rows.values())))
    print(f"\n{title}\n{'':22}" + "".join(f"{m:>14}" for m in methods))
    for name, row in rows.items():
        print(f"{name:22}" + "".join(f"{row[m]:14.4f}" for m in methods))
    means = {m: float(np.nanmean([row[m] for row in rows.values()])) for m in methods}
    print(f"{'mean':22}" + "".join(f"{means[m]:14.4f}" for m in methods))


def relative(rows: Mapping[str, Mapping[str, float]], methods: Sequence[str]) -> dict[str, float]:
    """Ours over the best of the classical methods on each scene (lower indices are better)."""
    return {name: row[OURS] / min(row[m] for m in methods) for name, row in rows.items()}


def by_sensor(shares: Mapping[str, float]) -> str:
    """Means of the scenes whose names begin alike, up to the first underscore."""
    sensors = dict.fromkeys(name.split("_")[0] for name in shares)
    return ", ".join(f"{s} {np.mean([v for n, v in shares.items() if n.startswith(s)]):.3f}" for s in sensors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default=DEFAULT_SET, help=f"{' or '.join(BUNDLED)}, or a file")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each pair")
    parser.add_argument("--soften", type=float, metavar="GAIN", help="blur MS first by what takes its gain to this")
    parser.add_argument("--gaussian", action="store_true", help="reduce by the Gaussian nearest to what was measured")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names to take")
    parser.add_argument("--zero-is-nodata", nargs="*", default=[], help="names whose zeros are gaps")
    arguments = parser.parse_args()
    plugin = Ours(BUNDLED.get(arguments.weights, Path(arguments.weights)), arguments.steps)
    if arguments.sheets:
        arguments.sheets.mkdir(parents=True, exist_ok=True)
    softer = tempfile.TemporaryDirectory()
    report: dict[str, dict[str, dict[str, float]]] = {}
    for name, pan, crisp in list_pairs(arguments.folder, arguments.only, arguments.zero_is_nodata):
        soft = Path(softer.name) / f"{name}_ms.tif"
        ms = softened(pan, crisp, arguments.soften, soft) if arguments.soften else crisp
        scene = Scene(pan, ms)
        own = round(scene.placement.ratio)
        row, column = scene.registration.shift
        transfer = scene.registration.transfer
        transfer = transfer.nearest_gaussian() if arguments.gaussian else transfer
        sheet = arguments.sheets / f"{name}.png" if arguments.sheets else None
        print(
            f"{name}: ratio {own}, gain {scene.registration.transfer.gain:.3f}, shift {row:+.2f} {column:+.2f}",
            flush=True,
        )
        for label, ratio in (("ratio 4", 4), ("own ratio", own)):
            for method, values in compare_reduced(scene, ratio, plugin, transfer).items():
                for index, value in values.items():
                    report.setdefault(f"{index}, {label}", {}).setdefault(name, {})[method] = value
        report.setdefault("HQNR, full resolution", {})[name] = compare_full(scene, pan, ms, plugin, sheet)
    for title, rows in report.items():
        print_table(title, rows)
        if not title.startswith("HQNR"):
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
