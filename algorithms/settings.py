"""The user's settings, kept under `otfm/` in QGIS's: the defaults of dialogs, scripts and the command line."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication, QgsProcessingParameterDefinition, QgsSettings

from ..model.options import BUNDLED, DEFAULT_SET

DEVICE, QUALITY, MEMORY, WEIGHTS_FOLDER = "otfm/device", "otfm/quality", "otfm/memory", "otfm/weights_folder"
OUTPUT_FOLDER, NAME_PATTERN, READY = "otfm/output_folder", "otfm/name_pattern", "otfm/ready"
DEFAULT_PATTERN = "{ms}_sharp.tif"  # Of names of results.
SET_BY = {"DEVICE": DEVICE, "MEMORY": MEMORY}  # The setting of a parameter's default.


def setting(key: str) -> Any:
    """Return a setting, None where there is none."""
    value = QgsSettings().value(key)
    return None if value in ("", None) else value


def set_default(parameter: QgsProcessingParameterDefinition) -> None:
    """Set the user's default of a parameter, if it accepts that value."""
    value = setting(SET_BY[parameter.name()]) if parameter.name() in SET_BY else None
    if value is not None and parameter.checkValueIsAcceptable(value):
        parameter.setDefaultValue(value)


def default_output(ms: str, taken: Collection[str] = ()) -> str:
    """Return where the result of an MS goes by the user's folder and pattern; empty without a folder.

    Files that exist, and those `taken` by other results, are left alone.
    """
    folder = setting(OUTPUT_FOLDER)
    if not folder:
        return ""
    plain = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", ms).strip(". ") or "ms"
    name = str(setting(NAME_PATTERN) or DEFAULT_PATTERN).replace("{ms}", plain)
    free = (name if n == 1 else f"{Path(name).stem}_{n}{Path(name).suffix}" for n in itertools.count(1))
    places = (Path(folder) / each for each in free)
    return next(str(place) for place in places if not place.exists() and str(place) not in taken)


def default_quality() -> str:
    """Return the bundled set of weights that is the default."""
    chosen = setting(QUALITY)
    return chosen if chosen in BUNDLED else DEFAULT_SET


def weights_folder() -> Path:
    """Return the folder of tuned weights: the user's setting, else one in the profile."""
    chosen = setting(WEIGHTS_FOLDER)
    return Path(chosen) if chosen else Path(QgsApplication.qgisSettingsDirPath()) / "otfm_pansharpen" / "weights"
