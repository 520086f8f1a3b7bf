"""The base of the plugin's algorithms: declared parameters, and reading and checking their values."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsApplication,
    QgsFeatureRequest,
    QgsGeometry,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsRasterLayer,
)
from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback
from qgis.PyQt.QtGui import QIcon

from ..model.files import find_name_fault
from ..model.options import BUNDLED
from . import bridge
from .help import NO_BANDS
from .pair_of_layers import Bounds, find_pair_fault, preselect
from .parameters import AS_MS, declare, declare_output
from .settings import default_quality
from .translation import tr

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
    needs_torch = True

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

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        for name in self.parameters:
            self.addParameter(declare(self.identifier, name))
        for name in self.outputs:
            self.addOutput(declare_output(self.identifier, name))
        pair = [p for p in self.parameterDefinitions() if p.name() in ("PAN", "MS") and not p.isDestination()]
        if pair:
            preselect(*pair)

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

    def processAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: Parameters, context: Context, feedback: Feedback
    ) -> Parameters:
        """Call `_run` and raise its errors as Processing's: one sentence with the cure.

        On the desktop, which would show it in red, a cancel is not an error. Scripts and qgis_process get it as one.
        """
        from ..model.errors import CancelledError, PansharpenError

        try:
            return self._run(parameters, context, feedback)
        except PansharpenError as error:
            if isinstance(error, CancelledError) and QgsApplication.platform() == "desktop":
                feedback.pushInfo(str(error))
                return {}
            raise QgsProcessingException(str(error)) from error

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        """Do the work, on any thread. Raises PansharpenError, QgsProcessingException."""
        raise NotImplementedError

    def checkParameterValues(self, parameters: Parameters, context: Context) -> tuple[bool, str]:  # noqa: N802
        """Check as QGIS does, and refuse words that it reads as 0 or yes, and what `_find_fault` finds."""
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

        creation = self.parameterAsString(parameters, "CREATE_OPTIONS", context).replace(" ", "|").split("|")
        has_gain = parameters.get("MTF_GAIN") is not None
        fields = {
            "DEVICE": ("device", read_word("DEVICE")),
            "PRECISION": ("precision", read_word("PRECISION")),
            "STEPS": ("steps", read_integer("STEPS")),
            "TILE": ("tile", read_amount("TILE")),
            "MEMORY": ("memory", read_amount("MEMORY")),
            "MTF_GAIN": ("gain", self.parameterAsDouble(parameters, "MTF_GAIN", context) if has_gain else None),
            "WEIGHTS_FOR": ("weights_for", read_word("WEIGHTS_FOR")),
            "ALIGN": ("align", read_word("ALIGN") == "auto"),
            "CREATE_OPTIONS": ("creation_options", tuple(filter(None, creation))),
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
        pan, ms = (self.parameterAsRasterLayer(parameters, name, context) for name in ("PAN", "MS"))
        if pan is None or ms is None:
            return ""  # `require_layer` refuses them.
        bounds = self._read_bounds(parameters, context, pan) if self.parameterDefinition("EXTENT") else None
        return find_pair_fault(pan, ms, bounds)

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
        request = QgsFeatureRequest().setFilterRect(pan.extent()).setNoAttributes()
        if pan.crs().isValid():
            request.setDestinationCrs(pan.crs(), context.transformContext())
        shapes, lost = bridge.read_polygons(source, request)
        if lost:
            feedback.pushWarning(
                tr(
                    "{count} features of MASK {mask} are not polygons that can be repaired, so they are not left out. "
                    "Look at them with native:checkvalidity."
                ).format(count=lost, mask=source.sourceName())
            )
        if not shapes:
            feedback.pushWarning(
                tr("No polygon of MASK {mask} overlaps PAN {pan}: nothing is left out.").format(
                    mask=source.sourceName(), pan=pan.name()
                )
            )
            return ""
        return bytes(QgsGeometry.collectGeometry(shapes).asWkb()).hex()

    def _check_text(self, definition: QgsProcessingParameterDefinition, parameters: Parameters) -> str:
        """Return why a text cannot be the value of a parameter; empty where it can."""
        name, value = definition.name(), parameters.get(definition.name())
        if isinstance(value, QgsProcessingOutputLayerDefinition):
            value = value.sink.staticValue()
        if not isinstance(value, str) or not value.strip():
            return ""
        if definition.isDestination() or isinstance(definition, QgsProcessingParameterFile):
            fault = find_name_fault(value)
            return tr("{name} {fault}. Choose another name.").format(name=name, fault=fault) if fault else ""
        if isinstance(definition, QgsProcessingParameterBand) and band_numbers(value) is None:
            return tr(NO_BANDS).format(name=name, given=value)
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
        """Return numbers of bands, also from a text such as 3,2,1; empty if none. Raises QgsProcessingException."""
        value = parameters.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            return []
        numbers = band_numbers(value) if isinstance(value, str) else self.parameterAsInts(parameters, name, context)
        if numbers is None:
            raise QgsProcessingException(tr(NO_BANDS).format(name=name, given=value))
        return numbers

    def _read_bounds(self, parameters: Parameters, context: Context, layer: QgsRasterLayer) -> Bounds:
        """Return EXTENT in the layer's reference system; None where it is empty."""
        extent = self.parameterAsExtent(parameters, "EXTENT", context)
        if extent.isNull() and parameters.get("EXTENT") in (None, ""):
            return None
        crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        moved = bridge.move_extent(extent, crs, layer.crs(), context.transformContext())
        if moved is None or moved.isNull():
            raise QgsProcessingException(
                tr(
                    "The extent {extent} cannot be brought to the reference system of {name} ({system}). Choose an "
                    "extent that overlaps the rasters, or leave it empty for all that both cover."
                ).format(extent=parameters["EXTENT"], name=layer.name(), system=layer.crs().userFriendlyIdentifier())
            )
        return moved.xMinimum(), moved.yMinimum(), moved.xMaximum(), moved.yMaximum()


def band_numbers(words: str) -> list[int] | None:
    """Parse whole numbers between commas, semicolons or spaces, as 3,2,1 or [3, 2, 1]; None for other texts."""
    try:
        return [int(word) for word in re.split(r"[\s,;]+", words.strip(" ,;[]()"))]
    except ValueError:
        return None


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
