"""Which bundled weights a pair gets: those that know its sensor, where names tell it."""

from __future__ import annotations

import pytest
from helpers.fusion import job
from helpers.scenes import Recipe
from osgeo import gdal
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.network.weights import hash_path, load_weights
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.weight_sets import SETS, read_sensor

LANDSAT_8 = "LC08_L2SP_190030_20200607_20200824_02_T1"


def weights_of(folder, name="ms", ratio=2.0, metadata=None, domain="", **options):
    """Fuse a pair whose MS has a name and metadata. Returns the name of the bundled weights, and the log's line."""
    pair = Recipe(ratio=ratio, height=128, width=128).write(folder)
    pair.ms = pair.ms.rename(folder / f"{name}.tif")
    if metadata:
        gdal.Open(str(pair.ms), gdal.GA_Update).SetMetadata(metadata, domain)
    lines: list[str] = []
    options = {"estimate_quality": False, **options}
    result = fuse(job(pair, folder / "out.tif", **options), Progress(detail=lines.append))
    files = [*BUNDLED.values(), *(s.path(quality) for s in SETS.values() for quality in BUNDLED)]
    digests = {hash_path(file).read_text().split()[0]: file.stem for file in files}
    return digests[result.weights_sha256], next(line for line in lines if line.startswith("Weights: "))


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        (f"{LANDSAT_8}_SR_stack", None),
        ("LC09_L1TP_190030_20220607_20230917_02_T1_MS", None),
        ("LC91900302022158LGN00_MS", None),  # names before the collections
        ("my_landsat8_area", None),
        ("Landsat-9 Munich", None),
        ("ms", {"SENSOR": "Landsat 9"}),  # as otfm:product writes
        ("ms", {"SPACECRAFT_ID": "LANDSAT_8"}),
        ("ms", {"satellite": "Landsat-9"}),
    ],
)
def test_landsat_pair_gets_the_weights_of_landsat(tmp_path, name, metadata):
    chosen, line = weights_of(tmp_path, name, metadata=metadata)
    assert chosen == "landsat_fast"
    assert "Landsat 8 and 9" in line
    assert next(iter((metadata or {"": name}).values())) in line


@pytest.mark.parametrize(
    ("name", "metadata", "ratio"),
    [
        ("T32TQM_20220615T101559_B05_20m", None, 2.0),
        ("S2A_MSIL2A_20220615_20m", None, 2.0),
        ("ms", {"SENSOR": "Sentinel-2"}, 6.0),
    ],
)
def test_sentinel_2_gets_its_own_weights(tmp_path, name, metadata, ratio):
    chosen, line = weights_of(tmp_path, name, ratio, metadata)
    assert chosen == "sentinel2_fast"
    assert "for Sentinel-2" in line


@pytest.mark.parametrize(
    "name",
    [
        "ms",
        "LE07_L1TP_190030_20010607_20200917_02_T1_MS",
        "Landsat 7",
        "LT05_L1TP_190030_1990_MS",
        "landsat 5",
        "place08_ms",
        "WV02_20200607_MS",
    ],
)
def test_other_pairs_get_the_general_weights(tmp_path, name):
    chosen, line = weights_of(tmp_path, name)
    assert chosen == "fast"
    assert "for all sensors" in line


def test_a_pair_of_another_ratio_gets_the_general_weights(tmp_path):
    """PAN is of another sensor."""
    assert weights_of(tmp_path, LANDSAT_8, ratio=4.0)[0] == "fast"


@pytest.mark.parametrize(
    ("quality", "wanted", "name", "expected"),
    [
        ("best", "auto", LANDSAT_8, "landsat_best"),
        ("fast", "general", LANDSAT_8, "fast"),
        ("fast", "landsat", "ms", "landsat_fast"),
    ],
)
def test_weights_follow_quality_and_the_users_choice(tmp_path, quality, wanted, name, expected):
    chosen, line = weights_of(tmp_path, name, weights=BUNDLED[quality], weights_for=wanted)
    assert chosen == expected
    assert ("as asked" in line) == (wanted != "auto")


def test_a_file_that_was_chosen_stays(tmp_path):
    own = tmp_path / "own.safetensors"
    own.write_bytes(BUNDLED["fast"].read_bytes())
    chosen, line = weights_of(tmp_path, LANDSAT_8, weights=own)
    assert chosen == "fast"
    assert "the file that was chosen" in line


@pytest.mark.parametrize("quality", BUNDLED)
@pytest.mark.parametrize("name", SETS)
def test_weights_of_sensors_are_like_the_general_ones(name, quality):
    made, general = (load_weights(path) for path in (SETS[name].path(quality), BUNDLED[quality]))
    assert made.network.config == general.network.config
    assert made.sha256 != general.sha256
    assert "licence" in made.header


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02\0\0\0\0\0\0\0{}", b"\x09\0\0\0\0\0\0\0" + b"[" * 9])
def test_a_damaged_file_names_no_sensor(tmp_path, content):
    file = tmp_path / "own.safetensors"
    file.write_bytes(content)
    assert read_sensor(file) == ""
    assert read_sensor(tmp_path / "missing") == ""
