"""`otfm:pansharpen`: sharpen a multispectral raster with the panchromatic band of the same scene."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback

from ..model.options import BUNDLED, TUNED, TUNED_FROM
from .bridge import opened, raster_source, run_in_engine
from .help import ABSTRACT, HISTORY, JUDGED, NOT_SHARPENED_TITLE, PANSHARPEN, SHARPENED_TITLE
from .otfm_algorithm import OtfmAlgorithm, Parameters
from .parameters import AS_MS, label_of
from .result_layer import MsLayer, described, render_like
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionJob, FusionResult


class PansharpenAlgorithm(OtfmAlgorithm):
    """Declares the parameters, hands one frozen job to `model.fusion`, and its result back."""

    identifier, page = "pansharpen", "pansharpening"
    title, summary, about = PANSHARPEN
    keywords: tuple[str, ...] = (
        *("pansharpening", "pan-sharpening", "fusion", "satellite", "resolution", "neural", "optimal transport"),
    )
    parameters: tuple[str, ...] = (
        *("PAN", "MS", "QUALITY", "MINUTES", "EXTENT", "PAN_BAND", "MS_BANDS", "MS_MORE", "ALIGN", "MASK", "MTF_GAIN"),
        *("WEIGHTS_OUT", "SEED", "DATA_TYPE", "OVERVIEWS", "CREATE_OPTIONS"),
        *("DEVICE", "PRECISION", "STEPS", "MEMORY", "TILE", "OUTPUT"),
    )
    outputs: tuple[str, ...] = (
        *("DEVICE_USED", "RATIO", "SHIFT_X", "SHIFT_Y", "MTF_GAIN_USED", "HQNR", "ERGAS", "WEIGHTS_SHA256", "SECONDS"),
    )
    qualities = (*BUNDLED, TUNED)
    result_title = SHARPENED_TITLE

    def checkParameterValues(self, parameters: Parameters, context: Context) -> tuple[bool, str]:  # noqa: N802
        first = parameters.get("MS")
        first = first[0] if isinstance(first, list) and first else first  # scripts may give all of MS as a list
        return super().checkParameterValues({**parameters, "MS": first}, context)

    def _refused(self, parameters: Parameters, context: Context) -> str:
        return self._refused_quality(parameters, context) or self._refused_pair(parameters, context)

    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """Copy everything that belongs to the main thread out of the layers."""
        pan = opened(self.parameterAsRasterLayer(parameters, "PAN", context), "PAN", parameters.get("PAN"))
        layers = [
            opened(layer, name, parameters.get(name))
            for name in ("MS", "MS_MORE")
            for layer in self.parameterAsLayerList(parameters, name, context) or ([None] if name == "MS" else [])
        ]
        self._pan = raster_source(pan, self._bands(parameters, "PAN_BAND", context) or [1], "PAN")
        bands = self._bands(parameters, "MS_BANDS", context)
        mask = self._mask(parameters, context, feedback, pan)
        self._ms, *self._more_ms = (raster_source(layer, bands, "MS", mask) for layer in layers)
        self._extent = self._bounds(parameters, context, pan)
        self._ms_layer, self._pan_name = MsLayer(layers[0], len(layers) == 1), pan.name()
        return True

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        result = run_in_engine(self._job(parameters, context, Path(output)), feedback)
        if context.willLoadLayerOnCompletion(output):
            self._describe(context.layerToLoadOnCompletionDetails(output), result, self._quality(parameters, context))
        return {"OUTPUT": output, **self._outputs(result)}

    def _job(self, parameters: Parameters, context: Context, output: Path) -> FusionJob:
        from ..model.fusion.job import FusionJob

        quality, minutes = self._quality(parameters, context), 0.0
        if quality == TUNED:
            quality, minutes = TUNED_FROM, self.parameterAsDouble(parameters, "MINUTES", context)
        kept = self.parameterAsFileOutput(parameters, "WEIGHTS_OUT", context)
        options = self.parameterAsString(parameters, "CREATE_OPTIONS", context)
        kind = self.parameterAsEnumString(parameters, "DATA_TYPE", context)
        return FusionJob(
            pan=self._pan,
            ms=self._ms,
            more_ms=tuple(self._more_ms),
            output=output,
            weights=BUNDLED.get(quality, Path(quality)),
            extent=self._extent,
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            precision=self.parameterAsEnumString(parameters, "PRECISION", context),
            steps=self.parameterAsInt(parameters, "STEPS", context),
            tile=self.parameterAsInt(parameters, "TILE", context) if parameters.get("TILE") is not None else 0,
            memory=self._memory(parameters, context),
            gain=self._gain(parameters, context),
            align=self.parameterAsEnumString(parameters, "ALIGN", context) == "auto",
            creation_options=tuple(o for o in options.replace(" ", "|").split("|") if o),
            data_type="" if kind == AS_MS else kind,
            overviews=self.parameterAsBool(parameters, "OVERVIEWS", context),
            adapt=minutes,
            seed=self.parameterAsInt(parameters, "SEED", context),
            weights_out=Path(kept) if kept else None,
        )

    def _gain(self, parameters: Parameters, context: Context) -> float | None:
        given = parameters.get("MTF_GAIN") is not None
        return self.parameterAsDouble(parameters, "MTF_GAIN", context) if given else None

    def _describe(self, loading: Any, result: FusionResult, quality: str) -> None:
        """Name, rendering and metadata of the result; the name that a model gives stays."""
        from ..model.version import VERSION

        quality = quality if quality in self.qualities else Path(quality).stem
        title = tr(self.result_title if result.sharpened else NOT_SHARPENED_TITLE)
        title = title.format(ms=self._ms_layer.name, quality=quality)
        if loading.name == label_of(self.identifier, "OUTPUT") or not result.sharpened:
            loading.name = title
        abstract = tr(ABSTRACT).format(
            ms=self._ms_layer.name, pan=self._pan_name, version=VERSION, quality=quality, ratio=result.ratio,
            rows=round(result.shift[0], 2) + 0.0, columns=round(result.shift[1], 2) + 0.0, gain=result.gain,
        )  # fmt: skip
        if result.hqnr is not None:
            abstract = f"{abstract} {tr(JUDGED).format(hqnr=result.hqnr)}"
        history = tr(HISTORY).format(
            date=date.today().isoformat(), version=VERSION, pan=self._pan.name, ms=self._ms.name,
            sha256=result.weights_sha256,
        )  # fmt: skip
        metadata = described(self._ms_layer, title, abstract, history)
        loading.setPostProcessor(render_like(self._ms_layer, result.bands, metadata, "" if result.sharpened else title))

    @staticmethod
    def _outputs(result: FusionResult) -> dict[str, Any]:
        return {
            "DEVICE_USED": result.device,
            "RATIO": result.ratio,
            "SHIFT_X": result.shift[1],
            "SHIFT_Y": result.shift[0],
            "MTF_GAIN_USED": result.gain,
            "HQNR": result.hqnr,
            "ERGAS": result.ergas,
            "WEIGHTS_SHA256": result.weights_sha256,
            "SECONDS": result.seconds,
        }
