"""Products in sensor geometry, as they are delivered: images without a georeference and files with RPCs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.dimap import dimap
from helpers.maxar import worldview
from helpers.products import named, refusal, sharpened
from helpers.scenes import load_image
from helpers.sensor import CENTRE, bare_pair, misplacement, rpb, rpc_text, rpc_xml, to_degrees
from osgeo import gdal


def pleiades(folder, pair, models, mission="PHR"):
    """Write a bundle of the level SENSOR: two tiles each, RPC_ next to DIM_."""
    dimap(folder, pair, mission=mission, with_indices=True)
    for metadata in folder.rglob("DIM_*.XML"):
        text = metadata.read_text(encoding="utf-8")
        text = text.replace("<PROCESSING_LEVEL>ORTHO", "<PROCESSING_LEVEL>SENSOR").replace("_ORTHO</", "_SENSOR</")
        text = re.sub(r"(?s)<Coordinate_Reference_System>.*</Geoposition>", "", text)
        metadata.write_text(text, encoding="utf-8")
        source = pair.pan if "<SPECTRAL_PROCESSING>P<" in text else pair.ms
        raster = gdal.Open(str(source))
        model = rpc_xml(models[source], raster.RasterYSize, raster.RasterXSize)
        metadata.with_name(metadata.name.replace("DIM_", "RPC_")).write_text(model)


def basic(folder, pair, models):
    """Write a Basic product of WorldView-2: two tiles each, RPB next to IMD."""
    worldview(folder, pair)
    for file in folder.rglob("*.RPB"):
        file.write_text(rpb(models[pair.pan if "-P2AS-" in file.name else pair.ms]))


def basic_with_text(folder, pair, models):
    """Write the same with _RPC.TXT files, as resellers deliver it."""
    worldview(folder, pair, across=1)
    for file in folder.rglob("*.RPB"):
        model = models[pair.pan if "-P2AS-" in file.name else pair.ms]
        file.with_name(f"{file.stem}_RPC.TXT").write_text(rpc_text(model))
        file.unlink()


def gaofen(folder, pair, models):
    """Write GaoFen-2 of level 1A: one file each, .rpb next to it."""
    name = "GF2_PMS1_E113.5_N23.0_20170201_L1A0002149370"
    named(folder, pair, f"{name}-PAN1.tiff", f"{name}-MSS1.tiff")
    for source, kind in ((pair.pan, "PAN1"), (pair.ms, "MSS1")):
        (folder / f"{name}-{kind}.rpb").write_text(rpb(models[source], "GF2", kind))
        (folder / f"{name}-{kind}.xml").write_text("<ProductMetaData><SatelliteID>GF2</SatelliteID></ProductMetaData>")


def spot(folder, pair, models):
    """Write a bundle of SPOT 6 of the level SENSOR."""
    pleiades(folder, pair, models, mission="SPOT")


KINDS = {"Pleiades": pleiades, "SPOT": spot, "WorldView": basic, "_RPC.TXT": basic_with_text, "GaoFen": gaofen}


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_in_sensor_geometry_is_sharpened(tmp_path, kind):
    (tmp_path / "pair").mkdir()
    pair, models = bare_pair(tmp_path / "pair")
    KINDS[kind](tmp_path / "in", pair, models)
    result, log = sharpened(tmp_path / "in", tmp_path / "out", keep_vrt=True)
    (run,) = [run for run in result.runs if run.output]
    output = Path(run.output)
    assert "PAN's sensor geometry and keeps its RPC" in log
    assert misplacement(output) < 0.5
    fused = load_image(output)
    assert fused.shape == pair.reference.shape
    assert np.abs(fused - pair.reference).mean() < 0.25 * pair.reference.std()


def test_an_extent_of_a_product_in_sensor_geometry(tmp_path):
    (tmp_path / "pair").mkdir()
    pair, models = bare_pair(tmp_path / "pair")
    gaofen(tmp_path / "in", pair, models)
    longitude, latitude = to_degrees(np.array([100.0, 400.0]) + CENTRE[0], np.array([-400.0, -100.0]) + CENTRE[1])
    extent = (longitude[0], latitude[0], longitude[1], latitude[1])
    result, _ = sharpened(tmp_path / "in", tmp_path / "out", extent=extent)
    assert 150 < load_image(result.runs[0].output).shape[2] < 200


@pytest.mark.parametrize("fault", ["missing", "cut", "wrong number"])
def test_rpc_files_that_are_not_complete_are_refused(tmp_path, fault):
    (tmp_path / "pair").mkdir()
    pair, models = bare_pair(tmp_path / "pair")
    pleiades(tmp_path / "in", pair, models)
    file = next((tmp_path / "in").rglob("RPC_*_MS_*.XML"))
    text = file.read_text()
    if fault == "missing":
        file.unlink()
    elif fault == "cut":
        file.write_text(text.replace("LINE_NUM_COEFF_20>", "LINE_NUM_COEF_20>"))
    else:
        file.write_text(re.sub(r"<LAT_SCALE>[^<]*", "<LAT_SCALE>0", text))
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert f"is placed by {file.name} only, which" in sentence
    assert "Download the product again" in sentence
