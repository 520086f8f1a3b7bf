"""The third step: everything that decides the pixels, frozen, so that any process can make any part of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from osgeo import gdal

from ..codec import Codec
from ..devices import choose_devices
from ..errors import InputError, WeightsError
from ..geometry.alignment import Alignment
from ..geometry.grids import Placement, Window
from ..geometry.guides import GuideWeights
from ..geometry.transfer import TransferFunction
from ..inference.precision import choose_precision
from ..network.flow_network import SHARED_GUIDES, NetworkConfig
from ..network.weights import Weights, load_weights
from ..options import FIXED_PART, MAX_BUDGET, SHARE_OF_MACHINE
from ..raster.output_format import OutputForm
from ..raster.pixel_types import INTEGER_TYPES, value_limits
from ..raster.source import RasterSource
from ..scene.detail_correlation import MAX_SHIFT
from ..scene.statistics import SceneStatistics
from .check import CheckedPair
from .job import FusionJob
from .measure import Measurement
from .plausible_range import PlausibleRange

FORMAT = "otfm-pansharpen-plan-5"
MEGABYTE = 2**20
SHARE_OF_LIMIT = 0.6  # of what a limit leaves next to torch and GDAL
ADDRESS_SPACE = 2500  # MB that libraries and threads reserve without using them
MIN_BUDGET = 64  # MB
UNLIMITED = 2**60  # bytes; version 1 of control groups has more than this where there is no limit
CGROUPS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
CACHE_SHARE = 0.0625  # of the budget, for the blocks that neighbouring tiles share
TILE_SIDES = (1024, 768, 512, 384, 256)  # PAN pixels; multiples of usual block sizes where it matters
MIN_TILE = 64  # PAN pixels along the side
TILES_OF_A_GPU = 4
MAX_HALO = 1.15  # work on a tile with its halo over that on the tile alone
HOST_BYTES = 40  # per PAN pixel of a tile that is read, normalised or waiting to be written, without its bands
KEPT_PIECE = 30 * MEGABYTE  # glibc keeps nothing larger than 32 MB


@dataclass(frozen=True)
class NetworkSetup:
    """Weights by path and SHA-256, devices and number type by torch's names, and steps of the flow."""

    weights: str
    weights_sha256: str
    devices: tuple[str, ...]
    precision: str
    steps: int

    def load(self) -> Weights:
        """Load the weights. Raises WeightsError where the file is not that of the plan."""
        weights = load_weights(Path(self.weights))
        if weights.sha256 != self.weights_sha256:
            raise WeightsError(
                f"{self.weights} has SHA-256 {weights.sha256}, but the plan was made with {self.weights_sha256}. "
                "Use the same weights, or plan again."
            )
        return weights

    @property
    def torch_devices(self) -> tuple[torch.device, ...]:
        """Devices as torch names them."""
        return tuple(torch.device(d) for d in self.devices)

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the network."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


@dataclass(frozen=True)
class WorkPlan:
    """Side of a tile in PAN pixels, tiles in work at once, torch threads of each, and MB of GDAL's cache."""

    side: int
    workers: int
    threads: int
    cache: int


@dataclass(frozen=True)
class FusionPlan:
    """A fusion that is decided down to the bytes."""

    pan: RasterSource
    ms: RasterSource
    window: Window  # PAN pixels of the output
    placement: Placement  # MS on PAN's grid, its shift corrected
    statistics: SceneStatistics
    engine: NetworkSetup
    form: OutputForm
    lowest: float | None  # values below it are clipped to it; None clips nothing
    outputs: tuple[int, ...]  # place in the statistics of each band of the output; -1 where no pixel is valid
    offsets: tuple[float, ...]  # subtracted from each band as it is read
    work: WorkPlan  # tiles, and how many at once; windows that start at tiles' corners give the bytes of the whole
    plausible: PlausibleRange  # the range of values, as they are read
    network_share: float = 1.0  # 0 where the injection of PAN's detail alone sharpens the coarser scene better
    alignment: Alignment | None = None  # displacement of the bands that is corrected while MS is read

    def tiles(self) -> list[Window]:
        """Return the output's tiles, as windows of PAN."""
        return self.window.split(self.work.side)

    def to_json(self) -> str:
        """Write the plan as text, which `from_json` reads back exactly."""
        return CODEC.to_json({"format": FORMAT, "plan": self}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> FusionPlan:
        """Read a plan that `to_json` wrote. Raises InputError for another text."""
        try:
            values = CODEC.from_json(text)
            if not isinstance(values, dict) or values.get("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            if not isinstance(values.get("plan"), cls):
                raise ValueError("it holds no plan")
        except ValueError as error:
            raise InputError(f"This is not a plan of a fusion ({error}). Plan the scene again.") from error
        return values["plan"]


PLAN_CLASSES = (
    *(
        FusionPlan,
        RasterSource,
        Window,
        Placement,
        SceneStatistics,
        TransferFunction,
        NetworkSetup,
        OutputForm,
        WorkPlan,
    ),
    *(PlausibleRange, GuideWeights, Alignment),
)
CODEC = Codec(*PLAN_CLASSES)


def make_plan(
    job: FusionJob, pair: CheckedPair, measured: Measurement, engine: NetworkSetup, weights: Weights
) -> FusionPlan:
    """Put together job, checks and measurements."""
    budget = job.options.memory or choose_budget()
    config, rasters = weights.network.config, (len(pair.ms.read_bands), len(pair.pan.read_bands))
    work = plan_work(budget, job.options.tile, config, job.options.steps, engine.torch_devices, engine.dtype, *rasters)
    rows = work.side + 2 * config.halo * job.options.steps
    ms_rows = round(rows / pair.placement.spacing[0])
    strips = pair.pan.strip_bytes(rows) + pair.ms.strip_bytes(ms_rows)  # a row of tiles, where rasters are so stored
    placement = pair.placement.moved(measured.registration.shift)
    return FusionPlan(
        pan=pair.pan.reopened,
        ms=pair.ms.reopened,
        window=_crop_to_ms(pair, placement),
        placement=placement,
        statistics=measured.statistics,
        engine=engine,
        form=pair.form,
        lowest=None if measured.negative else 0.0,
        outputs=pair.ms.outputs,
        offsets=tuple(pair.ms.offsets.tolist()),
        work=replace(work, cache=max(work.cache, min(2 * strips // MEGABYTE, budget))),
        plausible=_choose_range(pair, measured),
        alignment=measured.alignment,
    )


def _choose_range(pair: CheckedPair, measured: Measurement) -> PlausibleRange:
    """Choose the range of values: within the type of MS, whatever that of the output, and above 0 as MS is."""
    low, high = value_limits(pair.ms.type)
    limits = (low if measured.negative else max(low, 0.0), high)
    step = 1.0 if pair.ms.type in INTEGER_TYPES else 0.0
    return PlausibleRange.of(measured.extremes, limits, step, pair.placement.ratio, pair.ms.offsets.tolist())


def _crop_to_ms(pair: CheckedPair, placement: Placement) -> Window:
    """Crop the output's window to MS once a large shift is corrected; small ones repeat its edge.

    Raises InputError where nothing is left.
    """
    moved = [a - b for a, b in zip(placement.origin, pair.placement.origin)]
    if max(map(abs, moved)) <= MAX_SHIFT:
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


def choose_engine(job: FusionJob, weights: Weights) -> tuple[NetworkSetup, str]:
    """Choose devices and number type, with the reason. Raises PansharpenError where a device is absent."""
    devices = choose_devices(job.options.device)
    dtype, reason = choose_precision(job.options.precision, devices[0], weights.network)
    names = tuple(str(d) for d in devices)
    precision = str(dtype).removeprefix("torch.")
    return NetworkSetup(str(weights.path), weights.sha256, names, precision, job.options.steps), reason


def choose_budget() -> int:
    """Return the MB that tiles may take: a quarter of the memory there is, at most MAX_BUDGET.

    Where a limit is set on the process, what torch and GDAL need themselves comes off it first.
    """
    machine = int(SHARE_OF_MACHINE * gdal.GetUsablePhysicalRAM() / MEGABYTE) or MAX_BUDGET
    limit = memory_limit()
    allowed = MAX_BUDGET if limit is None else int(SHARE_OF_LIMIT * (limit / MEGABYTE - FIXED_PART))
    return max(min(machine, allowed, MAX_BUDGET), MIN_BUDGET)


def memory_limit() -> int | None:
    """Return the bytes that this process may take by its control group and its own limit; None without a limit."""
    limits = [_read_group_limit(), _read_process_limit()]
    return min((n for n in limits if n is not None), default=None)


def _read_group_limit() -> int | None:
    """Read the lowest limit of the control group (version 2 or 1) of the process and of those above it."""
    try:
        lines = CGROUPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    limits = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        root, name = (GROUPS, "memory.max") if not controllers else (GROUPS / "memory", "memory.limit_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        innermost = root / group.lstrip("/")
        for folder in (innermost, *innermost.parents):
            try:
                limits.append(int((folder / name).read_text(encoding="ascii")))
            except (OSError, ValueError):  # no such file, or "max"
                continue
    return min((n for n in limits if n < UNLIMITED), default=None)


def _read_process_limit() -> int | None:
    """Read the limit of the process's address space (ulimit -v)."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft - ADDRESS_SPACE * MEGABYTE


def estimate_pixel_bytes(config: NetworkConfig, dtype: torch.dtype, bands: int, pans: int = 1) -> int:
    """Estimate the bytes of a tile in work per PAN pixel: planes in and out of the network, its layers, the flow.

    `bands` and `pans` are the numbers of bands of MS and PAN.
    """
    size = torch.finfo(dtype).bits // 8
    inputs = count_inputs(config, pans)
    planes = 2 * inputs + 2 * 2 * config.bands + 3 * config.width / config.cell**2
    state = inputs - config.bands - 1 if pans == 1 else inputs + config.bands
    return int(size * planes + 4 * (state + 2 * (pans - 1)) + 2 * 4 * bands) + HOST_BYTES


def count_inputs(config: NetworkConfig, pans: int) -> int:
    """Count the images that the network reads where PAN has `pans` bands."""
    return 2 * config.bands + SHARED_GUIDES if pans == 1 else 4 * config.bands + 1


def plan_work(
    budget: int,
    side: int,
    config: NetworkConfig,
    steps: int,
    devices: Sequence[torch.device],
    dtype: torch.dtype,
    bands: int,
    pans: int = 1,
) -> WorkPlan:
    """Choose tiles and threads within `budget` MB; `side` 0 chooses the tile size.

    As many tiles as torch has threads are in work at once. Each has one thread, which keeps its strips in one core's
    cache; where memory allows fewer tiles, each has several threads. A GPU gets at most TILES_OF_A_GPU.
    """
    threads = torch.get_num_threads()
    per_pixel = estimate_pixel_bytes(config, dtype, bands, pans)
    cache = max(int(CACHE_SHARE * budget), 16)
    room = (budget - cache) * MEGABYTE
    max_workers = threads
    if devices[0].type == "cuda":
        room = min(room, len(devices) * min(torch.cuda.mem_get_info(d)[0] for d in devices) // 2)
        max_workers = min(threads, TILES_OF_A_GPU * len(devices))

    def count_fitting(tile: int) -> int:
        return int(room / (per_pixel * (tile + 2 * config.halo * steps) ** 2))

    if not side:
        sides = [s for s in TILE_SIDES if count_fitting(s) >= min(max_workers, 2)] or list(TILE_SIDES[-1:])
        kept = [s for s in sides if _is_kept(s + 2 * config.halo * steps, count_inputs(config, pans), dtype)]
        small_halo = [s for s in kept if (1 + 2 * config.halo * steps / s) ** 2 < MAX_HALO]
        side = (small_halo or sides)[0]
    side = max(side // MIN_TILE * MIN_TILE, MIN_TILE)
    workers = max(min(max_workers, count_fitting(side)), 1)
    return WorkPlan(side, workers, max(threads // workers, 1), cache)


def _is_kept(side: int, planes: int, dtype: torch.dtype) -> bool:
    """Return whether `KeptMemory` keeps the largest buffer of a tile, the `planes` that the network reads."""
    return planes * side**2 * torch.finfo(dtype).bits // 8 <= KEPT_PIECE
