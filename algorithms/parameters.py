"""Declarations of all parameters and outputs. A key ALGORITHM.NAME of a table goes before NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from qgis import core
from qgis.core import QgsProcessingParameterDefinition, QgsProcessingParameterNumber

from ..model.options import ALIGNMENTS, BUNDLED, DATA_TYPES, DEVICES, FORMS, PRECISIONS, PRODUCT_BANDS, TUNED
from ..model.weight_sets import WEIGHTS_FOR
from .help import HELP, HTML_FILTER, LABELS, OUTPUT_LABELS, WEIGHTS_FILTER
from .settings import default_quality, set_default, weights_folder
from .translation import tr

AS_MS = "as MS"
MIN_MINUTES, MAX_MINUTES = 0.05, 24.0 * 60.0  # Of tuning.
NATIVE_OPTIONS_WIDGET = 34000  # The first version whose own widget for creation options is used.
INTEGER, DOUBLE = QgsProcessingParameterNumber.Type.Integer, QgsProcessingParameterNumber.Type.Double
RASTERS = core.QgsProcessing.SourceType.TypeRaster
POLYGONS = [core.QgsProcessing.SourceType.TypeVectorPolygon]
ADVANCED = {
    *("PAN_BAND", "MS_BANDS", "ALIGN", "MASK", "MTF_GAIN", "WEIGHTS_FOR", "SENSOR", "WEIGHTS_OUT", "SEED", "HEIGHT"),
    *("DATA_TYPE", "OVERVIEWS", "COMPRESS", "CREATE_OPTIONS", "DEVICE", "PRECISION", "STEPS", "MEMORY", "TILE"),
    *("KEEP_VRT", "KEEP_ON_CANCEL", "WHEELS", "INDEX", "finetune.START", "finetune.EXTENT", "pansharpen.EXTENT"),
}
TEXT_OUTPUTS = ("DEVICE_USED", "SHIFT_BANDS", "WEIGHTS_SHA256", "VERDICT", "FAULTS", "TORCH", "REPORT")
HIDDEN = ("MS_MORE",)  # Of scripts of earlier versions.
LAYER_OUTPUTS = ("LAYERS", "MAP_LAYERS")

Declaration = Callable[[str, str], QgsProcessingParameterDefinition]
Entry = TypeVar("Entry")


def _declare_choice(words: Sequence[str]) -> Declaration:
    """Declare a choice by word, so that scripts and histories stay readable; the first is the default."""
    return lambda name, label: core.QgsProcessingParameterEnum(name, label, list(words), False, words[0], False, True)


def _declare_data_type(name: str, label: str) -> QgsProcessingParameterDefinition:
    """Declare a choice of the data types of the installed GDAL, which has Int8 from 3.7 on."""
    from osgeo import gdal

    return _declare_choice([AS_MS, *(t for t in DATA_TYPES if gdal.GetDataTypeByName(t) != gdal.GDT_Unknown)])(
        name, label
    )


def _declare_number(type_: Any, default: float | None, *limits: float) -> Declaration:
    """Declare a number within limits, which is optional where it has no default."""
    return lambda name, label: QgsProcessingParameterNumber(name, label, type_, default, default is None, *limits)


def _declare_quality(choices: Sequence[str], costs: bool = True) -> Declaration:
    """Declare one of `choices` or the path of a weights file; dialogs show a list, with costs if asked."""
    widget = {"class": f"{__package__}.widgets.QualityWidget", "choices": list(choices), "costs": costs}
    return _add_widget(lambda n, label: core.QgsProcessingParameterString(n, label, default_quality()), widget)


def _add_widget(declaration: Declaration, widget: Any) -> Declaration:
    def declare(name: str, label: str) -> QgsProcessingParameterDefinition:
        parameter = declaration(name, label)
        parameter.setMetadata({"widget_wrapper": widget})
        return parameter

    return declare


def _declare_named_choice(words: Sequence[str]) -> Declaration:
    """Declare a choice by word, whose dialog shows the names of `CHOICE_NAMES`."""
    return _add_widget(_declare_choice(words), f"{__package__}.widgets.ChoiceWidget")


def _choose_options_widget() -> dict[str, str]:
    native = core.Qgis.versionInt() >= NATIVE_OPTIONS_WIDGET
    legacy = {"class": "processing.algs.gdal.ui.RasterOptionsWidget.RasterOptionsWidgetWrapper"}
    return {"widget_type": "rasteroptions"} if native else legacy


def _declare_input(name: str, label: str) -> QgsProcessingParameterDefinition:
    parameter = core.QgsProcessingParameterFile(name, label)
    parameter.setFileFilter(tr("All files (*)"))  # QGIS's own filter, *.*, refuses folders.
    parameter.setMetadata({"widget_wrapper": f"{__package__}.widgets.PathWidget"})
    return parameter


def _declare_file(file_filter: str, optional: bool = False) -> Declaration:
    """Declare a file to write, which has a default name unless it is optional."""
    return lambda name, label: core.QgsProcessingParameterFileDestination(
        name, label, tr(file_filter), None, optional, not optional
    )


def _declare_tuned_weights(name: str, label: str) -> QgsProcessingParameterDefinition:
    parameter = _declare_file(WEIGHTS_FILTER)(name, label)
    parameter.setGuiDefaultValueOverride(str(weights_folder() / f"tuned {datetime.now():%Y-%m-%d %H.%M}.safetensors"))
    return parameter


_flag, _text = core.QgsProcessingParameterBoolean, core.QgsProcessingParameterString
DECLARATIONS: Mapping[str, Declaration] = {
    "PAN": core.QgsProcessingParameterRasterLayer,
    "MS": _add_widget(
        partial(core.QgsProcessingParameterMultipleLayers, layerType=RASTERS), f"{__package__}.widgets.MsWidget"
    ),
    "finetune.PAN": partial(core.QgsProcessingParameterMultipleLayers, layerType=RASTERS),
    "finetune.MS": partial(core.QgsProcessingParameterMultipleLayers, layerType=RASTERS),
    "exampledata.PAN": core.QgsProcessingParameterRasterDestination,
    "exampledata.MS": core.QgsProcessingParameterRasterDestination,
    "QUALITY": _declare_quality(tuple(BUNDLED)),
    "pansharpen.QUALITY": _declare_quality((*BUNDLED, TUNED)),
    "START": _declare_quality(tuple(BUNDLED), costs=False),
    "MINUTES": _add_widget(_declare_number(DOUBLE, 3.0, MIN_MINUTES, MAX_MINUTES), {"decimals": 0}),
    "EXTENT": partial(core.QgsProcessingParameterExtent, optional=True),
    "PAN_BAND": lambda name, label: core.QgsProcessingParameterBand(name, label, None, "PAN", True, True),
    "MS_BANDS": lambda name, label: core.QgsProcessingParameterBand(name, label, None, "MS", True, True),
    "MS_MORE": partial(core.QgsProcessingParameterMultipleLayers, layerType=RASTERS, optional=True),
    "WEIGHTS_FOR": _declare_choice(WEIGHTS_FOR),
    "SENSOR": partial(_text, defaultValue="", optional=True),
    "ALIGN": _declare_choice(ALIGNMENTS),
    "MASK": partial(core.QgsProcessingParameterFeatureSource, types=POLYGONS, optional=True),
    "HEIGHT": _declare_number(DOUBLE, None, -1000.0, 9000.0),
    "MTF_GAIN": _declare_number(DOUBLE, None, 0.01, 0.9),
    "WEIGHTS_OUT": _declare_file(WEIGHTS_FILTER, optional=True),
    "SEED": _declare_number(INTEGER, 1, 0, 2**31 - 1),
    "DATA_TYPE": _declare_data_type,
    "FORM": _declare_named_choice(FORMS),
    "COMPRESS": partial(_flag, defaultValue=False),
    "OVERVIEWS": partial(_flag, defaultValue=False),
    "CREATE_OPTIONS": _add_widget(partial(_text, defaultValue="", optional=True), _choose_options_widget()),
    "DEVICE": _declare_choice(DEVICES),
    "PRECISION": _declare_choice(PRECISIONS),
    "STEPS": _declare_number(INTEGER, 1, 1, 16),
    "finetune.STEPS": _declare_number(INTEGER, None, 1, 1_000_000),
    "MEMORY": _declare_number(INTEGER, None, 128),
    "TILE": _declare_number(INTEGER, None, 64, 8192),
    "OUTPUT": core.QgsProcessingParameterRasterDestination,
    "INPUT": _declare_input,
    "BANDS": _declare_named_choice(PRODUCT_BANDS),
    "LOAD": partial(_flag, defaultValue=True),
    "KEEP_VRT": partial(_flag, defaultValue=False),
    "product.OUTPUT": core.QgsProcessingParameterFolderDestination,
    "FUSED": partial(core.QgsProcessingParameterMultipleLayers, layerType=RASTERS),
    "REPORT": _declare_file(HTML_FILTER),
    "MAPS": lambda name, label: core.QgsProcessingParameterFolderDestination(name, label, None, True, False),
    "KEEP_ON_CANCEL": partial(_flag, defaultValue=True),
    "finetune.OUTPUT": _declare_tuned_weights,
    "finetune.REPORT": _declare_file(HTML_FILTER, optional=True),
    "ACTION": _declare_named_choice(("install", "check", "repair", "remove")),
    "BUILD": _declare_named_choice(("auto", "cpu", "cuda")),
    "WHEELS": partial(
        core.QgsProcessingParameterFile, behavior=core.QgsProcessingParameterFile.Behavior.Folder, optional=True
    ),
    "INDEX": partial(_text, defaultValue="", optional=True),
}


def _find(table: Mapping[str, Entry], algorithm: str, name: str) -> Entry:
    return table.get(f"{algorithm}.{name}") or table[name]


def label_of(algorithm: str, name: str) -> str:
    """Return the label of a parameter, in the user's language."""
    return tr(_find(LABELS, algorithm, name))


def declare(algorithm: str, name: str) -> QgsProcessingParameterDefinition:
    """Declare a parameter with its label, its help, and the default that the user has set for it."""
    parameter = _find(DECLARATIONS, algorithm, name)(name, label_of(algorithm, name))
    parameter.setHelp(tr(_find(HELP, algorithm, name)))
    if {name, f"{algorithm}.{name}"} & ADVANCED:
        parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    if name in HIDDEN:
        parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagHidden)
    set_default(parameter)
    return parameter


def declare_output(algorithm: str, name: str) -> core.QgsProcessingOutputDefinition:
    """Declare an output: a number unless its name is among those of texts or layers."""
    output = core.QgsProcessingOutputNumber
    if name in TEXT_OUTPUTS:
        output = core.QgsProcessingOutputString
    elif name in LAYER_OUTPUTS:
        output = core.QgsProcessingOutputMultipleLayers
    return output(name, tr(_find(OUTPUT_LABELS, algorithm, name)))
