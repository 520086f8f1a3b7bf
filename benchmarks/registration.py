"""Shift and MTF gain that the plugin measures on each pair <name>_pan.tif and <name>_ms.tif of some folders.

    python benchmarks/registration.py FOLDER [FOLDER ...] [--zero-is-nodata NAME ...]
    python benchmarks/registration.py FOLDER [FOLDER ...] --moved --only NAME [NAME ...]

--moved also lays MS elsewhere by known shifts of up to 3 PAN pixels and prints by how much each is missed. --aligned
fuses each pair with ALIGN off and auto: HQNR, and ERGAS of the pair reduced by its own ratio, whose MS is moved by as
many pixels as the real one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from _package import load

load()

from otfm_pansharpen.model.fusion.job import FusionJob  # noqa: E402
from otfm_pansharpen.model.fusion.pipeline import fuse  # noqa: E402
from otfm_pansharpen.model.quality.full_resolution import full_resolution  # noqa: E402
from otfm_pansharpen.model.quality.indices import ergas  # noqa: E402
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions  # noqa: E402
from otfm_pansharpen.model.raster.source import RasterSource  # noqa: E402
from otfm_pansharpen.model.raster.windows import sample_scene  # noqa: E402
from otfm_pansharpen.model.scene.registration import measure_registration  # noqa: E402
from wald import Scene, read, reduced  # noqa: E402

MOVES = ((-3.0, -3.0), (-2.3, 1.4), (-1.0, 3.0), (-0.4, -0.7), (0.25, 0.5), (1.6, -2.2), (2.7, 0.0), (3.0, 3.0))


def missed(scene: Scene) -> list[tuple[float, float]]:
    """By how much (rows, columns) known moves of MS are not recovered, beside the shift that the pair has itself."""
    errors = []
    origin, own = scene.placement.origin, scene.registration.shift  # the origin has the pair's own shift corrected
    for down, across in MOVES:
        there = replace(scene.placement, origin=(origin[0] - own[0] + down, origin[1] - own[1] + across))
        with gdal_exceptions():
            found = measure_registration(list(sample_scene(scene.pan, scene.ms, there))).shift
        errors.append((found[0] + down - own[0], found[1] + across - own[1]))
    return errors


def aligned(scene: Scene, pan: RasterSource, ms: RasterSource, align: bool) -> tuple[float, float]:
    """ERGAS at reduced and HQNR at full resolution of the default weights."""
    ratio, own = round(scene.placement.ratio), scene.registration.shift
    with tempfile.TemporaryDirectory() as name:
        low_pan, low_ms, reference, inside = reduced(scene, ratio, Path(name), moved=own)
        output = Path(name) / "fused.tif"
        fuse(FusionJob(RasterSource(str(low_pan)), RasterSource(str(low_ms)), output, align=align))
        error = ergas(reference, read(output)[0], ratio, inside)
        fuse(FusionJob(pan, ms, output, align=align))
        fused, grid = read(output)
        pair = scene.cropped_to(grid)
    found = full_resolution(pair, fused.astype(np.float32), scene.registration.transfer, scene.rounded)
    return error, found.hqnr if found else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--zero-is-nodata", nargs="*", default=[], help="names whose zeros are gaps")
    parser.add_argument("--only", nargs="*", help="names of pairs; all where not given")
    parser.add_argument("--moved", action="store_true", help="also measure after known moves of MS")
    parser.add_argument("--aligned", action="store_true", help="also fuse with ALIGN off and auto")
    arguments = parser.parse_args()
    print(f"{'':22}{'gain':>7}  {'rows, columns at .25 .5 .75 1':40}{'shift, PAN pixels':>20}{'correlation':>20}")
    for pan in sorted(p for folder in arguments.folders for p in folder.glob("*_pan.tif")):
        name = pan.name.removesuffix("_pan.tif")
        if arguments.only and name not in arguments.only:
            continue
        nodata = (0.0,) if name in arguments.zero_is_nodata else ()
        ms = RasterSource(str(pan.with_name(f"{name}_ms.tif")), nodata=nodata)
        scene = Scene(RasterSource(str(pan), bands=(1,), nodata=nodata), ms)
        registration = scene.registration
        bands = " ".join(f"{v:.2f}" for v in registration.transfer.summary())
        row, column = registration.shift
        correlation = f"{registration.correlation_unshifted:.4f} > {registration.correlation:.4f}"
        print(
            f"{name:22}{registration.transfer.gain:7.3f}  {bands:40}{row:+10.2f}{column:+10.2f}{correlation:>20}",
            flush=True,
        )
        if arguments.moved:
            errors = missed(scene)
            print("    missed: " + ", ".join(f"{y:+.2f} {x:+.2f}" for y, x in errors))
            print(f"    largest {max(abs(e) for pair in errors for e in pair):.3f} PAN pixels", flush=True)

        if arguments.aligned:
            pan_source = RasterSource(str(pan), bands=(1,), nodata=nodata)
            for label, align in (("off", False), ("auto", True)):
                error, quality = aligned(scene, pan_source, ms, align)
                print(f"    ALIGN {label}: ERGAS {error:.3f}, HQNR {quality:.4f}", flush=True)


if __name__ == "__main__":
    main()
