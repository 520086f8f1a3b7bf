"""RMSE of coarser bands sharpened by finer ones, per band over interpolation's, one scale down (Wald et al., 1997).

    python benchmarks/guides.py FOLDER [NAME ...] [--right NAME ...] [--weights NAME ...] [--minutes 1]
                                [--gain 0.3]

NAME_10m_ms.tif holds the guides of NAME_20m_ms.tif. Both are reduced to half by a Gaussian of gain 0.3, and the 20 m
bands are the reference; RIM pixels at the sides do not count. --right takes the right half of a scene, --minutes tunes
the first weights on it. The last column is the consistency: the result, made coarser again, against the input, RMSE
over the band's deviation, of the worst band.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from arguments import find_weights, make_parser
from numpy.typing import NDArray
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.geometry.grids import Window, register
from otfm_pansharpen.model.geometry.resampling import centres, mtf_resampler, resample
from otfm_pansharpen.model.geometry.transfer import TransferFunction
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.quality.classical import mtf_glp, prepare
from otfm_pansharpen.model.quality.full_resolution import interpolate_ms
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.scene.guides import add_guides
from wald import band_names, read, write

RIM = 8  # pixels at the sides of the reference that do not count
TRANSFER = TransferFunction.gaussian(0.3)
RATIO = 2
Image = NDArray[np.float64]


def halve(image: Image) -> Image:
    """Reduce (bands, H, W) to half by TRANSFER."""
    maps = [mtf_resampler(n, centres(n // RATIO, 0.5, RATIO), TRANSFER.rows, RATIO) for n in image.shape[-2:]]
    return resample(image, *maps)


def read_scene(folder: Path, name: str, right: bool) -> tuple[Image, Image]:
    """Read guides and the bands over them, cut to the bands' pixels that the guides cover, and to even sizes."""
    (guides, grid), (ms, coarse) = (read(folder / f"{name}_{size}_ms.tif") for size in ("10m", "20m"))
    placement = register(grid, coarse)
    first = [max(-round(o - 0.5) // -RATIO, 0) if o < 0 else 0 for o in placement.origin]
    starts = [round(o + 0.5 + RATIO * (f - 0.5)) for o, f in zip(placement.origin, first)]
    sizes = [min(n - f, (m - s) // RATIO) // RATIO * RATIO for n, f, m, s in
             zip(ms.shape[1:], first, guides.shape[1:], starts)]  # fmt: skip
    window = Window(first[1], first[0], sizes[1], sizes[0])
    if right:
        half = sizes[1] // 4 * 2
        window = Window(first[1] + half, first[0], sizes[1] - half, sizes[0])
        starts[1] += RATIO * half
    fine = np.s_[:, starts[0] : starts[0] + RATIO * window.height, starts[1] : starts[1] + RATIO * window.width]
    return guides[fine], ms[:, window.top : window.bottom, window.left : window.right]


def rmse(fused: Image, reference: Image) -> Image:
    """Compute the error of each band without the rim, (bands,)."""
    inner = np.s_[:, RIM:-RIM, RIM:-RIM]
    return np.asarray(np.sqrt(((fused - reference)[inner] ** 2).mean((1, 2))))


def sharpen_classically(pair: PairWindow) -> dict[str, Image]:
    """Sharpen by MTF-GLP, with the mean of the guides and with a PAN for each band."""
    one = PairWindow(pair.pan.mean(0), pair.pan_valid, pair.ms, pair.ms_valid, pair.origin, pair.spacing)
    pairs = {"MTF-GLP, one PAN": one, "MTF-GLP, PAN per band": add_guides([pair], TRANSFER)[0]}
    return {name: prepare(p, TRANSFER, p.pan_valid).fuse(mtf_glp) for name, p in pairs.items()}


def sharpen(folder: Path, weights: Path, minutes: float, gain: float | None) -> Image:
    """Run the plugin as users run it, files in, file out."""
    pan, ms = (RasterSource(str(folder / f"{name}.tif")) for name in ("guides", "ms"))
    fuse(FusionJob(pan, ms, folder / "fused.tif", FusionOptions(weights, adapt=minutes, gain=gain)))
    return read(folder / "fused.tif")[0]


def compare(
    guides: Image, reference: Image, weights: list[Path], minutes: float, gain: float | None
) -> dict[str, Image]:
    """Return the result of each method by its name, that of interpolation first."""
    small, ms = halve(guides), halve(reference)
    whole = [np.ones(i.shape[1:], dtype=bool) for i in (small, ms)]
    pair = PairWindow(small, whole[0], ms, whole[1], (0.5, 0.5), (RATIO, RATIO))
    results = {"interpolation": interpolate_ms(pair), **sharpen_classically(pair)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "guides.tif", small, (0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
        write(folder / "ms.tif", ms, (0.0, float(RATIO), 0.0, 0.0, 0.0, -float(RATIO)))
        for path in weights:
            results[path.stem] = sharpen(folder, path, 0.0, gain)
        if minutes:
            results[f"{weights[0].stem}, tuned {minutes:g} min"] = sharpen(folder, weights[0], minutes, gain)
    return results


def main() -> None:
    """Evaluate each scene and print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--right", nargs="*", default=[])
    parser.add_argument("--weights", nargs="*", type=find_weights, default=[find_weights("fast"), find_weights("best")])
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--gain", type=float, help="MTF gain given to the plugin, as MTF-GLP has it; else measured")
    arguments = parser.parse_args()
    with gdal_exceptions():
        for name in (*arguments.names, *arguments.right):
            guides, reference = read_scene(arguments.folder, name, name in arguments.right)
            results = compare(guides, reference, arguments.weights, arguments.minutes, arguments.gain)
            print(f"\n{name}: {', '.join(band_names(arguments.folder / f'{name}_20m_ms.tif'))}")
            soft = rmse(results["interpolation"], reference)
            for method, fused in results.items():
                shares = rmse(fused, reference) / soft
                wrong = (rmse(halve(fused), halve(reference)) / halve(reference).std((1, 2))).max()
                print(f"{method:28}{' '.join(f'{s:.3f}' for s in shares)}  mean {shares.mean():.3f}  {wrong:.4f}")


if __name__ == "__main__":
    main()
