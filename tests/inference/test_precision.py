"""Which type of number is taken: what was measured decides, and what was measured once is kept."""

from __future__ import annotations

import pytest
import torch
from otfm_pansharpen.model.inference import precision
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig

CPU = torch.device("cpu")
NETWORK = FlowNetwork(NetworkConfig())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "_cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.mark.parametrize(("share", "dtype"), [(0.5, torch.bfloat16), (0.95, torch.float32), (3.0, torch.float32)])
def test_bfloat16_is_taken_where_it_is_faster(cache, monkeypatch, share, dtype):
    monkeypatch.setattr(precision, "measured_share", lambda network: share)
    found, reason = precision.choose_precision("auto", CPU, NETWORK)
    assert found is dtype
    assert f"bfloat16 takes {share:.2f}" in reason


def test_it_is_measured_once(cache, monkeypatch):
    shares = iter([0.5, 9.0])
    monkeypatch.setattr(precision, "measured_share", lambda network: next(shares))
    assert [precision.choose_precision("auto", CPU, NETWORK)[0] for _ in range(2)] == [torch.bfloat16] * 2


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": "b"}'])
def test_a_damaged_record_is_measured_anew(cache, monkeypatch, text):
    cache.mkdir()
    (cache / "precision.json").write_text(text)
    monkeypatch.setattr(precision, "measured_share", lambda network: 0.5)
    assert precision.choose_precision("auto", CPU, NETWORK)[0] is torch.bfloat16


def test_without_a_place_to_keep_it_it_is_measured_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr(precision, "_cache_folder", lambda: tmp_path / "cache")
    assert precision.choose_precision("auto", CPU, NETWORK)[1].startswith("on this CPU")


def test_what_was_asked_for_is_not_measured(monkeypatch):
    monkeypatch.setattr(precision, "measured_share", None)
    assert precision.choose_precision("bf16", CPU, NETWORK)[0] is torch.bfloat16
    assert precision.choose_precision("fp32", CPU, NETWORK)[0] is torch.float32


def test_a_slower_bfloat16_is_seen(monkeypatch):
    """A processor without bfloat16: every convolution in it is done three times."""
    real = precision.FoldedNetwork.__call__

    def slow(self, planes, check=lambda: None):
        for _ in range(2 if planes.dtype is torch.bfloat16 else 0):
            list(real(self, planes, check))
            list(real(self, planes, check))
        return real(self, planes, check)

    plain = precision.measured_share(NETWORK)
    monkeypatch.setattr(precision.FoldedNetwork, "__call__", slow)
    assert precision.measured_share(NETWORK) > 1.5 * plain
