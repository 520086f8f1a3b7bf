"""Choice of device."""

from __future__ import annotations

import torch

from .errors import PansharpenError


def choose_device(wanted: str) -> torch.device:
    """Choose the device for `wanted`, one of options.DEVICES. Raises PansharpenError where CUDA is absent."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PansharpenError(
            f"CUDA was asked for, but torch {torch.__version__} sees no CUDA device. Choose DEVICE auto or cpu, "
            "or install a CUDA build of torch and the NVIDIA driver."
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def choose_devices(wanted: str) -> tuple[torch.device, ...]:
    """Choose every CUDA device of the first one's model, or the CPU; torch may not run on an older model."""
    device = choose_device(wanted)
    if device.type == "cpu" or torch.cuda.device_count() < 2:
        return (device,)
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return tuple(torch.device("cuda", number) for number, name in enumerate(names) if name == names[0])
