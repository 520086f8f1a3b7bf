"""The third step: everything that decides the pixels, frozen, so that any process can make any part of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from ..devices import choose_devices
from ..errors import InputError, WeightsError
from ..geometry.grids import Placement, Window
from ..geometry.transfer import TransferFunction
from ..inference.precision import choose_precision
from ..network.weights import Weights, load_weights
from ..raster.output_format import OutputForm
from ..raster.pixel_types import INTEGER_TYPES, value_limits
from ..raster.source import RasterSource
from ..scene.detail_correlation import LARGEST_SHIFT
from ..scene.statistics import SceneStatistics
from .check import CheckedPair
from .job import FusionJob
from .measure import Measurement
from .memory import WorkPlan, default_budget, plan_work
from .plausible_range import PlausibleRange

FORMAT = "otfm-pansharpen-plan-3"


@dataclass(frozen=True)
class Engine:
    """What computes: weights by path and SHA-256, devices and number type by torch's names, steps of the flow."""

    weights: str
    weights_sha256: str
    devices: tuple[str, ...]
    precision: str
    steps: int

    def load(self) -> Weights:
        """The weights. Raises WeightsError where the file is not the one that was planned with."""
        weights = load_weights(Path(self.weights))
        if weights.sha256 != self.weights_sha256:
            raise WeightsError(
                f"{self.weights} has SHA-256 {weights.sha256}, but the plan was made with {self.weights_sha256}. "
                "Use the same weights, or plan again."
            )
        return weights

    @property
    def torch_devices(self) -> tuple[torch.device, ...]:
        return tuple(torch.device(d) for d in self.devices)

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


@dataclass(frozen=True)
class FusionPlan:
    """A fusion that is decided down to the bytes.

    window      PAN pixels of the output      placement   MS on PAN's grid, its shift corrected
    lowest      values below it are clipped to it; None clips nothing
    outputs     for each band of the output its place in the statistics; -1 for one that has no valid pixel
    offsets     what is taken off each band as it is read
    plausible   where values are held, as they are read
    network_share   how much of what the network adds to the injection of PAN's detail is used: 1, or 0 where the
                scene, made coarser, shows that the injection alone is better
    work        tiles, and how many at once; windows that start at tiles' corners give the bytes of the whole
    """

    pan: RasterSource
    ms: RasterSource
    window: Window
    placement: Placement
    statistics: SceneStatistics
    engine: Engine
    form: OutputForm
    lowest: float | None
    outputs: tuple[int, ...]
    offsets: tuple[float, ...]
    work: WorkPlan
    plausible: PlausibleRange
    network_share: float = 1.0

    def tiles(self) -> list[Window]:
        """The output's tiles, as windows of PAN."""
        return self.window.split(self.work.side)

    def to_json(self) -> str:
        """The plan as text, which `from_json` reads back exactly."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> FusionPlan:
        """A plan that `to_json` wrote. Raises InputError where the text is none."""
        try:
            values = json.loads(text)
            if values.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            placement = values.pop("placement")
            overlap = Window(**placement.pop("overlap"))
            statistics = values.pop("statistics")
            transfer = _made(TransferFunction, statistics.pop("transfer"))
            return cls(
                pan=_made(RasterSource, values.pop("pan")),
                ms=_made(RasterSource, values.pop("ms")),
                window=Window(**values.pop("window")),
                placement=_made(Placement, {**placement, "overlap": overlap}),
                statistics=_made(SceneStatistics, {**statistics, "transfer": transfer}),
                engine=_made(Engine, values.pop("engine")),
                form=_made(OutputForm, values.pop("form")),
                work=WorkPlan(**values.pop("work")),
                plausible=_made(PlausibleRange, values.pop("plausible")),
                outputs=tuple(values.pop("outputs")),
                offsets=tuple(values.pop("offsets")),
                **values,
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(f"This is not a plan of a fusion ({error}). Plan the scene again.") from error


def make_plan(job: FusionJob, pair: CheckedPair, measured: Measurement, engine: Engine, weights: Weights) -> FusionPlan:
    """Put together what was asked for, checked and measured."""
    budget = job.memory or default_budget()
    config, bands = weights.network.config, len(pair.ms.read_bands)
    work = plan_work(budget, job.tile, config, job.steps, engine.torch_devices, engine.dtype, bands)
    rows = work.side + 2 * config.halo * job.steps
    ms_rows = round(rows / pair.placement.spacing[0])
    cache = work.cache_for(pair.pan.strip_bytes(rows) + pair.ms.strip_bytes(ms_rows), budget)
    placement = pair.placement.moved(measured.registration.shift)
    return FusionPlan(
        pan=pair.pan.reopened,
        ms=pair.ms.reopened,
        window=_within_ms(pair, placement),
        placement=placement,
        statistics=measured.statistics,
        engine=engine,
        form=pair.form,
        lowest=None if measured.negative else 0.0,
        outputs=pair.ms.outputs,
        offsets=tuple(pair.ms.offsets.tolist()),
        work=replace(work, cache=cache),
        plausible=_plausible(pair, measured),
    )


def _plausible(pair: CheckedPair, measured: Measurement) -> PlausibleRange:
    """Where values are held: within what the type of MS holds, whatever that of the output, and above 0 as MS is."""
    low, high = value_limits(pair.ms.type)
    limits = (low if measured.negative else max(low, 0.0), high)
    step = 1.0 if pair.ms.type in INTEGER_TYPES else 0.0
    ranges = PlausibleRange.of(measured.extremes, limits, step, pair.placement.ratio)
    return ranges.without(pair.ms.offsets.tolist())


def _within_ms(pair: CheckedPair, placement: Placement) -> Window:
    """The output's window, less what MS does not reach once a large shift is corrected; small ones repeat its edge.

    Raises InputError where nothing is left.
    """
    moved = [a - b for a, b in zip(placement.origin, pair.placement.origin)]
    if max(map(abs, moved)) <= LARGEST_SHIFT:
        return pair.window
    lines = zip(placement.origin, placement.spacing, (pair.ms.grid.height, pair.ms.grid.width))
    (top, bottom), (left, right) = ((math.ceil(o - 0.5 * s), math.floor(o + s * (n - 0.5)) + 1) for o, s, n in lines)
    window = Window(left, top, right - left, bottom - top).clipped(pair.window)
    if window.empty:
        raise InputError(
            f"MS lies {moved[0]:+.1f} rows and {moved[1]:+.1f} columns (PAN pixels) off its georeference and leaves "
            "nothing of the extent asked for. Register the rasters first, or choose another extent."
        )
    return window


def choose_engine(job: FusionJob, weights: Weights) -> tuple[Engine, str]:
    """What computes, and why in that number type. Raises PansharpenError where a device is asked for and absent."""
    devices = choose_devices(job.device)
    dtype, reason = choose_precision(job.precision, devices[0], weights.network)
    names = tuple(str(d) for d in devices)
    precision = str(dtype).removeprefix("torch.")
    return Engine(str(weights.path), weights.sha256, names, precision, job.steps), reason


def _made(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass of plain fields from JSON, lists as tuples."""
    names = {f.name for f in fields(kind)}
    if set(values) != names:
        raise ValueError(f"{kind.__name__} has the fields {', '.join(sorted(names))}")
    return kind(**{k: _tuples(v) for k, v in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
