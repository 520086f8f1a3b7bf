"""MS as one raster per band, inside QGIS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.qgis import Listener, run
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProject, QgsRasterLayer


def write_bands(pair):
    files = [pair.ms.with_name(f"B{n}.tif") for n in range(1, len(load_image(pair.ms)) + 1)]
    for number, file in enumerate(files, start=1):
        gdal.Translate(str(file), str(pair.ms), bandList=[number])
    return [str(f) for f in files]


@pytest.mark.promise(18)
@pytest.mark.parametrize("way", ["all in MS", "the others in MS_MORE", "layers"])
def test_ms_may_come_as_one_raster_a_band(algorithm, tmp_path, way):
    pair = Recipe(bands=3, ratio=2, names=["blue", "green", "red"]).write(tmp_path)
    run(algorithm, pair, tmp_path / "whole.tif", MS_BANDS=[3, 1])
    files = write_bands(pair)
    parameters = {"MS": files} if way == "all in MS" else {"MS": files[0], "MS_MORE": files[1:]}
    context = QgsProcessingContext()
    if way == "layers":
        layers = [QgsRasterLayer(f, Path(f).stem) for f in files]
        QgsProject.instance().addMapLayers(layers)
        context.setProject(QgsProject.instance())
        parameters = {"MS": layers[0], "MS_MORE": [layer.id() for layer in layers[1:]]}
    _, passed = run(algorithm, pair, tmp_path / "apart.tif", None, context, **parameters, MS_BANDS=[3, 1])
    assert passed
    np.testing.assert_array_equal(load_image(tmp_path / "apart.tif"), load_image(tmp_path / "whole.tif"))
    assert gdal.Info(str(tmp_path / "apart.tif"), format="json")["bands"][0]["description"] == "red"


@pytest.mark.promise(13)
def test_output_is_not_a_band_of_a_stack(algorithm, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    files = write_bands(pair)
    with pytest.raises(QgsProcessingException, match=r"B2\.tif"):
        algorithm.run(
            {"PAN": str(pair.pan), "MS": files[0], "MS_MORE": files[1:], "OUTPUT": files[1]},
            QgsProcessingContext(),
            Listener(),
            {},
            False,
        )


def test_layer_of_more_bands_is_not_a_further_band(algorithm, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    with pytest.raises(QgsProcessingException, match=r"ms\.tif has 3 bands"):
        run(algorithm, pair, tmp_path / "o.tif", MS=write_bands(pair)[0], MS_MORE=[str(pair.ms)])
    assert not (tmp_path / "o.tif").exists()
