"""`otfm:pansharpen`: sharpen a multispectral raster with the panchromatic band of the same scene."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingException, QgsProcessingOutputLayerDefinition
from qgis.core import QgsProcessingFeedback as Feedback

from ..model.options import BUNDLED, FORMS, TUNED, TUNED_FROM
from .bridge import free_layers, raster_source, run_in_engine
from .forecast import count_pixels, describe_run, remember_speed
from .help import ABSTRACT, HISTORY, HQNR_SENTENCE, NOT_SHARPENED_TITLE, PANSHARPEN, SHARPENED_TITLE
from .otfm_algorithm import OtfmAlgorithm, Parameters
from .pair_of_layers import MADE_OF, remember_pair
from .parameters import AS_MS, label_of
from .result_layer import MsLayer, described, read_drawing, render_like
from .translation import tr

if TYPE_CHECKING:
    from ..model.fusion.job import FusionJob, FusionResult


_, PRINTING, CLOUD = FORMS


class PansharpenAlgorithm(OtfmAlgorithm):
    """The algorithm: parameters in, one `FusionJob` to the engine, its result back."""

    identifier, page = "pansharpen", "pansharpening"
    title, summary, about = PANSHARPEN
    keywords: tuple[str, ...] = (
        *("pansharpening", "pan-sharpening", "fusion", "satellite", "resolution", "neural", "optimal transport"),
    )
    parameters: tuple[str, ...] = (
        *("PAN", "MS", "QUALITY", "MINUTES", "FORM", "EXTENT", "PAN_BAND", "MS_BANDS", "MS_MORE", "ALIGN", "MASK"),
        *("MTF_GAIN", "HEIGHT", "WEIGHTS_OUT", "SEED", "DATA_TYPE", "OVERVIEWS", "COMPRESS", "CREATE_OPTIONS"),
        *("WEIGHTS_FOR", "DEVICE", "PRECISION", "STEPS", "MEMORY", "TILE", "OUTPUT"),
    )
    outputs: tuple[str, ...] = (
        *("DEVICE_USED", "RATIO", "SHIFT_X", "SHIFT_Y", "SHIFT_BANDS", "SHIFT_LOCAL", "SHIFT_LEFT", "MTF_GAIN_USED"),
        *("HQNR", "ERGAS", "WEIGHTS_SHA256", "SECONDS"),
    )
    qualities = (*BUNDLED, TUNED)
    result_title = SHARPENED_TITLE

    def _find_fault(self, parameters: Parameters, context: Context) -> str:
        return self._check_quality(parameters, context) or self._check_pair(parameters, context)

    @free_layers
    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """Copy out of the layers all that belongs to the main thread."""
        (pan,) = self._read_layers(parameters, "PAN", context)
        layers = self._read_layers(parameters, "MS", context)
        if parameters.get("MS_MORE"):
            layers += self._read_layers(parameters, "MS_MORE", context)
        self._pan = raster_source(pan, self._read_bands(parameters, "PAN_BAND", context), "PAN")
        if parameters.get("HEIGHT") is not None:
            self._pan = replace(self._pan, height=self.parameterAsDouble(parameters, "HEIGHT", context))
        bands = self._read_bands(parameters, "MS_BANDS", context)
        mask = self._read_mask(parameters, context, feedback, pan)
        self._extent = self._read_bounds(parameters, context, pan)
        self._ms_layer, self._pan_name, self._pan_id = MsLayer(layers), pan.name(), pan.id()
        self._stretch: tuple[tuple[float, float], ...] = ()
        self._form = self.parameterAsEnumString(parameters, "FORM", context) if self.parameterDefinition("FORM") else ""
        if self._form == PRINTING:
            bands, self._stretch = read_drawing(self._ms_layer, bands)
        self._ms, *self._more_ms = (raster_source(layer, bands, "MS", mask) for layer in layers)
        self._layers = pan, layers
        self._values = math.prod(count_pixels(pan, layers[0], self._extent)) / 1e6
        return True

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        output = self._name_output(self.parameterAsOutputLayer(parameters, "OUTPUT", context), context)
        result = run_in_engine(self._make_job(parameters, context, Path(output)), feedback)
        remember_speed(self._read_quality(parameters, context), self._values * len(result.bands), result.seconds)
        if context.willLoadLayerOnCompletion(output):
            self._describe(
                context.layerToLoadOnCompletionDetails(output), result, self._read_quality(parameters, context)
            )
        return {"OUTPUT": output, **self._list_outputs(result)}

    def _name_output(self, output: str, context: Context) -> str:
        """Return the output's name, which ends with .cog.tif where it is to be cloud-optimised."""
        stem, is_tif, _ = output.rpartition(".tif")
        if self._form != CLOUD or not is_tif or stem.lower().endswith(".cog"):
            return output
        layers = context.layersToLoadOnCompletion()
        context.setLayersToLoadOnCompletion({f"{stem}.cog.tif" if k == output else k: v for k, v in layers.items()})
        return f"{stem}.cog.tif"

    def _make_job(self, parameters: Parameters, context: Context, output: Path) -> FusionJob:
        from ..model.fusion.job import FusionJob

        quality, minutes = self._read_quality(parameters, context), 0.0
        if quality == TUNED:
            quality, minutes = TUNED_FROM, self.parameterAsDouble(parameters, "MINUTES", context)
        weights_file = self.parameterAsFileOutput(parameters, "WEIGHTS_OUT", context)
        options = self._read_options(parameters, context, quality, adapt=minutes, stretch=self._stretch)
        if len(self._stretch) > 1 and output.suffix.lower() in (".tif", ".tiff"):
            options = replace(options, creation_options=(*options.creation_options, "PHOTOMETRIC=RGB"))
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
        ids = self._ms_layer.ids
        made_of = ids if len(ids) == 1 else [ids[band - 1] for band in result.bands]
        loading.postProcessor().steps.append(lambda layer: layer.setCustomProperty(MADE_OF, made_of))

    def postProcessAlgorithm(self, context: Context, feedback: Feedback) -> Parameters:  # noqa: N802 - QGIS's name
        """Keep the pair in the project, for the next dialog."""
        if context.project() is not None:
            remember_pair(context.project(), *self._layers)
        return {}

    def describe_run(self, parameters: Parameters, context: Context) -> tuple[str, bool]:
        """Describe the run for the dialog, and tell whether it fits. Empty where the rasters do not say."""
        try:
            if self._check_pair(parameters, context):
                return "", True
            (pan,), ms = (self._read_layers(parameters, name, context) for name in ("PAN", "MS"))
            bounds = self._read_bounds(parameters, context, pan)
            bands = len(self._read_bands(parameters, "MS_BANDS", context))
        except (QgsProcessingException, ValueError):
            return "", True
        output = parameters.get("OUTPUT")
        place = output.sink.staticValue() if isinstance(output, QgsProcessingOutputLayerDefinition) else str(output)
        data_type = self.parameterAsEnumString(parameters, "DATA_TYPE", context).replace(AS_MS, "")
        memory = self.parameterAsInt(parameters, "MEMORY", context) if parameters.get("MEMORY") else 0
        quality = self._read_quality(parameters, context)
        return describe_run(pan, ms, bounds, bands, quality, data_type, memory, place)

    @staticmethod
    def _list_outputs(result: FusionResult) -> dict[str, Any]:
        metrics = result.metrics
        return {
            "DEVICE_USED": result.device,
            "RATIO": metrics.ratio,
            "SHIFT_X": metrics.shift[1],
            "SHIFT_Y": metrics.shift[0],
            "SHIFT_BANDS": "; ".join(f"{column:.2f} {row:.2f}" for row, column in metrics.band_shifts),
            "SHIFT_LOCAL": metrics.local_shift,
            "SHIFT_LEFT": metrics.residual,
            "MTF_GAIN_USED": metrics.gain,
            "HQNR": metrics.hqnr,
            "ERGAS": metrics.ergas,
            "WEIGHTS_SHA256": result.weights_sha256,
            "SECONDS": result.seconds,
        }
