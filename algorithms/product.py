"""`otfm:product`: sharpen satellite products as they are delivered, from a folder, an archive or a metadata file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from qgis.core import QgsCoordinateReferenceSystem, QgsProcessingException
from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingFeedback as Feedback

from .bridge import free_layers, run_in_engine
from .help import PRODUCT, PRODUCT_TITLE, SHARPENED_PRODUCTS
from .otfm_algorithm import OtfmAlgorithm, Parameters
from .result_layer import draw_colours
from .translation import tr

if TYPE_CHECKING:
    from ..model.product.job import ProductJob, ProductResult


class ProductAlgorithm(OtfmAlgorithm):
    """The algorithm: parameters in, one `ProductJob` to the engine, its result back."""

    identifier, page = "product", "products"
    title, summary, about = PRODUCT
    keywords = ("pansharpening", "mtl", "dimap")
    parameters = (
        *("INPUT", "BANDS", "QUALITY", "EXTENT", "LOAD", "ALIGN", "DATA_TYPE", "OVERVIEWS", "COMPRESS"),
        *("CREATE_OPTIONS", "KEEP_VRT", "WEIGHTS_FOR", "DEVICE", "PRECISION", "MEMORY", "OUTPUT"),
    )
    outputs = ("LAYERS", "SHARPENED", "COMPLETE", "FAILED", "SECONDS")

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        from ..model.product.families import describe_families

        return super().shortHelpString().format(families=describe_families())

    def tags(self) -> list[str]:
        """Return the keywords and the names of families."""
        from ..model.product.families import describe_families

        return [*super().tags(), *re.findall(r"[a-z]{4,}", describe_families().lower())]

    def _find_fault(self, parameters: Parameters, context: Context) -> str:
        return self._check_quality(parameters, context)

    @free_layers
    def prepareAlgorithm(self, parameters: Parameters, context: Context, feedback: Feedback) -> bool:  # noqa: N802
        """Copy out what belongs to the main thread: the extent, with the project's reference system if it has none."""
        self._extent: tuple[float, float, float, float] | None = None
        self._extent_crs = ""
        given = self._read_extent(parameters, context)
        if given is None:
            return True
        extent, crs = given
        self._extent = extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()
        if crs.isValid():
            self._extent_crs = crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL)
        return True

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        folder = Path(self.parameterAsFile(parameters, "OUTPUT", context))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QgsProcessingException(
                tr("The folder {folder} cannot be made ({error}). Choose another one.").format(
                    folder=folder, error=error
                )
            ) from error
        result = run_in_engine(self._make_job(parameters, context, folder), feedback)
        if self.parameterAsBool(parameters, "LOAD", context) and context.project() is not None:
            self._load(result, context)
        return {
            "OUTPUT": str(folder),
            "LAYERS": [r.output for r in result.runs if r.status in ("sharpened", "complete already")],
            "SHARPENED": result.count("sharpened"),
            "COMPLETE": result.count("complete already"),
            "FAILED": result.count("failed", "no product"),
            "SECONDS": result.seconds,
        }

    def _make_job(self, parameters: Parameters, context: Context, folder: Path) -> ProductJob:
        from ..model.product.job import ProductJob

        return ProductJob(
            place=self.parameterAsFile(parameters, "INPUT", context),
            folder=folder,
            options=self._read_options(parameters, context, self._read_quality(parameters, context)),
            bands=self.parameterAsEnumString(parameters, "BANDS", context),
            keep_vrt=self.parameterAsBool(parameters, "KEEP_VRT", context),
            extent=self._extent,
            extent_crs=self._extent_crs,
        )

    def _load(self, result: ProductResult, context: Context) -> None:
        """Have QGIS load the results in natural colours."""
        runs = [run for run in result.runs if run.status in ("sharpened", "complete already")]
        for run in runs:
            details = Context.LayerDetails(tr(PRODUCT_TITLE).format(ms=run.title), context.project(), "LAYERS")
            details.setPostProcessor(draw_colours(run.colours))
            if len(runs) > 1:
                details.groupName = tr(SHARPENED_PRODUCTS)  # QGIS reads it from 3.32 on.
            context.addLayerToLoadOnCompletion(run.output, details)
