"""The maps of geometry/resampling.py on tensors, on any device."""

from __future__ import annotations

import torch

from ..geometry.resampling import Resampler1D

BLOCK = 32  # outputs of a small dense matrix; measured as the fastest size
Block = tuple[slice, slice, torch.Tensor]  # outputs, samples, the matrix (outputs, samples)


def tensor_blocks(maps: Resampler1D, like: torch.Tensor) -> list[Block]:
    """Cut a map into blocks, with matrices of the type and on the device of `like`."""
    return [(outputs, samples, torch.from_numpy(matrix).to(like)) for outputs, samples, matrix in maps.cut(BLOCK)]


def resample(image: torch.Tensor, rows: Resampler1D, columns: Resampler1D) -> torch.Tensor:
    """Apply a map of rows and a map of columns; (..., H, W) to (..., h, w)."""
    down = [matrix @ image[..., samples, :] for _, samples, matrix in tensor_blocks(rows, image)]
    image = torch.cat(down, dim=-2)
    return torch.cat([image[..., samples] @ matrix.T for _, samples, matrix in tensor_blocks(columns, image)], dim=-1)
