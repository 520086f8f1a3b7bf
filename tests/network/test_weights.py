"""Weights files: written weights are read, and nothing else is."""

from __future__ import annotations

import itertools
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from otfm_pansharpen.model import files
from otfm_pansharpen.model.errors import WeightsError
from otfm_pansharpen.model.network import weights
from otfm_pansharpen.model.network.flow_network import FlowNetwork, NetworkConfig
from otfm_pansharpen.model.network.weights import describe_other_order, hash_path, load_weights, save_weights
from otfm_pansharpen.model.options import BUNDLED, DEFAULT_SET
from safetensors import safe_open
from safetensors.torch import load_file, save_file

SMALL = NetworkConfig(width=8, blocks=1, hidden=8)


@pytest.fixture
def good(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "good.safetensors"
    save_weights(FlowNetwork(SMALL), path, {"name": "test"})
    return path


def rewritten(path, change_tensors=None, change_header=None):
    """Change a file and remove its hashes, in the sidecar and in the header, as of an older version."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    header.pop("tensors_sha256", None)
    (change_tensors or (lambda t: None))(tensors)
    (change_header or (lambda h: None))(header)
    save_file(tensors, path, metadata=header)
    hash_path(path).unlink()
    return path


def test_round_trip(good):
    torch.manual_seed(0)
    expected = FlowNetwork(SMALL).state_dict()
    loaded = load_weights(good)
    assert loaded.network.config == SMALL
    assert loaded.header["name"] == "test"
    assert all(torch.equal(expected[k], v) for k, v in loaded.network.state_dict().items())
    assert hash_path(good).read_text().split() == [loaded.sha256, good.name]


def test_names_may_hold_any_letters(tmp_path):
    path = tmp_path / "größer-最良.safetensors"
    assert save_weights(FlowNetwork(SMALL), path, {}) == load_weights(path).sha256


def test_weights_may_be_read_by_whom_other_files_may(good, tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    assert good.stat().st_mode == hash_path(good).stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_weights_load_and_are_small(name):
    weights = load_weights(BUNDLED[name])
    assert BUNDLED[name].stat().st_size <= 8_000_000
    assert weights.header["name"] == name
    assert weights.header["version"]
    assert "Copernicus" in weights.header["credits"]
    assert json.loads(weights.header["simulation"])["gain"]
    assert json.loads(weights.header["training"])["transport"] > 0


def test_the_fast_set_is_smaller():
    assert DEFAULT_SET in BUNDLED
    assert BUNDLED["fast"].stat().st_size < 0.5 * BUNDLED["best"].stat().st_size


@pytest.mark.promise(15)
def test_flipped_bit_is_found_by_the_hash(good):
    data = bytearray(good.read_bytes())
    data[-5] ^= 1
    good.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(good)


SPELLINGS = {
    "bare": "{hex}",
    "upper case": "{HEX}  good.safetensors\n",
    "binary": "{hex} *good.safetensors\n",
    "BSD": "SHA256 (good.safetensors) = {hex}\n",
    "openssl": "SHA2-256(good.safetensors)= {hex}\n",
    "BOM": "\ufeff{hex}  good.safetensors\n",
    "CRLF": "{hex}  good.safetensors\r\n",
    "a folder": "{hex}  weights/good.safetensors\n",
    "renamed": "{hex}  as-it-was-called-before.safetensors\n",
    "several": "{other}  best.safetensors\n{hex}  good.safetensors\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_hashes_are_read_however_they_are_spelled(good, spelling, encoding):
    digest = load_weights(good).sha256
    words = SPELLINGS[spelling].format(hex=digest, HEX=digest.upper(), other="0" * 64)
    hash_path(good).write_bytes(words.encode(encoding))
    assert load_weights(good).sha256 == digest
    hash_path(good).write_bytes(words.replace(digest, "1" * 64).replace(digest.upper(), "A" * 64).encode(encoding))
    with pytest.raises(WeightsError):
        load_weights(good)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\r\n", "is empty"),
        (b"<html>404 Not Found</html>", "holds no SHA-256"),
        (b"\0\xff" * 40, "holds no SHA-256"),
        (b"d41d8cd98f00b204e9800998ecf8427e  good.safetensors", "holds no SHA-256"),
        (b"%s  other.safetensors" % (b"0" * 64), r"is of other\.safetensors, not of good\.safetensors"),
    ],
)
def test_hash_file_without_the_weights_is_named_as_the_fault(good, content, words):
    hash_path(good).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"good\.safetensors\.sha256 {words}.*delete") as caught:
        load_weights(good)
    assert "damaged" not in str(caught.value)


def test_weights_that_may_not_be_read_are_refused(good, monkeypatch):
    def forbidden(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files.os, "open", forbidden)
    with pytest.raises(WeightsError, match=r"good\.safetensors cannot be read .*Permission denied"):
        load_weights(good)


@pytest.mark.promise(15)
def test_flipped_bit_is_found_without_a_hash_file(good):
    """Also a plausible value is found: the header has the hash of the tensors."""
    data = bytearray(good.read_bytes())
    data[-5] ^= 1
    good.write_bytes(data)
    hash_path(good).unlink()
    with pytest.raises(WeightsError, match=r"good\.safetensors.* do not match the SHA-256 in its header.*damaged"):
        load_weights(good)


def test_older_files_without_a_hash_in_their_header_load(good):
    expected = load_weights(good).network.state_dict()
    loaded = load_weights(rewritten(good))
    assert all(torch.equal(expected[name], value) for name, value in loaded.network.state_dict().items())


def break_shape(tensors):
    tensors["head.weight"] = tensors["head.weight"][:4].clone()


def break_type(tensors):
    tensors["head.weight"] = tensors["head.weight"].double()


def drop_one(tensors):
    del tensors["head.bias"]


def add_one(tensors):
    tensors["extra"] = torch.zeros(1)


def poison(tensors):
    tensors["head.bias"][0] = float("nan")


def blow_up(tensors):
    """Set the value that a flipped bit of the exponent makes of 0.1."""
    tensors["head.bias"][0] = 3.4e37


@pytest.mark.promise(15)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (break_shape, "head.weight is F32"),
        (break_type, "head.weight is F64"),
        (drop_one, "head.bias"),
        (add_one, "extra"),
        (poison, "not finite"),
        (blow_up, "head.bias holds values that are not finite or beyond"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(good, change, words):
    with pytest.raises(WeightsError, match=words):
        load_weights(rewritten(good, change_tensors=change))


@pytest.mark.promise(15)
@pytest.mark.parametrize("name", ["tail.weight", "modulate.bias", "blocks.2.conv2.weight"])
def test_weights_that_give_nonsense_are_refused(tmp_path, name):
    """Each number is plausible; together they give nonsense."""
    network = load_weights(BUNDLED["fast"]).network
    dict(network.named_parameters())[name] += 50.0
    save_weights(network, tmp_path / "own.safetensors", {})
    with pytest.raises(WeightsError, match=r"own\.safetensors give nonsense: .* deviations"):
        load_weights(tmp_path / "own.safetensors")


@pytest.mark.promise(15)
@pytest.mark.parametrize(
    "network",
    ["{}", "[]", "nonsense", '{"bands": 4, "width": 99999999, "blocks": 1, "cell": 4, "hidden": 8}',
     '{"bands": 4, "width": 8.5, "blocks": 1, "cell": 4, "hidden": 8}',
     '{"bands": 4, "width": 8, "blocks": 1, "cell": 4, "hidden": 8, "order": [0, 2]}',
     '{"bands": 4, "width": 8, "blocks": 1, "cell": 4, "hidden": 8, "order": ["0", "1"]}',
     '{"bands": 4, "width": 8, "blocks": 1, "cell": 4, "hidden": 8, "order": 7}'],
)  # fmt: skip
def test_headers_that_describe_no_network_are_refused(good, network):
    with pytest.raises(WeightsError, match="does not describe"):
        load_weights(rewritten(good, change_header=lambda h: h.update(network=network)))


def test_the_cure_for_another_order_names_the_bands_of_the_file():
    """Their numbers do not begin at 1 where a band is left out."""
    header = {"finetuned": json.dumps({"scenes": [{"band_names": ["red", "green", "nir"]}]})}
    warning = describe_other_order(header, ("green", "red", "nir"), (2, 3, 5))
    assert "-b 3 -b 2 -b 5" in (warning or "")
    for names in (("red", "green", "nir"), ("red", "green", "blue"), ("red", "nir"), ("", "", "")):
        assert describe_other_order(header, names, (1, 2, 3)) is None
    both = {"finetuned": json.dumps({"scenes": [{"band_names": n} for n in (["a", "b"], ["b", "a"])]})}
    assert describe_other_order(both, ("b", "a"), (1, 2)) is None  # tuned on that order, too


@pytest.mark.promise(15)
def test_other_formats_are_refused(good, tmp_path):
    with pytest.raises(WeightsError, match="not written by this plugin"):
        load_weights(rewritten(good, change_header=lambda h: h.update(format="other")))
    for name, data in {"empty": b"", "pickle": pickle.dumps({"head.weight": 1}), "huge": b"\xff" * 16}.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="not a valid safetensors file"):
            load_weights(path)
    with pytest.raises(WeightsError, match="does not exist"):
        load_weights(tmp_path / "absent.safetensors")


def test_weights_of_an_earlier_version_are_refused(good):
    with pytest.raises(WeightsError, match=r"earlier version.*Fine-tune again from the weights of this version"):
        load_weights(rewritten(good, change_header=lambda h: h.update(format="otfm-pansharpen-weights-1")))


@pytest.mark.promise(20)
def test_interrupted_saving_leaves_the_old_weights(good, monkeypatch):
    before = good.read_bytes()

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save_weights(FlowNetwork(SMALL), good, {})
    assert good.read_bytes() == before
    assert sorted(p.name for p in good.parent.iterdir()) == ["good.safetensors", "good.safetensors.sha256"]


@pytest.mark.parametrize("fails", [1, 2, 3, 4])
def test_failed_replacement_keeps_previous_weights_and_hash(good, monkeypatch, fails):
    digest, renames, real = load_weights(good).sha256, itertools.count(1), os.replace

    def replace(source, target):
        if next(renames) == fails:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(OSError, match="No space left"):
        save_weights(FlowNetwork(SMALL), good, {})
    assert sorted(p.name for p in good.parent.iterdir()) == ["good.safetensors", "good.safetensors.sha256"]
    assert load_weights(good).sha256 == digest


def test_bundled_weights_without_their_hash_are_refused(good, monkeypatch):
    monkeypatch.setitem(BUNDLED, "fast", good)
    hash_path(good).unlink()
    with pytest.raises(WeightsError, match=r"sha256 is missing next to the bundled weights\. Install the plugin again"):
        load_weights(good)


def test_weights_whose_trial_is_not_a_number_are_refused(good, monkeypatch):
    monkeypatch.setattr(weights, "measure_trial_velocity", lambda network: float("nan"))
    with pytest.raises(WeightsError, match="give nonsense"):
        load_weights(good)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"ratio": 4.15}, True),
        ({"ratio": 4.3}, False),
        ({"gain": 0.42}, True),
        ({"gain": 0.46}, False),
        ({"gain": 0.19}, False),
        ({"bands": 3}, False),
    ],
)
def test_misfit_tells_scenes_of_another_kind(changes, fits):
    header = {"finetuned": json.dumps({"scenes": [{"bands": 4, "ratio": 4.0, "gain": 0.3, "ms": "ms.tif"}]})}
    warning = weights.describe_misfit(header, **{"bands": 4, "ratio": 4.0, "gain": 0.3, **changes})
    assert (warning is None) == fits
    assert fits or "ms.tif: 4 bands, ratio 4, MTF gain 0.30" in str(warning)
