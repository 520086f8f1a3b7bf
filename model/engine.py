"""The network at work on a device: choice of device and precision, band groups, one tile at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .conditions import Conditions
from .errors import CancelledError, PansharpenError
from .grids import Window
from .network import integrate
from .scene import SceneStatistics
from .weights import Weights

DEVICES = ("auto", "cuda", "cpu")
PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class Group:
    """Band indices that one pass of the network reads, of which it writes the first `written`."""

    bands: tuple[int, ...]
    written: int


def group_bands(statistics: SceneStatistics, size: int) -> list[Group]:
    """Split the bands into passes of `size`, alike bands together, whatever their order in the raster.

    A pass with room left reads further bands as context, or repeats its own where there are too few.
    """
    keys = list(zip(statistics.correlation, statistics.ms_mean, statistics.ms_std))
    order = sorted(range(statistics.bands), key=lambda b: keys[b], reverse=True)
    count = -(-len(order) // size)
    groups = []
    for i in range(count):
        own = order[i * len(order) // count : (i + 1) * len(order) // count]
        others = [b for b in order if b not in own]
        filled = (own + others)[:size]
        filled += [own[k % len(own)] for k in range(size - len(filled))]
        groups.append(Group(tuple(filled), len(own)))
    return groups


def choose_device(wanted: str) -> torch.device:
    """The device for `wanted`, one of DEVICES. Raises PansharpenError where CUDA is asked for and absent."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PansharpenError(
            f"CUDA was asked for, but torch {torch.__version__} sees no CUDA device. Choose DEVICE auto or cpu, "
            "or install a CUDA build of torch and the NVIDIA driver."
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def choose_precision(wanted: str, device: torch.device) -> tuple[torch.dtype, str]:
    """The number type for `wanted`, one of PRECISIONS, and why: bfloat16 only where the hardware multiplies it."""
    if wanted != "auto":
        return (torch.bfloat16 if wanted == "bf16" else torch.float32), "as asked"
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
        return (torch.bfloat16, "the GPU multiplies it") if fast else (torch.float32, "the GPU has no bf16")
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    if any(getattr(torch.cpu, probe, lambda: False)() for probe in probes):
        return torch.bfloat16, "the CPU multiplies it"
    return torch.float32, "the CPU has no AMX or AVX512-BF16"


class Engine:
    """One scene's network: weights, statistics and band groups on a device."""

    def __init__(
        self, weights: Weights, statistics: SceneStatistics, device: torch.device, dtype: torch.dtype, steps: int
    ) -> None:
        self.device, self.dtype, self.steps, self.statistics = device, dtype, steps, statistics
        self.network = weights.network.to(device).channels_last()
        self.groups = group_bands(statistics, weights.network.config.bands)
        self.halo = weights.network.config.halo * steps

    @torch.inference_mode()
    def fuse(self, conditions: Conditions, place: Window, cancelled: Callable[[], bool]) -> torch.Tensor:
        """Sharp bands (bands, h, w) in digital numbers for the window `place` of the conditions, on the CPU.

        Raises CancelledError between band groups.
        """
        guides = conditions.guides.to(self.device)[None]
        inner = (slice(None), slice(place.top, place.bottom), slice(place.left, place.right))
        result = torch.empty(self.statistics.bands, place.height, place.width)
        for group in self.groups:
            if cancelled():
                raise CancelledError
            lms = conditions.lms[list(group.bands)].to(self.device)[None]
            injection = torch.tensor([[self.statistics.injection[b] for b in group.bands]], device=self.device)
            scene = torch.tensor([self.statistics.condition(group.bands)], device=self.device)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                sharp = integrate(self.network, lms, guides, injection, scene, self.steps)
            for k, band in enumerate(group.bands[: group.written]):
                values = sharp[0][inner][k].float().cpu()
                result[band] = values * self.statistics.ms_std[band] + self.statistics.ms_mean[band]
        return result
