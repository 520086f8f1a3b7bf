"""Job and result of a run over products: plain data that can go to another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..fusion.job import DEFAULT_OPTIONS, FusionOptions, SceneMetrics
from ..geometry.grids import Extent
from ..options import PRODUCT_BANDS


@dataclass(frozen=True)
class ProductJob:
    """The products to sharpen, with options.

    place       folder, archive or metadata file        folder      of the results
    bands       one of PRODUCT_BANDS                     keep_vrt    keep VRTs of PAN and MS next to the results
    extent      minimum x and y, maximum x and y, in the system `extent_crs` (WKT)
    """

    place: str
    folder: Path
    options: FusionOptions = DEFAULT_OPTIONS
    bands: str = PRODUCT_BANDS[0]
    keep_vrt: bool = False
    extent: Extent | None = None
    extent_crs: str = ""


@dataclass(frozen=True)
class ProductRun:
    """The result of one product.

    status    one of sharpened, complete already, failed, no product
    sentence  the reason, where it was not sharpened
    output    the sharpened raster, empty where there is none      colours   numbers of its red, green and blue band
    metrics   of its scene, None where nothing was fused
    """

    title: str
    sensor: str
    status: str
    sentence: str = ""
    output: str = ""
    seconds: float = 0.0
    metrics: SceneMetrics | None = None
    colours: tuple[int, int, int] = (1, 2, 3)


@dataclass(frozen=True)
class ProductResult:
    """The results of all products."""

    runs: tuple[ProductRun, ...]
    seconds: float

    def count(self, *statuses: str) -> int:
        """Count the runs with one of these statuses."""
        return sum(r.status in statuses for r in self.runs)
