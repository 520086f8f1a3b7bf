"""`otfm:pansharpen`: sharpen a multispectral raster with the panchromatic band of the same scene."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback

from ..model.options import BUNDLED, TUNED, TUNED_FROM
from .bridge import raster_source, require_layer, run_in_engine
from .help import ABSTRACT, HISTORY, HQNR_SENTENCE, NOT_SHARPENED_TITLE, PANSHARPEN, SHARPENED_TITLE
from .otfm_algorithm import OtfmAlgorithm, Parameters
from .parameters import label_of
from .result_layer import MsLayer, described, render_like
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionJob, FusionResult


class PansharpenAlgorithm(OtfmAlgorithm):
    """The algorithm: parameters in, one `FusionJob` to the engine, its result back."""

    identifier, page = "pansharpen", "pansharpening"
    title, summary, about = PANSHARPEN
    keywords: tuple[str, ...] = (
        *("pansharpening", "pan-sharpening", "fusion", "satellite", "resolution", "neural", "optimal transport"),
    )
    parameters: tuple[str, ...] = (
        *("PAN", "MS", "QUALITY", "MINUTES", "EXTENT", "PAN_BAND", "MS_BANDS", "MS_MORE", "ALIGN", "MASK", "MTF_GAIN"),
        *("WEIGHTS_OUT", "SEED", "DATA_TYPE", "OVERVIEWS", "CREATE_OPTIONS"),
        *("WEIGHTS_FOR", "DEVICE", "PRECISION", "STEPS", "MEMORY", "TILE", "OUTPUT"),
    )
    outputs: tuple[str, ...] = (
        *("DEVICE_USED", "RATIO", "SHIFT_X", "SHIFT_Y", "MTF_GAIN_USED", "HQNR", "ERGAS", "WEIGHTS_SHA256", "SECONDS"),
    )
    qualities = (*BUNDLED, TUNED)
    result_title = SHARPENED_TITLE

    def checkParameterValues(self, parameters: Parameters, context: Context) -> tuple[bool, str]:  # noqa: N802
        first = parameters.get("MS")
        first = first[0] if isinstance(first, list) and first else first  # Scripts may give all of MS as a list.
        return super().checkParameterValues({**parameters, "MS": first}, context)

    def _find_fault(self, parameters: Parameters, context: Context) -> str:
        return self._check_quality(parameters, context) or self._check_pair(parameters, context)

    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """Copy out of the layers all that belongs to the main thread."""
        pan = require_layer(self.parameterAsRasterLayer(parameters, "PAN", context), "PAN", parameters.get("PAN"))
        layers = [
            require_layer(layer, name, parameters.get(name))
            for name in ("MS", "MS_MORE")
            for layer in self.parameterAsLayerList(parameters, name, context) or ([None] if name == "MS" else [])
        ]
        self._pan = raster_source(pan, self._read_bands(parameters, "PAN_BAND", context) or [1], "PAN")
        bands = self._read_bands(parameters, "MS_BANDS", context)
        mask = self._read_mask(parameters, context, feedback, pan)
        self._ms, *self._more_ms = (raster_source(layer, bands, "MS", mask) for layer in layers)
        self._extent = self._read_bounds(parameters, context, pan)
        self._ms_layer, self._pan_name = MsLayer(layers[0], len(layers) == 1), pan.name()
        return True

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        result = run_in_engine(self._make_job(parameters, context, Path(output)), feedback)
        if context.willLoadLayerOnCompletion(output):
            self._describe(
                context.layerToLoadOnCompletionDetails(output), result, self._read_quality(parameters, context)
            )
        return {"OUTPUT": output, **self._list_outputs(result)}

    def _make_job(self, parameters: Parameters, context: Context, output: Path) -> FusionJob:
        from ..model.fusion.job import FusionJob

        quality, minutes = self._read_quality(parameters, context), 0.0
        if quality == TUNED:
            quality, minutes = TUNED_FROM, self.parameterAsDouble(parameters, "MINUTES", context)
        weights_file = self.parameterAsFileOutput(parameters, "WEIGHTS_OUT", context)
        options = self._read_options(parameters, context, quality, adapt=minutes)
        more, weights_out = tuple(self._more_ms), Path(weights_file) if weights_file else None
        return FusionJob(self._pan, self._ms, output, options, self._extent, more, weights_out)

    def _describe(self, loading: Any, result: FusionResult, quality: str) -> None:
        """Set name, rendering and metadata of the result. The name that a model gives stays."""
        from ..model.version import VERSION

        metrics = result.metrics
        quality = quality if quality in self.qualities else Path(quality).stem
        title = tr(self.result_title if result.sharpened else NOT_SHARPENED_TITLE)
        title = title.format(ms=self._ms_layer.name, quality=quality)
        if loading.name == label_of(self.identifier, "OUTPUT") or not result.sharpened:
            loading.name = title
        abstract = tr(ABSTRACT).format(
            ms=self._ms_layer.name, pan=self._pan_name, version=VERSION, quality=quality, ratio=metrics.ratio,
            rows=round(metrics.shift[0], 2) + 0.0, columns=round(metrics.shift[1], 2) + 0.0, gain=metrics.gain,
        )  # fmt: skip
        if metrics.hqnr is not None:
            abstract = f"{abstract} {tr(HQNR_SENTENCE).format(hqnr=metrics.hqnr)}"
        history = tr(HISTORY).format(
            date=date.today().isoformat(), version=VERSION, pan=self._pan.name, ms=self._ms.name,
            sha256=result.weights_sha256,
        )  # fmt: skip
        metadata = described(self._ms_layer, title, abstract, history)
        loading.setPostProcessor(render_like(self._ms_layer, result.bands, metadata, "" if result.sharpened else title))

    @staticmethod
    def _list_outputs(result: FusionResult) -> dict[str, Any]:
        metrics = result.metrics
        return {
            "DEVICE_USED": result.device,
            "RATIO": metrics.ratio,
            "SHIFT_X": metrics.shift[1],
            "SHIFT_Y": metrics.shift[0],
            "MTF_GAIN_USED": metrics.gain,
            "HQNR": metrics.hqnr,
            "ERGAS": metrics.ergas,
            "WEIGHTS_SHA256": result.weights_sha256,
            "SECONDS": result.seconds,
        }
