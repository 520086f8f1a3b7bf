"""Translations as Qt's tools write them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree


def read_translations(file: Path) -> dict[str, str]:
    """Read translations by their text, empty where there is none yet."""
    messages = ElementTree.parse(file).getroot().iter("message")
    return {m.findtext("source", ""): m.findtext("translation", "") for m in messages}
