"""The user's settings, kept under `otfm/` in QGIS's: the defaults of dialogs, scripts and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsApplication, QgsProcessingParameterDefinition, QgsSettings

from ..model.options import BUNDLED, DEFAULT_SET

DEVICE, QUALITY, MEMORY, WEIGHTS_FOLDER = "otfm/device", "otfm/quality", "otfm/memory", "otfm/weights_folder"
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


def default_quality() -> str:
    """Return the bundled set of weights that is the default."""
    chosen = setting(QUALITY)
    return chosen if chosen in BUNDLED else DEFAULT_SET


def weights_folder() -> Path:
    """Return the folder of tuned weights: the user's setting, else one in the profile."""
    chosen = setting(WEIGHTS_FOLDER)
    return Path(chosen) if chosen else Path(QgsApplication.qgisSettingsDirPath()) / "otfm_pansharpen" / "weights"
