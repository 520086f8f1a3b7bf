"""Shift and MTF gain that the plugin measures on each pair <name>_pan.tif and <name>_ms.tif of some folders.

    python benchmarks/registration.py FOLDER [FOLDER ...] [--zero-is-nodata NAME ...]
    python benchmarks/registration.py FOLDER [FOLDER ...] --moved --only NAME [NAME ...]

--moved also moves MS by known shifts of up to 3 PAN pixels and prints the error of each measured shift. --aligned moves
the bands of MS, or all by a field, by up to 1.5 and 4 pixels, and prints ERGAS of the pair reduced by its own ratio
with each ALIGN. The reference stays where it was.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from arguments import make_pairs_parser
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.options import ALIGNMENTS
from otfm_pansharpen.model.quality.indices import ergas
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.windows import sample_scene
from otfm_pansharpen.model.scene.registration import measure_registration
from scipy.ndimage import map_coordinates
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


def fields(bands: int, height: int, width: int) -> dict[str, np.ndarray]:
    """Make displacements of MS (2, bands, height, width) in MS pixels: of none, of single bands, and of all alike."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shared = {
        "affine": (2.5 * rows + columns, 1.2 * rows - 2.0 * columns),
        "smooth": (1.5 * np.sin(2.2 * rows + 1.0) + rows, 1.5 * np.cos(2.0 * columns) + columns),
    }
    everywhere = np.zeros((2, bands, height, width))
    own = np.random.default_rng(5).uniform(-1.5, 1.5, (2, bands, 1, 1)) + everywhere
    return {"none": everywhere, "bands": own} | {n: np.stack(f)[:, None] + everywhere for n, f in shared.items()}


def aligned(scene: ValidationScene, moves: np.ndarray) -> list[float]:
    """Measure ERGAS of the default weights with each ALIGN where MS is moved one scale down."""
    ratio, pair = round(scene.placement.ratio), scene.pair
    filled = np.where(pair.ms_valid, pair.ms, pair.ms[:, pair.ms_valid].mean(1)[:, None, None]).astype(float)
    places = (np.indices(pair.ms_valid.shape)[:, None] + moves).swapaxes(0, 1)
    moved = [map_coordinates(band, place, order=5, mode="mirror") for band, place in zip(filled, places)]
    with tempfile.TemporaryDirectory() as name:
        pan, ms, reference, inside = reduced(scene, ratio, Path(name), np.stack(moved) if moves.any() else None)
        errors, output = [], Path(name) / "fused.tif"
        for align in ALIGNMENTS:
            fuse(FusionJob(RasterSource(str(pan)), RasterSource(str(ms)), output, FusionOptions(align=align)))
            errors.append(ergas(reference, read(output)[0], ratio, inside))
    return errors


def main() -> None:
    """Measure each pair and print a line."""
    parser = make_pairs_parser(__doc__, "folders")
    parser.add_argument("--moved", action="store_true", help="also measure after known moves of MS")
    parser.add_argument("--aligned", action="store_true", help="also fuse with each ALIGN after known moves")
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
            for kind, moves in fields(*scene.pair.ms.shape).items():
                results = ", ".join(f"{a} {e:.3f}" for a, e in zip(ALIGNMENTS, aligned(scene, moves)))
                print(f"    moved: {kind}, ERGAS with ALIGN {results}", flush=True)


if __name__ == "__main__":
    main()
