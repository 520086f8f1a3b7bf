"""The base of the plugin's algorithms: declared parameters, and reading and checking their values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProperty,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback
from qgis.PyQt.QtGui import QIcon

from ..model.files import find_name_fault
from ..model.options import BUNDLED
from . import bridge
from .help import NO_BANDS
from .pair_of_layers import Bounds, find_pair_fault, preselect_pair
from .parameters import AS_MS, declare, declare_output
from .settings import default_quality
from .translation import tr, translate_message

if TYPE_CHECKING:
    from ..model.fusion.job import FusionOptions

Parameters = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
ICON = ROOT / "resources" / "icon.svg"


class OtfmAlgorithm(QgsProcessingAlgorithm):
    """An algorithm by its class attributes: names, texts of help.py, parameters and outputs of parameters.py.

    identifier  otfm:IDENTIFIER                 page     of docs/, which the Help button opens
    parameters  names in the order of dialogs   outputs  names of those without a destination
    qualities   values of QUALITY, besides a weights file
    """

    identifier = page = title = summary = about = ""
    keywords: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    qualities = tuple(BUNDLED)
    needs_torch = in_models = True

    def name(self) -> str:
        return self.identifier

    def displayName(self) -> str:  # noqa: N802 - QGIS's name
        return tr(self.title)

    def shortDescription(self) -> str:  # noqa: N802 - QGIS's name
        return tr(self.summary)

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        return tr(self.about)

    def tags(self) -> list[str]:
        return list(self.keywords)

    def flags(self) -> Any:
        """Hide what models have no use for from the modeler; elsewhere that flag means deprecated."""
        is_hidden = not self.in_models and QgsApplication.platform() == "desktop"
        return super().flags() | QgsProcessingAlgorithm.Flag.FlagHideFromModeler if is_hidden else super().flags()

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        for name in self.parameters:
            self.addParameter(declare(self.identifier, name))
        for name in self.outputs:
            self.addOutput(declare_output(self.identifier, name))
        preselect_pair(self)

    def canExecute(self) -> tuple[bool, str]:  # noqa: N802 - QGIS's name
        """Check as the dialog opens that torch can be found. It is not loaded."""
        from ..engine.packages import has_torch
        from ..engine.torch_faults import MISSING, SETUP

        can_run = not self.needs_torch or has_torch(bridge.own_packages())
        return can_run, "" if can_run else MISSING.format(name="torch", setup=SETUP)

    def createInstance(self) -> OtfmAlgorithm:  # noqa: N802 - QGIS's name
        return type(self)()

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:  # noqa: N802 - QGIS's name
        return str(ICON)

    def helpUrl(self) -> str:  # noqa: N802 - QGIS's name
        """Return the address of the page: HTML in packages, else its Markdown. No network is needed."""
        built = ROOT / "resources" / "help" / f"{self.page}.html"
        return (built if built.is_file() else ROOT / "docs" / f"{self.page}.md").as_uri()

    @bridge.free_layers
    def processAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: Parameters, context: Context, feedback: Feedback
    ) -> Parameters:
        """Call `_run` and raise its errors as Processing's: one sentence with the cure.

        On the desktop, which would show it in red, a cancel is not an error. Scripts and qgis_process get it as one.
        """
        from ..model.errors import CancelledError, PansharpenError

        can_run, reason = self.canExecute()
        if not can_run:
            raise QgsProcessingException(reason)
        try:
            return self._run(parameters, context, feedback)
        except PansharpenError as error:
            if isinstance(error, CancelledError) and QgsApplication.platform() == "desktop":
                feedback.pushInfo(translate_message(str(error)))
                return {}
            raise QgsProcessingException(translate_message(str(error))) from error

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        """Do the work, on any thread. Raises PansharpenError, QgsProcessingException."""
        raise NotImplementedError

    def checkParameterValues(self, parameters: Parameters, context: Context) -> tuple[bool, str]:  # noqa: N802
        """Check torch, check as QGIS does, and refuse words that it reads as 0 or yes, and what `_find_fault` finds."""
        passed, sentence = self.canExecute()
        if passed:
            passed, sentence = super().checkParameterValues(parameters, context)
        if not passed:
            return passed, sentence
        try:
            faults = filter(None, (self._check_text(d, parameters) for d in self.parameterDefinitions()))
            sentence = next(faults, "") or self._find_fault(parameters, context)
        except QgsProcessingException as error:
            sentence = str(error)
        return not sentence, sentence

    def _find_fault(self, parameters: Parameters, context: Context) -> str:
        """Return a fault of the values that is found at once; empty without one. May raise QgsProcessingException."""
        return ""

    def _read_quality(self, parameters: Parameters, context: Context, name: str = "QUALITY") -> str:
        """Return one of `qualities` or the path of a weights file."""
        return self.parameterAsString(parameters, name, context) or default_quality()

    def _read_options(self, parameters: Parameters, context: Context, quality: str, **options: Any) -> FusionOptions:
        """Return the options by the algorithm's parameters; those without a parameter keep their defaults."""
        from ..model.fusion.job import FusionOptions

        def read_word(name: str) -> str:
            return self.parameterAsEnumString(parameters, name, context)

        def read_integer(name: str) -> int:
            return self.parameterAsInt(parameters, name, context)

        def read_amount(name: str) -> int:
            return read_integer(name) if parameters.get(name, 0) is not None else 0  # Left empty on purpose.

        given = parameters.get("CREATE_OPTIONS")
        if isinstance(given, dict):
            given = [f"{option}={value}" for option, value in given.items()]
        elif not isinstance(given, (list, tuple)):
            given = [self.parameterAsString(parameters, "CREATE_OPTIONS", context)]
        creation = split_options("|".join(map(str, given)))
        output = parameters.get("OUTPUT")
        place = output.sink.staticValue() if isinstance(output, QgsProcessingOutputLayerDefinition) else output
        is_tif = Path(str(place or "")).suffix.lower() in ("", ".tif", ".tiff")  # Without one, a temporary layer.
        if self.parameterAsBool(parameters, "COMPRESS", context) and is_tif:
            creation += () if any(o.upper().startswith("COMPRESS=") for o in creation) else ("COMPRESS=DEFLATE",)
        has_gain = parameters.get("MTF_GAIN") is not None
        fields = {
            "DEVICE": ("device", read_word("DEVICE")),
            "PRECISION": ("precision", read_word("PRECISION")),
            "STEPS": ("steps", read_integer("STEPS")),
            "TILE": ("tile", read_amount("TILE")),
            "MEMORY": ("memory", read_amount("MEMORY")),
            "MTF_GAIN": ("gain", self.parameterAsDouble(parameters, "MTF_GAIN", context) if has_gain else None),
            "WEIGHTS_FOR": ("weights_for", read_word("WEIGHTS_FOR")),
            "ALIGN": ("align", read_word("ALIGN")),
            "CREATE_OPTIONS": ("creation_options", creation),
            "DATA_TYPE": ("data_type", read_word("DATA_TYPE").replace(AS_MS, "")),
            "OVERVIEWS": ("overviews", self.parameterAsBool(parameters, "OVERVIEWS", context)),
            "SEED": ("seed", read_integer("SEED")),
        }
        values = {field: value for name, (field, value) in fields.items() if self.parameterDefinition(name)}
        return FusionOptions(BUNDLED.get(quality, Path(quality)), **values, **options)

    def _check_quality(self, parameters: Parameters, context: Context, name: str = "QUALITY") -> str:
        """Return why a quality is unknown; empty for a choice or a file."""
        quality = self._read_quality(parameters, context, name)
        if quality in self.qualities or Path(quality).is_file():
            return ""
        return tr(
            "{name} is {quality}, which is neither {choices} nor a weights file that exists. Give one of these words, "
            "or the path of a .safetensors file."
        ).format(name=name, quality=quality, choices=", ".join(self.qualities))

    def _check_pair(self, parameters: Parameters, context: Context) -> str:
        """Return a fault of PAN, MS and EXTENT; empty without one. Raises QgsProcessingException for the extent."""
        pan, ms = (self._read_layers(parameters, name, context)[0] for name in ("PAN", "MS"))
        bounds = self._read_bounds(parameters, context, pan) if self.parameterDefinition("EXTENT") else None
        return find_pair_fault(pan, ms, bounds)

    def _read_layers(self, parameters: Parameters, name: str, context: Context) -> list[QgsRasterLayer]:
        """Return the layers of a parameter. Raises QgsProcessingException where one of them cannot be opened."""
        layers, value = self.parameterAsLayerList(parameters, name, context), parameters.get(name)
        if not layers or (isinstance(value, list) and len(layers) < len(value)):
            bridge.require_layer(None, name, value)  # QGIS drops layers that it cannot open.
        return [bridge.require_layer(layer, name, value) for layer in layers]

    def _read_mask(self, parameters: Parameters, context: Context, feedback: Feedback, pan: QgsRasterLayer) -> str:
        """Return the polygons of MASK over PAN as hexadecimal WKB in its system; empty if none. Main thread only."""
        if parameters.get("MASK") in (None, ""):
            return ""
        source = self.parameterAsSource(parameters, "MASK", context)
        if source is None:
            raise QgsProcessingException(
                tr("MASK {given} cannot be opened as a layer of polygons. Choose one, or leave it empty.").format(
                    given=parameters["MASK"]
                )
            )
        shapes, lost = bridge.read_polygons(source, pan, context.transformContext())
        sentence = tr(
            "{count} features of MASK {mask} are not polygons that can be repaired and brought to PAN's reference "
            "system, so they are not left out. Check its system (Layer, Set CRS), and look at them with "
            "native:checkvalidity."
        ).format(count=lost, mask=source.sourceName())
        if lost and not shapes:
            raise QgsProcessingException(sentence)
        if lost:
            feedback.pushWarning(sentence)
        if not shapes:
            feedback.pushWarning(
                tr("No polygon of MASK {mask} overlaps PAN {pan}: nothing is left out.").format(
                    mask=source.sourceName(), pan=pan.name()
                )
            )
            return ""
        return bytes(QgsGeometry.collectGeometry(shapes).asWkb()).hex()

    def _check_text(self, definition: QgsProcessingParameterDefinition, parameters: Parameters) -> str:
        """Return why a value cannot be that of a parameter, for what QGIS lets pass; empty where it can."""
        name, value = definition.name(), parameters.get(definition.name())
        if isinstance(definition, QgsProcessingParameterBand) and band_numbers(value) is None:
            return tr(NO_BANDS).format(name=name, given=value)
        if isinstance(value, QgsProcessingOutputLayerDefinition):
            value = value.sink.staticValue()
        if isinstance(value, (list, tuple)) and isinstance(definition, QgsProcessingParameterNumber):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            return ""
        if definition.isDestination() or isinstance(definition, QgsProcessingParameterFile):
            fault = find_name_fault(value)
            return tr("{name} {fault}. Choose another name.").format(name=name, fault=fault) if fault else ""
        if isinstance(definition, QgsProcessingParameterNumber) and not _is_number(value):
            sentence = tr(
                "{name} is {given}, which is not a number. Give a number, or leave it empty where it is optional."
            )
            return sentence.format(name=name, given=value)
        if isinstance(definition, QgsProcessingParameterBoolean) and value.lower() not in ("true", "false", "1", "0"):
            sentence = tr("{name} is {given}, which is neither true nor false. Give true or false.")
            return sentence.format(name=name, given=value)
        return ""

    def _read_bands(self, parameters: Parameters, name: str, context: Context) -> list[int]:
        """Return numbers of bands; empty if none. Raises QgsProcessingException."""
        value = parameters.get(name)
        numbers = band_numbers(value)
        if numbers is None:
            raise QgsProcessingException(tr(NO_BANDS).format(name=name, given=value))
        return self.parameterAsInts(parameters, name, context) if isinstance(value, QgsProperty) else numbers

    def _read_extent(
        self, parameters: Parameters, context: Context
    ) -> tuple[QgsRectangle, QgsCoordinateReferenceSystem] | None:
        """Return EXTENT and its reference system; None where it is empty. Raises QgsProcessingException."""
        given = parameters.get("EXTENT")
        if given in (None, ""):
            return None
        if isinstance(given, (list, tuple)):  # As scripts give it.
            parameters = {**parameters, "EXTENT": ",".join(map(str, given))}
        extent = self.parameterAsExtent(parameters, "EXTENT", context)
        crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        is_unknown = isinstance(given, str) and given.strip().endswith("]") and not crs.isValid()
        if extent.isNull() or not extent.isFinite() or is_unknown:
            raise QgsProcessingException(
                tr(
                    "The extent {extent} cannot be read. Give xmin,xmax,ymin,ymax and, where it is another one, a "
                    "known reference system, such as [EPSG:4326]; or leave it empty."
                ).format(extent=given)
            )
        return extent, crs

    def _read_bounds(self, parameters: Parameters, context: Context, layer: QgsRasterLayer) -> Bounds:
        """Return EXTENT in the layer's reference system; None where it is empty."""
        given = self._read_extent(parameters, context)
        if given is None:
            return None
        moved = bridge.move_extent(*given, layer.crs(), context.transformContext())
        if moved is None or moved.isNull():
            raise QgsProcessingException(
                tr(
                    "The extent {extent} cannot be brought to the reference system of {name} ({system}). Choose an "
                    "extent that overlaps the rasters, or leave it empty for all that both cover."
                ).format(extent=parameters["EXTENT"], name=layer.name(), system=layer.crs().userFriendlyIdentifier())
            )
        return moved.xMinimum(), moved.yMinimum(), moved.xMaximum(), moved.yMaximum()


def band_numbers(value: object) -> list[int] | None:
    """Parse numbers of bands, such as 3,2,1; [3, 2.0]; 1-4; B3 or "Band 3: red"; None for other values.

    Nothing, and expressions that QGIS evaluates, give an empty list.
    """
    if value is None or isinstance(value, QgsProperty):
        return []
    text = ", ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
    text = re.sub(r"(?i)\bband\s+(\d+)\s*[:(][^,;]*", r"\1", text)  # as QGIS shows bands
    numbers: list[int] = []
    for word in re.split(r"[\s,;|\[\](){}'\"]+", re.sub(r"(?i)\bband\s+", "", text)):
        match = re.fullmatch(r"(?i)(?:band_?|b)?(\d{1,5})(?:\.0*)?(?:[-\u2013:](\d{1,5}))?", word)
        if match is None and word:
            return None
        if match:
            first, last = int(match[1]), int(match[2] or match[1])
            numbers += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return numbers


def split_options(text: str) -> tuple[str, ...]:
    """Split creation options NAME=VALUE between spaces, lines, |, ; or commas, with or without -co."""
    words = re.split(r"[|;\s]+|,(?=\s*\w+\s*=)", re.sub(r"\s*=\s*", "=", text))
    return tuple(word for word in words if word not in ("", "-co"))


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
