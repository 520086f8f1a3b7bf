"""Weights on disk: a safetensors file with its configuration in the header, and a sidecar with its SHA-256.

Files are not trusted. The hashes in sidecar and header are checked where there are any. Names, shapes, types and values
must be exactly those of the network that the header describes. No pickle is read anywhere.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..codec import parse_json
from ..errors import WeightsError
from ..files import read_small_file
from ..geometry.transfer import TransferFunction
from ..progress import format_bytes
from ..scene.statistics import SceneStatistics
from ..staging import staging
from ..weight_sets import bundled_files
from .band_groups import reordering
from .flow_network import FlowNetwork, Guidance, NetworkConfig

FORMAT = "otfm-pansharpen-weights-2"
TENSORS_DIGEST = "tensors_sha256"  # in the header, so that weights without their sidecar are checked too
MAX_FILE_BYTES = 64 * 1024 * 1024  # of weights; bundled ones have less than 2 MB
MAX_HASH_BYTES = 2**20  # of a sidecar; a line has 100
MAX_DEPTH = 8  # of JSON in a header
MAX_WEIGHT = 1000.0  # training leaves 2; a flipped bit of the exponent makes 1e37 of a tenth
TRIAL_CELLS = 8  # along the side of a trial scene
TRIAL_TIMES = (0.0, 0.5)
MAX_VELOCITY = 10.0  # deviations on the trial scenes, where sound weights stay below 1
LIKE_RATIO = 0.05  # relative difference from the scenes of a fine-tuning, up to which a scene is of their kind
LIKE_GAIN = 0.4  # the same of the logarithm of the MTF gain
PREVIOUS_FORMATS = ("otfm-pansharpen-weights-1",)  # networks conditioned on a Gaussian gain alone
HASH_LINE = re.compile(  # as sha256sum, shasum, openssl and BSD's sha256 write it
    r"(sha2?-?256 ?\((?P<first>.+)\) ?= ?)?(?P<digest>[0-9a-f]{64})(\s+\*?(?P<name>.+))?", re.IGNORECASE
)
HASH_CURE = "Download it again, or delete it."
LIMITS = {"bands": (1, 16), "width": (4, 512), "blocks": (1, 64), "cell": (1, 8), "hidden": (1, 1024)}


@dataclass(frozen=True)
class Weights:
    """A network ready to use, the header of its file, and the file's SHA-256."""

    network: FlowNetwork
    header: Mapping[str, str]
    sha256: str
    path: Path


def save_weights(network: FlowNetwork, path: Path, notes: Mapping[str, Any]) -> str:
    """Write weights and their sidecar, both or neither. Returns the SHA-256. Raises OSError.

    `notes` (what, from which data, under which licence, with which settings) go into the header as JSON.
    """
    header = {key: value if isinstance(value, str) else json.dumps(value) for key, value in notes.items()}
    tensors = {name: value.detach().float().contiguous().cpu() for name, value in network.state_dict().items()}
    header |= {"format": FORMAT, "network": json.dumps(asdict(network.config)), TENSORS_DIGEST: _hash_tensors(tensors)}
    with staging(path) as made:
        draft, digests = made.folder / path.name, made.folder / hash_path(path).name
        draft.write_bytes(save(tensors, metadata=header))  # save_file would let only its owner read the file
        digest = compute_file_sha256(draft)
        digests.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        made.deliver([digests, draft], [file for file in (path, hash_path(path)) if os.path.lexists(file)])
    return digest


def load_weights(path: Path) -> Weights:
    """Load and check a weights file. Raises WeightsError with the fault and the remedy."""
    if not path.is_file():
        raise WeightsError(f"The weights file {path} does not exist. Choose a .safetensors file, or fast or best.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise WeightsError(f"{path} is {format_bytes(path.stat().st_size)}; weights of this plugin are far smaller.")
    try:
        digest = _check_hash(path)
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            network = _build_network(path, header)
            tensors = _read_tensors(path, file, network.state_dict(), header.get(TENSORS_DIGEST))
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error}). Check who may read it.") from error
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path} is not a valid safetensors file ({error}). Download or train it again.") from error
    network.load_state_dict(tensors, assign=True)
    network.eval().requires_grad_(False)
    _refuse_nonsense(path, network)
    return Weights(network, header, digest, path)


def describe_misfit(header: Mapping[str, str], bands: int, ratio: float, gain: float) -> str | None:
    """Return a warning where weights were fine-tuned on scenes unlike one of `bands`, `ratio` and MTF `gain`."""
    try:
        scenes = parse_json(header["finetuned"], MAX_DEPTH)["scenes"]
        learnt = [(int(s["bands"]), float(s["ratio"]), float(s["gain"]), str(s["ms"])) for s in scenes]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None  # not fine-tuned, or a header of another program
    fits = [
        b == bands and abs(r - ratio) < LIKE_RATIO * ratio and abs(math.log(g / gain)) < LIKE_GAIN if g > 0.0 else False
        for b, r, g, _ in learnt
    ]
    if not learnt or any(fits):
        return None
    b, r, g, name = learnt[0]
    return (
        f"These weights were fine-tuned on another kind of scene ({name[:80]}: {b} bands, ratio {r:.3g}, "
        f"MTF gain {g:.2f}); this one has {bands} bands, ratio {ratio:.3g}, MTF gain {gain:.2f}. The bundled weights "
        "may be better here."
    )


def describe_other_order(header: Mapping[str, str], names: Sequence[str], numbers: Sequence[int]) -> str | None:
    """Return a warning where a scene has the bands that weights were fine-tuned on, by name, in another order.

    `numbers` are those of the bands in their file.
    """
    try:
        learnt = [[str(n) for n in s["band_names"]] for s in parse_json(header["finetuned"], MAX_DEPTH)["scenes"]]
    except (KeyError, TypeError, ValueError):
        return None  # not fine-tuned, or a header of another program
    commands = [(order, cure) for order in learnt if (cure := reordering(order, names, numbers))]
    if not commands or list(names) in learnt:
        return None
    order, cure = commands[0]
    return (
        f"These weights were fine-tuned on the bands in the order {', '.join(order)}; here they come as "
        f"{', '.join(names)}. So they do no better than general ones. Bring the bands into that order, for example "
        f"with {cure}."
    )


def finetuned(header: Mapping[str, str]) -> str:
    """Describe the fine-tuning of weights in a few words; empty where they were not fine-tuned."""
    try:
        notes, start = parse_json(header["finetuned"], MAX_DEPTH), parse_json(header["started_from"], MAX_DEPTH)
        return f"{int(notes['steps'])} steps, seed {int(notes['seed'])}, from SHA-256 {str(start['sha256'])[:64]}"
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""  # or a header of another program


def compute_file_sha256(path: Path) -> str:
    """Compute the hexadecimal SHA-256 of a weights file. Raises OSError, also beyond MAX_FILE_BYTES."""
    return hashlib.sha256(read_small_file(path, MAX_FILE_BYTES)).hexdigest()


def hash_path(path: Path) -> Path:
    """Return the path of the sidecar of a weights file, of the style of sha256sum."""
    return path.with_name(path.name + ".sha256")


def _check_hash(path: Path) -> str:
    """Return the file's SHA-256. Raises WeightsError where its sidecar has another one, or none of this file."""
    digest, sidecar = compute_file_sha256(path), hash_path(path)
    if not sidecar.is_file():
        if path in bundled_files():
            raise WeightsError(f"{sidecar.name} is missing next to the bundled weights. Install the plugin again.")
        return digest
    listed = _read_digests(sidecar)
    matching = [value for value, name in listed if name in ("", path.name)]
    if digest in (matching or [value for value, _ in listed]):  # both files may have been renamed
        return digest
    if matching:
        raise WeightsError(f"{path} does not match {sidecar.name}: the file is damaged. Download or train it again.")
    raise WeightsError(f"{sidecar} is of {listed[0][1]}, not of {path.name}. {HASH_CURE}")


def _read_digests(sidecar: Path) -> list[tuple[str, str]]:
    """Return each SHA-256 in a sidecar with its file name, empty where it has none. Raises WeightsError."""
    try:
        content = read_small_file(sidecar, MAX_HASH_BYTES)
    except OSError as error:
        raise WeightsError(f"The hashes next to the weights cannot be read: {error}. {HASH_CURE}") from error
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    text = content.decode(encoding, errors="replace").replace("\ufeff", "").strip()
    if not text:
        raise WeightsError(f"{sidecar} is empty. {HASH_CURE}")
    matches = [match for match in map(HASH_LINE.fullmatch, map(str.strip, text.splitlines())) if match]
    if not matches:
        raise WeightsError(f"{sidecar} holds no SHA-256, which has 64 hexadecimal digits. {HASH_CURE}")
    return [(m["digest"].lower(), re.split(r"[/\\]", m["first"] or m["name"] or "")[-1]) for m in matches]


def _build_network(path: Path, header: Mapping[str, str]) -> FlowNetwork:
    """Build the network that the header describes, without memory for its weights."""
    if header.get("format") in PREVIOUS_FORMATS:
        raise WeightsError(
            f"{path} was written by an earlier version, whose network read fewer numbers of a scene. Fine-tune again "
            "from the weights of this version."
        )
    if header.get("format") != FORMAT:
        raise WeightsError(f"{path} was not written by this plugin (its header lacks format {FORMAT}).")
    try:
        values = parse_json(header["network"], MAX_DEPTH)
        order = tuple(values.pop("order", ())) if isinstance(values, dict) else ()
        if sorted(order) != list(range(len(order))) or not all(type(v) is int for v in order):
            raise ValueError("the order of its bands does not hold each of them once")
        if set(values) != set(LIMITS) or not all(type(v) is int for v in values.values()):
            raise ValueError(f"expected whole numbers for {', '.join(sorted(LIMITS))}")
        for name, (low, high) in LIMITS.items():
            if not low <= values[name] <= high:
                raise ValueError(f"{name} is {values[name]}, not within {low} to {high}")
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"The header of {path} does not describe a network of this plugin: {error}.") from error
    with torch.device("meta"):  # the file's data alone take memory, whatever sizes the header claims
        return FlowNetwork(NetworkConfig(**values, order=order))


def _hash_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """Compute the SHA-256 of names, shapes and little-endian bytes of float32 tensors, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {list(tensors[name].shape)}\n".encode())
        digest.update(tensors[name].numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _read_tensors(
    path: Path, file: Any, expected: Mapping[str, torch.Tensor], digest: str | None
) -> dict[str, torch.Tensor]:
    """Read exactly the tensors of the network, with its shapes, as finite float32 that match `digest`, if any."""
    stored = set(file.keys())
    if stored != set(expected):
        odd = sorted(stored ^ set(expected))[:3]
        raise WeightsError(f"{path} does not fit the network: tensors missing or unknown ({', '.join(odd)}).")
    tensors = {}
    for name, like in expected.items():
        part = file.get_slice(name)
        if list(part.get_shape()) != list(like.shape) or part.get_dtype() != "F32":
            shape, dtype = part.get_shape(), part.get_dtype()
            raise WeightsError(f"{path}: tensor {name} is {dtype} {shape}, but F32 {list(like.shape)} is needed.")
        tensors[name] = file.get_tensor(name).clone()  # a copy, as the file may change
    if digest is not None and digest != _hash_tensors(tensors):
        raise WeightsError(
            f"The tensors of {path} do not match the SHA-256 in its header: the file is damaged. Download or train it "
            "again."
        )
    for name, value in tensors.items():
        if not bool((value.abs() <= MAX_WEIGHT).all()):
            raise WeightsError(
                f"{path}: tensor {name} holds values that are not finite or beyond {MAX_WEIGHT:g}. Download or "
                "train it again."
            )
    return tensors


def _refuse_nonsense(path: Path, network: FlowNetwork) -> None:
    """Raise WeightsError where plausible numbers together give nonsense."""
    velocity = measure_trial_velocity(network)
    if not velocity <= MAX_VELOCITY:
        raise WeightsError(
            f"The weights of {path} give nonsense: on a synthetic scene they change bands by {velocity:.3g} "
            f"deviations, sound ones by less than {MAX_VELOCITY:g}. Download or train them again."
        )


@torch.inference_mode()
def measure_trial_velocity(network: FlowNetwork) -> float:
    """Measure the largest velocity, in deviations, in two different scenes at two times; NaN where one is NaN."""
    bands, side = network.config.bands, TRIAL_CELLS * network.config.cell
    scenes = [_make_scene(bands, sign) for sign in (-1.0, 1.0) for _ in TRIAL_TIMES]
    line = torch.arange(side, dtype=torch.float32)
    low = torch.outer((line / 5.0).sin(), (line / 5.0).cos())
    pan = low + 0.5 * torch.outer(line.sin(), (1.3 * line).sin())
    x = torch.stack([low * (1.0 - 0.5 * b / bands) for b in range(bands)])
    guidance = Guidance(
        guides=torch.stack([pan] * bands + [low] * (bands + 1)).expand(len(scenes), -1, -1, -1),
        injection=torch.tensor([s.injection for s in scenes]),
        depth=torch.tensor([s.depth(range(bands)) for s in scenes]),
        scene=torch.tensor([s.condition(range(bands)) for s in scenes]),
    )
    return float(network(x.expand(len(scenes), -1, -1, -1), torch.tensor(TRIAL_TIMES * 2), guidance).abs().max())


def _make_scene(bands: int, sign: float) -> SceneStatistics:
    """Make an ordinary scene whose statistics differ from usual ones by `sign`, so that no layer reads only zeros."""
    wave = [sign * (-1.0) ** b for b in range(bands)]
    return SceneStatistics(
        ratio=3.0 * 2.0 ** (0.5 * sign), transfer=TransferFunction.gaussian(0.3 - 0.15 * sign),
        ms_mean=(0.0,) * bands, ms_std=(1.0,) * bands, ms_dark=tuple(-1.6 - 0.4 * w for w in wave),
        pan_mean=(0.0,), pan_std=(1.0,), pan_dark=(-1.6 + 0.4 * sign,),
        injection=tuple(0.7 + 0.2 * w for w in wave), slope=tuple(0.05 * w for w in wave),
        correlation=tuple(0.8 + 0.1 * w for w in wave), intensity=(1.0 / bands,) * bands, fit=0.9 + 0.05 * sign,
    )  # fmt: skip
