"""What a fleet is asked to do, and what it says it did: plain data that can go to other machines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..model.errors import WeightsError
from ..model.fusion.job import FusionOptions, SceneMetrics
from ..model.options import BUNDLED, DEFAULT_SET, PRODUCT_BANDS
from ..model.product.scene import Product
from .storage import child, size

COG, PARTS = "cog", "parts"  # forms of an output
ENDINGS = {COG: "_sharp.cog.tif", PARTS: "_sharp.json"}


FLEET_OPTIONS = FusionOptions(device="cpu", precision="fp32")


@dataclass(frozen=True)
class Scene:
    """A pair by paths that every worker can open, or a product; `output` is what exists once it is complete."""

    name: str
    output: str
    pan: str = ""
    ms: str = ""
    sensor: str = ""
    date: str = ""
    product: Product | None = None

    def beside(self, ending: str) -> str:
        """A path beside the output, such as that of its plan or of the folder of its parts."""
        stem = next(self.output[: -len(e)] for e in ENDINGS.values() if self.output.endswith(e))
        return f"{stem}_sharp.{ending}"


@dataclass(frozen=True)
class Settings:
    """How every scene is sharpened.

    weights    name of a bundled set, a file that all workers see, or a folder of SENSOR.safetensors
    form       COG or PARTS                                      bands   one of PRODUCT_BANDS, for products
    options    device and number type are one for all windows, because their bytes differ
    """

    weights: str = DEFAULT_SET
    bands: str = PRODUCT_BANDS[0]
    form: str = COG
    options: FusionOptions = FLEET_OPTIONS

    def weights_for(self, scene: Scene) -> str:
        """Path of a scene's weights on this machine. Raises WeightsError where the folder has none for its sensor."""
        if self.weights in BUNDLED:
            return str(BUNDLED[self.weights])
        if self.weights.endswith(".safetensors"):
            return self.weights
        path = child(self.weights, f"{scene.sensor}.safetensors")
        if size(path) is None:
            raise WeightsError(
                f"{self.weights} has no weights {scene.sensor or 'SENSOR'}.safetensors for {scene.name}. Name the "
                "scene's sensor in the list, tune weights for it, or give one file for all scenes."
            )
        return path


@dataclass(frozen=True)
class Row:
    """A line of the table: what became of a scene.

    status    one of sharpened, complete already, failed, no product
    sentence  why it was not sharpened, or what was found damaged and made again
    reused    parts that an earlier run had made       seconds of planning, of all parts together, of joining
    """

    scene: str
    status: str = ""
    output: str = ""
    metrics: SceneMetrics | None = None
    pixels: int = 0
    bytes: int = 0
    parts: int = 0
    reused: int = 0
    plan_seconds: float = 0.0
    part_seconds: float = 0.0
    join_seconds: float = 0.0
    workers: tuple[str, ...] = ()
    sentence: str = ""

    def by(self, worker: str) -> Row:
        """The same, with a worker that took part."""
        return self if worker in self.workers else replace(self, workers=(*self.workers, worker))
