"""What a run over products is asked to do, and what it says it did: plain data that can go to another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..fusion.job import DEFAULT_OPTIONS, FusionOptions, SceneMetrics
from ..geometry.grids import Extent
from ..options import PRODUCT_BANDS


@dataclass(frozen=True)
class ProductJob:
    """Which products to sharpen, and how.

    place       folder, archive or metadata file        folder      where the results go
    bands       one of PRODUCT_BANDS                     keep_vrt    whether VRTs of PAN and MS stay beside the results
    extent      x least, y least, x most, y most, in the system `extent_crs` (WKT)
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
    """What became of one product.

    status    one of sharpened, complete already, failed, no product
    sentence  why, where it was not sharpened
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
    """What became of all of them."""

    runs: tuple[ProductRun, ...]
    seconds: float

    def count(self, *statuses: str) -> int:
        """How many ended so."""
        return sum(r.status in statuses for r in self.runs)
