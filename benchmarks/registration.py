"""Shift and MTF gain that the plugin measures on each pair <name>_pan.tif and <name>_ms.tif of some folders.

    python benchmarks/registration.py FOLDER [FOLDER ...] [--zero-is-nodata NAME ...]
    python benchmarks/registration.py FOLDER [FOLDER ...] --moved --only NAME [NAME ...]

--moved also moves MS by known shifts of up to 3 PAN pixels and prints the error of each measured shift. --aligned fuses
each pair with ALIGN off and auto: HQNR, and ERGAS of the pair reduced by its own ratio, whose MS has the shift of the
real one.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from arguments import make_pairs_parser
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.quality.full_resolution import full_resolution
from otfm_pansharpen.model.quality.indices import ergas
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import sample_scene
from otfm_pansharpen.model.scene.registration import measure_registration
from wald import ValidationScene, list_pairs, read, reduced

MOVES = ((-3.0, -3.0), (-2.3, 1.4), (-1.0, 3.0), (-0.4, -0.7), (0.25, 0.5), (1.6, -2.2), (2.7, 0.0), (3.0, 3.0))


def missed(scene: ValidationScene) -> list[tuple[float, float]]:
    """Measure the errors (rows, columns) of known moves of MS, without the pair's own shift."""
    errors = []
    origin, shift = scene.placement.origin, scene.registration.shift  # the origin has the pair's shift corrected
    for down, across in MOVES:
        there = replace(scene.placement, origin=(origin[0] - shift[0] + down, origin[1] - shift[1] + across))
        with gdal_exceptions():
            measured = measure_registration(list(sample_scene(scene.pan, scene.ms, there))).shift
        errors.append((measured[0] + down - shift[0], measured[1] + across - shift[1]))
    return errors


def aligned(scene: ValidationScene, pan: RasterSource, ms: RasterSource, align: bool) -> tuple[float, float]:
    """Measure ERGAS at reduced and HQNR at full resolution of the default weights."""
    ratio, shift = round(scene.placement.ratio), scene.registration.shift
    with tempfile.TemporaryDirectory() as name:
        low_pan, low_ms, reference, inside = reduced(scene, ratio, Path(name), moved=shift)
        output = Path(name) / "fused.tif"
        fuse(FusionJob(RasterSource(str(low_pan)), RasterSource(str(low_ms)), output, FusionOptions(align=align)))
        error = ergas(reference, read(output)[0], ratio, inside)
        fuse(FusionJob(pan, ms, output, FusionOptions(align=align)))
        fused, grid = read(output)
        pair = scene.on_pan(grid)
    return error, full_resolution(pair, fused, scene.registration.transfer, scene.rounded)["hqnr"]


def main() -> None:
    parser = make_pairs_parser(__doc__, "folders")
    parser.add_argument("--moved", action="store_true", help="also measure after known moves of MS")
    parser.add_argument("--aligned", action="store_true", help="also fuse with ALIGN off and auto")
    arguments = parser.parse_args()
    print(f"{'':22}{'gain':>7}  {'rows, columns at .25 .5 .75 1':40}{'shift, PAN pixels':>20}{'correlation':>20}")
    pairs = [p for f in arguments.folders for p in list_pairs(f, arguments.only, arguments.zero_is_nodata)]
    for name, pan, ms in pairs:
        scene = ValidationScene(pan, ms)
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
            for label, align in (("off", False), ("auto", True)):
                error, quality = aligned(scene, pan, ms, align)
                print(f"    ALIGN {label}: ERGAS {error:.3f}, HQNR {quality:.4f}", flush=True)


if __name__ == "__main__":
    main()
