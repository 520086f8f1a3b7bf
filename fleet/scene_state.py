"""The state file of a scene: its plan, and what its finished files hold. It is verified whenever it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .job import Scene
from .part_files import PART_NAME
from .storage import DamagedFileError, child, fingerprint, parent, read_text, write_text

FORMAT = "otfm-pansharpen-fleet-2"
MAX_STATE_BYTES = 16 * 2**20  # 100,000 parts have a state of this size


@dataclass(frozen=True)
class SceneState:
    """What is kept of a scene.

    plan      JSON text of a `ScenePlan`
    outputs   fingerprint of every finished file by its path within the output folder; empty until all are finished
    """

    plan: str
    outputs: Mapping[str, str]


def write_state(scene: Scene, plan: str, outputs: Mapping[str, str]) -> None:
    """Write the state next to the output. Raises OutputError."""
    body = {"plan": json.loads(plan), "outputs": dict(outputs)}
    text = json.dumps({"format": FORMAT, "sha256": _compute_checksum(body), **body}, indent=1)
    write_text(state_path(scene), text)


def read_state(path: str) -> SceneState | None:
    """The state at a path; None where there is none. Raises DamagedFileError where it is not as it was written."""
    text = read_text(path, MAX_STATE_BYTES)
    if text is None:
        return None
    try:
        values = json.loads(text)
        if values.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        if values.pop("sha256") != _compute_checksum(values):
            raise ValueError("its checksum does not match")
        outputs = values["outputs"]
        if not all(isinstance(v, str) for v in outputs.values()):
            raise ValueError("a fingerprint is not text")
        return SceneState(json.dumps(values["plan"], indent=1), outputs)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedFileError(f"{path} is not the state of a scene ({error})") from error


def state_path(scene: Scene) -> str:
    """Path of the state file."""
    return scene.beside("plan.json")


def verify_outputs(scene: Scene, state: SceneState) -> bool:
    """Read all finished files; whether there are any. Raises DamagedFileError where one is not as it was finished.

    Raises InputError where a store does not answer.
    """
    if not state.outputs:
        return False
    folder, parts = parent(scene.output), scene.beside("parts").rpartition("/")[2]
    own = {scene.output.rpartition("/")[2], scene.beside("vrt").rpartition("/")[2]}
    if scene.output.rpartition("/")[2] not in state.outputs:
        raise DamagedFileError(f"{state_path(scene)} is the state of another scene")
    for name, expected in state.outputs.items():
        place, _, file = name.rpartition("/")
        if name not in own and not (place == parts and PART_NAME.fullmatch(file)):
            raise DamagedFileError(f"{state_path(scene)} names {name}, which is not a file of this scene")
        if fingerprint(child(folder, name)) != expected:
            raise DamagedFileError(f"{child(folder, name)} has changed since it was finished")
    return True


def _compute_checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
