"""Choice of device and of number type, with the reason."""

from __future__ import annotations

import torch

from .errors import PansharpenError


def choose_device(wanted: str) -> torch.device:
    """The device for `wanted`, one of options.DEVICES. Raises PansharpenError where CUDA is asked for and absent."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PansharpenError(
            f"CUDA was asked for, but torch {torch.__version__} sees no CUDA device. Choose DEVICE auto or cpu, "
            "or install a CUDA build of torch and the NVIDIA driver."
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def choose_devices(wanted: str) -> tuple[torch.device, ...]:
    """As `choose_device`, but every CUDA device of the first one's kind; torch may not run on an older one."""
    device = choose_device(wanted)
    if device.type == "cpu" or torch.cuda.device_count() < 2:
        return (device,)
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return tuple(torch.device("cuda", number) for number, name in enumerate(names) if name == names[0])


def choose_precision(wanted: str, device: torch.device) -> tuple[torch.dtype, str]:
    """The number type for `wanted`, one of options.PRECISIONS, and why: bfloat16 where the hardware multiplies it."""
    if wanted != "auto":
        return (torch.bfloat16 if wanted == "bf16" else torch.float32), "as asked"
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
        return (torch.bfloat16, "the GPU multiplies it") if fast else (torch.float32, "the GPU has no bf16")
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    if any(getattr(torch.cpu, probe, lambda: False)() for probe in probes):
        return torch.bfloat16, "the CPU multiplies it"
    return torch.float32, "the CPU has no AMX or AVX512-BF16"
