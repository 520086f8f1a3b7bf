"""`otfm:product` inside QGIS: parameters, running, loading in natural colours, what it says where it fails."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.landsat import landsat
from helpers.products import cut, pair_for
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image
from helpers.stac import asset, write_item
from helpers.web import serve
from otfm_pansharpen.model.product.families import FAMILIES
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterDefinition,
    QgsProject,
    QgsRasterLayer,
)


@pytest.fixture
def product(algorithm):
    return QgsApplication.processingRegistry().algorithmById("otfm:product").create()


def run(product, source, folder, feedback=None, context=None, **parameters):
    parameters = {"INPUT": str(source), "OUTPUT": str(folder), "PRECISION": "fp32", **parameters}
    return product.run(parameters, context or QgsProcessingContext(), feedback or Listener(), {}, False)


def test_every_parameter_has_help_and_sensible_defaults(product):
    definitions = {p.name(): p for p in product.parameterDefinitions()}
    assert all(len(p.help()) > 20 for p in definitions.values())
    needed = [n for n, p in definitions.items() if not p.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional]
    assert [n for n in needed if definitions[n].defaultValue() is None] == ["INPUT", "OUTPUT"]
    assert definitions["BANDS"].options() == ["all", "colour and NIR", "natural colour"]


def test_help_and_tags_name_every_family(product):
    assert all(family.title in product.shortHelpString() for family in FAMILIES)
    assert {"landsat", "ikonos", "pleiades", "gaofen", "mtl"} <= set(product.tags())


@pytest.mark.promise(18)
def test_a_folder_in_sharp_rasters_out(product, tmp_path):
    pair = pair_for(tmp_path / "pair", 7, 2)
    names = [landsat(tmp_path / "Szenen 2020" / str(s), pair, s) for s in (8, 9)]
    feedback = Listener()
    results, passed = run(product, tmp_path / "Szenen 2020", tmp_path / "new" / "out", feedback)
    assert passed
    assert (results["SHARPENED"], results["COMPLETE"], results["FAILED"]) == (2, 0, 0)
    assert results["LAYERS"] == [str(tmp_path / "new" / "out" / f"{n}_sharp.tif") for n in names]
    assert all(load_image(f).shape[1:] == load_image(pair.pan).shape[1:] for f in results["LAYERS"])
    log = "\n".join(feedback.lines)
    assert f"Product 2 of 2: {names[1]} (Landsat 9, 2020-07-01)." in log
    assert "red (" in log
    again, _ = run(product, tmp_path / "Szenen 2020", tmp_path / "new" / "out")
    assert (again["SHARPENED"], again["COMPLETE"]) == (0, 2)


@pytest.mark.promise(8)
@pytest.mark.parametrize(("bands", "drawn"), [("all", (4, 3, 2)), ("colour and NIR", (1, 2, 3))])
def test_results_are_loaded_in_natural_colours(product, tmp_path, bands, drawn):
    name = landsat(tmp_path / "in", pair_for(tmp_path / "pair", 7, 2))
    context, feedback = QgsProcessingContext(), Listener()
    context.setProject(QgsProject.instance())
    results, _ = run(product, tmp_path / "in", tmp_path / "out", feedback, context, BANDS=bands)
    (path,) = context.layersToLoadOnCompletion()
    details = context.layerToLoadOnCompletionDetails(path)
    assert (path, details.name) == (results["LAYERS"][0], f"Sharpened: {name}")
    raster_layer = QgsRasterLayer(path, "result")
    details.postProcessor().postProcessLayer(raster_layer, context, feedback)
    renderer = raster_layer.renderer()
    assert (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) == drawn
    stretch = renderer.redContrastEnhancement()
    assert stretch.minimumValue() < stretch.maximumValue() < np.iinfo(np.uint16).max


def test_nothing_is_loaded_where_it_is_not_wanted(product, tmp_path):
    landsat(tmp_path / "in", pair_for(tmp_path / "pair", 7, 2))
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    run(product, tmp_path / "in", tmp_path / "out", None, context, LOAD=False)
    assert not context.layersToLoadOnCompletion()


@pytest.mark.promise(2)
def test_a_folder_without_products_is_refused(product, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "note.txt").write_text("none")
    with pytest.raises(QgsProcessingException, match=r"Found: note\.txt"):
        run(product, tmp_path / "in", tmp_path / "out")


def test_an_extent_of_the_canvas_cuts_the_product(product, tmp_path):
    landsat(tmp_path / "in", pair_for(tmp_path / "pair", 7, 2))
    results, passed = run(
        product, tmp_path / "in", tmp_path / "out", EXTENT="500100,500200,3999800,3999900 [EPSG:32633]"
    )
    assert passed
    assert load_image(results["LAYERS"][0]).shape == (7, 50, 50)


@pytest.mark.promise(9)
def test_cancel_keeps_what_is_complete_and_leaves_nothing_else(product, tmp_path):
    first = landsat(tmp_path / "in", pair_for(tmp_path / "pair", 7, 2), 8)
    (tmp_path / "large").mkdir()
    landsat(tmp_path / "in", Recipe(bands=7, ratio=2, height=1600, width=1600).write(tmp_path / "large"), 9)
    (tmp_path / "out").mkdir()
    with pytest.raises(QgsProcessingException, match="Cancelled by the user"):
        run(product, tmp_path / "in", tmp_path / "out", Listener(cancel_at=52))
    assert [p.name for p in (tmp_path / "out").iterdir()] == [f"{first}_sharp.tif"]


def test_an_address_is_sharpened_and_its_host_logged(product, tmp_path):
    pair = pair_for(tmp_path / "pair", 4, 4)
    cut(pair.pan, tmp_path / "in" / "p.tif")
    cut(pair.ms, tmp_path / "in" / "m.tif")
    bands = [(name, name, centre) for name, centre in zip(("blue", "green", "red", "nir"), (0.48, 0.56, 0.66, 0.83))]
    write_item(
        tmp_path / "in" / "item.json", {"ms": asset("m.tif", *bands), "pan": asset("p.tif", ("pan", "pan", 0.6))}
    )
    feedback = Listener()
    with serve(tmp_path / "in", "sig=1") as site:
        item = tmp_path / "in" / "item.json"
        item.write_text(item.read_text().replace('.tif"', '.tif?sig=1"'))
        results, passed = run(product, f"{site.address}/item.json?sig=1", tmp_path / "out", feedback)
    assert passed, feedback.lines
    assert (results["SHARPENED"], results["FAILED"]) == (1, 0)
    assert any(f"Connecting to {site.address.removeprefix('http://')}" in line for line in feedback.lines)
