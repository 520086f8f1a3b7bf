"""How much memory a run may take, and what follows from it: tile size, tiles in work, GDAL's cache."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from ..errors import PansharpenError

if TYPE_CHECKING:  # a run begins before torch is loaded
    import torch

    from ..network.flow_network import NetworkConfig

MEGABYTE = 2**20
LARGEST_BUDGET = 2048  # MB
SHARE_OF_MACHINE = 0.25
SHARE_OF_LIMIT = 0.6  # of what a limit leaves beside torch and GDAL
FIXED_PART = 600  # MB that torch and GDAL take themselves
ADDRESS_SPACE = 2500  # MB that libraries and threads reserve without using them
SMALLEST_BUDGET = 64  # MB
UNLIMITED = 2**60  # bytes; what version 1 says where there is no limit
WANT_OF_MEMORY = ("allocate memory", "not enough memory", "start new thread", "bad alloc", "out of memory")
CGROUPS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
CACHE_SHARE = 0.0625  # of the budget, for the blocks that neighbouring tiles share
TILE_SIDES = (1024, 768, 512, 384, 256)  # PAN pixels; multiples of usual block sizes where it matters
SMALLEST_TILE = 64
TILES_OF_A_GPU = 4
LARGEST_HALO = 1.15  # work on a tile with its halo over that on the tile alone
HOST_BYTES = 40  # a PAN pixel of a tile read, normalised, and waiting to be written, but for its bands
KEPT_PIECE = 30 * MEGABYTE  # glibc keeps nothing larger than 32 MB


@dataclass(frozen=True)
class WorkPlan:
    """Side of a tile in PAN pixels, tiles in work at once, torch threads of each, and MB of GDAL's cache."""

    side: int
    workers: int
    threads: int
    cache: int

    def cache_for(self, strips: int, budget: int) -> int:
        """MB of GDAL's cache that also hold `strips` bytes, a row of tiles of a raster stored in rows."""
        return max(self.cache, min(2 * strips // MEGABYTE, budget))


def default_budget() -> int:
    """MB that tiles may take: a quarter of the memory there is, at most LARGEST_BUDGET.

    Where a limit is set on the process, what torch and GDAL need themselves comes off it first.
    """
    machine = int(SHARE_OF_MACHINE * gdal.GetUsablePhysicalRAM() / MEGABYTE) or LARGEST_BUDGET
    limit = memory_limit()
    allowed = LARGEST_BUDGET if limit is None else int(SHARE_OF_LIMIT * (limit / MEGABYTE - FIXED_PART))
    return max(min(machine, allowed, LARGEST_BUDGET), SMALLEST_BUDGET)


def free_memory() -> int:
    """MB of the machine's memory that no process uses, as far as the system tells; all of it where it does not."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return int(gdal.GetUsablePhysicalRAM()) // MEGABYTE


def memory_limit() -> int | None:
    """Bytes that this process may take by the limits of its control group and its own; None where there is none."""
    limits = [_group_limit(), _own_limit()]
    return min((n for n in limits if n is not None), default=None)


def _group_limit() -> int | None:
    """Of the control group (version 2 or 1) that the process is in, and of those above it."""
    try:
        lines = CGROUPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        root, name = (GROUPS, "memory.max") if not controllers else (GROUPS / "memory", "memory.limit_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        place = root / group.lstrip("/")
        for folder in (place, *place.parents):
            try:
                found.append(int((folder / name).read_text(encoding="ascii")))
            except (OSError, ValueError):  # no such file, or "max"
                continue
    return min((n for n in found if n < UNLIMITED), default=None)


def _own_limit() -> int | None:
    """Of the process's address space (ulimit -v)."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft - ADDRESS_SPACE * MEGABYTE


def pixel_bytes(config: NetworkConfig, dtype: torch.dtype, bands: int) -> int:
    """Memory of a tile in work per PAN pixel: planes that the network reads and gives, its layers, the flow's state."""
    from ..network.flow_network import SHARED_GUIDES

    size = dtype.itemsize
    planes = 2 * (2 * config.bands + SHARED_GUIDES) + 2 * 2 * config.bands + 3 * config.width / config.cell**2
    return int(size * planes + 4 * (config.bands + 2) + 2 * 4 * bands) + HOST_BYTES


def plan_work(
    budget: int,
    side: int,
    config: NetworkConfig,
    steps: int,
    devices: Sequence[torch.device],
    dtype: torch.dtype,
    bands: int,
) -> WorkPlan:
    """How to work within `budget` MB; `side` 0 chooses the tile size. `bands` are those of MS.

    As many tiles as torch has threads are in work at once, each on one thread, which keeps a tile's strips in one
    core's cache; where memory allows fewer, each gets several threads. A GPU gets at most TILES_OF_A_GPU.
    """
    import torch

    threads = torch.get_num_threads()
    per_pixel = pixel_bytes(config, dtype, bands)
    cache = max(int(CACHE_SHARE * budget), 16)
    room = (budget - cache) * MEGABYTE
    most = threads
    if devices[0].type == "cuda":
        room = min(room, len(devices) * min(torch.cuda.mem_get_info(d)[0] for d in devices) // 2)
        most = min(threads, TILES_OF_A_GPU * len(devices))

    def fitting(tile: int) -> int:
        return int(room / (per_pixel * (tile + 2 * config.halo * steps) ** 2))

    if not side:
        sides = [s for s in TILE_SIDES if fitting(s) >= min(most, 2)] or list(TILE_SIDES[-1:])
        kept = [s for s in sides if _is_kept(s + 2 * config.halo * steps, config, dtype)]
        small_halo = [s for s in kept if (1 + 2 * config.halo * steps / s) ** 2 < LARGEST_HALO]
        side = (small_halo or sides)[0]
    side = max(side // SMALLEST_TILE * SMALLEST_TILE, SMALLEST_TILE)
    workers = max(min(most, fitting(side)), 1)
    return WorkPlan(side, workers, max(threads // workers, 1), cache)


def _is_kept(side: int, config: NetworkConfig, dtype: torch.dtype) -> bool:
    """Whether `KeptMemory` keeps the largest buffer of a tile, what the network reads."""
    from ..network.flow_network import SHARED_GUIDES

    return (2 * config.bands + SHARED_GUIDES) * side**2 * dtype.itemsize <= KEPT_PIECE


@contextmanager
def want_of_memory_said() -> Iterator[None]:
    """Memory or threads that the system refuses, as one sentence with the cure. Raises PansharpenError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(word in str(error).lower() for word in WANT_OF_MEMORY):
            raise PansharpenError(
                f"There is too little memory for this run ({str(error).strip()[:200] or 'refused'}). "
                "Lower MEMORY or TILE, close other programs, or raise the limit that is set on this process."
            ) from error
        raise


class _CacheLimit:
    """GDAL's block cache is one for the whole process: the last run that ends restores it."""

    lock = threading.Lock()
    runs = 0
    before = 0


@contextmanager
def bounded_cache(megabytes: int) -> Iterator[None]:
    """GDAL's block cache of `megabytes` inside the block; as before afterwards."""
    with _CacheLimit.lock:
        if _CacheLimit.runs == 0:
            _CacheLimit.before = gdal.GetCacheMax()
        _CacheLimit.runs += 1
        gdal.SetCacheMax(megabytes * MEGABYTE)
    try:
        yield
    finally:
        with _CacheLimit.lock:
            _CacheLimit.runs -= 1
            if _CacheLimit.runs == 0:
                gdal.SetCacheMax(_CacheLimit.before)


class KeptMemory(threading.local):
    """Makes the C library keep a thread's freed buffers for its next tile: to clear new pages doubles the time.

    glibc gives memory back when the end of what it holds is free. Here a small buffer that stays ends each piece, and
    a large one freed first has glibc treat its like as worth keeping. Elsewhere this neither helps nor hurts.
    """

    def __init__(self) -> None:
        self.stays: list[NDArray[np.uint8]] = []

    def prepare(self, pieces: int) -> None:
        """Once in each thread, for `pieces` buffers of up to KEPT_PIECE bytes; they take memory only once used."""
        freed = []
        with suppress(MemoryError):  # too little address space: the thread works without
            np.empty(KEPT_PIECE + MEGABYTE, np.uint8)
            for _ in range(pieces):
                freed.append(np.empty(KEPT_PIECE, np.uint8))
                self.stays.append(np.empty(4096, np.uint8))
