"""What the user set in QGIS's options, kept under `otfm/`: the defaults of dialogs, scripts and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsApplication, QgsProcessingParameterDefinition, QgsSettings

from ..model.options import BUNDLED, DEFAULT_SET

DEVICE, QUALITY, MEMORY, WEIGHTS_FOLDER = "otfm/device", "otfm/quality", "otfm/memory", "otfm/weights_folder"
SET_BY = {"DEVICE": DEVICE, "MEMORY": MEMORY}  # a parameter to what its default is set by


def setting(key: str) -> Any:
    """What was set, None where nothing was."""
    value = QgsSettings().value(key)
    return None if value in ("", None) else value


def set_default(parameter: QgsProcessingParameterDefinition) -> None:
    """Give a parameter the default that the user has set for it, where it is one that it accepts."""
    value = setting(SET_BY[parameter.name()]) if parameter.name() in SET_BY else None
    if value is not None and parameter.checkValueIsAcceptable(value):
        parameter.setDefaultValue(value)


def default_quality() -> str:
    """Which bundled set is used where nothing else is asked for."""
    chosen = setting(QUALITY)
    return chosen if chosen in BUNDLED else DEFAULT_SET


def weights_folder() -> Path:
    """Where tuned weights are kept: the folder that was set, else one in the profile."""
    chosen = setting(WEIGHTS_FOLDER)
    return Path(chosen) if chosen else Path(QgsApplication.qgisSettingsDirPath()) / "otfm_pansharpen" / "weights"
