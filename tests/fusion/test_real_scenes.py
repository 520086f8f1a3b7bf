"""Real scenes that no weights were trained on, where they are available: better than interpolation and GDAL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENES = Path(os.environ.get("OTFM_SCENES", ROOT.parent / "shared" / "data" / "validation_pairs"))

NAMES = ["L8_istanbul", "L7_21", "WV2_SN6_1"]


@pytest.mark.promise(23)
@pytest.mark.skipif(not SCENES.is_dir(), reason=f"no real scenes at {SCENES} (set OTFM_SCENES)")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weights", ["best", "fast"])
def test_better_than_interpolation_and_gdal(name, weights):
    from otfm_pansharpen.model.options import BUNDLED
    from otfm_pansharpen.model.raster.source import RasterSource
    from quality import Ours, compare_reduced
    from wald import Scene

    scene = Scene(RasterSource(str(SCENES / f"{name}_pan.tif")), RasterSource(str(SCENES / f"{name}_ms.tif")))
    table = compare_reduced(scene, round(scene.placement.ratio), Ours(BUNDLED[weights], 1))
    assert table["OTFM"]["ergas"] < 0.9 * table["interpolation"]["ergas"]
    assert table["OTFM"]["ergas"] < 0.95 * table["GDAL Brovey"]["ergas"]
    lost = {method: 1.0 - table[method]["q2n"] for method in table}
    assert lost["OTFM"] < 0.95 * min(lost["interpolation"], lost["GDAL Brovey"])
