"""`otfm:exampledata`: a small pair to try the plugin on."""

from __future__ import annotations

import shutil
from pathlib import Path

from qgis.core import QgsProcessingContext as Context
from qgis.core import QgsProcessingException
from qgis.core import QgsProcessingFeedback as Feedback

from .help import EXAMPLEDATA
from .otfm_algorithm import ROOT, OtfmAlgorithm, Parameters
from .result_layer import draw_colours
from .translation import tr

FILES = ROOT / "resources" / "example"
RGB_BANDS = (3, 2, 1)
LIMITS = (100.0, 1900.0)  # Reflectance times 10,000, black and white: one stretch for all colours keeps soil brown.


class ExampleDataAlgorithm(OtfmAlgorithm):
    """A copy of the two rasters of the plugin, so that nothing is written next to its own files."""

    identifier, page = "exampledata", "example"
    title, summary, about = EXAMPLEDATA
    keywords = ("example", "sample", "demo", "data", "pansharpening")
    parameters = ("PAN", "MS")
    needs_torch = False

    def _run(self, parameters: Parameters, context: Context, feedback: Feedback) -> Parameters:
        files = {name: self.parameterAsOutputLayer(parameters, name, context) for name in ("PAN", "MS")}
        for name, file in files.items():
            if Path(file).suffix.lower() not in (".tif", ".tiff"):
                raise QgsProcessingException(
                    tr("The example is a GeoTIFF: give {file} the ending .tif.").format(file=file)
                )
            try:
                shutil.copyfile(FILES / f"{name.lower()}.tif", file)
            except OSError as error:
                raise QgsProcessingException(
                    tr("{file} cannot be written ({error}). Choose another place.").format(file=file, error=error)
                ) from error
        if context.willLoadLayerOnCompletion(files["MS"]):
            context.layerToLoadOnCompletionDetails(files["MS"]).setPostProcessor(draw_colours(RGB_BANDS, LIMITS))
        return files
