"""The 3x3 convolution of a network's layer, followed by relu or by an addition.

oneDNN adds in the same pass over the pixels, with weights that are prepared once. Torch's operators for that are not
documented. So they are tried once, and where their result differs from that of the documented operators, the latter are
used. Its relu is not used: it turns NaN into 0, which would hide a fault.
"""

from __future__ import annotations

import functools

import torch
from torch.nn.functional import conv2d

Layer = tuple[torch.Tensor, torch.Tensor]  # weights (out, in, 3, 3), bias (out,)

PADDING, ONES = [0, 1], [1, 1]  # zeros to the left and right alone: the input has the rows above and below
USUAL_SIZE = 64, 512  # rows and columns that oneDNN prepares weights for
TOLERANCE = 0.02  # error of bfloat16, in deviations of the result; float32 is far closer


class Convolution:
    """A layer for rows (1, in, n, w), with n - 2 rows of output; all tensors are channels_last."""

    def __init__(self, layer: Layer) -> None:
        weight, self.bias = layer
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.outputs = len(weight)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Convolve; the result is (1, out, n - 2, w)."""
        return conv2d(rows, self.weight, self.bias, padding=(0, 1))

    def relu_into(self, rows: torch.Tensor, out: torch.Tensor) -> None:
        """Write relu of the convolution to `out`."""
        torch.clamp_min(self(rows), 0.0, out=out)

    def add_to(self, rows: torch.Tensor, out: torch.Tensor) -> None:
        """Add the convolution to `out`."""
        out.add_(self(rows))


class FusedConvolution(Convolution):
    """A convolution by oneDNN in one pass. Raises RuntimeError for a number type that it does not compute in here."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        size = [1, self.weight.shape[1], *USUAL_SIZE]
        self.prepared = torch.ops.mkldnn._reorder_convolution_weight(self.weight, PADDING, ONES, ONES, 1, size)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Convolve rows."""
        return torch.ops.mkldnn._convolution_pointwise(
            rows, self.prepared, self.bias, PADDING, ONES, ONES, 1, "none", [], ""
        )

    def add_to(self, rows: torch.Tensor, out: torch.Tensor) -> None:
        """Convolve rows and add the result to `out`."""
        torch.ops.mkldnn._convolution_pointwise_.binary(
            out, rows, self.prepared, self.bias, PADDING, ONES, ONES, 1, "add", 1.0, None, [], None
        )


def convolution(layer: Layer) -> Convolution:
    """Return the fastest layer for this machine."""
    return FusedConvolution(layer) if fuses(layer[0].dtype) else Convolution(layer)


@functools.cache
def fuses(dtype: torch.dtype) -> bool:
    """Check that `FusedConvolution` is right in a number type, with this torch on this CPU."""
    draw = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=draw).to(dtype)
        return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values

    layer, rows, before = (random(16, 16, 3, 3), random(16)), random(1, 16, 7, 9), random(1, 16, 9, 9)
    rows[0, 0, 0, 0] = torch.nan  # NaN has to stay NaN
    try:
        fused, plain = (_run_layer(make(layer), rows, before.clone()) for make in (FusedConvolution, Convolution))
    except (RuntimeError, AttributeError, NotImplementedError, TypeError):
        return False
    tolerance = TOLERANCE * float(plain[plain.isfinite()].std())
    return torch.allclose(fused, plain, rtol=0.0, atol=tolerance, equal_nan=True)


def _run_layer(layer: Convolution, rows: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Apply a layer to rows, added to some of `before` and alone."""
    layer.add_to(rows, before[:, :, 3:8])
    return torch.cat([before.flatten(), layer(rows).flatten()]).float()
