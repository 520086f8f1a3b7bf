"""The plugin's version, which metadata.txt alone states."""

from __future__ import annotations

import configparser
from pathlib import Path


def _read_version() -> str:
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(Path(__file__).resolve().parents[1] / "metadata.txt", encoding="utf-8")
    return metadata["general"]["version"]


VERSION = _read_version()
