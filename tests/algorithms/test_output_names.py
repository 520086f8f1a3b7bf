"""Names of outputs that no file can have: refused before any work, with the name of the parameter."""

from __future__ import annotations

import pytest
from helpers.qgis import Listener
from helpers.scenes import Recipe
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingOutputLayerDefinition,
)

NAMES = {
    "NUL": ("a\0b", r"holds the character '\\x00', which no file name can have"),
    "escape": ("a\x1b[2Jb", r"holds the character '\\x1b'"),
    "line": ("a\nb", r"holds the character '\\n'"),
    "surrogate": ("a\ud800b", r"holds the character '\\ud800'"),
    "long": ("x" * 300, "bytes, but 255 are the most that a file name can have"),
    "long in UTF-8": ("\u5b57" * 100, "bytes, but 255 are the most"),
}
OUTPUTS = [
    ("pansharpen", "OUTPUT", ".tif"),
    ("pansharpen", "WEIGHTS_OUT", ".safetensors"),
    ("preview", "OUTPUT", ".tif"),
    ("product", "INPUT", ""),
    ("product", "OUTPUT", ""),
    ("assess", "REPORT", ".html"),
    ("assess", "MAPS", ""),
    ("finetune", "OUTPUT", ".safetensors"),
    ("finetune", "REPORT", ".html"),
]


@pytest.fixture
def inputs(tmp_path):
    """Return values for every parameter that one of the algorithms needs."""
    pair = Recipe(bands=3, ratio=4, height=64, width=64).write(tmp_path)
    return {"PAN": str(pair.pan), "MS": str(pair.ms), "FUSED": [str(pair.ms)], "INPUT": str(tmp_path)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("algorithm_name", "parameter", "ending"), OUTPUTS)
def test_output_name_is_refused_with_its_parameter(
    algorithm, inputs, tmp_path, algorithm_name, parameter, ending, name
):
    text, words = NAMES[name]
    checked = QgsApplication.processingRegistry().algorithmById(f"otfm:{algorithm_name}").create()
    inputs = {"OUTPUT": str(tmp_path / "o"), "REPORT": str(tmp_path / "o.html"), **inputs}
    passed, sentence = checked.checkParameterValues(
        {**inputs, parameter: str(tmp_path / f"{text}{ending}")}, QgsProcessingContext()
    )
    assert not passed
    assert parameter in sentence
    assert words.replace("\\\\", "\\") in sentence or sentence == "Incorrect parameter value for INPUT"  # by QGIS


def test_output_name_of_a_layer_definition_is_refused_too(algorithm, inputs, tmp_path):
    """That is what dialogs and processing.run give."""
    output = QgsProcessingOutputLayerDefinition(str(tmp_path / "a\0b.tif"))
    passed, sentence = algorithm.checkParameterValues({**inputs, "OUTPUT": output}, QgsProcessingContext())
    assert (passed, sentence.split(",")[0]) == (False, "OUTPUT holds the character '\\x00'")


def test_output_name_is_refused_without_qgis_checks(algorithm, inputs, tmp_path):
    """As where a script calls run(), which checks no values."""
    inputs = {**inputs, "OUTPUT": str(tmp_path / "a\0b.tif")}
    with pytest.raises(QgsProcessingException, match="The name of the output holds the character"):
        algorithm.run(inputs, QgsProcessingContext(), Listener(), {}, False)
