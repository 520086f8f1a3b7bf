"""Duration of a preview: 1500 x 1000 pixels of PAN of a large scene, in an engine as QGIS starts it.

    python benchmarks/preview.py FOLDER [--size 8192] [--bands 4] [--repeats 3]

A synthetic pair (uint16, ratio 4) is made in FOLDER and kept. For each bundled set of weights, the table has the
seconds of its first preview and the median of the later ones. The very first one starts the engine and measures the
scene.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from arguments import make_parser
from otfm_pansharpen.engine.client import ENGINES
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource
from speed import RATIO, make_pair

WIDTH, HEIGHT, PIXEL = 1500, 1000, 2.0 / RATIO  # PAN pixels, and the side of one in metres


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--bands", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    pan, ms = (RasterSource(str(p)) for p in make_pair(arguments.folder, arguments.size, arguments.bands))
    print("weights    first  then (s)")
    for name, weights in BUNDLED.items():
        seconds = []
        for number in range(arguments.repeats + 1):
            left, top = 5e5 + 100.0 * number, 5e6 - 100.0 * number
            extent = (left, top - HEIGHT * PIXEL, left + WIDTH * PIXEL, top)
            output = arguments.folder / "preview.tif"
            job = FusionJob(pan, ms, output, FusionOptions(weights, estimate_quality=False), extent)
            started = time.monotonic()
            ENGINES.run(job, arguments.folder / "packages", Progress())
            seconds.append(time.monotonic() - started)
        print(f"{name:8} {seconds[0]:7.1f} {median(seconds[1:]):6.1f}")


if __name__ == "__main__":
    main()
