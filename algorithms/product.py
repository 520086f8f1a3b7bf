"""`otfm:product`: sharpen satellite products as they are delivered, from a folder, an archive or a metadata file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..model.options import ALIGNMENTS, BUNDLED, DEVICES, PRECISIONS, PRODUCT_BANDS
from .bridge import run_in_engine
from .help import PRODUCT, PRODUCT_PARAMETERS, SHARPENED_PRODUCTS
from .otfm_algorithm import AS_MS, OtfmAlgorithm
from .pansharpen import offered_types
from .result_layer import DrawColours
from .translation import tr

if TYPE_CHECKING:
    from ..model.product.job import ProductJob, ProductResult


class ProductAlgorithm(OtfmAlgorithm):
    """Declares the parameters, hands one frozen job to `model.product`, and its result back."""

    parameter_help = PRODUCT_PARAMETERS

    def name(self) -> str:
        return "product"

    def displayName(self) -> str:  # noqa: N802 - QGIS's name
        return tr("OTFM Sharpen a satellite product")

    def shortDescription(self) -> str:  # noqa: N802 - QGIS's name
        return tr("Sharpen Landsat, WorldView, Pleiades and other products as they are delivered.")

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        return tr(PRODUCT)

    def tags(self) -> list[str]:
        return [
            "pansharpening",
            "landsat",
            "mtl",
            "worldview",
            "pleiades",
            "spot",
            "dimap",
            "kompsat",
            "cbers",
            "gaofen",
        ]

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        number, whole = QgsProcessingParameterNumber, QgsProcessingParameterNumber.Type.Integer
        place = QgsProcessingParameterFile("INPUT", tr("Folder, archive or metadata file of the product"))
        place.setFileFilter(tr("All files (*)"))  # QGIS's own filter, *.*, refuses folders
        self._add(place)
        self._add_choice("BANDS", tr("Bands to sharpen"), PRODUCT_BANDS)
        self._add_quality("QUALITY", tr("Quality"), tuple(BUNDLED))
        self._add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self._add(QgsProcessingParameterBoolean("LOAD", tr("Load the sharpened rasters"), True))
        self._add_choice("ALIGN", tr("Correct the shift between the rasters"), ALIGNMENTS, advanced=True)
        self._add_choice("DATA_TYPE", tr("Data type of the output"), [AS_MS, *offered_types()], advanced=True)
        self._add_advanced(QgsProcessingParameterBoolean("OVERVIEWS", tr("Build overviews"), False))
        self._add_advanced(
            QgsProcessingParameterString("CREATE_OPTIONS", tr("Creation options of the output"), "", optional=True)
        )
        self._add_advanced(QgsProcessingParameterBoolean("KEEP_VRT", tr("Keep virtual rasters of PAN and MS"), False))
        self._add_choice("DEVICE", tr("Device"), DEVICES, advanced=True)
        self._add_choice("PRECISION", tr("Precision"), PRECISIONS, advanced=True)
        self._add_advanced(number("MEMORY", tr("Memory (MB)"), whole, None, True, 128))
        self._add_former("BUNDLED", "WEIGHTS")
        self._add(QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder for the sharpened rasters")))
        self.addOutput(QgsProcessingOutputMultipleLayers("LAYERS", tr("Sharpened rasters")))
        self.addOutput(QgsProcessingOutputNumber("SHARPENED", tr("Products sharpened")))
        self.addOutput(QgsProcessingOutputNumber("COMPLETE", tr("Products that were complete already")))
        self.addOutput(QgsProcessingOutputNumber("FAILED", tr("Products that failed or are not complete")))
        self.addOutput(QgsProcessingOutputNumber("SECONDS", tr("Seconds")))

    def _refused(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        return self._refused_quality("QUALITY", self._quality(parameters, context), tuple(BUNDLED))

    def prepareAlgorithm(  # noqa: N802 - QGIS's name
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Copy out what belongs to the main thread: the extent, with the project's reference system if it has none."""
        self._extent: tuple[float, float, float, float] | None = None
        self._extent_crs = ""
        if parameters.get("EXTENT") in (None, ""):
            return True
        extent = self.parameterAsExtent(parameters, "EXTENT", context)
        if extent.isNull() or not extent.isFinite():
            raise QgsProcessingException(
                tr(
                    "The extent {extent} cannot be read. Choose one that lies on the product, or leave it empty."
                ).format(extent=parameters["EXTENT"])
            )
        crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        self._extent = extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()
        if crs.isValid():
            self._extent_crs = crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL)
        return True

    def _run(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        folder = Path(self.parameterAsFile(parameters, "OUTPUT", context))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QgsProcessingException(
                tr("The folder {folder} cannot be made ({error}). Choose another one.").format(
                    folder=folder, error=error
                )
            ) from error
        result = run_in_engine(self._job(parameters, context, folder), feedback)
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

    def _job(self, parameters: dict[str, Any], context: QgsProcessingContext, folder: Path) -> ProductJob:
        from ..model.product.job import ProductJob

        return ProductJob(
            place=self.parameterAsFile(parameters, "INPUT", context),
            folder=folder,
            options=self._options(parameters, context, self._quality(parameters, context)),
            bands=self.parameterAsEnumString(parameters, "BANDS", context),
            keep_vrt=self.parameterAsBool(parameters, "KEEP_VRT", context),
            extent=self._extent,
            extent_crs=self._extent_crs,
        )

    def _load(self, result: ProductResult, context: QgsProcessingContext) -> None:
        """Have QGIS load what was made, in natural colours."""
        made = [run for run in result.runs if run.status in ("sharpened", "complete already")]
        for run in made:
            details = QgsProcessingContext.LayerDetails(run.title, context.project(), "LAYERS")
            details.setPostProcessor(DrawColours.of(run.colours))
            if len(made) > 1:
                details.groupName = tr(SHARPENED_PRODUCTS)  # from QGIS 3.32 on; before, nobody reads it
            context.addLayerToLoadOnCompletion(run.output, details)
