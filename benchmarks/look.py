"""The look of a result: the energy of its details over MTF-GLP-FS's, at both resolutions, and places at fourfold zoom.

    python benchmarks/look.py FOLDER [--weights NAME] [--only NAME ...] [--sheets FOLDER] [--zero-is-nodata NAME ...]

For each pair <name>_pan.tif and <name>_ms.tif it prints the energy of the high-passed brightness ("detail") and of the
high-passed differences between bands ("colour") of ours over MTF-GLP-FS's: at full and at reduced resolution (by the
measured transfer function), and the quotient of the two. At reduced resolution a result can be compared with a
reference. If it looks alike at full resolution, the quotient is near 1; speckle, rims and coloured lines raise it.
--sheets draws the flattest, darkest, brightest and most edged places next to MS, PAN and MTF-GLP-FS.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from arguments import add_weights, make_pairs_parser
from contact_sheet import Cut, panels, save_panels
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.geometry.grids import register
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.quality.classical import mtf_glp_fs, prepare
from otfm_pansharpen.model.quality.indices import Image
from otfm_pansharpen.model.raster.bands import rgb_bands
from otfm_pansharpen.model.raster.source import RasterSource
from scipy.ndimage import uniform_filter
from wald import ValidationScene, band_names, list_pairs, read, reduced

SIZE = 5  # pixels along the box whose mean the high-pass subtracts
RIM = 16  # pixels at the sides that are not compared
CROP = 64  # PAN pixels along the side of a place
ZOOM = 4


def energies(bands: Image, inside: np.ndarray) -> tuple[float, float]:
    """Compute the mean square of the high-passed brightness of (bands, H, W), and of differences of bands from it."""
    details = np.stack([band - uniform_filter(band, SIZE) for band in bands])
    brightness = details.mean(axis=0)
    colour = details - brightness
    return float((brightness[inside] ** 2).mean()), float((colour[:, inside] ** 2).mean())


def compared(
    pair: PairWindow, scene: ValidationScene, fused: Image, inside: np.ndarray
) -> tuple[tuple[float, float], Image]:
    """Divide the energies of the fused image by those of MTF-GLP-FS. Returns quotients and MTF-GLP-FS's image."""
    plain = mtf_glp_fs(prepare(pair, scene.registration.transfer, inside))
    ours, theirs = energies(fused, inside), energies(plain, inside)
    return (ours[0] / theirs[0], ours[1] / theirs[1]), plain


def at_full_resolution(scene: ValidationScene, job: FusionJob) -> tuple[tuple[float, float], PairWindow, Image, Image]:
    """Measure energies at full resolution. Returns them, the pair, our result and MTF-GLP-FS's."""
    fuse(job)
    fused, grid = read(job.output)
    pair = scene.on_pan(grid)
    valid = replace(pair, band_valid=None).valid_on_pan(pair.window)
    away_from_sides = np.pad(valid[RIM:-RIM, RIM:-RIM], RIM)
    energy, plain = compared(pair, scene, fused, away_from_sides)
    return energy, pair, fused, plain


def one_scale_down(scene: ValidationScene, folder: Path, job: FusionJob) -> tuple[float, float]:
    """Measure energies at reduced resolution."""
    pan, ms, _, inside = reduced(scene, round(scene.placement.ratio), folder)
    sources = RasterSource(str(pan)), RasterSource(str(ms))
    small = ValidationScene(*sources)
    pair = replace(small.on_pan(), origin=register(small.pan.grid, small.ms.grid).origin)
    fuse(replace(job, pan=sources[0], ms=sources[1], output=folder / "reduced.tif"))
    return compared(pair, scene, read(folder / "reduced.tif")[0], inside)[0]


def places(pan: Image, valid: np.ndarray) -> Mapping[str, Cut]:
    """Find the flattest, darkest, brightest and most edged completely valid squares of PAN."""
    edges = np.hypot(*np.gradient(uniform_filter(pan, 3)))
    squares = [
        (slice(top, top + CROP), slice(left, left + CROP))
        for top in range(RIM, pan.shape[0] - CROP - RIM, CROP // 2)
        for left in range(RIM, pan.shape[1] - CROP - RIM, CROP // 2)
    ]
    squares = [s for s in squares if valid[s].all()]
    scores = {
        "flattest": lambda s: pan[s].std(), "darkest": lambda s: pan[s].mean(), "brightest": lambda s: -pan[s].mean(),
        "most edged": lambda s: -edges[s].mean(),
    }  # fmt: skip
    return {name: min(squares, key=score) for name, score in scores.items()} if squares else {}


def draw(path: Path, pair: PairWindow, images: Mapping[str, Image], rgb: tuple[int, int, int]) -> None:
    """Write a sheet with a row for each place and a column for MS, PAN and each image."""
    cuts = places(pair.pan.astype(np.float64), pair.pan_valid)
    drawn = [
        (f"{title}, {name}" if title == "PAN" else title, panel)
        for name, cut in cuts.items()
        for title, panel in panels(pair, cut, images, rgb).items()
    ]
    if drawn:
        save_panels(path, drawn, 2 + len(images), CROP * ZOOM / 100.0)


def main() -> None:
    """Compare each pair at both scales and print the table."""
    parser = make_pairs_parser(__doc__)
    add_weights(parser)
    parser.add_argument("--sheets", type=Path, help="folder for a sheet of each pair")
    arguments = parser.parse_args()
    print(" " * 22 + "".join(f"{w + ': full':>14}{'reduced':>9}{'quotient':>10}" for w in ("detail", "colour")))
    for name, pan, ms in list_pairs(arguments.folder, arguments.only, arguments.zero_is_nodata):
        scene = ValidationScene(pan, ms)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            options = FusionOptions(arguments.weights, estimate_quality=False)
            job = FusionJob(pan, ms, folder / "fused.tif", options)
            full, pair, fused, plain = at_full_resolution(scene, job)
            small = one_scale_down(scene, folder, job)
        parts = [(full[k], small[k], full[k] / small[k]) for k in (0, 1)]
        print(f"{name:22}" + "".join(f"{a:14.2f}{b:9.2f}{c:10.2f}" for a, b, c in parts), flush=True)
        if arguments.sheets:
            arguments.sheets.mkdir(parents=True, exist_ok=True)
            images = {"MTF-GLP-FS": plain, f"OTFM ({arguments.weights.stem})": fused}
            draw(arguments.sheets / f"{name}.png", pair, images, rgb_bands(band_names(Path(ms.path))))


if __name__ == "__main__":
    main()
