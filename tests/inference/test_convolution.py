"""A layer's convolution has the result of torch's documented operators, or uses them."""

from __future__ import annotations

import pytest
import torch
from otfm_pansharpen.model.inference import convolution
from otfm_pansharpen.model.inference.convolution import Convolution, FusedConvolution
from torch.nn.functional import conv2d, pad, relu


@pytest.fixture(autouse=True)
def fresh_cache():
    convolution.fuses.cache_clear()
    yield
    convolution.fuses.cache_clear()


def layer(inputs, outputs, dtype=torch.float32):
    torch.manual_seed(1)
    return torch.randn(outputs, inputs, 3, 3).to(dtype), torch.randn(outputs).to(dtype)


def rows(channels, count, dtype=torch.float32):
    return torch.randn(1, channels, count, 21).to(dtype).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("inputs", "outputs"), [(44, 16), (5, 3), (48, 32)])
def test_every_way_gives_the_convolution(inputs, outputs, dtype):
    weights, read = layer(inputs, outputs, dtype), rows(inputs, 9, dtype)
    expected = conv2d(pad(read.float(), (1, 1)), *(part.float() for part in weights))
    works, before = convolution.convolution(weights), rows(outputs, 11, dtype)
    after = before.clone(memory_format=torch.channels_last)
    works.relu_into(read, after[:, :, 2:9])
    tolerance = (0.01 if dtype is torch.bfloat16 else 1e-5) * expected.abs().max()
    assert (works(read).float() - expected).abs().max() < tolerance
    assert (after[:, :, 2:9].float() - relu(expected)).abs().max() < tolerance
    works.add_to(read, after[:, :, 2:9])
    assert (after[:, :, 2:9].float() - relu(expected) - expected).abs().max() < 2 * tolerance
    assert torch.equal(after[:, :, :2], before[:, :, :2])
    assert torch.equal(after[:, :, 9:], before[:, :, 9:])


@pytest.mark.parametrize("fault", ["forgets what is there", "makes NaN 0", "is not there"])
def test_operators_that_do_something_else_are_not_used(monkeypatch, fault):
    def wrong(self, read, out):
        if fault == "is not there":
            raise AttributeError("no such operator")
        result = Convolution.__call__(self, read)
        out.copy_(result) if fault == "forgets what is there" else out.add_(result.nan_to_num())

    monkeypatch.setattr(FusedConvolution, "add_to", wrong)
    assert type(convolution.convolution(layer(16, 16))) is Convolution
