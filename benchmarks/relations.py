"""Shift and MTF gain that the plugin measures on each pair <name>_pan.tif and <name>_ms.tif of some folders.

python benchmarks/relations.py FOLDER [FOLDER ...] [--zero-is-nodata NAME ...]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from _package import load

load()

from otfm_pansharpen.model.rasters import RasterSource  # noqa: E402
from pairs import Scene  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--zero-is-nodata", nargs="*", default=[], help="names whose zeros are gaps")
    arguments = parser.parse_args()
    print(f"{'':22}{'gain':>7}  {'of the bands':40}{'shift, PAN pixels':>20}{'correlation':>20}")
    for pan in sorted(p for folder in arguments.folders for p in folder.glob("*_pan.tif")):
        name = pan.name.removesuffix("_pan.tif")
        nodata = (0.0,) if name in arguments.zero_is_nodata else ()
        ms = RasterSource(str(pan.with_name(f"{name}_ms.tif")), nodata=nodata)
        relation = Scene(RasterSource(str(pan), bands=(1,), nodata=nodata), ms).relation
        bands = " ".join(f"{g:.2f}" for g in relation.band_gains)
        row, column = relation.shift
        correlation = f"{relation.correlation_unshifted:.4f} > {relation.correlation:.4f}"
        print(f"{name:22}{relation.gain:7.3f}  {bands:40}{row:+10.2f}{column:+10.2f}{correlation:>20}", flush=True)


if __name__ == "__main__":
    main()
