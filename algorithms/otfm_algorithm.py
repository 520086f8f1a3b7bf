"""What the plugin's algorithms share: parameters with their help, and reading and refusing what was given for them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsApplication,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeatureRequest,
    QgsGeometry,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
)
from qgis.PyQt.QtGui import QIcon

from ..model.files import find_name_fault
from ..model.options import BUNDLED
from . import bridge
from .help import FORMER, NO_BANDS
from .manual import page_url
from .pair_of_layers import preselect, refusal
from .settings import default_quality, set_default
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionOptions

AS_MS = "as MS"  # a data type
LEAST_MINUTES, LONGEST = 0.05, 24.0 * 60.0  # of tuning
ICON = Path(__file__).resolve().parent.parent / "resources" / "icon.svg"


class OtfmAlgorithm(QgsProcessingAlgorithm):
    """What the plugin's algorithms share: parameters that carry their help, choices by word, layers that open."""

    parameter_help: Mapping[str, str] = {}
    needs_torch = True

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
        return page_url(self.name())

    def processAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
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

    def _run(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """What the algorithm does, on any thread. Raises PansharpenError, QgsProcessingException."""
        raise NotImplementedError

    def _add(self, parameter: QgsProcessingParameterDefinition) -> None:
        parameter.setHelp(tr(self.parameter_help[parameter.name()]))
        set_default(parameter)
        self.addParameter(parameter)

    def _add_advanced(self, parameter: QgsProcessingParameterDefinition) -> None:
        parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        self._add(parameter)

    def _add_choice(self, name: str, text: str, choices: Sequence[str], advanced: bool = False) -> None:
        """A choice by word, not by number, so that scripts and histories stay readable; the first is the default."""
        parameter = QgsProcessingParameterEnum(name, text, list(choices), False, choices[0], False, True)
        (self._add_advanced if advanced else self._add)(parameter)

    def checkParameterValues(  # noqa: N802 - QGIS's name
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
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

    def _refused(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """What is wrong with the values, as far as it can be told at once; empty for nothing. It may raise, too."""
        return ""

    def _add_pair(self) -> None:
        """PAN and MS; dialogs begin with the layers that the project seems to mean."""
        pan = QgsProcessingParameterRasterLayer("PAN", tr("Panchromatic raster"))
        ms = QgsProcessingParameterRasterLayer("MS", tr("Multispectral raster"))
        preselect(pan, ms)
        self._add(pan)
        self._add(ms)

    def _add_quality(self, name: str, text: str, choices: Sequence[str]) -> None:
        """One of `choices` or a weights file, as one word or path; a list in dialogs."""
        parameter = QgsProcessingParameterString(name, text, default_quality())
        widget = {"class": f"{__package__}.widgets.QualityWidget", "choices": list(choices)}
        parameter.setMetadata({"widget_wrapper": widget})
        self._add(parameter)

    def _add_minutes(self, text: str) -> None:
        parameter = QgsProcessingParameterNumber(
            "MINUTES", text, QgsProcessingParameterNumber.Type.Double, 3.0, False, LEAST_MINUTES, LONGEST
        )
        parameter.setMetadata({"widget_wrapper": {"decimals": 0}})
        self._add(parameter)

    def _add_former(self, *names: str) -> None:
        """Names that parameters of earlier versions had: kept for scripts and models, shown by no dialog."""
        number = QgsProcessingParameterNumber
        for name in names:
            parameter: QgsProcessingParameterDefinition = QgsProcessingParameterString(name, name, optional=True)
            if name == "ADAPT":
                parameter = number(name, name, number.Type.Double, None, True, 0.0)
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagHidden)
            parameter.setHelp(tr(FORMER[name]))
            self.addParameter(parameter)

    def _quality(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """QUALITY, or what says the same by its former names. Raises QgsProcessingException where both are given."""
        given = self.parameterAsString(parameters, "QUALITY", context) if parameters.get("QUALITY") else ""
        former = {n: self.parameterAsString(parameters, n, context) for n in FORMER if parameters.get(n)}
        if given and former:
            name, value = next(iter(former.items()))
            raise QgsProcessingException(
                tr(
                    "QUALITY={given} and {name}={value} are both given, but {name} is the former name of what QUALITY "
                    "says. Give QUALITY alone, and MINUTES for tuning."
                ).format(given=given, name=name, value=value)
            )
        return given or former.get("WEIGHTS") or former.get("BUNDLED") or default_quality()

    def _options(
        self, parameters: dict[str, Any], context: QgsProcessingContext, quality: str, **given: Any
    ) -> FusionOptions:
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

    def _refused_quality(self, name: str, quality: str, choices: Sequence[str]) -> str:
        """Why a quality is none; empty where it is a choice or a file."""
        if quality in choices or Path(quality).is_file():
            return ""
        return tr(
            "{name} is {quality}, which is neither {choices} nor a weights file that exists. Give one of these words, "
            "or the path of a .safetensors file."
        ).format(name=name, quality=quality, choices=", ".join(choices))

    def _refused_pair(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """What is plainly wrong with PAN and MS, or EXTENT on them. Raises QgsProcessingException for the extent."""
        pan, ms = (self.parameterAsRasterLayer(parameters, name, context) for name in ("PAN", "MS"))
        if pan is None or ms is None:
            return ""  # said as they are opened
        bounds = self._bounds(parameters, context, pan) if self.parameterDefinition("EXTENT") else None
        return refusal(pan, ms, bounds)

    def _add_mask(self) -> None:
        self._add_advanced(
            QgsProcessingParameterFeatureSource(
                "MASK", tr("Polygons of ground that is not measured, such as clouds"),
                [QgsProcessing.SourceType.TypeVectorPolygon], optional=True,
            )
        )  # fmt: skip

    def _mask(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        pan: QgsRasterLayer,
    ) -> str:
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

    def _misread(self, definition: QgsProcessingParameterDefinition, parameters: dict[str, Any]) -> str:
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

    def _bands(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> list[int]:
        """Numbers of bands, also as 3,2,1; empty where none are given. Raises QgsProcessingException for words."""
        given = parameters.get(name)
        if given is None or (isinstance(given, str) and not given.strip()):
            return []
        numbers = band_numbers(given) if isinstance(given, str) else self.parameterAsInts(parameters, name, context)
        if numbers is None:
            raise QgsProcessingException(tr(NO_BANDS).format(name=name, given=given))
        return numbers

    def _bounds(
        self, parameters: dict[str, Any], context: QgsProcessingContext, layer: QgsRasterLayer
    ) -> tuple[float, float, float, float] | None:
        """EXTENT in the layer's reference system; None where it is empty."""
        extent = self.parameterAsExtent(parameters, "EXTENT", context)
        if extent.isNull() and parameters.get("EXTENT") in (None, ""):
            return None
        own = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        try:
            if own.isValid() and layer.crs().isValid() and own != layer.crs():
                moved = QgsCoordinateTransform(own, layer.crs(), context.transformContext())
                extent = moved.transformBoundingBox(extent)
            failed = extent.isNull() or not extent.isFinite()
        except QgsCsException:
            failed = True
        if failed:
            raise QgsProcessingException(
                tr(
                    "The extent {extent} cannot be brought to the reference system of {name} ({system}). Choose an "
                    "extent that lies on the rasters, or leave it empty for all that both cover."
                ).format(extent=parameters["EXTENT"], name=layer.name(), system=layer.crs().userFriendlyIdentifier())
            )
        return extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()


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
