"""What a run over products is asked to do, and what it says it did: plain data that can go to another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..geometry.grids import Extent
from ..options import BUNDLED, DEFAULT_SET, PRODUCT_BANDS


@dataclass(frozen=True)
class ProductJob:
    """Which products to sharpen, and how.

    place       folder, archive or metadata file        folder      where the results go
    bands       one of PRODUCT_BANDS                     keep_vrt    whether VRTs of PAN and MS stay beside the results
    extent      x least, y least, x most, y most, in the system `extent_crs` (WKT)
    The others are those of `FusionJob`.
    """

    place: str
    folder: Path
    bands: str = PRODUCT_BANDS[0]
    keep_vrt: bool = False
    extent: Extent | None = None
    extent_crs: str = ""
    weights: Path = BUNDLED[DEFAULT_SET]
    device: str = "auto"
    precision: str = "auto"
    memory: int = 0
    align: bool = True
    creation_options: tuple[str, ...] = ()
    data_type: str = ""
    overviews: bool = False


@dataclass(frozen=True)
class ProductRun:
    """What became of one product.

    status    one of sharpened, complete already, failed, no product
    sentence  why, where it was not sharpened
    output    the sharpened raster, empty where there is none      colours   numbers of its red, green and blue band
    The figures are those of `FusionResult`, None where nothing was fused.
    """

    title: str
    sensor: str
    status: str
    sentence: str = ""
    output: str = ""
    seconds: float = 0.0
    ratio: float | None = None
    shift: tuple[float, float] | None = None
    gain: float | None = None
    hqnr: float | None = None
    colours: tuple[int, int, int] = (1, 2, 3)


@dataclass(frozen=True)
class ProductResult:
    """What became of all of them."""

    runs: tuple[ProductRun, ...]
    seconds: float

    def count(self, *statuses: str) -> int:
        """How many ended so."""
        return sum(r.status in statuses for r in self.runs)
