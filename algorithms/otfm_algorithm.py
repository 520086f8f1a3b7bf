"""What the plugin's algorithms share: parameters with their help, and reading and refusing what was given for them."""

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
from .pair_of_layers import Bounds, preselect, refusal
from .parameters import AS_MS, declare, declare_output
from .settings import default_quality
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionOptions

Parameters = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
ICON = ROOT / "resources" / "icon.svg"


class OtfmAlgorithm(QgsProcessingAlgorithm):
    """An algorithm by what it states: names, texts of help.py, parameters and outputs of parameters.py.

    identifier  otfm:IDENTIFIER                 page     of docs/, which the Help button opens
    parameters  names in the order of dialogs   outputs  names of those that are no destinations
    qualities   what QUALITY may be, besides a weights file
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
        """Asked as the dialog opens: whether torch is anywhere to be found. It is not loaded for that."""
        from ..engine.packages import has_torch
        from ..engine.torch_faults import MISSING, SETUP

        found = not self.needs_torch or has_torch(bridge.own_packages())
        return found, "" if found else MISSING.format(name="torch", setup=SETUP)

    def createInstance(self) -> OtfmAlgorithm:  # noqa: N802 - QGIS's name
        return type(self)()

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:  # noqa: N802 - QGIS's name
        return str(ICON)

    def helpUrl(self) -> str:  # noqa: N802 - QGIS's name
        """The page as HTML, as packages hold it, else the text that it is made from; without network."""
        built = ROOT / "resources" / "help" / f"{self.page}.html"
        return (built if built.is_file() else ROOT / "docs" / f"{self.page}.md").as_uri()

    def processAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: Parameters, context: Context, feedback: Feedback
    ) -> Parameters:
        """`_run`, its errors as Processing's: one sentence with the cure. A cancel is no error on the desktop.

        Scripts and qgis_process learn of it from the exception, which the desktop would show in red.
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
        """What the algorithm does, on any thread. Raises PansharpenError, QgsProcessingException."""
        raise NotImplementedError

    def checkParameterValues(self, parameters: Parameters, context: Context) -> tuple[bool, str]:  # noqa: N802
        """As QGIS, which takes words for 0 and for yes: they are refused, and what `_refused` finds."""
        passed, sentence = super().checkParameterValues(parameters, context)
        if not passed:
            return passed, sentence
        try:
            misread = filter(None, (self._misread(d, parameters) for d in self.parameterDefinitions()))
            sentence = next(misread, "") or self._refused(parameters, context)
        except QgsProcessingException as error:
            sentence = str(error)
        return not sentence, sentence

    def _refused(self, parameters: Parameters, context: Context) -> str:
        """What is wrong with the values, as far as it can be told at once; empty for nothing. It may raise, too."""
        return ""

    def _quality(self, parameters: Parameters, context: Context, name: str = "QUALITY") -> str:
        """One of `qualities` or the path of a weights file."""
        return self.parameterAsString(parameters, name, context) or default_quality()

    def _options(self, parameters: Parameters, context: Context, quality: str, **given: Any) -> FusionOptions:
        """The options that the algorithm's own parameters give; what it has no parameter for keeps its default."""
        from ..model.fusion.job import FusionOptions

        def word(name: str) -> str:
            return self.parameterAsEnumString(parameters, name, context)

        def whole(name: str) -> int:
            return self.parameterAsInt(parameters, name, context)

        def amount(name: str) -> int:
            return whole(name) if parameters.get(name, 0) is not None else 0  # left empty on purpose

        creation = self.parameterAsString(parameters, "CREATE_OPTIONS", context).replace(" ", "|").split("|")
        has_gain = parameters.get("MTF_GAIN") is not None
        values = {
            "DEVICE": ("device", word("DEVICE")),
            "PRECISION": ("precision", word("PRECISION")),
            "STEPS": ("steps", whole("STEPS")),
            "TILE": ("tile", amount("TILE")),
            "MEMORY": ("memory", amount("MEMORY")),
            "MTF_GAIN": ("gain", self.parameterAsDouble(parameters, "MTF_GAIN", context) if has_gain else None),
            "ALIGN": ("align", word("ALIGN") == "auto"),
            "CREATE_OPTIONS": ("creation_options", tuple(filter(None, creation))),
            "DATA_TYPE": ("data_type", word("DATA_TYPE").replace(AS_MS, "")),
            "OVERVIEWS": ("overviews", self.parameterAsBool(parameters, "OVERVIEWS", context)),
            "SEED": ("seed", whole("SEED")),
        }
        own = {field: value for name, (field, value) in values.items() if self.parameterDefinition(name)}
        return FusionOptions(BUNDLED.get(quality, Path(quality)), **own, **given)

    def _refused_quality(self, parameters: Parameters, context: Context, name: str = "QUALITY") -> str:
        """Why a quality is none; empty where it is a choice or a file."""
        quality = self._quality(parameters, context, name)
        if quality in self.qualities or Path(quality).is_file():
            return ""
        return tr(
            "{name} is {quality}, which is neither {choices} nor a weights file that exists. Give one of these words, "
            "or the path of a .safetensors file."
        ).format(name=name, quality=quality, choices=", ".join(self.qualities))

    def _refused_pair(self, parameters: Parameters, context: Context) -> str:
        """What is plainly wrong with PAN and MS, or EXTENT on them. Raises QgsProcessingException for the extent."""
        pan, ms = (self.parameterAsRasterLayer(parameters, name, context) for name in ("PAN", "MS"))
        if pan is None or ms is None:
            return ""  # said as they are opened
        bounds = self._bounds(parameters, context, pan) if self.parameterDefinition("EXTENT") else None
        return refusal(pan, ms, bounds)

    def _mask(self, parameters: Parameters, context: Context, feedback: Feedback, pan: QgsRasterLayer) -> str:
        """Polygons of MASK that lie on PAN, as hexadecimal WKB in its system; empty if none. Main thread only."""
        if parameters.get("MASK") in (None, ""):
            return ""
        source = self.parameterAsSource(parameters, "MASK", context)
        if source is None:
            raise QgsProcessingException(
                tr("MASK {given} cannot be opened as a layer of polygons. Choose one, or leave it empty.").format(
                    given=parameters["MASK"]
                )
            )
        wanted = QgsFeatureRequest().setFilterRect(pan.extent()).setNoAttributes()
        if pan.crs().isValid():
            wanted.setDestinationCrs(pan.crs(), context.transformContext())
        shapes, lost = bridge.read_polygons(source, wanted)
        if lost:
            feedback.pushWarning(
                tr(
                    "{count} features of MASK {mask} are not polygons that can be repaired, so they are not left out. "
                    "Look at them with native:checkvalidity."
                ).format(count=lost, mask=source.sourceName())
            )
        if not shapes:
            feedback.pushWarning(
                tr("No polygon of MASK {mask} lies on PAN {pan}: nothing is left out.").format(
                    mask=source.sourceName(), pan=pan.name()
                )
            )
            return ""
        return bytes(QgsGeometry.collectGeometry(shapes).asWkb()).hex()

    def _misread(self, definition: QgsProcessingParameterDefinition, parameters: Parameters) -> str:
        """Why a word cannot be the value of a parameter; empty where it can be."""
        name, given = definition.name(), parameters.get(definition.name())
        if isinstance(given, QgsProcessingOutputLayerDefinition):
            given = given.sink.staticValue()
        if not isinstance(given, str) or not given.strip():
            return ""
        if definition.isDestination() or isinstance(definition, QgsProcessingParameterFile):
            fault = find_name_fault(given)
            return tr("{name} {fault}. Choose another name.").format(name=name, fault=fault) if fault else ""
        if isinstance(definition, QgsProcessingParameterBand) and band_numbers(given) is None:
            return tr(NO_BANDS).format(name=name, given=given)
        if isinstance(definition, QgsProcessingParameterNumber) and not _is_number(given):
            sentence = tr(
                "{name} is {given}, which is no number. Give a number, or leave it empty where it is optional."
            )
            return sentence.format(name=name, given=given)
        if isinstance(definition, QgsProcessingParameterBoolean) and given.lower() not in ("true", "false", "1", "0"):
            sentence = tr("{name} is {given}, which is neither true nor false. Give true or false.")
            return sentence.format(name=name, given=given)
        return ""

    def _bands(self, parameters: Parameters, name: str, context: Context) -> list[int]:
        """Numbers of bands, also as 3,2,1; empty where none are given. Raises QgsProcessingException for words."""
        given = parameters.get(name)
        if given is None or (isinstance(given, str) and not given.strip()):
            return []
        numbers = band_numbers(given) if isinstance(given, str) else self.parameterAsInts(parameters, name, context)
        if numbers is None:
            raise QgsProcessingException(tr(NO_BANDS).format(name=name, given=given))
        return numbers

    def _bounds(self, parameters: Parameters, context: Context, layer: QgsRasterLayer) -> Bounds:
        """EXTENT in the layer's reference system; None where it is empty."""
        extent = self.parameterAsExtent(parameters, "EXTENT", context)
        if extent.isNull() and parameters.get("EXTENT") in (None, ""):
            return None
        own = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        moved = bridge.move_extent(extent, own, layer.crs(), context.transformContext())
        if moved is None or moved.isNull():
            raise QgsProcessingException(
                tr(
                    "The extent {extent} cannot be brought to the reference system of {name} ({system}). Choose an "
                    "extent that lies on the rasters, or leave it empty for all that both cover."
                ).format(extent=parameters["EXTENT"], name=layer.name(), system=layer.crs().userFriendlyIdentifier())
            )
        return moved.xMinimum(), moved.yMinimum(), moved.xMaximum(), moved.yMaximum()


def band_numbers(words: str) -> list[int] | None:
    """Whole numbers that stand between commas, semicolons or spaces, as 3,2,1 or [3, 2, 1]; None for other words."""
    try:
        return [int(word) for word in re.split(r"[\s,;]+", words.strip(" ,;[]()"))]
    except ValueError:
        return None


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
