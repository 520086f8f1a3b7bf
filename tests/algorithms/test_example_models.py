"""The example models: in the toolbox under the provider, and each runs to its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.landsat import landsat
from helpers.products import pair_for
from helpers.qgis import Listener
from helpers.scenes import Recipe, load_image
from qgis.core import QgsApplication, QgsProcessingContext

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(algorithm, tmp_path):
    """Runs a model by its name in the toolbox, with its outputs in files; returns the results by their words."""

    def run(name, outputs, **parameters):
        model = QgsApplication.processingRegistry().createAlgorithmById(f"otfm:{name}")
        possible, why = model.canExecute()
        assert possible, why
        assert model.validate() == (True, [])  # else the designer draws steps in red
        expected = {d.name(): d.description() for d in model.destinationParameterDefinitions()}
        assert sorted(expected.values()) == sorted(outputs)
        parameters |= {key: str(tmp_path / outputs[words]) for key, words in expected.items()}
        listener = Listener()
        results, passed = model.run(parameters, QgsProcessingContext(), listener, {}, False)
        assert passed, "\n".join(listener.lines)
        return {words: Path(results[key]) for key, words in expected.items()}

    return run


def test_the_toolbox_lists_all_models(algorithm):
    listed = QgsApplication.processingRegistry().providerById("otfm").algorithms()
    models = [a for a in listed if a.group() == "Example models"]
    assert len(models) == len(list((ROOT / "resources" / "models").glob("*.model3"))) == 5
    assert all(len(m.shortHelpString()) > 20 for m in models)


def test_a_product_becomes_a_colour_composite(run, tmp_path):
    pair = pair_for(tmp_path / "pair", 7, 2)
    landsat(tmp_path / "in", pair)
    made = run("Product to colour composite", {"Colour composite": "rgb.tif"}, INPUT=str(tmp_path / "in"))
    pixels = load_image(made["Colour composite"])
    assert pixels.shape[1:] == load_image(pair.pan).shape[1:]
    for band, truth in zip(pixels, pair.reference[[3, 2, 1]]):
        assert np.corrcoef(band.ravel(), truth.ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_weights_are_tuned_and_used(run, tmp_path):
    pair = Recipe(bands=3, ratio=2, height=320, width=320).write(tmp_path)
    outputs = {"Tuned weights": "own.safetensors", "Sharpened raster": "sharp.tif"}
    made = run("Tune and sharpen", outputs, PAN=str(pair.pan), MS=str(pair.ms), MINUTES=0.05)
    assert load_image(made["Sharpened raster"]).shape == pair.reference.shape
    assert made["Tuned weights"].stat().st_size > 100_000


def test_ndvi_is_that_of_the_sharpened_bands(run, tmp_path):
    pair = Recipe(bands=4, ratio=2).write(tmp_path)
    outputs = {"Sharpened raster": "sharp.tif", "NDVI": "ndvi.tif"}
    made = run("Sharpen and NDVI", outputs, PAN=str(pair.pan), MS=str(pair.ms), RED=2, NIR=4)
    _, red, _, nir = load_image(made["Sharpened raster"]).astype(np.float64)
    np.testing.assert_allclose(load_image(made["NDVI"])[0], (nir - red) / (nir + red), atol=1e-6)


def test_the_sharpened_raster_is_assessed(run, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    outputs = {"Sharpened raster": "sharp.tif", "Report": "report.html"}
    made = run("Sharpen and assess", outputs, PAN=str(pair.pan), MS=str(pair.ms))
    assert "HQNR" in made["Report"].read_text(encoding="utf-8")
    assert load_image(made["Sharpened raster"]).shape == pair.reference.shape


def test_a_folder_of_products_becomes_rasters_and_a_mosaic(run, tmp_path):
    pair = pair_for(tmp_path / "pair", 7, 2)
    names = [landsat(tmp_path / "in" / str(s), pair, s) for s in (8, 9)]
    outputs = {"Sharpened rasters": "out", "Mosaic": "mosaic.vrt"}
    made = run("Folder of products to mosaic", outputs, INPUT=str(tmp_path / "in"))
    assert sorted(p.name for p in made["Sharpened rasters"].glob("*.tif")) == [f"{n}_sharp.tif" for n in names]
    assert load_image(made["Mosaic"]).shape == (7, *load_image(pair.pan).shape[1:])
