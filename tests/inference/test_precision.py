"""The choice of the number type: a measurement decides, and is cached."""

from __future__ import annotations

import json
import os

import pytest
import torch
from helpers.memory import little_memory
from otfm_pansharpen.model.inference import precision
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig

CPU = torch.device("cpu")
NETWORK = FlowNetwork(NetworkConfig())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "_find_cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.mark.parametrize(("share", "dtype"), [(0.5, torch.bfloat16), (0.95, torch.float32), (3.0, torch.float32)])
def test_bfloat16_is_taken_where_it_is_faster(cache, monkeypatch, share, dtype):
    monkeypatch.setattr(precision, "measure_bf16_share", lambda network: share)
    chosen, reason = precision.choose_precision("auto", CPU, NETWORK)
    assert chosen is dtype
    assert f"bfloat16 takes {share:.2f}" in reason


def test_it_is_measured_once(cache, monkeypatch):
    shares = iter([0.5, 9.0])
    monkeypatch.setattr(precision, "measure_bf16_share", lambda network: next(shares))
    assert [precision.choose_precision("auto", CPU, NETWORK)[0] for _ in range(2)] == [torch.bfloat16] * 2


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": "b"}'])
def test_a_damaged_record_is_measured_again(cache, monkeypatch, text):
    cache.mkdir()
    (cache / "precision.json").write_text(text)
    monkeypatch.setattr(precision, "measure_bf16_share", lambda network: 0.5)
    assert precision.choose_precision("auto", CPU, NETWORK)[0] is torch.bfloat16


def spoil(file, how):
    """Replace the record by something that this plugin does not write."""
    if how == "pipe":
        os.mkfifo(file)
    elif how == "3 GB":
        file.write_bytes(b"{}")
        os.truncate(file, 3 * 10**9)
    elif how == "device":
        file.symlink_to("/dev/zero")
    elif how == "another user's":
        file.write_text(json.dumps({key_of(NETWORK): 9.0}))
        os.chown(file, 12345, 12345)
    else:
        file.write_text(how.replace("KEY", key_of(NETWORK)))


def key_of(network):
    return f"torch {torch.__version__}, {precision._name_processor()}, {network.config.width} channels"


@pytest.mark.parametrize(
    "how",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"KEY": ' + "9" * 5000 + "}",
        '{"KEY": NaN}',
        '{"KEY": 1e999}',
        '{"KEY": -1}',
        '{"KEY": [9]}',
        "pipe",
        "3 GB",
        "device",
        pytest.param("another user's", marks=pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")),
    ],
    ids=["lists", "objects", "digits", "NaN", "infinite", "negative", "list", "pipe", "3 GB", "device", "owner"],
)
def test_a_record_that_somebody_else_wrote_is_measured_again(cache, monkeypatch, how):
    cache.mkdir()
    spoil(cache / "precision.json", how)
    monkeypatch.setattr(precision, "measure_bf16_share", lambda network: 0.5)
    with little_memory(500):
        assert precision.choose_precision("auto", CPU, NETWORK)[0] is torch.bfloat16
    monkeypatch.setattr(precision, "measure_bf16_share", None)
    assert precision.choose_precision("auto", CPU, NETWORK)[0] is torch.bfloat16  # it has been replaced


def test_without_a_place_to_keep_it_it_is_measured_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr(precision, "_find_cache_folder", lambda: tmp_path / "cache")
    assert precision.choose_precision("auto", CPU, NETWORK)[1].startswith("on this CPU")


def test_what_was_asked_for_is_not_measured(monkeypatch):
    monkeypatch.setattr(precision, "measure_bf16_share", None)
    assert precision.choose_precision("bf16", CPU, NETWORK)[0] is torch.bfloat16
    assert precision.choose_precision("fp32", CPU, NETWORK)[0] is torch.float32


@pytest.mark.parametrize(("seconds", "share"), [(1.0, 0.5), (6.0, 3.0)])
def test_measured_share_is_that_of_the_clock(monkeypatch, seconds, share):
    """float32 takes 2 seconds by the clock that runs here, bfloat16 a half or three times as long."""
    now = [0.0]

    def computed(self, planes, check=lambda: None):
        now[0] += seconds if planes.dtype is torch.bfloat16 else 2.0
        return iter(())

    monkeypatch.setattr(precision.FoldedNetwork, "__call__", computed)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: now[0])
    assert precision.measure_bf16_share(NETWORK) == share
