"""Files as people have them, sharpened through QGIS layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.qgis import Listener
from helpers.scenes import load_image
from osgeo import gdal
from qgis.core import QgsProcessingContext, QgsProcessingException

SIDE, RATIO = 320, 2
FINE = (5e5, 2.0, 0.0, 4e6, 0.0, -2.0)
COARSE = (5e5, 4.0, 0.0, 4e6, 0.0, -4.0)
LAKE = (slice(40, 60), slice(60, 90))  # rows and columns of MS
FINE_LAKE = (slice(80, 120), slice(120, 180))


def sharpen(algorithm, pair, output, **parameters):
    """Run through layers; returns the result as an array and the log."""
    feedback = Listener()
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(output), "PRECISION": "fp32", **parameters}
    results, passed = algorithm.run(parameters, QgsProcessingContext(), feedback, {}, False)
    assert passed, "\n".join(feedback.lines)
    return load_image(Path(results["OUTPUT"])), "\n".join(feedback.lines)


def refusal(algorithm, pair, output, **parameters):
    """Return the sentence with which a run is refused; nothing is written."""
    parameters = {"PAN": str(pair.pan), "MS": str(pair.ms), "OUTPUT": str(output), "PRECISION": "fp32", **parameters}
    context, feedback = QgsProcessingContext(), Listener()
    passed, sentence = algorithm.checkParameterValues(parameters, context)
    if passed and algorithm.prepare(parameters, context, feedback):
        with pytest.raises(QgsProcessingException) as caught:
            algorithm.runPrepared(parameters, context, feedback)
        sentence = str(caught.value)
    elif passed:
        sentence = "\n".join(feedback.lines)
    assert not Path(output).exists()
    return sentence


def near(fused, pair, bands=None, valid=None, within=0.25):
    """Check that the mean error of each band, over the band's deviation, is small."""
    truth = pair.reference if bands is None else pair.reference[bands]
    error = np.abs(fused.astype(float) - truth)
    where = np.ones(truth.shape[1:], bool) if valid is None else valid
    return all(e[where].mean() < within * t[where].std() for e, t in zip(error, truth, strict=True))


def in_other_zone(path, name, **options):
    other = path.with_name(name)
    gdal.Warp(str(other), str(path), dstSRS="EPSG:32634", resampleAlg="cubic", **options)
    return other
