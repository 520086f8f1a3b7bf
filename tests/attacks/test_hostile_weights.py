"""Weights files whose header lies: refused in words, quickly, whatever they claim."""

from __future__ import annotations

import json
import os
import struct

import pytest
from helpers.memory import STATUS, little_memory
from otfm_pansharpen.model.errors import WeightsError
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import (
    FORMAT,
    describe_misfit,
    describe_other_order,
    hash_path,
    load_weights,
    save_weights,
)

SMALL = NetworkConfig(width=8, blocks=1, hidden=8)
SIZES = json.dumps({"bands": 4, "width": 8, "blocks": 1, "cell": 2, "hidden": 8})


def forged(path, tensors, body=b"\0" * 64, sizes=SIZES):
    """Write a safetensors file with this table of tensors and these bytes."""
    header = json.dumps({"__metadata__": {"format": FORMAT, "network": sizes}, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)
    return path


@pytest.mark.promise(15)
@pytest.mark.parametrize(
    "tensors",
    [
        {"head.weight": {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 64]}},
        {"head.weight": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 64]}},
        {"head.weight": {"dtype": "F32", "shape": [16], "data_offsets": [0, 2**62]}},
        {"head.weight": {"dtype": "F32", "shape": [-16], "data_offsets": [0, 64]}},
        {"head.weight": {"dtype": "F32", "shape": [16], "data_offsets": [64, 0]}},
    ],
)
def test_shapes_and_offsets_that_lie(tmp_path, tensors):
    with pytest.raises(WeightsError, match="not a valid safetensors file"):
        load_weights(forged(tmp_path / "lie.safetensors", tensors))


@pytest.mark.parametrize("length", [2**63, 2**40, 10**9])
def test_a_header_length_that_lies(tmp_path, length):
    path = tmp_path / "long.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(WeightsError, match="not a valid safetensors file"):
        load_weights(path)


@pytest.mark.promise(15)
@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell how much memory a process has")
def test_a_small_file_that_claims_a_huge_network(tmp_path):
    """The network would take 1.6 GB; nothing of it is made."""
    sizes = json.dumps({"bands": 16, "width": 512, "blocks": 64, "cell": 8, "hidden": 1024})
    tensors = {"head.weight": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}}
    path = forged(tmp_path / "huge.safetensors", tensors, sizes=sizes)
    with little_memory(300), pytest.raises(WeightsError, match=r"huge\.safetensors does not fit the network"):
        load_weights(path)


def test_a_header_that_is_nested_a_hundred_thousand_times(tmp_path):
    with pytest.raises(WeightsError, match="does not describe a network"):
        load_weights(forged(tmp_path / "deep.safetensors", {}, b"", "[" * 100_000))


@pytest.mark.parametrize(
    "record",
    ["[" * 100_000, "7", "[]", '{"scenes": [{"band_names": 7}]}', '{"scenes": [{"band_names": [7, [], {}]}]}',
     '{"scenes": 7}', '{"scenes": [{"bands": 1e999, "ratio": 2, "gain": 0.3, "ms": "a"}]}',
     '{"scenes": [{"bands": 4, "ratio": NaN, "gain": NaN, "ms": "a"}]}',
     '{"scenes": [{"bands": 4, "ratio": 1e999, "gain": 1e999, "ms": "a"}]}'],
)  # fmt: skip
def test_a_header_that_lies_of_its_fine_tuning(record):
    """A false header causes a warning at most."""
    message = describe_misfit({"finetuned": record}, 4, 2.0, 0.3)
    assert message is None or "fine-tuned on another kind of scene" in message
    assert describe_other_order({"finetuned": record}, ("red", "green"), (1, 2)) is None


def test_a_file_far_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.truncate(2**36)  # sparse: 64 GB of nothing
    with pytest.raises(WeightsError, match="far smaller"):
        load_weights(path)


def test_links(tmp_path):
    """A link to good weights is as good as the file; one to nothing, or a folder, does not exist."""
    digest = save_weights(FlowNetwork(SMALL), tmp_path / "good.safetensors", {})
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "good.safetensors")
    assert load_weights(tmp_path / "link.safetensors").sha256 == digest
    (tmp_path / "loop.safetensors").symlink_to(tmp_path / "loop.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("loop", "folder"):
        with pytest.raises(WeightsError, match="does not exist"):
            load_weights(tmp_path / f"{name}.safetensors")


def test_a_hash_file_of_3_gb_is_not_read(tmp_path):
    good = tmp_path / "good.safetensors"
    digest = save_weights(FlowNetwork(SMALL), good, {})
    os.truncate(hash_path(good), 3 * 10**9)
    with little_memory(500), pytest.raises(WeightsError, match=r"has more than 1,048,576 bytes\. .*delete it"):
        load_weights(good)
    hash_path(good).unlink()
    os.mkfifo(hash_path(good))  # which says nothing of the weights, as no file does
    assert load_weights(good).sha256 == digest
